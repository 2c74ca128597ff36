//! Tells a person of urgent mail on the desktop, and claims none of it.
//!
//! [`Notifier`] is the loop: what unread urgent mail there is, whether a notification is wanted now ([`quiet`],
//! `crate::attention`), what it says ([`announcement`]), how many there may be ([`limits`]), and what was announced
//! before ([`announced`]). Sources ring a [`Bell`], each from a thread of its own; the watch over the mailboxes is one,
//! a signal another. [`desktop`] is the one door to the desktop. What a message holds is text on that door's other
//! side and never an argument, a path or a process.

pub mod announced;
pub mod announcement;
mod bell;
pub mod desktop;
#[cfg(not(target_os = "macos"))]
mod freedesktop;
pub mod limits;
#[cfg(target_os = "macos")]
mod macos;
mod notifier;
pub mod quiet;
pub mod status;

pub use bell::{Bell, Rings, Wait, Wake};
pub use notifier::{Failure, Notifier, Pass, Waiting};

use std::path::{Path, PathBuf};

/// Our directory in the home: the locks, what was announced, and what `--status` tells.
#[must_use]
pub fn directory(home: &Path) -> PathBuf {
    home.join("notify")
}
