//! What travels: a message, and the names, ids and scopes in it. Parsed once at the edge, then valid.
//!
//! This module does no input or output.

mod id;
mod name;
mod priority;
mod scope;
pub mod visible;
mod wire;

use jiff::Timestamp;
use serde_json::value::RawValue;

pub use id::{DeliveryId, InvalidId, MessageId};
pub use name::{Address, AgentName, ChannelName, InvalidName};
pub use priority::Priority;
pub use scope::{Context, InvalidScope, Scope};
pub(crate) use wire::from_json;

/// Bytes that the body of a new message may have at most.
pub const LONGEST_BODY: usize = 256 * 1024;
/// References that a new message may have at most, and bytes of each.
const MOST_REFS: usize = 64;
const LONGEST_REF: usize = 2 * 1024;

/// One message, as it lies on the disk and crosses the wire (JSON; see `docs/protocol.md`).
#[derive(Debug, Clone)]
pub struct Message {
    /// Its identity and file name.
    pub id: MessageId,
    /// Who sent it.
    pub from: AgentName,
    /// To whom, as the sender wrote it.
    pub to: Address,
    /// Markdown, never empty.
    pub body: String,
    /// How soon it wants to be read.
    pub priority: Priority,
    /// The repository or topic that it is about.
    pub scope: Option<Scope>,
    /// The id of the message that it answers.
    pub thread: Option<String>,
    /// Paths or URLs.
    pub refs: Vec<String>,
    /// When it was sent.
    pub ts: Timestamp,
    /// Fields that this version does not know, kept to the letter.
    pub unknown: Vec<(String, Box<RawValue>)>,
}

/// Why a message cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// Nothing but white space.
    #[error("a message needs a body")]
    EmptyBody,
    /// More than 256 KiB.
    #[error("the body has {0} bytes; {LONGEST_BODY} is the limit")]
    LongBody(usize),
    /// More than 64 references, or one of more than 2 KiB.
    #[error("a message has {MOST_REFS} references of {LONGEST_REF} bytes at most")]
    References,
}

impl Message {
    /// A new message with a random id.
    #[must_use]
    pub fn new(from: AgentName, to: Address, body: impl Into<String>, ts: Timestamp) -> Self {
        Self {
            id: MessageId::random(),
            from,
            to,
            body: body.into(),
            priority: Priority::Normal,
            scope: None,
            thread: None,
            refs: Vec::new(),
            ts,
            unknown: Vec::new(),
        }
    }

    /// Checks the limits of a new message.
    ///
    /// # Errors
    /// For a body that is empty or too long, and for too many or too long references.
    pub fn check(&self) -> Result<(), InvalidMessage> {
        if self.body.trim().is_empty() {
            return Err(InvalidMessage::EmptyBody);
        }
        if self.body.len() > LONGEST_BODY {
            return Err(InvalidMessage::LongBody(self.body.len()));
        }
        if self.refs.len() > MOST_REFS || self.refs.iter().any(|reference| reference.len() > LONGEST_REF) {
            return Err(InvalidMessage::References);
        }
        Ok(())
    }

    /// Whether its sender, or the channel that it was sent to, is one of these.
    #[must_use]
    pub fn is_among(&self, addresses: &[Address]) -> bool {
        addresses.iter().any(|address| match address {
            Address::Agent(name) => *name == self.from,
            Address::Channel(_) => *address == self.to,
        })
    }

    /// Whether a reader in any of `contexts` is meant; a message without scope is for every reader.
    #[must_use]
    pub fn matches(&self, contexts: &[Context]) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.matches(contexts))
    }
}
