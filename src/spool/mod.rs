//! The one door to mail: what every backend does, in the words of `docs/protocol.md`.
//!
//! Delivery has four states: unread, claimed, shown, acknowledged. A claim is exclusive and held by a
//! [`Lease`]; what its holder neither shows nor acknowledges comes back when the lease lapses.

mod error;
mod lease;
pub mod local;
mod select;

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use error::Error;
pub use lease::{Holder, Holding, Lease, LeaseId};
pub use select::Quota;

use crate::message::{Address, AgentName, ChannelName, Context, DeliveryId, Message, MessageId};

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

/// Which unread messages a reader asks for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Where the reader is; `None` takes every scope.
    pub contexts: Option<Vec<Context>>,
    /// Only urgent ones.
    pub urgent: bool,
    /// Only these.
    pub ids: Option<Vec<MessageId>>,
    /// None of these senders' and channels' mail; it counts as if it were not there.
    pub except: Vec<Address>,
}

/// How much of what matches a claim takes.
pub enum Take<'a> {
    /// All of it.
    All,
    /// Urgent first, then oldest, as fits into `bytes`, a third of which is the oldest normal mail's.
    Within {
        /// The size of the delivery.
        bytes: usize,
        /// What one message takes of it; a remote backend may count the body alone.
        weigh: &'a dyn Fn(&Message) -> usize,
        /// How many more a sender may have delivered now.
        quota: &'a Quota,
    },
}

/// One message that the claim took.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The message.
    pub message: Message,
    /// It may have been shown before: a reader died, was interrupted, or gave it back.
    pub repeat: bool,
    /// It waited for another scope for 7 days, and now goes to any reader.
    pub stray: bool,
}

/// What a claim took, and what it left.
#[derive(Debug, Default)]
pub struct Claim {
    /// Urgent first, then oldest.
    pub messages: Vec<Claimed>,
    /// What is still unread.
    pub left: Left,
}

/// Unread messages that a claim did not take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Match, and wait for the next delivery.
    pub matching: usize,
    /// Wait for readers in other scopes.
    pub other_scopes: usize,
    /// Over their sender's quota, with how many.
    pub held_back: Vec<(AgentName, usize)>,
}

/// By what kind of event a claimed message was shown, and so what proves that the model saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// At a prompt: a tool call or the end of the turn proves it.
    Prompt,
    /// Between tool calls: only the end of the turn proves it.
    Tool,
    /// By its head alone, being longer than the budget: only reading it whole acknowledges it.
    Head,
    /// By its head, and the turn ended: not shown again by this session.
    Noted,
}

/// How a message was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// At what kind of event.
    pub by: Moment,
    /// In which delivery, where its mark is known: a harness's transcript can tell what became of it.
    pub delivery: Option<DeliveryId>,
}

/// A message that a lease holds.
#[derive(Debug, Clone)]
pub struct Held {
    /// The message.
    pub message: Message,
    /// How it was shown; `None` if it never was.
    pub shown: Option<Shown>,
}

/// What acknowledging leaves for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// Nothing but a record without body.
    Gone,
    /// The message itself for a while (`inbox --recent`): output that was flushed need not have been read.
    Recent,
    /// The message, kept by the reader's wish [v1: `cur/`].
    Kept,
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

/// Whom a message reached.
#[derive(Debug, Default)]
pub struct Sent {
    /// The agents whose inboxes hold it.
    pub to: Vec<Agent>,
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

/// Whose mail is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// That of every agent, of those too that are made later.
    All,
    /// That of these.
    These(Vec<AgentName>),
}

/// A message in a mailbox that it landed in.
#[derive(Debug, Clone)]
pub struct Landed {
    /// Whose mailbox.
    pub agent: AgentName,
    /// The message.
    pub message: Message,
}

/// Unread mail as it lands, of one agent or of several; it claims nothing.
pub trait Watch {
    /// Hands out each message that became unread since the last look, in no order, and does not wait. What was
    /// claimed and is unread again is handed out again.
    ///
    /// # Errors
    /// The first mailbox that cannot be read, after the others were looked at.
    fn look(&mut self, hand_out: &mut dyn FnMut(Landed)) -> Result<()>;
    /// Whether the system tells of changes. Where it does not, one must look every second; where it does, now and
    /// then: a network mount is silent on what other machines do, and a lease lapses without a sign.
    fn is_told(&self) -> bool;
    /// Whether the message is unread still.
    ///
    /// # Errors
    /// Where the mailbox cannot be read.
    fn is_unread(&self, agent: &AgentName, id: MessageId) -> Result<bool>;
    /// The ids of all that lies in any mailbox, unread or claimed, watched or not.
    ///
    /// # Errors
    /// Where a mailbox cannot be read.
    fn waiting(&self) -> Result<HashSet<MessageId>>;
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
        let mut channels: Vec<_> = self.agents()?.into_iter().flat_map(|agent| agent.subscriptions).collect();
        channels.sort();
        channels.dedup();
        Ok(channels)
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
