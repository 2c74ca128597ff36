//! What this machine has of mail that is kept elsewhere, at a relay or in a brain, and what is still to be told there.
//!
//! ```text
//! claims/<lease>.json       a claim whose answer was not taken in yet
//! wire/<id>.json            { lease, until }: by which claim a message was lent to us
//! back/<id>.json            a message on its way back
//! ends/ack-<id>.json        { lease, unseen }: it was read here; that is to be told
//! ends/release-<id>.json    it goes back; that is to be told
//! ```
//!
//! Each step is one rename. Where the process dies between two, [`Journal::recover`] finishes what was begun: a message
//! that we were lent and do not have was read here, unless it is on its way back. Nothing here is flushed to the disk: after
//! a start of the machine what is missing goes back to where it is still.

mod ends;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::client::Deadline;
use crate::message::{AgentName, MessageId};
use crate::spool::error::OnPath;
use crate::spool::local::desk::Lies;
use crate::spool::local::{LocalSpool, files};
use crate::spool::relay::quiet;
use crate::spool::{LeaseId, Result};
pub(in crate::spool) use ends::{End, Ended, Endings, What};

/// How long a hook waits for another claim of this machine.
const TURN: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
pub(in crate::spool) struct Journal {
    root: PathBuf,
}

/// By which claim a message was lent to us, and until when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::spool) struct Loan {
    pub(in crate::spool) lease: LeaseId,
    pub(in crate::spool) until: Timestamp,
    /// In which start of the machine it was noted.
    #[serde(default)]
    pub(in crate::spool) boot: Option<String>,
    /// Of how many documents it consists, where that is not one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::spool) parts: Option<usize>,
}

impl Loan {
    /// A loan that is noted now.
    pub(in crate::spool) fn new(lease: LeaseId, until: Timestamp) -> Self {
        Self { lease, until, boot: quiet::boot(), parts: None }
    }
}

impl Journal {
    pub(in crate::spool) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn file(&self, place: &str, name: impl std::fmt::Display) -> PathBuf {
        self.root.join(place).join(format!("{name}.json"))
    }

    /// Held by whoever changes what is here, never while it waits for an answer.
    pub(in crate::spool) fn lock(&self) -> Result<files::Lock> {
        files::make_directory(&self.root)?;
        files::lock(self.root.join("desk.lock"))
    }

    /// Only one process of this machine claims at a time: what it finds half done was left by one that died.
    /// `None` where a hook would have to wait for another's turn for long.
    pub(in crate::spool) fn turn(&self, deadline: Deadline) -> Result<Option<files::Lock>> {
        let path = self.root.join("claim.lock");
        let Deadline::At(until) = deadline else { return files::lock(path).map(Some) };
        let until = until.min(Instant::now() + TURN);
        loop {
            let lock = files::lock_if_free(path.clone())?;
            if lock.is_some() || Instant::now() >= until {
                return Ok(lock);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Unread mail whose loan is over is anybody's again. The caller holds the lock.
    pub(in crate::spool) fn give_back_lapsed(
        &self,
        desk: &LocalSpool,
        agent: &AgentName,
        now: Timestamp,
    ) -> Result<()> {
        for id in self.loans()? {
            let has_lapsed = self.loan(id)?.is_none_or(|loan| loan.until < now);
            if has_lapsed && desk.lies(agent, id)? == Some(Lies::Unread) {
                let way_back = self.way_back(id)?;
                if desk.withdraw_unread(agent, id, &way_back)? {
                    self.give_back(id, true)?;
                }
            }
        }
        Ok(())
    }

    /// Notes a claim before it is made: its answer may be lost, or never taken in.
    pub(in crate::spool) fn begin(&self, lease: &LeaseId) -> Result<()> {
        write(&self.file("claims", lease), &())
    }

    /// The claim's answer was taken in, or there was none to take in.
    pub(in crate::spool) fn finish(&self, lease: &LeaseId) {
        // One that stays is asked for again, which changes nothing.
        let _ = fs::remove_file(self.file("claims", lease));
    }

    /// The same, where the claim began so long ago that nothing of it can still arrive.
    pub(in crate::spool) fn finish_old(&self, lease: &LeaseId, span: Duration) {
        let begun = fs::metadata(self.file("claims", lease)).and_then(|file| file.modified()).ok();
        if begun.and_then(|begun| begun.elapsed().ok()).is_none_or(|age| age > span) {
            self.finish(lease);
        }
    }

    /// Claims whose answers were not taken in: their processes ended, for we hold the lock on claims.
    pub(in crate::spool) fn begun(&self) -> Result<Vec<LeaseId>> {
        let names = files::names(&self.root.join("claims"))?;
        let leases = names.iter().filter_map(|name| name.strip_suffix(".json"));
        Ok(leases.filter_map(|name| LeaseId::try_from(name.to_owned()).ok()).collect())
    }

    pub(in crate::spool) fn lend(&self, id: MessageId, loan: &Loan) -> Result<()> {
        write(&self.file("wire", id), loan)
    }

    /// Whether anything that was lent by this lease is here.
    pub(in crate::spool) fn has_loans_of(&self, lease: &LeaseId) -> Result<bool> {
        for id in self.loans()? {
            if self.loan(id)?.is_some_and(|loan| loan.lease == *lease) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(in crate::spool) fn loan(&self, id: MessageId) -> Result<Option<Loan>> {
        let path = self.file("wire", id);
        let bytes = files::read(&path).on("read", &path)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Every message that we were lent.
    pub(in crate::spool) fn loans(&self) -> Result<Vec<MessageId>> {
        let names = files::names(&self.root.join("wire"))?;
        Ok(names.iter().filter_map(|name| MessageId::from_file_name(name, ".json")).collect())
    }

    pub(in crate::spool) fn forget(&self, id: MessageId) {
        let _ = fs::remove_file(self.file("wire", id));
    }

    /// A message was read here, which is to be told.
    pub(in crate::spool) fn read(&self, id: MessageId) -> Result<()> {
        self.end(What::Read, id, false)
    }

    /// The place outside of the mailbox where a message waits that goes back.
    pub(in crate::spool) fn way_back(&self, id: MessageId) -> Result<PathBuf> {
        files::make_directory(&self.root.join("back"))?;
        Ok(self.file("back", id))
    }

    /// A message lies on its way back, which is to be told.
    pub(in crate::spool) fn give_back(&self, id: MessageId, is_unseen: bool) -> Result<()> {
        self.end(What::Released, id, is_unseen)?;
        let path = self.file("back", id);
        fs::remove_file(&path).on("remove", &path)
    }

    /// Turns a loan into what is to be told of it.
    fn end(&self, what: What, id: MessageId, unseen: bool) -> Result<()> {
        let Some(loan) = self.loan(id)? else { return Ok(()) };
        let end = End { lease: loan.lease, unseen, until: Some(loan.until), parts: loan.parts };
        self.note_end(what, id, &end)?;
        self.forget(id);
        Ok(())
    }

    /// Notes how a loan ended.
    pub(in crate::spool) fn note_end(&self, what: What, id: MessageId, end: &End) -> Result<()> {
        write(&self.file("ends", format!("{}-{id}", what.word())), end)
    }

    /// Whether the message was read here, and that was not told yet.
    pub(in crate::spool) fn was_read(&self, id: MessageId) -> bool {
        self.file("ends", format!("ack-{id}")).exists()
    }

    /// A message that was read here came again, under another claim.
    pub(in crate::spool) fn read_again(&self, id: MessageId, lease: &LeaseId) -> Result<()> {
        self.note_end(What::Read, id, &End { lease: lease.clone(), unseen: false, until: None, parts: None })
    }

    /// Whether nothing waits to be told.
    pub(in crate::spool) fn is_empty(&self) -> bool {
        files::is_empty(&self.root.join("ends"))
    }

    /// Finishes what a process that died had begun. The caller holds the lock.
    pub(in crate::spool) fn recover(&self, desk: &LocalSpool, agent: &AgentName) -> Result<()> {
        let back: HashSet<_> = files::names(&self.root.join("back"))?
            .iter()
            .filter_map(|name| MessageId::from_file_name(name, ".json"))
            .collect();
        for id in &back {
            self.give_back(*id, false)?;
        }
        for id in self.loans()? {
            if desk.lies(agent, id)?.is_some_and(|lies| lies != Lies::Kept) {
                continue;
            }
            // After a start of the machine it may be missing because it never came to the disk.
            match self.loan(id)?.is_some_and(|loan| loan.boot.is_some() && loan.boot == quiet::boot()) {
                true => self.read(id)?,
                false => self.end(What::Released, id, false)?,
            }
        }
        Ok(())
    }
}

/// Writes a small file whole. It need not survive the machine: what is lent lapses.
fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    files::make_directory(directory)?;
    let draft = directory.join(format!(".{}.tmp", MessageId::random()));
    let text = serde_json::to_vec(value).unwrap_or_default();
    files::write_new(&draft, &text, false)?;
    let renamed = fs::rename(&draft, path);
    if renamed.is_err() {
        let _ = fs::remove_file(&draft);
    }
    renamed.on("write", path)
}
