//! How often a brain is asked: often in a conversation, seldom when nothing comes, and not before the time that the
//! service names. Every process of this machine keeps to that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::{BrainSpool, Refusal, files};
use crate::env::Env;

/// Between two looks in a conversation, and when nothing has come for long. The first is the first version's.
pub(super) const SOON: Duration = Duration::from_secs(5);
pub(super) const LATE: Duration = Duration::from_secs(60);
/// A conversation goes on for so long after the last message of either side.
const TALK: Duration = Duration::from_secs(120);

/// The pause before the next look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace(Duration);

impl Default for Pace {
    fn default() -> Self {
        Self(SOON)
    }
}

impl Pace {
    /// How long to wait after a look; `is_talk` where mail came or went lately.
    pub(super) fn after(&mut self, is_talk: bool) -> Duration {
        self.0 = if is_talk { SOON } else { (self.0 * 3 / 2).min(LATE) };
        self.0
    }

    /// How long to wait after a look that failed.
    pub(super) fn after_failure(&mut self, refusal: &Refusal) -> Duration {
        self.0 = (self.0 * 2).min(LATE);
        match refusal {
            Refusal::Busy { wait: Some(wait), .. } => self.0.max(*wait),
            _ => self.0,
        }
    }
}

/// Until when the service wants not to be asked, as it said; every process of this machine knows it.
#[derive(Debug, Clone)]
pub(super) struct Later {
    path: PathBuf,
    env: Env,
}

impl Later {
    /// Remembered in this directory.
    pub(super) fn new(root: &Path, env: &Env) -> Self {
        Self { path: root.join("later"), env: env.clone() }
    }

    /// It said that it is not to be asked for so long.
    pub(super) fn remember(&self, wait: Duration) {
        let until = self.env.now() + wait;
        // Where it cannot be remembered the service says it again.
        let _ = files::replace(&self.path, until.to_string().as_bytes());
    }

    /// For how long it wants not to be asked.
    pub(super) fn wait(&self) -> Option<Duration> {
        let bytes = files::read(&self.path).ok().flatten()?;
        let until: Timestamp = String::from_utf8(bytes).ok()?.trim().parse().ok()?;
        Duration::try_from(until.duration_since(self.env.now())).ok().filter(|wait| !wait.is_zero())
    }
}

impl BrainSpool {
    /// Whether mail was read or sent here lately.
    pub(super) fn is_in_a_conversation(&self) -> bool {
        self.here.happened_within("got", TALK) || self.here.happened_within("sent", TALK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_slows_down_to_a_minute_and_a_message_makes_it_quick_again() {
        let mut pace = Pace::default();
        assert_eq!(pace.after(true), SOON);
        let pauses: Vec<_> = (0..8).map(|_| pace.after(false)).collect();
        assert!(pauses.is_sorted() && pauses[0] > SOON);
        assert_eq!(pauses[7], LATE);
        assert_eq!(pace.after(true), SOON);
    }

    #[test]
    fn a_service_that_names_a_time_is_not_asked_before() {
        let busy = |seconds| Refusal::Busy {
            url: "https://brain.example.com".parse().unwrap(),
            reason: String::new(),
            wait: Some(Duration::from_secs(seconds)),
            is_heard: true,
        };
        let mut pace = Pace::default();
        assert_eq!(pace.after_failure(&busy(300)), Duration::from_secs(300));
        assert_eq!(pace.after_failure(&busy(1)), SOON * 4);
    }
}
