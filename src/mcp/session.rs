//! What one client was given, and how certain it is that it took it.
//!
//! A delivery is *given* when its call returns, *answered* once the reply was written whole, and *confirmed* by a call that
//! came after the client had read it: who brings the calls knows when that is. Only what is confirmed is acknowledged; at
//! an orderly end, what was answered too.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::RequestId;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::mailbox::{Delivery, Mailbox};

/// Calls that are remembered as unwanted: as many as may run beside each other, and more.
const MOST_UNWANTED: usize = 64;

/// One client's dealings with one mailbox.
pub struct Session {
    /// Whose mail it is.
    pub(super) mailbox: Box<dyn Mailbox>,
    given: Mutex<Vec<Given>>,
    /// Calls whose reply nobody wants, though they may still be given something.
    unwanted: Mutex<VecDeque<RequestId>>,
    has_ended: AtomicBool,
    roots: Mutex<Option<Vec<PathBuf>>>,
    /// Mail was claimed here: there is less of it.
    pub(super) claimed: Arc<Notify>,
    /// How many messages are being written to the client.
    writing: watch::Sender<usize>,
    /// What tells a subscriber of the inbox.
    telling: Mutex<Option<AbortHandle>>,
}

/// A delivery, by the call that it answers.
struct Given {
    call: RequestId,
    stage: Stage,
    delivery: Delivery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Given,
    Answered,
    Confirmed,
    /// Its client has cancelled the call.
    Unwanted,
}

/// What is changed in one step is whole, whatever panicked since.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// A session that begins.
    #[must_use]
    pub fn new(mailbox: Box<dyn Mailbox>) -> Self {
        Self {
            mailbox,
            given: Mutex::default(),
            unwanted: Mutex::default(),
            has_ended: AtomicBool::new(false),
            roots: Mutex::default(),
            claimed: Arc::default(),
            writing: watch::Sender::new(0),
            telling: Mutex::default(),
        }
    }

    /// A message is about to be written, or was.
    pub(super) fn writes(&self, begins: bool) {
        self.writing.send_modify(|count| if begins { *count += 1 } else { *count -= 1 });
    }

    /// Waits until nothing is being written.
    pub async fn written(&self) {
        // The sender is ours: it does not end before.
        let _ = self.writing.subscribe().wait_for(|count| *count == 0).await;
    }

    /// A call came, of a client that has read every reply that was written.
    pub fn called(&self) {
        for given in lock(&self.given).iter_mut().filter(|given| given.stage == Stage::Answered) {
            given.stage = Stage::Confirmed;
        }
    }

    /// The reply to that call was written, to its end.
    pub fn answered(&self, call: &RequestId) {
        let mut all = lock(&self.given);
        for given in all.iter_mut().filter(|given| given.stage == Stage::Given && given.call == *call) {
            given.stage = Stage::Answered;
        }
    }

    /// Whether that call was given mail, and nothing is known of its reply.
    #[must_use]
    pub fn is_given(&self, call: &RequestId) -> bool {
        lock(&self.given).iter().any(|given| given.stage == Stage::Given && given.call == *call)
    }

    /// Notes what a call was given, unless nobody wants its reply any more.
    pub(super) async fn give(&self, call: RequestId, delivery: Delivery) {
        if delivery.is_empty() {
            return;
        }
        // The reply has its text.
        let delivery = Delivery { text: String::new(), ..delivery };
        let given = Given { call, stage: Stage::Given, delivery };
        if let Some(unwanted) = self.note(given) {
            self.mailbox.release(unwanted.delivery).await;
        }
        self.claimed.notify_waiters();
    }

    /// Notes what was given; what nobody wants is handed back.
    fn note(&self, given: Given) -> Option<Given> {
        // Under one lock with the list: a withdrawal comes before both, or after both.
        let mut all = lock(&self.given);
        if self.has_ended.load(Ordering::Acquire) || lock(&self.unwanted).contains(&given.call) {
            return Some(given);
        }
        all.push(given);
        None
    }

    /// Holds what is not acknowledged yet for longer.
    pub async fn renew(&self) {
        let held: Vec<_> = lock(&self.given).iter().map(|given| given.delivery.clone()).collect();
        for delivery in held {
            self.mailbox.renew(delivery).await;
        }
    }

    /// Acknowledges what is confirmed.
    pub async fn settle(&self) {
        for given in self.drain(|given| given.stage == Stage::Confirmed && given.delivery.has_whole()) {
            // What was shown by its head is kept from others until the end, and from being shown so again.
            let (whole, heads) = given.delivery.parted();
            if !heads.is_empty() {
                lock(&self.given).push(Given { delivery: heads, call: given.call, stage: given.stage });
            }
            self.mailbox.acknowledge(whole).await;
        }
    }

    /// Notes that nobody wants the reply to that call: no later call confirms it.
    pub fn cancelled(&self, call: &RequestId) {
        let mut all = lock(&self.given);
        for given in all.iter_mut().filter(|given| given.stage != Stage::Confirmed && given.call == *call) {
            given.stage = Stage::Unwanted;
        }
        let mut unwanted = lock(&self.unwanted);
        if unwanted.len() == MOST_UNWANTED {
            unwanted.pop_front();
        }
        unwanted.push_back(call.clone());
    }

    /// Gives back what cancelled calls were given.
    pub(super) async fn give_back_unwanted(&self) {
        for given in self.drain(|given| given.stage == Stage::Unwanted) {
            self.mailbox.release(given.delivery).await;
        }
    }

    /// A new request has this id: it is wanted, whatever became of an earlier one.
    pub fn wants(&self, call: &RequestId) {
        lock(&self.unwanted).retain(|unwanted| unwanted != call);
    }

    /// Gives back what that call was given: its client does not want the reply, or cannot have it.
    pub async fn withdraw(&self, call: &RequestId) {
        self.cancelled(call);
        for given in self.drain(|given| given.stage != Stage::Confirmed && given.call == *call) {
            self.mailbox.release(given.delivery).await;
        }
    }

    /// Ends the session. Where the client heard all that was written, that is acknowledged; the rest is given back.
    pub async fn end(&self, heard: bool) {
        if let Some(telling) = lock(&self.telling).take() {
            telling.abort();
        }
        {
            // Under the list's lock: what is given from now on goes back at once.
            let _all = lock(&self.given);
            self.has_ended.store(true, Ordering::Release);
        }
        for given in self.drain(|_| true) {
            let is_read = given.stage == Stage::Confirmed || given.stage == Stage::Answered && heard;
            let (whole, heads) = given.delivery.parted();
            if is_read {
                self.mailbox.acknowledge(whole).await;
            } else {
                self.mailbox.release(whole).await;
            }
            self.mailbox.release(heads).await;
        }
    }

    fn drain(&self, mut which: impl FnMut(&Given) -> bool) -> Vec<Given> {
        lock(&self.given).extract_if(.., |given| which(given)).collect()
    }

    /// The client's directories, where they were asked for already.
    pub(super) fn known_roots(&self) -> Option<Vec<PathBuf>> {
        lock(&self.roots).clone()
    }

    /// Notes the client's directories, or that they have to be asked for.
    pub(super) fn note_roots(&self, roots: Option<Vec<PathBuf>>) {
        *lock(&self.roots) = roots;
    }

    /// Notes what tells the subscriber; what did before ends.
    pub(super) fn note_telling(&self, telling: Option<AbortHandle>) {
        if let Some(before) = std::mem::replace(&mut *lock(&self.telling), telling) {
            before.abort();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.note_telling(None);
    }
}
