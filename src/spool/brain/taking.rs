//! Claims where a service gives no hashes: the message is written here, onto the disk, and deleted there; it is ours only
//! where the answer says that this call deleted it. Whoever is not answered delivers it as perhaps repeated.
//!
//! What was taken so is this machine's alone, and unread in the desk where its reader gives it back.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::look::{Bad, Letter, Look};
use super::{BrainSpool, Refusal, Result, calls, files};
use crate::message::{Message, MessageId};
use crate::spool::Lease;
use crate::spool::error::OnPath;

/// After this long a delete that was not answered is not done any more.
const LATE: Duration = Duration::from_secs(120);
/// After this long since they were first seen here, parts of a message that is not there belong to nobody who is still
/// writing it.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// Documents that one claim sets aside or deletes at most: mail comes first.
const SOME: usize = 8;

impl BrainSpool {
    /// Takes a message out of the brain; whether it may be a repeat, `None` where another reader has it.
    pub(super) fn take_out(&self, lease: &Lease, letter: &Letter) -> Result<Option<bool>> {
        let (message, path) = (&letter.message, &letter.document.path);
        let noted = self.taking(message.id);
        // An earlier delete may have been done, and not been answered.
        let was_tried = noted.exists();
        if !was_tried {
            files::replace(&noted, message.to_json().as_bytes())?;
        }
        let is_repeat = match self.delete_once(path, was_tried) {
            Ok(Some(is_repeat)) => is_repeat,
            Ok(None) => {
                fs::remove_file(&noted).on("remove", &noted)?;
                return Ok(None);
            }
            Err((refusal, may_be_done)) => {
                // Where a delete may still be done, this is the only copy: a later look tells.
                if !may_be_done {
                    let _ = fs::remove_file(&noted);
                }
                return Err(refusal.into());
            }
        };
        let is_new = self.here.desk.adopt(&self.here.agent, lease, message, true)?;
        fs::remove_file(&noted).on("remove", &noted)?;
        self.delete_parts(message.id, letter.notes.parts);
        Ok(is_new.then_some(is_repeat))
    }

    /// Deletes a message to have it; whether it may be a repeat, `None` where another reader has it. After an answer that
    /// does not tell one looks: what is gone is ours, or another reader's, which nobody can tell.
    /// An error comes with whether a delete may have been done, or may be yet.
    fn delete_once(&self, path: &str, was_tried: bool) -> std::result::Result<Option<bool>, (Refusal, bool)> {
        let (until, mut is_unsure) = (self.calls.until(), was_tried);
        for number in 0.. {
            let refusal = match self.calls.delete(path) {
                // Whatever became of an earlier try, it was there, and this one took it.
                Ok(Some(true)) => return Ok(Some(false)),
                Ok(Some(false)) => return Ok(is_unsure.then_some(true)),
                Ok(None) => self.calls.says_nothing(),
                Err(refusal) => refusal,
            };
            if refusal.is_unsure() {
                is_unsure = true;
                match self.calls.read(path) {
                    Ok(None) => return Ok(Some(true)),
                    Ok(Some(_)) => {}
                    // What hinders a look says nothing of the delete.
                    Err(refusal) => return Err((refusal, true)),
                }
            }
            let may_try = matches!(refusal, Refusal::NoBrain { .. }) && number == 0;
            if !may_try && !self.calls.may_try_again(&refusal, number, until) {
                return Err((refusal, is_unsure));
            }
        }
        Ok(None)
    }

    /// What was to be taken without an answer, and is unread no more, was taken.
    pub(super) fn find_taken(&self, look: &Look) -> Result<()> {
        for name in files::names(&self.here.root.join("taking"))? {
            let Some(id) = MessageId::from_file_name(&name, ".json") else { continue };
            let path = self.taking(id);
            let is_there = look.letters.iter().any(|letter| letter.message.id == id);
            if look.is_cut && !is_there || is_there && !is_old(&path) {
                continue;
            }
            if !is_there
                && let Some(bytes) = files::read(&path).on("read", &path)?
                && let Ok(message) = Message::from_json(&bytes)
            {
                self.here.desk.note_repeat(&self.here.agent, &message)?;
                self.here.desk.put(&self.here.agent, &message, true)?;
            }
            fs::remove_file(&path).on("remove", &path)?;
        }
        Ok(())
    }

    fn taking(&self, id: MessageId) -> PathBuf {
        self.here.root.join("taking").join(format!("{id}.json"))
    }

    /// Deletes the further parts of a message that is gone; what stays goes with a later claim.
    pub(super) fn delete_parts(&self, id: MessageId, parts: usize) {
        for part in 2..=parts {
            let _ = self.calls.delete(&self.room.unread(&self.here.agent, id, part));
        }
    }

    /// Sets aside what is no message, in the brain, and what was left of messages that are gone: some of it, and never in
    /// a hook. Where it fails it stays, and is told again.
    pub(super) fn set_aside(&self, look: &Look) {
        if self.is_of_a_hook() || self.calls.wait_wanted().is_some() {
            return;
        }
        let damaged = look.bad.iter().filter_map(|bad| Some((bad, bad.document.as_ref()?)));
        for (Bad { name, reason, .. }, document) in damaged.take(SOME) {
            let text = document.body_md.as_deref().unwrap_or_default();
            let to = self.room.bad(&self.here.agent, name);
            let title = format!("bch: no message: {reason}");
            let put = calls::Put { path: &to, body: text, title: &title, expected: None };
            // The copy first. One that was perhaps not written is written again at the next look.
            if self.calls.write(put).is_ok_and(|written| written.is_some())
                && self
                    .here
                    .desk
                    .note_bad(&self.here.agent, name, &format!("{reason}; it was moved to {to}"))
                    .is_ok()
            {
                let _ = self.calls.delete(&document.path);
            }
        }
        for orphan in look.orphans.iter().take(SOME) {
            let name = orphan.path.rsplit('/').next().unwrap_or_default();
            let Some((id, part)) = super::place::parse_name(name) else { continue };
            let seen = self.here.root.join("orphans").join(format!("{id}-{part}"));
            if !seen.exists() {
                let _ =
                    files::make_directory(&self.here.root.join("orphans")).map(|()| fs::write(&seen, b""));
            } else if is_older(&seen, ABANDONED) && self.calls.delete(&orphan.path).is_ok() {
                let _ = fs::remove_file(&seen);
            }
        }
    }
}

fn is_old(path: &std::path::Path) -> bool {
    is_older(path, LATE)
}

fn is_older(path: &std::path::Path, span: Duration) -> bool {
    let changed = fs::metadata(path).and_then(|file| file.modified()).ok();
    changed.and_then(|changed| SystemTime::elapsed(&changed).ok()).is_some_and(|age| age > span)
}
