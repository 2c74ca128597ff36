//! What can go wrong with mail, with the command that mends it.

use std::io;
use std::path::{Path, PathBuf};

use crate::message::{AgentName, ChannelName, InvalidMessage, MessageId};
use crate::shell::word;
use crate::spool::brain;
use crate::spool::relay::Refusal;

/// A failed call of a spool.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused a file.
    #[error("could not {verb} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No record of that name.
    #[error("there is no agent @{0}")]
    UnknownAgent(AgentName),
    /// A new name with capitals.
    #[error("new names are lower case: @{0}")]
    NotLowerCase(AgentName),
    /// Nobody but the sender listens.
    #[error("nobody else is subscribed to {0}")]
    NoSubscribers(ChannelName),
    /// Some inboxes have the message, others do not.
    #[error("{failed} of {all} inboxes did not take the message, the first @{first}")]
    Partial {
        /// How many failed.
        failed: usize,
        /// Of how many.
        all: usize,
        /// The first that failed.
        first: AgentName,
        /// And why.
        source: Box<Error>,
    },
    /// Unread mail would be lost.
    #[error("@{0} has {1} unread messages")]
    Unread(AgentName, usize),
    /// The record is not what it should be.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// The message breaks a limit.
    #[error(transparent)]
    Invalid(#[from] InvalidMessage),
    /// The relay, or the way to it.
    #[error(transparent)]
    Relay(#[from] Refusal),
    /// Nobody can say what the archive is not to hold.
    #[error("nothing is sent without knowing what the archive is not to hold: {0}")]
    NoRedaction(String),
    /// The brain, or the way to it.
    #[error(transparent)]
    Brain(#[from] brain::Refusal),
    /// Some inboxes have the message, these do not.
    #[error("{} did not get the message, {} of {all} did", names(to), all - to.len())]
    Undelivered {
        /// Who does not have it.
        to: Vec<AgentName>,
        /// Of how many.
        all: usize,
        /// Why, of the first.
        source: Box<Error>,
    },
    /// Another agent's mail, for which one has no token.
    #[error("this home has no token of @{0}")]
    NotYours(AgentName),
    /// What only the relay's operator can do.
    #[error("an agent of a relay is taken away by its operator")]
    Operators(AgentName),
    /// The id is in use by another message.
    #[error("there is a message {0} already")]
    Duplicate(MessageId),
}

impl Error {
    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownAgent(_) => Some("bch agents".into()),
            Self::NotLowerCase(name) => Some(format!("bch init {}", name.to_lower_case())),
            Self::NoSubscribers(channel) => {
                Some(format!("bch sub '{channel}'   # as the agent that is to read it"))
            }
            Self::Unread(name, _) => Some(format!("BACKCHANNEL_AGENT={name} bch drain --all")),
            Self::Invalid(InvalidMessage::LongBody(_)) => {
                Some("write it to a file and send its path: bch send TO 'see the file' --ref PATH".into())
            }
            Self::Invalid(InvalidMessage::EmptyBody) => Some("bch send TO 'the text'".into()),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Some("df -h ~".into()),
            Self::Io { path, source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(format!("ls -ld {}", path.parent().unwrap_or(path).display()))
            }
            Self::Partial { source, .. } | Self::Undelivered { source, .. } => source.hint(),
            Self::Relay(refusal) => refusal.hint(),
            Self::NoRedaction(_) => {
                Some("${EDITOR:-vi} ~/.backchannel/bch.toml   # its table [redaction]".into())
            }
            Self::Brain(refusal) => refusal.hint(),
            Self::NotYours(name) => Some(format!("BACKCHANNEL_AGENT={name} bch join INVITE --as {name}")),
            Self::Operators(name) => {
                Some(format!("bch room revoke ROOM --agent {name}   # whoever has the admin token"))
            }
            Self::Damaged { path, .. } => {
                let path = word(path);
                Some(format!("${{EDITOR:-vi}} {path}   # or begin anew: mv {path} {path}.damaged"))
            }
            _ => None,
        }
    }
}

impl Error {
    /// Whether the same may succeed later without anybody mending anything here.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Relay(refusal) => refusal.is_temporary(),
            Self::Brain(refusal) => refusal.is_temporary(),
            Self::Undelivered { source, .. } => source.is_temporary(),
            _ => false,
        }
    }
}

/// `@a, @b and @c`; of many the first ones, and how many more.
pub(crate) fn names(of: &[AgentName]) -> String {
    const MOST: usize = 20;
    let mut names: Vec<_> = of.iter().take(MOST).map(|name| format!("@{name}")).collect();
    if of.len() > MOST {
        names.push(format!("{} more", of.len() - MOST));
    }
    let last = names.pop().unwrap_or_default();
    if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) }
}

/// Gives an error of the system the path that it happened on.
pub(crate) trait OnPath<T> {
    fn on(self, verb: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> OnPath<T> for Result<T, E> {
    fn on(self, verb: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { verb, path: path.to_owned(), source: source.into() })
    }
}
