//! Why credentials cannot be had, with the command that mends it. No error repeats a token.

use std::path::PathBuf;

use crate::message::AgentName;
use crate::relay::url::{InvalidUrl, NotSecure, RelayUrl};
use crate::secret::InvalidSecret;
use crate::shell::word;

/// Why nobody can be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token of this agent.
    #[error("this machine has no token of @{agent} at {url}")]
    NoToken {
        /// Who.
        agent: AgentName,
        /// Where.
        url: RelayUrl,
    },
    /// The environment names a relay, and no token.
    #[error(
        "BACKCHANNEL_URL is set, and BACKCHANNEL_TOKEN is not: a token goes only to the relay it was issued for"
    )]
    NoTokenInEnvironment,
    /// No token for the brain.
    #[error("this machine has no token of @{agent} for the brain at {url}")]
    NoBrainToken {
        /// Who.
        agent: AgentName,
        /// Where.
        url: RelayUrl,
    },
    /// The environment names a brain, and no token.
    #[error(
        "UNISON_API_URL is set, and UNISON_TOKEN is not: a token goes only to the brain it was issued for"
    )]
    NoBrainTokenInEnvironment,
    /// A setting of the brain that is none.
    #[error("could not use {place}: {reason}")]
    Brain {
        /// Where it stands.
        place: String,
        /// Why not; it repeats no token.
        reason: String,
    },
    /// A URL that is none.
    #[error("could not use the URL in {place}: {reason}")]
    Url {
        /// Where it stands.
        place: String,
        /// Why not.
        reason: InvalidUrl,
    },
    /// A token that is none.
    #[error("could not use the token in {place}: {reason}")]
    Token {
        /// Where it stands.
        place: String,
        /// Why not.
        reason: InvalidSecret,
    },
    /// Others could read the mail.
    #[error(transparent)]
    NotSecure(#[from] NotSecure),
    /// A file that is not what it should be.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser said, which repeats no token.
        reason: String,
    },
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] crate::spool::Error),
}

impl Error {
    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoToken { agent, .. } => format!("BACKCHANNEL_AGENT={agent} bch join INVITE --as {agent}"),
            Self::NoTokenInEnvironment => "export BACKCHANNEL_TOKEN=…   # or: unset BACKCHANNEL_URL".into(),
            Self::NoBrainToken { agent, .. } => {
                format!("BACKCHANNEL_AGENT={agent} bch init {agent} --brain   # it asks for the token")
            }
            Self::NoBrainTokenInEnvironment => "export UNISON_TOKEN=…   # or: unset UNISON_API_URL".into(),
            Self::Brain { .. } => "bch init NAME --brain --brain-room ROOM".into(),
            Self::Url { .. } | Self::Token { .. } => "bch join INVITE --as NAME".into(),
            Self::NotSecure(NotSecure(url)) => {
                format!("bch join INVITE --as NAME --insecure   # where nobody reads along to {}", url.host())
            }
            Self::Damaged { path, .. } => {
                format!("mv {0} {0}.damaged && bch join INVITE --as NAME", word(path))
            }
            Self::File(error) => return error.hint(),
        })
    }
}
