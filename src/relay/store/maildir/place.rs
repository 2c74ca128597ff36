//! Where things lie in the data directory. Every path is built here, from names and ids that were parsed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::{Error, Result};
use crate::message::{AgentName, Message, MessageId};
use crate::spool::LeaseId;
use crate::spool::error::OnPath;
use crate::spool::local::files;

/// The directory of one mailbox: `spool/<agent>`.
#[derive(Debug, Clone)]
pub(super) struct Place(PathBuf);

/// Where a message's file lies in its mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lies {
    /// In `new/`.
    New,
    /// Under the lease that holds until then.
    Under(LeaseId, Timestamp),
}

impl Place {
    pub(super) fn of(room: &Path, agent: &AgentName) -> Self {
        Self(room.join("spool").join(agent.as_str()))
    }

    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    pub(super) fn new_directory(&self) -> PathBuf {
        self.0.join("new")
    }

    pub(super) fn claimed_directory(&self) -> PathBuf {
        self.0.join("claimed")
    }

    pub(super) fn returned_directory(&self) -> PathBuf {
        self.0.join("returned")
    }

    pub(super) fn unread(&self, id: MessageId) -> PathBuf {
        self.0.join("new").join(format!("{id}.json"))
    }

    pub(super) fn kept(&self, id: MessageId) -> PathBuf {
        self.0.join("cur").join(format!("{id}.json"))
    }

    pub(super) fn returned(&self, id: MessageId) -> PathBuf {
        self.0.join("returned").join(id.to_string())
    }

    pub(super) fn lease(&self, lease: &LeaseId, until: Timestamp) -> PathBuf {
        self.0.join("claimed").join(format!("{lease}.{}", until.as_millisecond()))
    }

    pub(super) fn message(&self, id: MessageId, lies: &Lies) -> PathBuf {
        match lies {
            Lies::New => self.unread(id),
            Lies::Under(lease, until) => self.lease(lease, *until).join(format!("{id}.json")),
        }
    }

    /// Sets aside what is no message, so that it stands in nobody's way.
    pub(super) fn set_aside(&self, path: &Path, reason: &str) {
        tracing::warn!(path = %path.display(), reason, "this is no message: it goes to bad/");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bad = self.0.join("bad");
        // Where this fails the file stays where it is, and is found again at the next start.
        if files::make_directory(&bad).is_ok() {
            let _ = files::write_new(&bad.join(format!("{name}.reason")), reason.as_bytes(), false);
            let _ = files::move_new(path, &bad.join(&*name));
        }
    }
}

/// What a message's file held.
pub(super) enum Reading {
    Message(Box<Message>),
    Gone,
    Bad(String),
}

/// Reads a message's file. An error of the system is an error, and moves nothing.
pub(super) fn read_message(path: &Path, id: MessageId, buffer: &mut Vec<u8>) -> Result<Reading> {
    if !files::read_into(path, buffer).on("read", path)? {
        return Ok(Reading::Gone);
    }
    Ok(match Message::from_json(buffer) {
        Ok(message) if message.id == id => Reading::Message(Box::new(message)),
        Ok(message) => Reading::Bad(format!("it says that its id is {}", message.id)),
        // What the parser says may repeat the text: its kind and place are enough.
        Err(error) => Reading::Bad(format!(
            "{:?} error at line {} column {}",
            error.classify(),
            error.line(),
            error.column()
        )),
    })
}

/// Reads the name of a lease's directory.
pub(super) fn parse_lease(name: &str) -> Option<(LeaseId, Timestamp)> {
    let (lease, until) = name.split_once('.')?;
    let until = Timestamp::from_millisecond(until.parse().ok()?).ok()?;
    Some((LeaseId::from_directory(lease)?, until))
}

/// Removes a file; one that is gone is removed.
pub(super) fn remove(verb: &'static str, path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).on(verb, path).map_err(Error::from)
        }
        _ => Ok(()),
    }
}

/// Removes an empty directory; one that is gone, or that somebody filled by hand, is left.
pub(super) fn remove_directory(path: &Path) {
    let _ = fs::remove_dir(path);
}

/// Makes an empty file, or finds it: its name is what it says.
pub(super) fn mark(path: &Path) -> Result<()> {
    let open = || File::options().append(true).create(true).mode(0o600).open(path).map(drop);
    let made = open().or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            fs::DirBuilder::new().mode(0o700).create(path.parent().unwrap_or(path))?;
            open()
        }
        _ => Err(error),
    });
    Ok(made.on("mark", path)?)
}
