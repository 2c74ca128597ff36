//! The one door to the desktop: a title and a body go out, and nothing comes in but who shows them.

use std::fmt;

use serde::Serialize;

use super::announcement::Announcement;
use crate::env::Env;

/// Who shows notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Server {
    /// Its name, as it says.
    pub name: String,
    /// Its version, as it says.
    pub version: String,
    /// Whether it reads a body as markup; text is escaped for it then.
    pub markup: bool,
}

/// A desktop that shows notifications.
pub trait Desktop {
    /// Asks who is there; comes before [`Desktop::show`], so that nothing is sent to one that does not answer.
    ///
    /// # Errors
    /// Where nobody answers.
    fn greet(&mut self) -> Result<Server, Error>;
    /// Shows one notification.
    ///
    /// # Errors
    /// Where it was not taken.
    fn show(&mut self, announcement: &Announcement) -> Result<(), Error>;
    /// Says goodbye: nothing is held while nothing is shown.
    fn leave(&mut self);
}

/// Why nothing can be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No session, or none that can be reached.
    #[error("could not reach a desktop session at {address}: {reason}")]
    NoSession {
        /// Its D-Bus address.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// Nobody in the session shows notifications.
    #[error("nobody in this session shows notifications: {0}")]
    NoServer(String),
    /// Somebody does, and did not answer.
    #[error("whoever shows notifications here did not answer within {0} s")]
    NoAnswer(u64),
    /// It refused.
    #[error("the notification was refused: {0}")]
    Refused(String),
}

impl Error {
    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoSession { .. } => {
                "export DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$(id -u)/bus   # in a desktop session"
                    .into()
            }
            Self::NoServer(_) => "dunst &   # or the notification service of your desktop".into(),
            Self::NoAnswer(_) | Self::Refused(_) => "bch notify --test".into(),
        })
    }
}

/// The desktop of this process's session.
#[must_use]
pub fn of_session(env: &Env) -> Box<dyn Desktop> {
    #[cfg(not(target_os = "macos"))]
    return Box::new(super::freedesktop::Session::new(env));
    #[cfg(target_os = "macos")]
    {
        let _ = env;
        Box::new(super::macos::Centre)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}, {} markup", self.name, self.version, if self.markup { "with" } else { "without" })
    }
}
