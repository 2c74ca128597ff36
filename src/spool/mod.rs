//! The one door to mail: what every backend does, in the words of `docs/protocol.md`.
//!
//! Delivery has four states: unread, claimed, shown, acknowledged. A claim is exclusive and held by a
//! [`Lease`]; what its holder neither shows nor acknowledges comes back when the lease lapses.

pub mod brain;
mod claim;
pub(crate) mod error;
mod lease;
pub mod local;
pub mod relay;
mod remote;
pub(crate) mod select;
mod watch;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use claim::{Afterwards, Claim, Claimed, Filter, Held, Left, Moment, Shown, Take};
pub use error::Error;
pub use lease::{Holder, Holding, InvalidLease, Lease, LeaseId};
pub use select::Quota;
pub use watch::{Landed, Several, Watch, Whose};

use crate::message::{AgentName, ChannelName, Context, Message, MessageId};
use crate::redaction::Found as Redacted;

/// What a spool's calls return.
pub type Result<T> = std::result::Result<T, Error>;

/// An agent's record [v1]: `agents/<name>.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// The name, in the spelling that it was made with.
    pub name: AgentName,
    /// Channels whose mail is copied to it.
    #[serde(default)]
    pub subscriptions: Vec<ChannelName>,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: String,
    /// When a session or command of this agent last took part; RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// Fields of other versions, such as `tokenHash`.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

impl Agent {
    /// Channels that any of these is subscribed to.
    fn channels(agents: Vec<Self>) -> Vec<ChannelName> {
        let mut channels: Vec<_> = agents.into_iter().flat_map(|agent| agent.subscriptions).collect();
        channels.sort();
        channels.dedup();
        channels
    }
}

/// Unread mail, as a look at it finds it.
#[derive(Debug, Default)]
pub struct Inbox {
    /// Unread messages, oldest first.
    pub messages: Vec<Message>,
    /// How many live readers hold.
    pub claimed: usize,
    /// File names of what is no message, with the reason.
    pub bad: Vec<(String, String)>,
}

/// Who holds mail that nobody acknowledged yet.
#[derive(Debug, Default)]
pub struct Holdings {
    /// The readers.
    pub readers: Vec<Holding>,
    /// What lies among the claims and is no reader's: nobody ever looks at it.
    pub strays: Vec<PathBuf>,
}

/// What became of a message that was sent.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// The agents whose inboxes hold it, where the backend tells.
    pub to: Vec<Agent>,
    /// The message as a relay stamped it.
    pub stamped: Option<Message>,
    /// It waits in the outbox, and why: the next command, or the notifier, sends it.
    pub queued: Option<String>,
    /// What was left out of the copy that is kept for good.
    pub redacted: Redacted,
}

/// A message's envelope without its body: what is known of it after it is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: MessageId,
    /// Who sent it.
    pub from: AgentName,
    /// To whom.
    pub to: String,
    /// Its thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Its scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When it was sent, RFC 3339.
    pub ts: String,
}

/// Mail of one room. `agent` is always the caller's own, registered name unless said otherwise.
pub trait Spool {
    /// Makes the agent, or finds it.
    ///
    /// # Errors
    /// Where the name is new and not lower case, or the record cannot be written.
    fn register(&self, name: &AgentName) -> Result<Agent>;
    /// Takes the agent and its mailbox away.
    ///
    /// # Errors
    /// Where it has unread mail, unless `force`.
    fn unregister(&self, name: &AgentName, force: bool) -> Result<()>;
    /// All agents, by name.
    ///
    /// # Errors
    /// Where the directory cannot be read; a damaged record is passed over.
    fn agents(&self) -> Result<Vec<Agent>>;
    /// The agent of that name, if there is one.
    ///
    /// # Errors
    /// Where its record cannot be read.
    fn agent(&self, name: &AgentName) -> Result<Option<Agent>>;
    /// Adds a subscription; doing so twice is doing it once.
    ///
    /// # Errors
    /// For an unknown agent.
    fn subscribe(&self, agent: &AgentName, channel: &ChannelName) -> Result<()>;
    /// Takes a subscription away; returns whether there was one.
    ///
    /// # Errors
    /// For an unknown agent.
    fn unsubscribe(&self, agent: &AgentName, channel: &ChannelName) -> Result<bool>;
    /// Channels that somebody is subscribed to.
    ///
    /// # Errors
    /// As [`Spool::agents`].
    fn channels(&self) -> Result<Vec<ChannelName>> {
        Ok(Agent::channels(self.agents()?))
    }
    /// Notes that the agent takes part now, in these contexts.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn seen(&self, agent: &AgentName, contexts: &[Context]) -> Result<()>;
    /// Whether a session of the agent was ever in a place that the message's scope means; `true`
    /// where nothing is known.
    fn was_in_scope(&self, agent: &AgentName, message: &Message) -> bool;

    /// Delivers a message to each recipient's inbox, on the disk when `durable`.
    ///
    /// # Errors
    /// For an unknown agent, a channel without other subscribers, or a failed write.
    fn send(&self, message: &Message, durable: bool) -> Result<Sent>;
    /// Looks, and changes nothing.
    ///
    /// # Errors
    /// Where the mailbox cannot be read.
    fn inbox(&self, agent: &AgentName) -> Result<Inbox>;
    /// Who holds mail; a backend that keeps claims elsewhere knows of none. Changes nothing.
    ///
    /// # Errors
    /// Where the mailbox cannot be read.
    fn holdings(&self, _agent: &AgentName) -> Result<Holdings> {
        Ok(Holdings::default())
    }
    /// Moves unread messages under the lease, each to exactly one of any number of racing readers.
    ///
    /// # Errors
    /// Where the mailbox cannot be read or written; what was claimed until then is the lease's.
    fn claim(&self, agent: &AgentName, lease: &Lease, filter: &Filter, take: Take<'_>) -> Result<Claim>;
    /// What the lease holds, oldest first.
    ///
    /// # Errors
    /// Where the mailbox cannot be read.
    fn held(&self, agent: &AgentName, lease: &LeaseId) -> Result<Vec<Held>>;
    /// Renews the lease.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn renew(&self, agent: &AgentName, lease: &Lease) -> Result<()>;
    /// Notes that the text was written where it had to go, and flushed.
    ///
    /// # Errors
    /// Where it cannot be written; the message then counts as not shown.
    fn mark_shown(&self, agent: &AgentName, lease: &LeaseId, message: &Message, shown: Shown) -> Result<()>;
    /// Ends a message of this lease for good; returns `false` where another reader has it by now.
    ///
    /// # Errors
    /// Where it cannot be written; the message is then still claimed.
    fn acknowledge(
        &self,
        agent: &AgentName,
        lease: &LeaseId,
        message: &Message,
        after: Afterwards,
    ) -> Result<bool>;
    /// Makes a message of this lease unread again.
    ///
    /// # Errors
    /// Where it cannot be written; the message is then still claimed, until the lease lapses.
    fn release(&self, agent: &AgentName, lease: &LeaseId, message: &Message) -> Result<()>;
    /// What was acknowledged within the last hour (by default), oldest first.
    ///
    /// # Errors
    /// Where the mailbox cannot be read.
    fn recent(&self, agent: &AgentName) -> Result<Vec<Message>>;
    /// Every message, unread, claimed, kept or recent, and every record, whose id begins with `prefix`.
    ///
    /// # Errors
    /// Where the mailbox cannot be read.
    fn find(&self, agent: &AgentName, prefix: &str) -> Result<Vec<Found>>;
    /// Claims one found message for reading it whole, from whoever holds it; `None` where it is gone.
    ///
    /// # Errors
    /// Where the mailbox cannot be written.
    fn take(&self, agent: &AgentName, lease: &Lease, id: MessageId) -> Result<Option<Message>>;
    /// How many messages of each sender were delivered to the agent within the last 10 minutes.
    ///
    /// # Errors
    /// Where the records cannot be read.
    fn quota(&self, agent: &AgentName) -> Result<Quota>;
    /// Watches unread mail. `ring` is called, on another thread, when a look may find something, or when what is
    /// held back in this room may have changed.
    ///
    /// # Errors
    /// Where a mailbox cannot be made.
    fn watch(&self, whose: Whose, ring: Box<dyn FnMut() + Send>) -> Result<Box<dyn Watch>>;
    /// Passes on what was noted here and belongs elsewhere: acknowledgements, releases, mail that waits to be sent. A
    /// backend that keeps all mail here has none.
    ///
    /// # Errors
    /// Where it cannot be passed on; it waits then.
    fn settle(&self) -> Result<()> {
        Ok(())
    }
}

/// Where an id was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The envelope.
    pub record: Record,
    /// The message, where its body is still there.
    pub message: Option<Message>,
    /// Whether it can still be claimed (unread or held by a reader).
    pub open: bool,
}

impl Record {
    /// The envelope of a message.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        Self {
            id: message.id,
            from: message.from.clone(),
            to: message.to.to_string(),
            thread: message.thread.clone(),
            scope: message.scope.as_ref().map(ToString::to_string),
            ts: format!("{:.3}", message.ts),
        }
    }
}
