//! Claims at the relay: one round trip gives mail, and says what became of earlier mail.
//!
//! The lease's name is made and noted here before the call, so that a lost answer is asked for again. Each message is
//! put into the desk before its loan is noted, and its loan before the claim is over.

use super::{RelaySpool, Result};
use crate::message::{Context, Message, MessageId, Priority};
use crate::relay::calls::{Again, Refusal};
use crate::relay::wire;
use crate::spool::remote::{Endings, LOAN, Loan, SHORT};
use crate::spool::{Claim, Claimed, Error, Filter, Lease, LeaseId, Spool as _, Take};

/// Bytes of bodies in one claim of everything: a relay may have mail without end.
const MOST_AT_ONCE: usize = 64 * 1024 * 1024;

/// What is known of a relay before a claim.
pub(in crate::spool) enum Look {
    /// It lends by leases, and what it gave to earlier claims is here.
    Lends,
    /// It is of the first version: what it has for us is here, and so many wait for other scopes.
    Gave(usize),
}

/// The contexts that one claim may have: mail for the others waits.
fn as_many_as_fit(contexts: &[Context]) -> Vec<String> {
    let mut room = wire::CONTEXT_BYTES;
    let fitting = contexts.iter().map_while(|context| {
        room = room.checked_sub(context.as_str().len())?;
        Some(context.as_str().to_owned())
    });
    fitting.collect()
}

impl RelaySpool {
    /// Takes in what earlier claims were given, whose processes died.
    pub(super) fn take_in_begun(&self, filter: &Filter) -> Result<Look> {
        if !self.features()?.leases() {
            return self.fetch(filter).map(Look::Gave);
        }
        self.here.journal.begun()?.iter().try_for_each(|begun| self.take_in_again(begun))?;
        Ok(Look::Lends)
    }

    /// Claims what there is room for beside what was claimed here.
    pub(super) fn claim_beside(
        &self,
        lease: &Lease,
        filter: &Filter,
        take: Take<'_>,
        look: Look,
        claim: &mut Claim,
    ) -> Result<()> {
        if let Look::Gave(elsewhere) = look {
            claim.left.other_scopes += elsewhere;
            return Ok(());
        }
        let bytes = match take {
            Take::All => None,
            Take::Within { bytes, weigh, .. } => {
                let taken: usize = claim.messages.iter().map(|claimed| weigh(&claimed.message)).sum();
                Some(u32::try_from(bytes.saturating_sub(taken)).unwrap_or(u32::MAX).max(1))
            }
        };
        loop {
            let (left, is_more) = self.claim_page(lease, filter, bytes, claim)?;
            // A relay gives everything in pages; the next claim gets what is more than fits in one.
            let claimed: usize = claim.messages.iter().map(|claimed| claimed.message.body.len()).sum();
            if bytes.is_none() && left.matching > 0 && is_more && claimed < MOST_AT_ONCE {
                continue;
            }
            claim.left.matching += left.matching;
            claim.left.other_scopes += left.other_scopes;
            left.held_back.into_iter().for_each(|held| claim.left.hold_back(held.from, held.count));
            return Ok(());
        }
    }

    /// One round trip; what the relay has still, and whether it gave what was not here.
    fn claim_page(
        &self,
        lease: &Lease,
        filter: &Filter,
        bytes: Option<u32>,
        claim: &mut Claim,
    ) -> Result<(wire::Left, bool)> {
        let id = LeaseId::random();
        let (told, endings) = self.ask_for(wire::Claim {
            contexts: filter.contexts.as_deref().map(as_many_as_fit),
            ids: filter.ids.clone(),
            priority: filter.urgent.then_some(Priority::Urgent),
            except: filter.except.iter().map(ToString::to_string).collect(),
            max_bytes: bytes,
            ..self.ask(&id)
        })?;
        // Where it cannot be noted, the relay is asked more often.
        self.here.note("asked");
        let (lock, mut is_more) = (self.here.journal.lock()?, false);
        for message in told.messages {
            if self.take_in(lease, &id, &message)? {
                is_more = true;
                let repeat = told.repeats.contains(&message.id);
                let stray = told.strays.contains(&message.id);
                claim.messages.push(Claimed { message, repeat, stray });
            }
        }
        endings.told(&lock);
        self.here.journal.finish(&id);
        Ok((told.left, is_more))
    }

    /// A claim by that lease, of nothing yet, with what the relay is to be told.
    fn ask(&self, id: &LeaseId) -> wire::Claim {
        wire::Claim {
            lease: id.clone(),
            lease_s: u32::try_from(LOAN.as_secs()).ok(),
            contexts: None,
            ids: None,
            priority: None,
            except: Vec::new(),
            max_bytes: None,
            ack: Vec::new(),
            release: Vec::new(),
        }
    }

    /// Asks, and says with it what became of earlier mail; that is over once the answer was taken in.
    fn ask_for(&self, mut asked: wire::Claim) -> Result<(wire::Claimed, Endings)> {
        let mut endings = self.here.journal.endings()?;
        asked.ack = std::mem::take(&mut endings.ack);
        asked.release = std::mem::take(&mut endings.release);
        self.here.journal.begin(&asked.lease)?;
        match self.calls.post::<wire::Claimed>("/v1/claim", &asked, Again::Always) {
            Ok(told) => Ok((told, endings)),
            Err(refusal) => {
                let is_open =
                    matches!(refusal, Refusal::Unreachable { is_heard: true, .. } | Refusal::NoRelay { .. });
                if !is_open {
                    // The relay did nothing of it.
                    self.here.journal.finish(&asked.lease);
                }
                if matches!(refusal, Refusal::Refused { status: 404, .. } | Refusal::NoRelay { .. }) {
                    self.forget_features();
                }
                Err(refusal.into())
            }
        }
    }

    /// Takes in what an earlier claim was given, whose process died, as unread mail of this machine.
    fn take_in_again(&self, begun: &LeaseId) -> Result<()> {
        // A lease that holds something gives that; one that holds nothing is not to take anything now.
        let again = self.ask_for(wire::Claim { ids: Some(Vec::new()), ..self.ask(begun) });
        if matches!(again, Err(Error::Relay(Refusal::NoRelay { .. })))
            && !self.here.journal.has_loans_of(begun)?
        {
            // An answer that nobody can read is asked for no more: what it held is unread again.
            let whole = wire::Ending { lease: begun.clone(), ids: None, unseen: true };
            let wire::Done { .. } = self.calls.post("/v1/claim/release", &whole, Again::Always)?;
            self.here.journal.finish(begun);
            return Ok(());
        }
        let (told, endings) = again?;
        let lock = self.here.journal.lock()?;
        for message in told.messages {
            if self.here.journal.was_read(message.id) {
                self.here.journal.read_again(message.id, begun)?;
                continue;
            }
            if told.repeats.contains(&message.id) {
                self.here.desk.note_repeat(&self.here.agent, &message)?;
            }
            self.here.desk.put(&self.here.agent, &message, false)?;
            self.here.journal.lend(message.id, &self.loan(begun))?;
        }
        endings.told(&lock);
        self.here.journal.finish(begun);
        Ok(())
    }

    /// Puts a message that the relay lent under the reader's lease; `false` where it was here already.
    fn take_in(&self, lease: &Lease, by: &LeaseId, message: &Message) -> Result<bool> {
        if self.here.journal.was_read(message.id) {
            self.here.journal.read_again(message.id, by)?;
            return Ok(false);
        }
        let is_new = self.here.desk.adopt(&self.here.agent, lease, message, false)?;
        self.here.journal.lend(message.id, &self.loan(by))?;
        Ok(is_new)
    }

    fn loan(&self, by: &LeaseId) -> Loan {
        Loan::new(by.clone(), self.here.env.now() + LOAN)
    }

    /// Renews what the session was lent, where the loans would not outlast it. Where the relay cannot be reached now,
    /// the next event of the session does it.
    pub(super) fn renew_loans(&self, lease: &LeaseId) {
        let soon = self.here.env.now() + SHORT;
        let Ok(held) = self.here.desk.held(&self.here.agent, lease) else { return };
        let mut renewed: Vec<(LeaseId, Vec<MessageId>)> = Vec::new();
        for held in held {
            let Ok(Some(loan)) = self.here.journal.loan(held.message.id) else { continue };
            if loan.until > soon {
                continue;
            }
            if !renewed.iter().any(|(lease, _)| *lease == loan.lease) {
                let asked = wire::Claim { ids: Some(Vec::new()), ..self.ask(&loan.lease) };
                let Ok(told) = self.calls.post::<wire::Claimed>("/v1/claim", &asked, Again::Always) else {
                    return;
                };
                let ids = told.messages.iter().map(|message| message.id).collect();
                renewed.push((loan.lease.clone(), ids));
            }
            // What the relay lends no more is another's, or unread there: an acknowledgement may come too late.
            if renewed.iter().any(|(lease, ids)| *lease == loan.lease && ids.contains(&held.message.id)) {
                let _ = self.here.journal.lend(held.message.id, &self.loan(&loan.lease));
            }
        }
    }

    /// Tells the relay what became of its mail.
    pub(super) fn tell_endings(&self) -> Result<()> {
        while !self.here.journal.is_empty() {
            let mut endings = self.here.journal.endings()?;
            if endings.is_empty() {
                break;
            }
            self.tell_all(&mut endings)?;
            endings.told(&self.here.journal.lock()?);
        }
        Ok(())
    }

    fn tell_all(&self, endings: &mut Endings) -> Result<()> {
        for (path, list) in [
            ("/v1/claim/ack", std::mem::take(&mut endings.ack)),
            ("/v1/claim/release", std::mem::take(&mut endings.release)),
        ] {
            for ending in list {
                let wire::Done { .. } = self.calls.post(path, &ending, Again::Always)?;
            }
        }
        Ok(())
    }
}
