//! Why a store did not do it, in words for its client.

use super::RoomId;
use crate::message::{AgentName, ChannelName, MessageId};

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No such agent in the room.
    #[error("there is no agent @{0}")]
    UnknownAgent(AgentName),
    /// No such room.
    #[error("there is no room {0}")]
    UnknownRoom(RoomId),
    /// No such join token.
    #[error("there is no such invite")]
    UnknownInvite,
    /// The name is another's, or was revoked.
    #[error("the name @{0} is taken")]
    Taken(AgentName),
    /// A new name with capitals.
    #[error("new names are lower case: @{0}")]
    NotLowerCase(AgentName),
    /// The join token has expired, or has no uses left.
    #[error("the invite has {0}")]
    Spent(&'static str),
    /// Nobody but the sender listens.
    #[error("nobody else is subscribed to {0}")]
    NoSubscribers(ChannelName),
    /// The same id with other content, or of another sender.
    #[error("there is a message {0} already")]
    Duplicate(MessageId),
    /// The message breaks a limit of its own size.
    #[error("{0}")]
    Invalid(String),
    /// A limit on how much is kept.
    #[error("{what}: at most {most}")]
    Many {
        /// Of what there is too much, whose: `@bob has too much unread mail`.
        what: String,
        /// How much there may be.
        most: usize,
    },
    /// The disk is full.
    #[error("the relay's disk is full")]
    Full,
    /// The system refused something; the text names no path, for a client reads it.
    #[error("the relay could not {verb} its data: {kind}")]
    System {
        /// What was tried.
        verb: &'static str,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
}
