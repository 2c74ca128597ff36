//! Which of the matching messages one delivery takes: urgent first, then oldest, whole messages, a
//! third of the budget for the oldest normal mail, and no sender beyond its quota.

use std::collections::HashMap;

use crate::message::{AgentName, Priority};

/// Deliveries from one sender within 10 minutes, after which the rest waits: two agents that answer
/// each other must not talk all night.
const MOST_FROM_ONE: usize = 20;

/// How many messages of each sender were delivered lately.
#[derive(Debug, Clone, Default)]
pub struct Quota(HashMap<AgentName, usize>);

impl Quota {
    /// Counts a delivery.
    pub fn count(&mut self, from: &AgentName) {
        *self.0.entry(from.clone()).or_default() += 1;
    }

    fn is_spent(&self, from: &AgentName) -> bool {
        self.0.get(from).is_some_and(|count| *count >= MOST_FROM_ONE)
    }
}

/// What the selection knows of a message.
pub(crate) struct Candidate<'a> {
    pub(crate) from: &'a AgentName,
    pub(crate) priority: Priority,
}

/// What was selected of candidates that are sorted oldest first, by their indexes, urgent ones first.
pub(crate) struct Selection {
    pub(crate) taken: Vec<usize>,
    pub(crate) held_back: Vec<(AgentName, usize)>,
}

/// Selects within `bytes`. `weigh` tells what a candidate takes, and is asked only for those that are
/// near: reading a message is the expensive part.
pub(crate) fn within(
    candidates: &[Candidate<'_>],
    bytes: usize,
    quota: &Quota,
    mut weigh: impl FnMut(usize) -> usize,
) -> Selection {
    let mut quota = quota.clone();
    let mut held_back: Vec<(AgentName, usize)> = Vec::new();
    let (mut urgent, mut normal) = (Vec::new(), Vec::new());
    let of =
        |priority| candidates.iter().enumerate().filter(move |(_, candidate)| candidate.priority == priority);
    for (index, candidate) in of(Priority::Urgent).chain(of(Priority::Normal)) {
        if quota.is_spent(candidate.from) {
            match held_back.iter_mut().find(|(from, _)| from == candidate.from) {
                Some((_, count)) => *count += 1,
                None => held_back.push((candidate.from.clone(), 1)),
            }
            continue;
        }
        quota.count(candidate.from);
        if candidate.priority == Priority::Urgent { urgent.push(index) } else { normal.push(index) }
    }
    let reserve = if normal.is_empty() { 0 } else { bytes / 3 };
    let (mut taken, mut room) = (Vec::new(), bytes);
    for (group, reserve) in [(urgent, reserve), (normal, 0)] {
        let mut first = true;
        for index in group {
            let weight = weigh(index);
            // The first of its kind is always taken: what is longer than the room is shown by its head.
            if weight + reserve > room && !first {
                break;
            }
            taken.push(index);
            room = room.saturating_sub(weight).max(reserve);
            first = false;
        }
    }
    Selection { taken, held_back }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(weights: &[(Priority, usize)], bytes: usize) -> Vec<usize> {
        let from: AgentName = "a".parse().unwrap();
        let candidates: Vec<_> =
            weights.iter().map(|(priority, _)| Candidate { from: &from, priority: *priority }).collect();
        within(&candidates, bytes, &Quota::default(), |index| weights[index].1).taken
    }

    #[test]
    fn urgent_goes_first_and_a_third_stays_for_the_oldest_normal_mail() {
        use Priority::{Normal, Urgent};
        assert_eq!(taken(&[(Normal, 10), (Urgent, 10)], 90), [1, 0]);
        assert_eq!(taken(&[(Normal, 30), (Urgent, 40), (Urgent, 40)], 90), [1, 0]);
        assert_eq!(taken(&[(Urgent, 40), (Urgent, 40), (Urgent, 40)], 90), [0, 1]);
    }

    #[test]
    fn nothing_is_too_long_to_be_shown_in_part() {
        use Priority::{Normal, Urgent};
        assert_eq!(taken(&[(Normal, 500)], 90), [0]);
        assert_eq!(taken(&[(Urgent, 500), (Normal, 500)], 90), [0, 1]);
    }

    #[test]
    fn a_sender_beyond_its_quota_waits_and_hides_nobody() {
        let (loud, quiet): (AgentName, AgentName) = ("loud".parse().unwrap(), "quiet".parse().unwrap());
        let mut candidates: Vec<_> =
            (0..30).map(|_| Candidate { from: &loud, priority: Priority::Normal }).collect();
        candidates.push(Candidate { from: &quiet, priority: Priority::Normal });
        let mut quota = Quota::default();
        quota.count(&loud);
        let selection = within(&candidates, 1000, &quota, |_| 1);
        assert_eq!(selection.taken.len(), 20);
        assert!(selection.taken.contains(&30));
        assert_eq!(selection.held_back, [(loud, 11)]);
    }
}
