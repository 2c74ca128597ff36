//! What rings when mail lands on a desk: one watch, for however many subscriptions.

use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::desk::Opened;
use super::mailbox::Answer;
use crate::spool::Whose;

/// How often a watch looks where the system tells of changes, and where it does not.
const NOW_AND_THEN: Duration = Duration::from_secs(60);
const EVERY_SECOND: Duration = Duration::from_secs(1);

/// A desk's one bell, which begins with the first who listens.
#[derive(Default)]
pub(super) struct Bell(Mutex<Option<watch::Receiver<u64>>>);

impl Bell {
    /// The bell of this mail.
    pub(super) fn of(&self, opened: &Opened) -> Answer<watch::Receiver<u64>> {
        // It is changed in one step.
        let mut bell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(heard) = &*bell
            && heard.has_changed().is_ok()
        {
            return Ok(heard.clone());
        }
        let (ring, heard) = watch::channel(0);
        let opened = opened.clone();
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || listen(&opened, &ring))
            .map_err(|error| format!("could not watch the mail: {error}"))?;
        Ok(bell.insert(heard).clone())
    }
}

/// Rings for new mail until nobody listens.
fn listen(desk: &Opened, bell: &watch::Sender<u64>) {
    let (ring, rung) = mpsc::sync_channel(1);
    let ring = Box::new(move || {
        // One that waits stands for all.
        let _ = ring.try_send(());
    });
    let Ok(mut watch) = desk.spool.watch(Whose::These(vec![desk.agent.clone()]), ring) else { return };
    while !bell.is_closed() {
        let mut has_landed = false;
        // A mailbox that cannot be looked at now can later.
        let _ = watch.look(&mut |_| has_landed = true);
        if has_landed {
            bell.send_modify(|count| *count += 1);
        }
        let span = if watch.is_told() { NOW_AND_THEN } else { EVERY_SECOND };
        if rung.recv_timeout(span) == Err(RecvTimeoutError::Disconnected) {
            thread::sleep(span);
        }
    }
}
