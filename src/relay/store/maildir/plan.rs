//! Which messages a claim gets. In memory alone.

use std::collections::HashSet;

use jiff::Timestamp;

use super::super::Claim;
use super::envelope::Excluded;
use super::mailbox::{Entry, Mailbox};
use crate::message::{MessageId, Priority};
use crate::spool::Left;
use crate::spool::select::{self, Candidate};

/// What a message takes of a delivery beside its body: the lines around it.
const AROUND_BODY: usize = 200;

/// Bytes of messages that one answer holds, whatever is asked for. The message that goes over it is the last.
const PAGE: usize = 256 * 1024;

/// What a claim is to get.
pub(super) struct Plan {
    /// Urgent first, then oldest.
    pub(super) messages: Vec<MessageId>,
    /// Whether the lease holds them already.
    pub(super) is_held: bool,
    pub(super) left: Left,
}

/// Which messages a claim gets, and what it leaves.
pub(super) fn plan(mailbox: &mut Mailbox, claim: &Claim, now: Timestamp) -> Plan {
    mailbox.lapse(now);
    let quota = mailbox.deliveries.quota(now);
    let mailbox = &*mailbox;
    let held: Vec<MessageId> =
        mailbox.hold(&claim.lease).map_or_else(Vec::new, |hold| in_order(mailbox, &hold.ids));
    let mut left = Left::default();
    let mut candidates: Vec<&Entry> = Vec::new();
    let wanted: Option<HashSet<_>> = claim.ids.as_ref().map(|ids| ids.iter().copied().collect());
    let excluded = Excluded::new(&claim.except);
    for entry in mailbox.unread() {
        let envelope = &entry.envelope;
        let is_held = entry.lease.as_deref() == Some(&claim.lease);
        if is_held
            || claim.urgent && envelope.priority != Priority::Urgent
            || envelope.is_among(&excluded)
            || wanted.as_ref().is_some_and(|ids| !ids.contains(&envelope.id))
        {
            continue;
        }
        let matches = claim.contexts.as_ref().is_none_or(|contexts| envelope.matches(contexts));
        if matches || envelope.is_stray(now) { candidates.push(entry) } else { left.other_scopes += 1 }
    }
    if !held.is_empty() {
        left.matching = candidates.len();
        return Plan { messages: held, is_held: true, left };
    }
    let Some(bytes) = claim.bytes else {
        let of = |priority| candidates.iter().filter(move |entry| entry.envelope.priority == priority);
        let messages = page(of(Priority::Urgent).chain(of(Priority::Normal)).copied());
        left.matching = candidates.len() - messages.len();
        return Plan { messages, is_held: false, left };
    };
    let known: Vec<_> = candidates
        .iter()
        .map(|entry| Candidate { from: &entry.envelope.from, priority: entry.envelope.priority })
        .collect();
    let selection =
        select::within(&known, bytes, &quota, |index| candidates[index].envelope.size + AROUND_BODY);
    let held_back: usize = selection.held_back.iter().map(|(_, count)| count).sum();
    let messages = page(selection.taken.iter().map(|index| candidates[*index]));
    left.matching = candidates.len() - messages.len() - held_back;
    left.held_back = selection.held_back;
    Plan { messages, is_held: false, left }
}

/// As many of these as one answer holds.
fn page<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<MessageId> {
    let mut room = PAGE;
    let fitting = entries.take_while(|entry| {
        let fits = room > 0;
        room = room.saturating_sub(entry.envelope.weight + AROUND_BODY);
        fits
    });
    fitting.map(|entry| entry.envelope.id).collect()
}

/// Urgent first, then oldest.
fn in_order<'a>(mailbox: &Mailbox, ids: impl IntoIterator<Item = &'a MessageId>) -> Vec<MessageId> {
    let mut entries: Vec<_> = ids.into_iter().filter_map(|id| mailbox.entry(*id)).collect();
    entries.sort_by_key(|entry| {
        (entry.envelope.priority != Priority::Urgent, entry.envelope.ts, entry.envelope.id)
    });
    entries.iter().map(|entry| entry.envelope.id).collect()
}

/// Whether the claim gets it for its age alone.
pub(super) fn is_stray(entry: &Entry, claim: &Claim, now: Timestamp) -> bool {
    let matches = claim.contexts.as_ref().is_none_or(|contexts| entry.envelope.matches(contexts));
    !matches && entry.envelope.is_stray(now)
}
