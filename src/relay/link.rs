//! What a connection tells of what was written to it: that it arrived, that it did not, or nothing yet.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After this long, what the other side's system does not acknowledge breaks the connection (tcp(7),
/// `TCP_USER_TIMEOUT`; Linux alone).
pub(super) const SILENCE: Duration = Duration::from_secs(20);
/// What is known of one connection, for those who wrote to it.
#[derive(Debug, Default)]
pub(super) struct Link {
    standing: AtomicU8,
    /// Reads that brought something, and how many there were at the last write.
    reads: AtomicU64,
    reads_at_write: AtomicU64,
    last_write: Mutex<Option<Instant>>,
    /// Whoever ends it waits until the other side has ended it, too: that tells that it has read everything.
    lingers: AtomicBool,
}

/// How a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Open, and nothing was written to it for so long.
    Open(Duration),
    /// The other side ended it, having read what was written.
    Ended,
    /// It was reset, fell silent, or was given up: what was written last need not have arrived.
    Broken,
}

const OPEN: u8 = 0;
const ENDED: u8 = 1;
const BROKEN: u8 = 2;

/// The open connections, by the other side's address and port.
#[derive(Debug, Clone, Default)]
pub(super) struct Links(Arc<Mutex<HashMap<SocketAddr, Arc<Link>>>>);

impl Link {
    pub(super) fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            ENDED => Standing::Ended,
            BROKEN => Standing::Broken,
            _ => Standing::Open(self.last_write().map_or(Duration::ZERO, |last| last.elapsed())),
        }
    }

    /// Whether something was read that was sent after the last write: what was read ahead proves nothing.
    pub(super) fn has_answered(&self) -> bool {
        self.reads.load(Ordering::Acquire) > self.reads_at_write.load(Ordering::Acquire)
    }

    /// From now on its end is waited for.
    pub(super) fn linger(&self) {
        self.lingers.store(true, Ordering::Release);
    }

    pub(super) fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Acquire)
    }

    /// The other side has ended it, and had read what was there.
    pub(super) fn ends(&self) {
        self.becomes(ENDED);
    }

    pub(super) fn breaks(&self) {
        self.becomes(BROKEN);
    }

    /// Something was read.
    pub(super) fn read(&self) {
        self.reads.fetch_add(1, Ordering::AcqRel);
    }

    fn becomes(&self, standing: u8) {
        // The first of the two ends counts.
        let _ = self.standing.compare_exchange(OPEN, standing, Ordering::AcqRel, Ordering::Acquire);
    }

    fn last_write(&self) -> MutexGuard<'_, Option<Instant>> {
        // It is changed in one step.
        self.last_write.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was written.
    pub(super) fn wrote(&self) {
        self.reads_at_write.store(self.reads.load(Ordering::Acquire), Ordering::Release);
        *self.last_write() = Some(Instant::now());
    }
}

impl Links {
    /// The open connection from that address; one that broke, where there is none.
    pub(super) fn of(&self, address: SocketAddr) -> Arc<Link> {
        let broken = || Arc::new(Link { standing: AtomicU8::new(BROKEN), ..Link::default() });
        self.open().get(&address).cloned().unwrap_or_else(broken)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<Link>>> {
        // It is changed in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, address: SocketAddr, link: &Arc<Link>) {
        self.open().insert(address, Arc::clone(link));
    }

    /// A later connection may have the address by now.
    pub(super) fn remove(&self, address: SocketAddr, link: &Arc<Link>) {
        if let Entry::Occupied(entry) = self.open().entry(address)
            && Arc::ptr_eq(entry.get(), link)
        {
            entry.remove();
        }
    }
}
