//! Claims in the brain: one request looks, and one more for each message that is taken.
//!
//! The claim's name is made and noted here before the first mark is put on, so that what a lost answer hides is found by
//! the next look. Each message is put into the desk before its loan is noted, and both before the claim is over.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::front::Mark;
use super::look::{Letter, Look};
use super::mark::Got;
use super::{BrainSpool, Refusal, Result, each};
use crate::message::MessageId;
use crate::spool::remote::{LOAN, Loan, SHORT, What};
use crate::spool::select::{self, Candidate};
use crate::spool::{Claim, Claimed, Error, Filter, Lease, LeaseId, Spool as _, Take};

/// After this long a write that was not answered is not done any more.
const LATE_WRITE: Duration = Duration::from_secs(120);
/// Looks of one claim, where a service gives only part of an inbox in a list.
const MOST_LOOKS: usize = 100;

/// What a claim took from the brain.
struct Taken {
    count: usize,
    error: Option<Error>,
}

impl BrainSpool {
    /// Looks, and takes in what earlier claims got.
    pub(super) fn look_and_take_in(&self) -> Result<Look> {
        // What was released here is unread there once it was told.
        self.tell_ends(|what| what == What::Released)?;
        let look = self.look()?;
        self.take_in_again(&look)?;
        Ok(look)
    }

    /// What earlier claims of this machine got without knowing it becomes unread mail of this machine.
    fn take_in_again(&self, look: &Look) -> Result<()> {
        let begun: HashSet<LeaseId> = self.here.journal.begun()?.into_iter().collect();
        let _lock = self.here.journal.lock()?;
        let now = self.here.env.now();
        for letter in &look.letters {
            let Some(mark) = letter.notes.mark.as_ref().filter(|mark| mark.until > now) else { continue };
            let id = letter.message.id;
            if !begun.contains(&mark.nonce) || self.here.journal.was_read(id) {
                continue;
            }
            if self.here.desk.lies(&self.here.agent, id)?.is_none() {
                if letter.notes.is_shown {
                    self.here.desk.note_repeat(&self.here.agent, &letter.message)?;
                }
                self.here.desk.put(&self.here.agent, &letter.message, false)?;
            }
            if self.here.journal.loan(id)?.is_none() {
                self.here.journal.lend(id, &loan(mark, letter.notes.parts))?;
            }
        }
        if !look.is_cut {
            // A write that was not answered may be done yet: its name is known until that is over.
            begun.iter().for_each(|nonce| self.here.journal.finish_old(nonce, LATE_WRITE));
        }
        self.find_taken(look)
    }

    /// Claims in the brain until there is no more to claim.
    pub(super) fn claim_beside(
        &self,
        lease: &Lease,
        filter: &Filter,
        take: Take<'_>,
        look: Look,
        claim: &mut Claim,
    ) -> Result<()> {
        self.here.note("asked");
        let aside = look.aside();
        let claimed = self.claim_rounds(lease, filter, take, look, claim);
        // Mail comes first: what is no message hides none.
        self.set_aside(&aside);
        claimed
    }

    fn claim_rounds(
        &self,
        lease: &Lease,
        filter: &Filter,
        take: Take<'_>,
        look: Look,
        claim: &mut Claim,
    ) -> Result<()> {
        let (here, mut look) = (claim.left.clone(), look);
        for _ in 0..MOST_LOOKS {
            claim.left = here.clone();
            let taken = self.claim_some(lease, filter, take, &look, claim)?;
            if let Some(error) = taken.error {
                return Err(error);
            }
            if !(matches!(take, Take::All) && look.is_cut && taken.count > 0) {
                break;
            }
            look = self.look()?;
        }
        Ok(())
    }

    fn claim_some(
        &self,
        lease: &Lease,
        filter: &Filter,
        take: Take<'_>,
        look: &Look,
        claim: &mut Claim,
    ) -> Result<Taken> {
        let (unread, _) = self.unread_of(look)?;
        let asked = self.asked_for(unread, filter, &mut claim.left.other_scopes);
        let chosen: Vec<_> = choose(&asked, take, claim).into_iter().map(|index| asked[index]).collect();
        let mut taken = Taken { count: 0, error: None };
        if chosen.is_empty() {
            return Ok(taken);
        }
        let mark = Mark { nonce: LeaseId::random(), until: self.here.env.now() + LOAN };
        self.here.journal.begin(&mark.nonce)?;
        let is_over = AtomicBool::new(false);
        let outcomes = each(&chosen, |(letter, _)| {
            // Where one cannot be reached, all the others cannot.
            if is_over.load(Ordering::Relaxed) {
                return None;
            }
            let got = self.claim_one(letter, &mark);
            if matches!(&got, Got::Unsure(refusal) | Got::Failed(refusal) if refusal.is_everybodys()) {
                is_over.store(true, Ordering::Relaxed);
            }
            Some(got)
        });
        let read_before = self.here.desk.read_before(&self.here.agent)?;
        let mut is_sure = true;
        for ((letter, stray), got) in chosen.into_iter().zip(outcomes) {
            let is_ours = match got {
                None | Some(Got::Lost) => Ok(None),
                Some(Got::Ours { repeat }) => self.take_in(lease, letter, &mark, repeat),
                Some(Got::NoHash) => self.take_out(lease, letter),
                Some(Got::Unsure(refusal)) => {
                    is_sure = false;
                    Err(refusal.into())
                }
                Some(Got::Failed(refusal)) => Err(refusal.into()),
            };
            match is_ours {
                Ok(Some(repeat)) => {
                    let was_read = read_before.contains(&letter.message.id);
                    let repeat = repeat || was_read || letter.notes.is_shown || letter.notes.mark.is_some();
                    claim.messages.push(Claimed { message: letter.message.clone(), repeat, stray });
                    taken.count += 1;
                }
                Ok(None) => {}
                Err(error) => {
                    // What is marked as ours and could not be put here is found by the next claim.
                    is_sure &= matches!(error, Error::Brain(_));
                    taken.error = taken.error.or(Some(error));
                }
            }
        }
        if is_sure {
            self.here.journal.finish(&mark.nonce);
        }
        Ok(taken)
    }

    /// Puts a message that is marked as ours under the reader's lease; whether it may be a repeat. `None` where it was
    /// here.
    fn take_in(&self, lease: &Lease, letter: &Letter, mark: &Mark, repeat: bool) -> Result<Option<bool>> {
        let _lock = self.here.journal.lock()?;
        let is_new = self.here.desk.adopt(&self.here.agent, lease, &letter.message, false)?;
        self.here.journal.lend(letter.message.id, &loan(mark, letter.notes.parts))?;
        Ok(is_new.then_some(repeat))
    }

    /// Renews the marks of what the session holds, where they would not outlast it. Where the brain cannot be reached
    /// now, the next event of the session does it.
    pub(super) fn renew_marks(&self, lease: &LeaseId) {
        let (soon, until) = (self.here.env.now() + SHORT, self.here.env.now() + LOAN);
        let Ok(held) = self.here.desk.held(&self.here.agent, lease) else { return };
        for held in held {
            let id = held.message.id;
            let Ok(Some(lent)) = self.here.journal.loan(id) else { continue };
            if lent.until > soon {
                continue;
            }
            let mark = Mark { nonce: lent.lease.clone(), until };
            match self.renew_one(id, &mark) {
                Ok(true) => drop(self.here.journal.lend(id, &Loan { until, ..lent })),
                // What is ours no more is another's, or unread there: an acknowledgement may come too late.
                Ok(false) => {}
                Err(_) => return,
            }
        }
    }

    fn renew_one(&self, id: MessageId, mark: &Mark) -> std::result::Result<bool, Refusal> {
        let path = self.room.unread(&self.here.agent, id, 1);
        let super::mark::Marked::Ours(now) = self.whose(&path, mark)? else { return Ok(false) };
        self.rewrite(&now, |text| super::front::claimed(text, mark)).map(|()| true)
    }
}

fn loan(mark: &Mark, parts: usize) -> Loan {
    Loan { parts: (parts > 1).then_some(parts), ..Loan::new(mark.nonce.clone(), mark.until) }
}

/// The indexes of what is claimed in the brain, beside what was claimed here.
fn choose(asked: &[(&Letter, bool)], take: Take<'_>, claim: &mut Claim) -> Vec<usize> {
    let Take::Within { bytes, weigh, quota } = take else { return (0..asked.len()).collect() };
    if !claim.messages.is_empty() && claim.left.matching > 0 {
        // What is here already is more than fits.
        claim.left.matching += asked.len();
        return Vec::new();
    }
    let mut quota = quota.clone();
    claim.messages.iter().for_each(|claimed| quota.count(&claimed.message.from));
    let here: usize = claim.messages.iter().map(|claimed| weigh(&claimed.message)).sum();
    let of = |index: usize| &asked[index].0.message;
    let known: Vec<_> = (0..asked.len())
        .map(|index| Candidate { from: &of(index).from, priority: of(index).priority })
        .collect();
    let selection = select::within(&known, bytes.saturating_sub(here), &quota, |index| weigh(of(index)));
    let held_back: usize = selection.held_back.iter().map(|(_, count)| count).sum();
    claim.left.matching += asked.len() - selection.taken.len() - held_back;
    selection.held_back.into_iter().for_each(|(from, count)| claim.left.hold_back(from, count));
    selection.taken
}
