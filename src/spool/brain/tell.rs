//! What became of mail is told to the brain: what was read is deleted there, what goes back loses its mark. Whoever is not
//! answered looks before anything is done again, and another reader's claim is left alone.

use std::sync::atomic::{AtomicBool, Ordering};

use super::calls::Put;
use super::document::Document;
use super::front::{self, Mark};
use super::mark::Marked;
use super::{BrainSpool, Refusal, Result, each};
use crate::spool::remote::{End, Ended, What};

/// Rounds of telling at most: each tells a thousand.
const ROUNDS: usize = 20;

impl BrainSpool {
    /// Tells what became of mail, of the ends that are wanted.
    pub(super) fn tell_ends(&self, is_wanted: impl Fn(What) -> bool) -> Result<()> {
        for _ in 0..ROUNDS {
            if self.here.journal.is_empty() {
                break;
            }
            let mut ended = self.here.journal.ended()?;
            ended.retain(|ended| is_wanted(ended.what));
            if ended.is_empty() {
                break;
            }
            let is_over = AtomicBool::new(false);
            let outcomes = each(&ended, |ended| {
                // Where one cannot be told, all the others cannot.
                if is_over.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                let told = self.tell_one(ended);
                if matches!(&told, Err(refusal) if refusal.is_everybodys()) {
                    is_over.store(true, Ordering::Relaxed);
                }
                told
            });
            let lock = self.here.journal.lock()?;
            let mut failed = None;
            for (ended, outcome) in ended.iter().zip(outcomes) {
                match outcome {
                    Ok(true) => ended.told(&lock),
                    Ok(false) => {}
                    Err(refusal) => {
                        if refusal.is_unsure() {
                            // It may have been done: the next time one looks first.
                            let _ = self.here.journal.note_end(
                                ended.what,
                                ended.id,
                                &End { until: None, ..ended.end.clone() },
                            );
                        }
                        failed = failed.or(Some(refusal));
                    }
                }
            }
            if let Some(refusal) = failed {
                return Err(refusal.into());
            }
        }
        Ok(())
    }

    /// Whether it is over.
    fn tell_one(&self, ended: &Ended) -> std::result::Result<bool, Refusal> {
        let path = self.room.unread(&self.here.agent, ended.id, 1);
        let mark = Mark { nonce: ended.end.lease.clone(), until: jiff::Timestamp::MIN };
        match ended.what {
            What::Read => self.delete_read(ended, &path, &mark),
            What::Released => match self.whose(&path, &mark)? {
                Marked::Ours(now) => {
                    self.rewrite(&now, |text| front::released(text, !ended.end.unseen))?;
                    Ok(true)
                }
                // Somebody else's by now, unread by itself, or gone.
                _ => Ok(true),
            },
        }
    }

    fn delete_read(&self, ended: &Ended, path: &str, mark: &Mark) -> std::result::Result<bool, Refusal> {
        let is_surely_ours = ended.end.until.is_some_and(|until| until > self.here.env.now());
        if !is_surely_ours && matches!(self.whose(path, mark)?, Marked::AnotherS) {
            // It lapsed, and another reader has it now: an acknowledgement that comes late touches no other's claim.
            return Ok(true);
        }
        if self.calls.delete(path)?.is_none() && !matches!(self.whose(path, mark)?, Marked::Gone) {
            return Err(self.calls.says_nothing());
        }
        self.delete_parts(ended.id, ended.end.parts.unwrap_or(1));
        Ok(true)
    }

    /// Writes a document that is ours anew, as it is now; a conflict means that it is ours no more.
    pub(super) fn rewrite(
        &self,
        now: &Document,
        change: impl Fn(&str) -> String,
    ) -> std::result::Result<(), Refusal> {
        let text = now.body_md.as_deref().unwrap_or_default();
        let title = front::read(text).map(|(message, _)| front::title_of(&message)).unwrap_or_default();
        let body = change(text);
        let put = Put { path: &now.path, body: &body, title: &title, expected: now.hash() };
        match self.calls.write(put) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(self.calls.says_nothing()),
            Err(refusal) if matches!(refusal.status(), Some(404 | 409)) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }
}
