//! What cannot be sent now waits on this machine's disk, and is sent by the next command or by the notifier: once, and in
//! order for each recipient.
//!
//! `outbox/<ms>-<id>.json` is one message. What is refused for good comes back into the sender's own inbox, and blocks
//! nothing; its text stays in `refused/<id>.json`.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::Deadline;
use crate::message::MessageId;
use crate::spool::error::OnPath;
use crate::spool::local::files;
use crate::spool::{Error, Result};

/// After this long a message that waits is not sent any more: it may have been sent and forgotten there, where ids are
/// remembered for 30 days.
const OLDEST: SignedDuration = SignedDuration::from_hours(29 * 24);

#[derive(Debug, Clone)]
pub(in crate::spool) struct Outbox {
    root: PathBuf,
}

impl Outbox {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Held by whoever sends what waits, or puts something to it.
    pub(in crate::spool) fn lock(&self) -> Result<files::Lock> {
        files::lock(self.lock_path()?)
    }

    fn lock_path(&self) -> Result<PathBuf> {
        files::make_directory(&self.root)?;
        Ok(self.root.join("outbox.lock"))
    }

    /// The files of the messages that wait, in order.
    pub(in crate::spool) fn waiting(&self) -> Result<Vec<PathBuf>> {
        let directory = self.root.join("outbox");
        let mut names = files::names(&directory)?;
        names.retain(|name| !name.starts_with('.') && name.ends_with(".json"));
        names.sort();
        Ok(names.iter().map(|name| directory.join(name)).collect())
    }

    /// Where a new message waits: names sort by time.
    pub(in crate::spool) fn place(&self, id: MessageId, now: Timestamp) -> PathBuf {
        self.root.join("outbox").join(format!("{:013}-{id}.json", now.as_millisecond()))
    }

    /// Where the text of a message stays that nobody takes.
    pub(in crate::spool) fn refused(&self, id: MessageId) -> PathBuf {
        self.root.join("refused").join(format!("{id}.json"))
    }

    /// Moves a message that nobody takes out of the way of the others.
    pub(super) fn refuse(&self, path: &Path, id: MessageId) -> Result<()> {
        files::make_directory(&self.root.join("refused"))?;
        fs::rename(path, self.refused(id)).on("move", path)
    }

    /// The same with a file that is no message.
    pub(in crate::spool) fn set_aside(&self, path: &Path) -> Result<()> {
        self.refuse(path, MessageId::random())
    }

    /// Whether a message is too old to be sent now.
    pub(in crate::spool) fn is_too_old(written: Timestamp, now: Timestamp) -> bool {
        now.duration_since(written) > OLDEST
    }

    /// Sends what waits, by what sends these files under the lock and says why it had to stop; how many wait still.
    pub(in crate::spool) fn empty<Why: Into<Error>>(
        &self,
        deadline: Deadline,
        send: impl FnOnce(Vec<PathBuf>) -> Result<Option<Why>>,
    ) -> Result<usize> {
        if files::is_empty(&self.root.join("outbox")) {
            return Ok(0);
        }
        let path = self.lock_path()?;
        let _lock = match deadline {
            Deadline::Each(_) => files::lock(path)?,
            // A hook waits for nobody: whoever is at it sends all there is.
            Deadline::At(_) => match files::lock_if_free(path)? {
                Some(lock) => lock,
                None => return Ok(0),
            },
        };
        match send(self.waiting()?)? {
            Some(why) => Err(why.into()),
            None => Ok(self.waiting()?.len()),
        }
    }
}
