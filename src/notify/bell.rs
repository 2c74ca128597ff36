//! What wakes the loop: any source rings, and a look finds out why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

/// Why the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something rang, or the time is over: look.
    Look,
    /// The end was asked for.
    End,
}

/// How the loop waits.
pub trait Wait {
    /// Waits until a source rings, at most for so long.
    fn wait(&mut self, longest: Duration) -> Wake;
}

/// What a source holds; every clone rings the same.
#[derive(Debug, Clone)]
pub struct Bell {
    ring: SyncSender<()>,
    has_ended: Arc<AtomicBool>,
}

/// The loop's side.
#[derive(Debug)]
pub struct Rings {
    rings: Receiver<()>,
    bell: Bell,
}

impl Rings {
    /// A bell that nobody has rung.
    #[must_use]
    pub fn new() -> Self {
        // One waiting ring is enough: a look finds everything.
        let (ring, rings) = mpsc::sync_channel(1);
        Self { rings, bell: Bell { ring, has_ended: Arc::default() } }
    }

    /// A bell for one more source.
    #[must_use]
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }
}

impl Default for Rings {
    fn default() -> Self {
        Self::new()
    }
}

impl Bell {
    /// Something may have changed.
    pub fn ring(&self) {
        let _ = self.ring.try_send(());
    }

    /// The loop is to end.
    pub fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        self.ring();
    }
}

impl Wait for Rings {
    fn wait(&mut self, longest: Duration) -> Wake {
        // We hold a bell ourselves, so that the channel is never closed.
        if let Err(RecvTimeoutError::Disconnected) = self.rings.recv_timeout(longest) {
            return Wake::End;
        }
        if self.bell.has_ended.load(Ordering::Acquire) { Wake::End } else { Wake::Look }
    }
}
