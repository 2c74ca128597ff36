//! How many messages of each sender an agent was given lately: two agents that answer each other must not talk all
//! night. In memory alone: a restart forgives.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::message::{AgentName, MessageId};
use crate::spool::Quota;

/// The span in which deliveries from one sender are counted.
const SPAN: SignedDuration = SignedDuration::from_mins(10);

/// Deliveries by sender (its name in lower case), oldest first. What [`crate::spool::select::within`] takes bounds
/// each to its limit.
#[derive(Debug, Default)]
pub(super) struct Deliveries(BTreeMap<Box<str>, VecDeque<(Timestamp, MessageId)>>);

fn key(from: &AgentName) -> Box<str> {
    from.as_str().to_ascii_lowercase().into()
}

impl Deliveries {
    /// Counts a delivery; one that is given again counts once.
    pub(super) fn count(&mut self, from: &AgentName, id: MessageId, now: Timestamp) {
        let deliveries = self.0.entry(key(from)).or_default();
        if !deliveries.iter().any(|(_, other)| *other == id) {
            deliveries.push_back((now, id));
        }
    }

    /// Takes a delivery back that came to nothing.
    pub(super) fn forget(&mut self, from: &AgentName, id: MessageId) {
        if let Some(deliveries) = self.0.get_mut(&key(from)) {
            deliveries.retain(|(_, other)| *other != id);
        }
    }

    /// What counts now.
    pub(super) fn quota(&mut self, now: Timestamp) -> Quota {
        let mut quota = Quota::default();
        self.0.retain(|from, deliveries| {
            deliveries.retain(|(at, _)| now.duration_since(*at) < SPAN);
            if let Ok(from) = from.parse() {
                deliveries.iter().for_each(|_| quota.count(&from));
            }
            !deliveries.is_empty()
        });
        quota
    }

    /// Forgets what counts no more.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.quota(now);
    }
}
