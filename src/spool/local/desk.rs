//! What a backend that keeps mail elsewhere needs of the spool in which it keeps what it has claimed: a message comes in
//! from outside, and goes out again.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use super::mailbox::{Reading, read_message};
use super::{LocalSpool, Result, files};
use crate::message::{AgentName, Message, MessageId};
use crate::spool::error::OnPath;
use crate::spool::{Lease, LeaseId};

/// Where a message lies in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    /// Unread, or under a lease that lapsed.
    Unread,
    /// Under a lease that holds.
    Held,
    /// Kept by the reader's wish.
    Kept,
}

impl LocalSpool {
    /// Puts a message under the lease, on the disk when `durable`; `false` where the mailbox has it already, wherever.
    ///
    /// # Errors
    /// Where it cannot be written; the mailbox does not have it then.
    pub(crate) fn adopt(
        &self,
        agent: &AgentName,
        lease: &Lease,
        message: &Message,
        durable: bool,
    ) -> Result<bool> {
        if self.lies(agent, message.id)?.is_some() {
            return Ok(false);
        }
        let mailbox = self.mailbox(agent);
        mailbox.write_lease(lease)?;
        self.write(agent, message, &mailbox.claimed_path(&lease.id, message.id, None), durable)?;
        if durable {
            files::sync_directory(&mailbox.lease_directory(&lease.id))?;
        }
        Ok(true)
    }

    /// Puts a message among the unread ones, on the disk when `durable`; `false` where the mailbox has it already.
    ///
    /// # Errors
    /// Where it cannot be written; the mailbox does not have it then.
    pub(crate) fn put(&self, agent: &AgentName, message: &Message, durable: bool) -> Result<bool> {
        if self.lies(agent, message.id)?.is_some() {
            return Ok(false);
        }
        let mailbox = self.mailbox(agent);
        self.write(agent, message, &mailbox.unread(message.id), durable)?;
        if durable {
            files::sync_directory(&mailbox.new_directory())?;
        }
        Ok(true)
    }

    fn write(&self, agent: &AgentName, message: &Message, to: &Path, durable: bool) -> Result<()> {
        let mailbox = self.mailbox(agent);
        let draft = mailbox.draft(MessageId::random());
        mailbox.made(|| files::write_new(&draft, message.to_json().as_bytes(), durable))?;
        files::move_new(&draft, to).inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })
    }

    /// Every message in the mailbox, with where it lies.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) fn all_that_lies(&self, agent: &AgentName) -> Result<HashMap<MessageId, Lies>> {
        let (mailbox, mut all) = (self.mailbox(agent), HashMap::new());
        let mut add = |directory: &Path, lies: Lies| -> Result<()> {
            let names = files::names(directory)?;
            let ids = names.iter().filter_map(|name| MessageId::from_file_name(name, ".json"));
            all.extend(ids.map(|id| (id, lies)));
            Ok(())
        };
        add(&mailbox.root().join("cur"), Lies::Kept)?;
        add(&mailbox.new_directory(), Lies::Unread)?;
        for (lease, has_lapsed) in mailbox.leases()? {
            let lies = if has_lapsed { Lies::Unread } else { Lies::Held };
            all.extend(mailbox.files_of(&lease)?.into_iter().map(|file| (file.id, lies)));
        }
        Ok(all)
    }

    /// Where the mailbox has the message; `None` where it has not.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) fn lies(&self, agent: &AgentName, id: MessageId) -> Result<Option<Lies>> {
        let mailbox = self.mailbox(agent);
        if mailbox.unread(id).exists() {
            return Ok(Some(Lies::Unread));
        }
        for (lease, has_lapsed) in mailbox.leases()? {
            if mailbox.files_of(&lease)?.iter().any(|file| file.id == id) {
                return Ok(Some(if has_lapsed { Lies::Unread } else { Lies::Held }));
            }
        }
        Ok(mailbox.kept(id).exists().then_some(Lies::Kept))
    }

    /// Takes a message of the lease out of the mailbox, to a file outside of it; whether it may have been shown, `None`
    /// where the lease has it no more.
    ///
    /// # Errors
    /// Where it cannot be moved; it is still the lease's then.
    pub(crate) fn withdraw(
        &self,
        agent: &AgentName,
        lease: &LeaseId,
        id: MessageId,
        to: &Path,
    ) -> Result<Option<bool>> {
        let mailbox = self.mailbox(agent);
        let Some((from, shown)) = mailbox.find_under(lease, id)? else { return Ok(None) };
        let is_moved = match fs::rename(&from, to) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => false,
            Err(error) => return Err(error).on("release", &from),
        };
        if is_moved {
            if shown.is_some() {
                // Where it came from knows the same.
                if let Reading::Message(message) = read_message(to, id, &mut Vec::new())? {
                    let _ = mailbox.record(&message, "released");
                }
            }
            mailbox.remove_if_empty(lease);
        }
        Ok(is_moved.then_some(shown.is_some()))
    }

    /// Takes an unread message out of the mailbox, to a file outside of it; whether it was there.
    ///
    /// # Errors
    /// Where it cannot be moved; it is unread then.
    pub(crate) fn withdraw_unread(&self, agent: &AgentName, id: MessageId, to: &Path) -> Result<bool> {
        let mailbox = self.mailbox(agent);
        let mut paths = vec![mailbox.unread(id)];
        for (lease, _) in mailbox.leases()?.into_iter().filter(|(_, has_lapsed)| *has_lapsed) {
            paths.extend(mailbox.find_under(&lease, id)?.map(|(path, _)| path));
        }
        for path in paths {
            match fs::rename(&path, to) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).on("move", &path),
            }
        }
        Ok(false)
    }

    /// Notes that a message may have been shown before, though this mailbox does not know of it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn note_repeat(&self, agent: &AgentName, message: &Message) -> Result<()> {
        self.mailbox(agent).record(message, "released")
    }

    /// Messages that were read here within the last 30 days: one of them that comes again comes a second time.
    ///
    /// # Errors
    /// Where the records cannot be read.
    pub(crate) fn read_before(&self, agent: &AgentName) -> Result<HashSet<MessageId>> {
        self.mailbox(agent).acknowledged_ids()
    }

    /// Notes what was no message and was set aside elsewhere: a look tells it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn note_bad(&self, agent: &AgentName, name: &str, reason: &str) -> Result<()> {
        let directory = self.mailbox(agent).root().join("bad");
        files::make_directory(&directory)?;
        files::replace(&directory.join(format!("{name}.reason")), reason.as_bytes())
    }
}
