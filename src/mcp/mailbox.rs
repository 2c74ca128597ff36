//! Whose mail a session is about, and what the tools ask of it.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::message::{Address, AgentName, ChannelName, Message, MessageId, Priority, Scope};
use crate::spool::{Agent, Lease, Record};

/// What a tool answers: an error is a text for the model, with what mends it.
pub type Answer<T> = Result<T, String>;

/// Where the client is.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// A repository or topic that the call names.
    pub matching: Option<String>,
    /// The directories that the client works in, where it tells.
    pub roots: Vec<PathBuf>,
}

/// What is said where nothing is delivered by the person's wish.
pub(super) const PAUSED: &str = "the user has paused mail";

/// How many messages wait, for this place and for others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// That a claim from here would get.
    pub here: usize,
    /// For other repositories or topics.
    pub elsewhere: usize,
}

impl fmt::Display for Waiting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} unread here, {} elsewhere", self.here, self.elsewhere)
    }
}

/// Mail that a call was given: claimed, and not acknowledged yet.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What the model is shown.
    pub text: String,
    /// Under which lease the messages are.
    pub lease: Lease,
    /// Those that are whole in the text.
    pub messages: Vec<Message>,
    /// Those that are held and were not shown whole: they go back at the session's end.
    pub heads: Vec<Message>,
}

impl Delivery {
    /// A text with which no mail came.
    #[must_use]
    pub fn of_nothing(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            lease: Lease::of_command(Timestamp::UNIX_EPOCH),
            messages: Vec::new(),
            heads: Vec::new(),
        }
    }

    /// Whether nothing is held by it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.heads.is_empty()
    }

    pub(super) fn has_whole(&self) -> bool {
        !self.messages.is_empty()
    }

    /// What is whole, and what is not.
    pub(super) fn parted(mut self) -> (Self, Self) {
        let (heads, lease) = (std::mem::take(&mut self.heads), self.lease.clone());
        (self, Self { text: String::new(), lease, messages: Vec::new(), heads })
    }

    /// All that is held by it.
    pub fn held(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().chain(&self.heads)
    }
}

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct Draft {
    /// To whom.
    pub to: Address,
    /// Markdown.
    pub body: String,
    /// How soon it wants to be read.
    pub priority: Priority,
    /// Its repository or topic.
    pub scope: Option<Scope>,
    /// What it answers.
    pub thread: Option<String>,
    /// Paths or URLs.
    pub refs: Vec<String>,
}

impl Draft {
    /// The message of that sender.
    #[must_use]
    pub fn message(self, from: AgentName, now: Timestamp) -> Message {
        let mut message = Message::new(from, self.to, self.body, now);
        message.priority = self.priority;
        message.scope = self.scope;
        message.thread = self.thread;
        message.refs = self.refs;
        message
    }
}

/// What became of a draft.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The message's id.
    pub id: MessageId,
    /// In whose inboxes it is, where that is known.
    pub to: Vec<AgentName>,
    /// Why it waits to be sent, where it does.
    pub queued: Option<String>,
    /// What else its sender should know.
    pub remark: Option<String>,
}

/// One agent's mail. Every call may wait; none of them blocks the caller's thread.
#[async_trait]
pub trait Mailbox: Send + Sync {
    /// Whose.
    async fn agent(&self) -> Answer<AgentName>;
    /// Counts unread mail, and changes nothing; `None` where nothing is delivered by the person's wish.
    async fn look(&self, place: Place) -> Answer<Option<Waiting>>;
    /// Claims what matches the place, within the budget of a delivery.
    async fn claim(&self, place: Place) -> Answer<Delivery>;
    /// Claims one message, whole, whose id begins so.
    async fn take(&self, id: String) -> Answer<Delivery>;
    /// Ends the messages of a delivery for good. What cannot be ended stays claimed, until its lease lapses.
    async fn acknowledge(&self, delivery: Delivery);
    /// Holds them for longer.
    async fn renew(&self, delivery: Delivery);
    /// Makes them unread again: the client may have seen them, or not.
    async fn release(&self, delivery: Delivery);
    /// Sends a message.
    async fn send(&self, draft: Draft) -> Answer<Posted>;
    /// The envelope of a message that came, whose id begins so.
    async fn envelope(&self, id: String) -> Answer<Record>;
    /// The agents that one can write to.
    async fn agents(&self) -> Answer<Vec<Agent>>;
    /// Adds a subscription.
    async fn subscribe(&self, channel: ChannelName) -> Answer<()>;
    /// Takes one away; whether there was one.
    async fn unsubscribe(&self, channel: ChannelName) -> Answer<bool>;
    /// Rings when there may be more unread mail than before. It ends where no more can be told.
    async fn bell(&self) -> Answer<watch::Receiver<u64>>;
}

/// What is told where not exactly one message has an id that begins so.
#[must_use]
pub fn not_one(count: usize, id: &str) -> String {
    match count {
        0 => {
            format!("no message that came here begins with `{id}`; bch_send with thread answers an older one")
        }
        _ => format!("{count} messages begin with `{id}`; give the id in full"),
    }
}
