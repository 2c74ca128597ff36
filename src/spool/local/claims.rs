//! Claims: a rename moves a message under a lease, and of racing readers one succeeds.
//!
//! If the process dies anywhere here, the message is unread, or under a lease that lapses.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::mailbox::{Mailbox, Reading, Unread, read_message};
use super::{Afterwards, Claim, Error, Filter, Held, Lease, LeaseId, Moment, Result, Shown, Take, files};
use crate::message::{Message, MessageId, Priority};
use crate::spool::claim::Fit;
use crate::spool::error::OnPath;
use crate::spool::select::{self, Candidate};
use crate::spool::{Claimed, Left};

impl Mailbox {
    pub(super) fn claim(&self, lease: &Lease, filter: &Filter, take: Take<'_>) -> Result<Claim> {
        let mut bad = Vec::new();
        let unread = self.scan(|path, reason| bad.push((path.to_owned(), reason)))?;
        for (path, reason) in &bad {
            self.set_aside(path, reason);
        }
        let mut claim = Claim::default();
        let mut candidates = Vec::with_capacity(unread.len());
        for unread in unread {
            match filter.fit(&unread.message, self.env.now()) {
                Fit::Here => candidates.push((unread, false)),
                Fit::Stray => candidates.push((unread, true)),
                Fit::Elsewhere => claim.left.other_scopes += 1,
                Fit::Unasked => {}
            }
        }
        let taken = choose(&candidates, take, &mut claim.left);
        if taken.is_empty() {
            return Ok(claim);
        }
        self.write_lease(lease)?;
        let repeats = self.released_ids()?;
        for index in taken {
            let (unread, stray) = &candidates[index];
            if self.move_under(lease, unread)? {
                let repeat = unread.lapsed || repeats.contains(&unread.message.id);
                claim.messages.push(Claimed { message: unread.message.clone(), repeat, stray: *stray });
            }
        }
        if claim.messages.is_empty() {
            self.remove_if_empty(&lease.id);
        }
        self.sweep();
        Ok(claim)
    }

    /// Moves a message under the lease; `false` where another reader was faster.
    fn move_under(&self, lease: &Lease, unread: &Unread) -> Result<bool> {
        let to = self.claimed_path(&lease.id, unread.message.id, None);
        if unread.path.parent() == to.parent() {
            return Ok(false);
        }
        // Another hook of the session may take the empty directory away in between: make it again.
        for _ in 0..3 {
            match fs::rename(&unread.path, &to) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if !unread.path.exists() {
                        return Ok(false);
                    }
                    self.write_lease(lease)?;
                }
                Err(error) => return Err(error).on("claim", &unread.path),
            }
        }
        Ok(false)
    }

    pub(super) fn claimed_path(&self, lease: &LeaseId, id: MessageId, shown: Option<Shown>) -> PathBuf {
        let directory = self.lease_directory(lease);
        match shown {
            None => directory.join(format!("{id}.json")),
            Some(shown) => directory.join(format!("{id}.{}.json", shown.mark())),
        }
    }

    /// Writes the lease, and its directory where it is not there.
    pub(super) fn write_lease(&self, lease: &Lease) -> Result<()> {
        let directory = self.lease_directory(&lease.id);
        files::make_directory(&directory)?;
        let path = directory.join("lease.json");
        let beside = directory.join(format!(".{}.tmp", MessageId::random()));
        let text = serde_json::to_string(lease).unwrap_or_default();
        files::write_new(&beside, text.as_bytes(), false)?;
        fs::rename(&beside, &path).on("write", &path)
    }

    pub(super) fn held(&self, lease: &LeaseId) -> Result<Vec<Held>> {
        let (mut held, mut buffer) = (Vec::new(), Vec::new());
        for file in self.files_of(lease)? {
            match read_message(&file.path, file.id, &mut buffer)? {
                Reading::Message(message) => held.push(Held { message, shown: file.shown }),
                Reading::Gone => {}
                Reading::Bad(reason) => self.set_aside(&file.path, &reason),
            }
        }
        held.sort_by_key(|held| (held.message.ts, held.message.id));
        Ok(held)
    }

    /// The file of a message under a lease, whatever it was shown by.
    pub(super) fn find_under(
        &self,
        lease: &LeaseId,
        id: MessageId,
    ) -> Result<Option<(PathBuf, Option<Shown>)>> {
        let file = self.files_of(lease)?.into_iter().find(|file| file.id == id);
        Ok(file.map(|file| (file.path, file.shown)))
    }

    /// Renames a message's file under a lease; `false` where it is there no more.
    fn move_claimed(&self, lease: &LeaseId, id: MessageId, to: &Path, verb: &'static str) -> Result<bool> {
        let unshown = self.claimed_path(lease, id, None);
        let from =
            if unshown.exists() { Some(unshown) } else { self.find_under(lease, id)?.map(|(path, _)| path) };
        let Some(from) = from else { return Ok(false) };
        match fs::rename(&from, to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => Ok(false),
            Err(error) => Err(error).on(verb, &from),
        }
    }

    pub(super) fn mark_shown(&self, lease: &LeaseId, message: &Message, shown: Shown) -> Result<()> {
        self.move_claimed(lease, message.id, &self.claimed_path(lease, message.id, Some(shown)), "mark")?;
        if shown.by == Moment::Noted { Ok(()) } else { self.record(message, "shown") }
    }

    pub(super) fn acknowledge(&self, lease: &LeaseId, message: &Message, after: Afterwards) -> Result<bool> {
        let acknowledged = match after {
            Afterwards::Recent => {
                let to = self.recent_path(message.id);
                self.make_for(&to)?;
                self.move_claimed(lease, message.id, &to, "acknowledge")?
            }
            Afterwards::Kept => {
                let to = self.kept(message.id);
                self.make_for(&to)?;
                self.move_claimed(lease, message.id, &to, "keep")?
            }
            Afterwards::Gone => match self.find_under(lease, message.id)? {
                None => false,
                Some((path, _)) => match fs::remove_file(&path) {
                    Ok(()) => true,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                    Err(error) => return Err(error).on("acknowledge", &path),
                },
            },
        };
        if acknowledged {
            // The message is where it belongs; a full disk may cost its record, never the message.
            let _ = self.record(message, "acknowledged");
            if after == Afterwards::Gone {
                self.remove_if_empty(lease);
            }
        }
        Ok(acknowledged)
    }

    fn make_for(&self, path: &Path) -> Result<()> {
        match path.parent() {
            Some(directory) if !directory.is_dir() => files::make_directory(directory),
            _ => Ok(()),
        }
    }

    pub(super) fn release(&self, lease: &LeaseId, message: &Message) -> Result<()> {
        let Some((path, shown)) = self.find_under(lease, message.id)? else { return Ok(()) };
        if shown.is_some() {
            self.record(message, "released")?;
        }
        let to = self.unread(message.id);
        match files::move_new(&path, &to) {
            // The same message is there already, from a back-up perhaps: one is enough.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&path).on("release", &path)?;
            }
            result => result?,
        }
        self.remove_if_empty(lease);
        Ok(())
    }

    /// Claims one message for reading it whole: from the unread ones, the kept ones, or another's lease.
    pub(super) fn take(&self, lease: &Lease, id: MessageId) -> Result<Option<Message>> {
        let mut places = vec![self.unread(id), self.kept(id)];
        for (other, _) in self.leases()? {
            places.extend(self.find_under(&other, id)?.map(|(path, _)| path));
        }
        self.write_lease(lease)?;
        let mut buffer = Vec::new();
        for path in places {
            if let Reading::Message(message) = read_message(&path, id, &mut buffer)? {
                let unread = Unread { path, message, lapsed: false };
                if self.move_under(lease, &unread)? {
                    return Ok(Some(unread.message));
                }
            }
        }
        self.remove_if_empty(&lease.id);
        Ok(None)
    }

    /// Takes an empty lease away. It is moved aside first, so that a message which another hook of the
    /// session claims into it meanwhile is seen, and moved back.
    pub(super) fn remove_if_empty(&self, lease: &LeaseId) {
        if self.files_of(lease).map_or(true, |files| !files.is_empty()) {
            return;
        }
        let directory = self.lease_directory(lease);
        let aside = self.claimed_directory().join(MessageId::random().to_string().replace('-', ""));
        if fs::rename(&directory, &aside).is_err() {
            return;
        }
        let names = files::names(&aside).unwrap_or_default();
        if names
            .iter()
            .any(|name| MessageId::from_file_name(name.split('.').next().unwrap_or(name), "").is_some())
        {
            // Should its old place be taken again, the lease file in it still says until when it holds.
            let _ = fs::rename(&aside, &directory);
            return;
        }
        for name in names {
            let _ = fs::remove_file(aside.join(name));
        }
        let _ = fs::remove_dir(&aside);
    }

    fn sweep(&self) {
        for (lease, lapsed) in self.leases().unwrap_or_default() {
            if lapsed {
                self.remove_if_empty(&lease);
            }
        }
        self.sweep_drafts();
        self.sweep_records();
    }
}

/// The indexes of what is taken, urgent first, then oldest.
fn choose(candidates: &[(Unread, bool)], take: Take<'_>, left: &mut Left) -> Vec<usize> {
    let of = |index: &usize| &candidates[*index].0.message;
    match take {
        Take::All => {
            let mut all: Vec<usize> = (0..candidates.len()).collect();
            all.sort_by_key(|index| of(index).priority != Priority::Urgent);
            all
        }
        Take::Within { bytes, weigh, quota } => {
            let known: Vec<_> = candidates
                .iter()
                .map(|(unread, _)| Candidate {
                    from: &unread.message.from,
                    priority: unread.message.priority,
                })
                .collect();
            let selection = select::within(&known, bytes, quota, |index| weigh(of(&index)));
            let held_back: usize = selection.held_back.iter().map(|(_, count)| count).sum();
            left.matching = candidates.len() - selection.taken.len() - held_back;
            left.held_back = selection.held_back;
            selection.taken
        }
    }
}
