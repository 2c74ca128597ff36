//! Unread mail as it lands in a brain, which tells nothing by itself: it is asked, often in a conversation and seldom
//! else, and not before the time that the service names.

use std::collections::HashSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::pace::{Pace, SOON};
use super::{BrainSpool, Result};
use crate::spool::Error;
use crate::spool::remote::{Landing, Remote as _, Ring};

/// Asks on a thread of its own, until what is returned is dropped.
pub(super) fn listen(spool: BrainSpool, landing: Landing, ring: Ring) -> Result<Sender<()>> {
    let root = spool.here.root.clone();
    let mut poll = Poll { spool, landing, ring };
    // Whoever looks once finds what is there now.
    let mut pace = Pace::default();
    let pause = poll.look_at_pace(&mut pace);
    let (end, ended) = mpsc::channel();
    let thread = std::thread::Builder::new().name("brain".to_owned());
    let started = thread.spawn(move || poll.run(pace, pause, &ended));
    started.map_err(|source| Error::Io { verb: "watch", path: root, source })?;
    Ok(end)
}

/// The thread that asks.
struct Poll {
    spool: BrainSpool,
    landing: Landing,
    ring: Ring,
}

impl Poll {
    fn run(mut self, mut pace: Pace, mut pause: Duration, ended: &Receiver<()>) {
        while !self.is_over_after(pause, ended) {
            pause = self.look_at_pace(&mut pace);
        }
    }

    /// Looks; how long to wait then.
    fn look_at_pace(&mut self, pace: &mut Pace) -> Duration {
        match self.look() {
            Ok(is_new) => pace.after(is_new || self.spool.is_in_a_conversation()),
            Err(Error::Brain(refusal)) => {
                let pause = pace.after_failure(&refusal);
                if !refusal.is_temporary() {
                    self.landing.state().refusal = Some(refusal.into());
                    (self.ring)();
                }
                pause
            }
            // A disk that is full may have room again.
            Err(_) => pace.after(false),
        }
    }

    /// Whether something landed.
    fn look(&mut self) -> Result<bool> {
        let look = self.spool.look()?;
        let (unread, _) = self.spool.unread_of(&look)?;
        let is_new = {
            let mut state = self.landing.state();
            let ids: HashSet<_> = unread.iter().map(|letter| letter.message.id).collect();
            // What is not in a list that was cut may be unread all the same.
            if !look.is_cut {
                state.known.retain(|id| ids.contains(id));
            }
            let before = state.known.len();
            for letter in unread {
                if state.known.insert(letter.message.id) {
                    state.landed.insert(letter.message.id, letter.message.clone());
                }
            }
            state.known.len() > before
        };
        if is_new {
            (self.ring)();
        }
        // The brain answers: what waits for it goes out. What fails waits for the next time.
        let _ = self.spool.tell().and_then(|()| self.spool.empty_outbox());
        Ok(is_new)
    }

    /// Waits; whether the watch is over. A message that is sent or read here meanwhile makes it short.
    fn is_over_after(&self, pause: Duration, ended: &Receiver<()>) -> bool {
        let begun = Instant::now();
        loop {
            let left = pause.saturating_sub(begun.elapsed());
            // Nothing is ever sent: the other side is only dropped.
            if ended.recv_timeout(left.min(SOON)) != Err(RecvTimeoutError::Timeout) {
                return true;
            }
            let is_long = begun.elapsed() >= SOON && self.spool.calls.wait_wanted().is_none();
            if begun.elapsed() >= pause || is_long && self.spool.is_in_a_conversation() {
                return false;
            }
        }
    }
}
