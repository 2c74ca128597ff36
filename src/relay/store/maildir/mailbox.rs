//! The index of one agent's mail, in memory: what there is, in which order, and who holds it. Bodies stay on the
//! disk. Nothing here touches the disk; who changes that tells the index afterwards.
//!
//! Ordered maps throughout: they give back what they no longer need.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::super::{Last, Result};
use super::amount::Amount;
use super::envelope::Envelope;
use super::place::Lies;
use super::quota::Deliveries;
use crate::message::MessageId;
use crate::spool::LeaseId;

/// Who may have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Any reader.
    Unread,
    /// The lease's reader alone.
    Claimed,
    /// Any reader; its lease lapsed, and may still end it.
    Lapsed,
}

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) envelope: Envelope,
    pub(super) state: State,
    /// The lease that holds it, or held it last, while it is not `Unread`.
    pub(super) lease: Option<Arc<LeaseId>>,
    /// Its file lies in `new/`, though it may be claimed: the disk had no room for the lease.
    pub(super) is_new: bool,
    /// It may have been shown before.
    pub(super) returned: bool,
    /// Of its last landing.
    number: u64,
}

/// What a lease holds, or held when it lapsed.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    pub(super) until: Timestamp,
    pub(super) ids: BTreeSet<MessageId>,
}

/// A lease that holds nothing any more, and until when it would have held: its directory is to go.
pub(super) type Emptied = (Arc<LeaseId>, Timestamp);

/// The mail of one agent.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    mail: BTreeMap<MessageId, Box<Entry>>,
    /// Unread ones, oldest first.
    unread: BTreeSet<(Timestamp, MessageId)>,
    /// Unread ones, as they landed.
    landed: BTreeMap<u64, MessageId>,
    leases: BTreeMap<Arc<LeaseId>, Hold>,
    /// No lease lapses before.
    next_lapse: Option<Timestamp>,
    /// The number of the last landing.
    last: u64,
    /// What there is, unread or claimed.
    amount: Amount,
    /// Places for messages on their way.
    reserved: Amount,
    pub(super) deliveries: Deliveries,
    is_closed: bool,
    bell: Option<watch::Sender<u64>>,
}

impl Mailbox {
    /// Takes nothing in any more, and lets who waits for the bell go: the agent is gone.
    pub(super) fn close(&mut self) {
        (self.is_closed, self.bell) = (true, None);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// What there is, unread or claimed.
    pub(super) fn amount(&self) -> Amount {
        self.amount
    }

    pub(super) fn unread_count(&self) -> usize {
        self.unread.len()
    }

    pub(super) fn entry(&self, id: MessageId) -> Option<&Entry> {
        self.mail.get(&id).map(Box::as_ref)
    }

    pub(super) fn ids(&self) -> Vec<MessageId> {
        self.mail.keys().copied().collect()
    }

    pub(super) fn hold(&self, lease: &LeaseId) -> Option<&Hold> {
        self.leases.get(lease)
    }

    /// Unread messages, oldest first.
    pub(super) fn unread(&self) -> impl Iterator<Item = &Entry> {
        self.unread_after(None)
    }

    /// Unread messages after that one, oldest first.
    pub(super) fn unread_after(&self, last: Option<Last>) -> impl Iterator<Item = &Entry> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let unread = self.unread.range((from, Bound::Unbounded));
        unread.filter_map(|(_, id)| self.mail.get(id).map(Box::as_ref))
    }

    /// Unread messages that landed after that number, in that order.
    pub(super) fn landed(&self, after: u64) -> Vec<(u64, MessageId)> {
        self.landed.range(after.saturating_add(1)..).map(|(number, id)| (*number, *id)).collect()
    }

    /// Where the file of a message lies.
    pub(super) fn lies(&self, id: MessageId) -> Option<Lies> {
        let entry = self.mail.get(&id)?;
        match &entry.lease {
            Some(lease) if !entry.is_new => {
                Some(Lies::Under(LeaseId::clone(lease), self.leases.get(lease)?.until))
            }
            _ => Some(Lies::New),
        }
    }

    pub(super) fn bell(&mut self) -> watch::Receiver<u64> {
        let last = self.last;
        self.bell.get_or_insert_with(|| watch::Sender::new(last)).subscribe()
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.send_replace(self.last);
        }
    }

    /// Keeps a place for a message on its way, where there is one within `most`; `whose` as in [`Amount::within`].
    pub(super) fn reserve(
        &mut self,
        envelope: &Envelope,
        most: Amount,
        whose: impl FnOnce() -> String,
    ) -> Result<()> {
        let reserved = self.reserved + Amount::of(1, envelope);
        (self.amount + reserved).within(most, whose)?;
        self.reserved = reserved;
        Ok(())
    }

    /// Gives the place back.
    pub(super) fn unreserve(&mut self, envelope: &Envelope) {
        self.reserved -= Amount::of(1, envelope);
    }

    /// Takes a message in.
    pub(super) fn land(&mut self, envelope: Envelope, returned: bool) {
        let id = envelope.id;
        self.amount += Amount::of(1, &envelope);
        let entry = Entry { envelope, state: State::Unread, lease: None, is_new: true, returned, number: 0 };
        if let Some(earlier) = self.mail.insert(id, Box::new(entry)) {
            self.amount -= Amount::of(1, &earlier.envelope);
        }
        self.make_unread(id);
        self.ring();
    }

    fn make_unread(&mut self, id: MessageId) {
        if let Some(entry) = self.mail.get_mut(&id) {
            self.last += 1;
            entry.number = self.last;
            self.unread.insert((entry.envelope.ts, id));
            self.landed.insert(self.last, id);
        }
    }

    /// Frees what lapsed leases hold. Cheap while none lapses.
    pub(super) fn lapse(&mut self, now: Timestamp) {
        if self.next_lapse.is_none_or(|next| now < next) {
            return;
        }
        let lapsed: Vec<MessageId> =
            self.leases.values().filter(|hold| hold.until <= now).flat_map(|hold| hold.ids.clone()).collect();
        let mut rings = false;
        for id in lapsed {
            if let Some(entry) = self.mail.get_mut(&id)
                && entry.state == State::Claimed
            {
                (entry.state, entry.returned) = (State::Lapsed, true);
                self.make_unread(id);
                rings = true;
            }
        }
        self.next_lapse = self.leases.values().map(|hold| hold.until).filter(|until| *until > now).min();
        if rings {
            self.ring();
        }
    }

    /// Puts a message under a lease; `is_new` where its file stays in `new/`. The directory that it lay in before
    /// is handed back where it is empty now.
    pub(super) fn hold_under(
        &mut self,
        lease: &LeaseId,
        until: Timestamp,
        id: MessageId,
        is_new: bool,
    ) -> Option<Emptied> {
        let emptied = self.let_go(id, Some(lease));
        let known = self.leases.get_key_value(lease).map(|(known, _)| known.clone());
        let lease = known.unwrap_or_else(|| Arc::new(lease.clone()));
        let entry = self.mail.get_mut(&id)?;
        (entry.state, entry.lease, entry.is_new) = (State::Claimed, Some(lease.clone()), is_new);
        self.unread.remove(&(entry.envelope.ts, id));
        self.landed.remove(&entry.number);
        let hold = self.leases.entry(lease).or_insert_with(|| Hold { until, ids: BTreeSet::new() });
        hold.ids.insert(id);
        self.note_lapse(until);
        emptied
    }

    /// Moves the end of a lease; what it holds, lapsed or not, is its reader's alone.
    pub(super) fn renew(&mut self, lease: &LeaseId, until: Timestamp) {
        let Some(hold) = self.leases.get_mut(lease) else { return };
        hold.until = until;
        for id in hold.ids.clone() {
            if let Some(entry) = self.mail.get_mut(&id) {
                entry.state = State::Claimed;
                self.unread.remove(&(entry.envelope.ts, id));
                self.landed.remove(&entry.number);
            }
        }
        self.note_lapse(until);
    }

    fn note_lapse(&mut self, until: Timestamp) {
        self.next_lapse = Some(self.next_lapse.map_or(until, |next| next.min(until)));
    }

    /// Takes a message out of its lease, but for `unless`.
    fn let_go(&mut self, id: MessageId, unless: Option<&LeaseId>) -> Option<Emptied> {
        let lease = self.mail.get(&id)?.lease.clone()?;
        if unless == Some(&*lease) {
            return None;
        }
        let hold = self.leases.get_mut(&lease)?;
        hold.ids.remove(&id);
        if !hold.ids.is_empty() {
            return None;
        }
        let until = hold.until;
        self.leases.remove(&lease);
        Some((lease, until))
    }

    /// Makes a claimed message unread; its file lies in `new/` again. The lease is handed back where it is empty.
    pub(super) fn release(&mut self, id: MessageId, returned: bool) -> Option<Emptied> {
        let emptied = self.let_go(id, None);
        let entry = self.mail.get_mut(&id)?;
        let was_unread = entry.state != State::Claimed;
        (entry.state, entry.lease, entry.is_new) = (State::Unread, None, true);
        entry.returned |= returned;
        if !was_unread {
            self.make_unread(id);
            self.ring();
        }
        emptied
    }

    /// Forgets a message that is gone. The lease is handed back where it is empty.
    pub(super) fn remove(&mut self, id: MessageId) -> Option<Emptied> {
        let emptied = self.let_go(id, None);
        if let Some(entry) = self.mail.remove(&id) {
            self.amount -= Amount::of(1, &entry.envelope);
            self.unread.remove(&(entry.envelope.ts, id));
            self.landed.remove(&entry.number);
        }
        emptied
    }
}
