//! Why a brain did not do it, with the command that mends it. No error repeats a token.

use std::time::Duration;

use crate::relay::url::RelayUrl;

/// Why a brain did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// Nobody answers, not in time, or only that it cannot be done now.
    #[error("could not reach the brain at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: RelayUrl,
        /// Why; it bears no token.
        reason: String,
        /// Whether it may have been done all the same.
        is_heard: bool,
    },
    /// Too many calls by this token.
    #[error("the brain at {url} takes no more calls now: {reason}")]
    Busy {
        /// Where.
        url: RelayUrl,
        /// What it says.
        reason: String,
        /// After how long it may be asked again, where it says so.
        wait: Option<Duration>,
        /// Whether it was asked at all: what it said earlier may be kept to.
        is_heard: bool,
    },
    /// The token is unknown there.
    #[error("the brain at {url} does not know this token: {reason}")]
    Unknown {
        /// Where.
        url: RelayUrl,
        /// What it says.
        reason: String,
    },
    /// It refuses, and would again.
    #[error("the brain at {url} refuses: {reason}")]
    Refused {
        /// Where.
        url: RelayUrl,
        /// The status.
        status: u16,
        /// What it says.
        reason: String,
    },
    /// What answers is no brain.
    #[error("what answers at {url} is no brain: {reason}")]
    NoBrain {
        /// Where.
        url: RelayUrl,
        /// Why not.
        reason: String,
    },
}

impl Refusal {
    /// Whether the same may succeed later without anybody mending anything here.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// Whether it may have been done although the answer does not say so.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        // A limit is kept before anything is done, but what stands in front of a service may keep one, too.
        matches!(
            self,
            Self::Unreachable { is_heard: true, .. }
                | Self::Busy { is_heard: true, .. }
                | Self::NoBrain { .. }
        )
    }

    /// Whether every other call would be refused as well.
    pub(crate) fn is_everybodys(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == 403,
            _ => true,
        }
    }

    /// The status of a refusal that the service meant.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::NoBrain { .. } => {
                Some("bch doctor   # then the same command again".into())
            }
            Self::Unknown { .. } => {
                Some("bch init NAME --brain --brain-room ROOM   # with a token that holds".into())
            }
            Self::Refused { status: 403, .. } => {
                Some("bch doctor   # the token needs the scopes brain:read and brain:write".into())
            }
            Self::Refused { .. } => None,
        }
    }
}
