//! One message's claim: the mark is put on by a write that names the hash of what it replaces, and whoever is not
//! answered looks whose mark is there. Nothing is written a second time before that.

use super::calls::Put;
use super::document::Document;
use super::front::{self, Mark};
use super::look::Letter;
use super::{BrainSpool, Refusal};

/// What came of a claim.
#[derive(Debug)]
pub(super) enum Got {
    /// It is ours until the mark's end. Where the document seems to have been made anew by that, another reader had it
    /// in between, and it may be a repeat.
    Ours {
        /// Whether it may have been shown before.
        repeat: bool,
    },
    /// Somebody else has it, or had it.
    Lost,
    /// The service gives no hashes: it cannot be claimed so.
    NoHash,
    /// It may be ours: the next look tells.
    Unsure(Refusal),
    /// It was not claimed.
    Failed(Refusal),
}

/// Whose mark a document bears.
pub(super) enum Marked {
    Ours(Document),
    AnotherS,
    /// Nobody's, with the text and hash that it has now.
    Nobodys(Document),
    Gone,
}

impl BrainSpool {
    /// Puts the mark on a message.
    pub(super) fn claim_one(&self, letter: &Letter, mark: &Mark) -> Got {
        let read;
        // A list may come without hashes where the documents have them.
        let before = match letter.document.hash() {
            Some(_) => &letter.document,
            None => match self.calls.read(&letter.document.path) {
                Ok(Some(now)) if self.is_held(&now) => return Got::Lost,
                Ok(Some(now)) => {
                    read = now;
                    &read
                }
                Ok(None) => return Got::Lost,
                Err(refusal) => return Got::Failed(refusal),
            },
        };
        let Some(hash) = before.hash() else { return Got::NoHash };
        let text = before.body_md.as_deref().unwrap_or_default();
        let (title, claimed) = (front::title_of(&letter.message), front::claimed(text, mark));
        let put = Put { path: &before.path, body: &claimed, title: &title, expected: Some(hash) };
        let (until, mut may_be_done) = (self.calls.until(), false);
        for number in 0.. {
            let refusal = match self.calls.write(put) {
                Ok(Some(now)) => return Self::perhaps_made_anew(before, &now),
                // It says nothing of what it did.
                Ok(None) => None,
                Err(refusal) if matches!(refusal.status(), Some(404 | 409)) => {
                    // Of an earlier try that was done.
                    return if may_be_done { self.look_after(before, mark, refusal) } else { Got::Lost };
                }
                Err(refusal) if refusal.is_temporary() || refusal.is_unsure() => Some(refusal),
                Err(refusal) => return Got::Failed(refusal),
            };
            may_be_done |= refusal.as_ref().is_none_or(Refusal::is_unsure);
            // A limit is kept before anything is done: it is asked again, and a conflict then is looked at.
            if !matches!(refusal, Some(Refusal::Busy { .. })) && may_be_done {
                match self.whose(&before.path, mark) {
                    Ok(Marked::Ours(now)) => return Self::perhaps_made_anew(before, &now),
                    Ok(Marked::Nobodys(now)) if now.body_md == before.body_md => {}
                    Ok(_) => return Got::Lost,
                    Err(refusal) => return Got::Unsure(refusal),
                }
            }
            let Some(refusal) = refusal else { continue };
            if !self.calls.may_try_again(&refusal, number, until) {
                return if may_be_done { Got::Unsure(refusal) } else { Got::Failed(refusal) };
            }
        }
        Got::Lost
    }

    fn look_after(&self, before: &Document, mark: &Mark, conflict: Refusal) -> Got {
        match self.whose(&before.path, mark) {
            Ok(Marked::Ours(now)) => Self::perhaps_made_anew(before, &now),
            Ok(_) => Got::Lost,
            Err(refusal) if refusal.is_temporary() => Got::Unsure(refusal),
            Err(_) => Got::Unsure(conflict),
        }
    }

    /// A write that names a hash makes the document anew in some services where there is none: it was read and deleted
    /// by another reader in the meantime. Services write times in several ways, so that nothing is lost by this: it is
    /// shown, and says that it may be a repeat.
    fn perhaps_made_anew(before: &Document, now: &Document) -> Got {
        Got::Ours { repeat: now.was_made_anew(before) }
    }

    fn is_held(&self, document: &Document) -> bool {
        let notes =
            document.body_md.as_deref().and_then(|text| front::read(text).ok()).map(|(_, notes)| notes);
        notes.and_then(|notes| notes.mark).is_some_and(|mark| mark.holds(self.here.env.now()))
    }

    /// Whose mark is on a document now.
    pub(super) fn whose(&self, path: &str, mark: &Mark) -> Result<Marked, Refusal> {
        let Some(now) = self.calls.read(path)? else { return Ok(Marked::Gone) };
        let notes = now.body_md.as_deref().and_then(|text| front::read(text).ok()).map(|(_, notes)| notes);
        Ok(match notes.and_then(|notes| notes.mark) {
            Some(there) if there.nonce == mark.nonce => Marked::Ours(now),
            Some(there) if there.holds(self.here.env.now()) => Marked::AnotherS,
            _ => Marked::Nobodys(now),
        })
    }
}
