//! How many notifications there may be: few a minute from one sender, and not many from all together. What exceeds
//! that waits until the minute is over, and is summed up then.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::announcement::{self, Announcement, Notice};
use crate::message::AgentName;

/// Notifications in a minute from one sender.
pub const FROM_ONE: usize = 3;
/// And from all of them.
pub const FROM_ALL: usize = 10;
/// In whatever span of this length.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// What was shown within the last minute, and for whom it was too much.
#[derive(Debug, Default)]
pub struct Limits {
    all: Vec<Timestamp>,
    senders: HashMap<AgentName, Vec<Timestamp>>,
    /// Whose further messages are summed up.
    exceeded: HashSet<AgentName>,
    /// All further messages are.
    is_full: bool,
}

/// One notification to show, and the messages that it is about.
#[derive(Debug)]
pub struct Showing {
    /// What it says.
    pub announcement: Announcement,
    /// Whom it counts against: nobody, where it sums up several.
    pub sender: Option<AgentName>,
    /// Of the notices that were given, these.
    pub about: Vec<usize>,
}

impl Limits {
    /// Which notifications may be shown now for what waits, oldest first. Those that `are_late` waited while
    /// nothing was to be shown: if they are more than one sender may send, they are summed up.
    pub fn plan(&mut self, waiting: &[Notice], are_late: bool, now: Timestamp) -> Vec<Showing> {
        self.forget(now);
        let mut free = FROM_ALL.saturating_sub(self.all.len());
        let everything = || (0..waiting.len()).collect::<Vec<_>>();
        if waiting.is_empty() {
            self.exceeded.clear();
            self.is_full = false;
            return Vec::new();
        }
        if free == 0 {
            self.is_full = true;
            return Vec::new();
        }
        if self.is_full || (are_late && waiting.len() > FROM_ONE) {
            self.is_full = false;
            self.exceeded.clear();
            return vec![showing(waiting, everything(), false)];
        }
        let mut showings = Vec::new();
        for (sender, theirs) in by_sender(waiting) {
            let mut slots = FROM_ONE.saturating_sub(self.senders.get(sender).map_or(0, Vec::len)).min(free);
            if slots > 0 && self.exceeded.remove(sender) {
                showings.push(showing(waiting, theirs, true));
                free -= 1;
                continue;
            }
            for index in theirs {
                if slots == 0 {
                    self.is_full |= free == 0;
                    self.exceeded.insert(sender.clone());
                    break;
                }
                showings.push(showing(waiting, vec![index], false));
                (slots, free) = (slots - 1, free - 1);
            }
        }
        showings
    }

    /// Counts a notification that was shown.
    pub fn count(&mut self, showing: &Showing, now: Timestamp) {
        self.all.push(now);
        if let Some(sender) = &showing.sender {
            self.senders.entry(sender.clone()).or_default().push(now);
        }
    }

    /// How long until something that waits may be shown.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Duration> {
        let free = |times: &[Timestamp]| times.iter().min().map(|oldest| *oldest + WINDOW);
        let sender = |sender: &AgentName| self.senders.get(sender).and_then(|times| free(times));
        let moments = self.exceeded.iter().filter_map(sender);
        let next = if self.is_full { free(&self.all) } else { moments.min() };
        next.map(|next| next.duration_since(now).try_into().unwrap_or_default())
    }

    /// Drops what is longer ago, and what a clock that was put back left in the future.
    fn forget(&mut self, now: Timestamp) {
        let is_recent = |time: &Timestamp| *time <= now && now.duration_since(*time) < WINDOW;
        self.all.retain(is_recent);
        self.senders.values_mut().for_each(|times| times.retain(is_recent));
        self.senders.retain(|_, times| !times.is_empty());
    }
}

/// The senders in the order of their oldest messages, each with its messages.
fn by_sender(waiting: &[Notice]) -> Vec<(&AgentName, Vec<usize>)> {
    let mut places: HashMap<&AgentName, usize> = HashMap::new();
    let mut senders: Vec<(&AgentName, Vec<usize>)> = Vec::new();
    for (index, notice) in waiting.iter().enumerate() {
        let sender = &notice.message.from;
        let place = *places.entry(sender).or_insert(senders.len());
        match senders.get_mut(place) {
            Some((_, theirs)) => theirs.push(index),
            None => senders.push((sender, vec![index])),
        }
    }
    senders
}

fn showing(waiting: &[Notice], about: Vec<usize>, is_rest: bool) -> Showing {
    let notices: Vec<_> = about.iter().filter_map(|index| waiting.get(*index)).collect();
    let sender = notices.first().map(|notice| notice.message.from.clone());
    let is_from_one = notices.iter().all(|notice| Some(&notice.message.from) == sender.as_ref());
    let announcement = match notices.as_slice() {
        [only] => announcement::one(only),
        several if is_rest => announcement::more(several),
        several => announcement::sum(several),
    };
    Showing { announcement, sender: sender.filter(|_| is_from_one), about }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::spool::Landed;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn from(senders: &[&str]) -> Vec<Notice> {
        let notice = |sender: &&str| {
            let message = Message::new(sender.parse().unwrap(), "@bob".parse().unwrap(), "hi", at(0));
            Notice::of(Landed { agent: "bob".parse().unwrap(), message })
        };
        senders.iter().map(notice).collect()
    }

    /// Shows all that may be shown, and takes it off what waits.
    fn show(limits: &mut Limits, waiting: &mut Vec<Notice>, are_late: bool, now: Timestamp) -> Vec<String> {
        let showings = limits.plan(waiting, are_late, now);
        let mut about: Vec<_> = showings.iter().flat_map(|showing| showing.about.clone()).collect();
        about.sort_unstable();
        about.iter().rev().for_each(|index| drop(waiting.remove(*index)));
        showings.iter().for_each(|showing| limits.count(showing, now));
        showings.into_iter().map(|showing| showing.announcement.title).collect()
    }

    #[test]
    fn what_one_sender_sends_too_much_is_summed_up_after_the_minute() {
        let mut limits = Limits::default();
        let mut waiting = from(&["a", "a"]);
        assert_eq!(show(&mut limits, &mut waiting, false, at(0)).len(), 2);
        waiting = from(&["a", "a", "a", "b"]);
        assert_eq!(show(&mut limits, &mut waiting, false, at(10)), ["@a → @bob", "@b → @bob"]);
        assert_eq!(limits.next(at(10)).unwrap().as_secs(), 50);
        assert!(show(&mut limits, &mut waiting, false, at(59)).is_empty());
        assert_eq!(show(&mut limits, &mut waiting, false, at(60)), ["2 more urgent messages from @a"]);
        assert!(waiting.is_empty() && limits.plan(&[], false, at(61)).is_empty());
        assert_eq!(limits.next(at(61)), None);
    }

    #[test]
    fn no_minute_has_more_than_its_share_however_it_is_cut() {
        let (mut limits, mut waiting) = (Limits::default(), Vec::new());
        let (mut shown, mut all) = (Vec::new(), 0);
        for second in 0..600 {
            for sender in ["a", "a", "b", "c", "d", "e", "f"] {
                waiting.extend(from(&[sender]));
                all += 1;
            }
            let before = waiting.len();
            let titles = show(&mut limits, &mut waiting, false, at(second));
            shown.extend(titles.iter().map(|_| second));
            all -= before - waiting.len();
            let minute = shown.iter().filter(|time| **time > second - 60);
            assert!(minute.count() <= FROM_ALL, "{second}");
        }
        assert_eq!(all, waiting.len());
        assert!(waiting.len() <= 7 * 60, "what waits does not grow: {}", waiting.len());
    }

    #[test]
    fn what_comes_late_is_one_sum_where_it_is_many() {
        let mut limits = Limits::default();
        assert_eq!(show(&mut limits, &mut from(&["a", "b", "c"]), true, at(0)).len(), 3);
        let mut limits = Limits::default();
        let mut waiting = from(&["a", "a", "a", "b"]);
        assert_eq!(show(&mut limits, &mut waiting, true, at(0)), ["4 urgent messages"]);
    }

    #[test]
    fn a_clock_that_is_put_back_stops_nothing() {
        let mut limits = Limits::default();
        show(&mut limits, &mut from(&["a", "a", "a"]), false, at(100_000));
        assert_eq!(show(&mut limits, &mut from(&["a"]), false, at(0)).len(), 1);
    }
}
