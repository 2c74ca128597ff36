//! One open session: how certain it is that its replies arrived.
//!
//! A call proves that an earlier reply arrived where it was read from the same connection after the reply was written.
//! By another connection it proves so where the first one was ended by a client that had read everything, or has lived
//! for so long that it would have broken.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::RequestId;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::mcp::Session;
use crate::relay::answer::{Answer, Refusal};
use crate::relay::caller::ByAgent;
use crate::relay::link::{Link, SILENCE, Standing};
use crate::relay::store::{Bearer, Store};
use crate::secret::TokenHash;

/// After this long a connection to which nothing was written has not broken: a little more than what breaks it, whose
/// clock is not ours.
pub(super) const CERTAIN: Duration = Duration::from_secs(SILENCE.as_secs() + 5);
/// Calls of one session that run beside each other.
const MOST_CALLS: usize = 64;
/// For how long a new stream waits for the end of the one before.
const STREAM_END: Duration = Duration::from_secs(1);

/// A session, its token, and what is not certain yet.
pub(super) struct Open {
    pub(super) session: Arc<Session>,
    by: ByAgent,
    used: Mutex<Instant>,
    running: Mutex<HashSet<RequestId>>,
    replies: Mutex<Vec<Reply>>,
    /// How many streams of news it has: one, or none.
    streams: watch::Sender<usize>,
    /// Ends the stream when it is dropped.
    stream: Mutex<Option<oneshot::Sender<()>>>,
}

/// A reply that was written, and whose arrival is not certain yet.
struct Reply {
    call: RequestId,
    link: Arc<Link>,
    /// The client called again, after it.
    is_followed: bool,
}

/// A stream of news, for as long as it is open.
pub(super) struct Streaming(Arc<Open>);

/// What is changed in one step is whole, whatever panicked since.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    pub(super) fn new(by: ByAgent, session: Arc<Session>) -> Self {
        Self {
            session,
            by,
            used: Mutex::new(Instant::now()),
            running: Mutex::default(),
            replies: Mutex::default(),
            streams: watch::Sender::new(0),
            stream: Mutex::default(),
        }
    }

    pub(super) fn is_of(&self, token: &TokenHash) -> bool {
        self.by.token.is_same(token)
    }

    pub(super) fn is_same_agents(&self, other: &Self) -> bool {
        self.by.room == other.by.room && self.by.name == other.by.name
    }

    /// Whether its token is still the agent's.
    pub(super) fn counts(&self, store: &dyn Store) -> bool {
        let (room, name) = (&self.by.room, &self.by.name);
        matches!(store.bearer(&self.by.token), Some(Bearer::Agent(its, whose)) if its == *room && whose == *name)
    }

    /// Notes that the client lives.
    pub(super) fn used(&self) {
        *lock(&self.used) = Instant::now();
    }

    pub(super) fn last_use(&self) -> Instant {
        *lock(&self.used)
    }

    pub(super) fn is_idle(&self, span: Duration) -> bool {
        *self.streams.borrow() == 0 && self.last_use().elapsed() >= span
    }

    /// Begins a request, until [`Self::ends`]. An id names one request at a time.
    pub(super) fn begins(&self, call: &RequestId) -> Answer<()> {
        let mut running = lock(&self.running);
        if running.len() >= MOST_CALLS {
            return Err(Refusal::too_many("too many requests of this session run", Duration::from_secs(1)));
        }
        if !running.insert(call.clone()) {
            return Err(Refusal::malformed("a request with this id runs already"));
        }
        self.session.wants(call);
        Ok(())
    }

    pub(super) fn ends(&self, call: &RequestId) {
        lock(&self.running).remove(call);
    }

    /// A reply was handed to the connection, all of it.
    pub(super) fn replied(&self, call: &RequestId, link: &Arc<Link>) {
        if self.session.is_given(call) {
            link.linger();
            let mut replies = lock(&self.replies);
            replies.retain(|reply| reply.call != *call);
            replies.push(Reply { call: call.clone(), link: Arc::clone(link), is_followed: false });
        }
    }

    /// A call came by this connection.
    pub(super) async fn is_called(&self, link: &Arc<Link>) {
        for reply in lock(&self.replies).iter_mut() {
            if !Arc::ptr_eq(&reply.link, link) {
                reply.is_followed = true;
            } else if link.has_answered() {
                reply.is_followed = true;
                self.session.answered(&reply.call);
            }
        }
        self.judge().await;
    }

    /// Decides what can be decided; whether some is left, which nothing but time decides.
    pub(super) async fn judge(&self) -> bool {
        let mut broken = Vec::new();
        lock(&self.replies).retain(|reply| {
            if !self.session.is_given(&reply.call) {
                return false;
            }
            match reply.link.standing() {
                Standing::Broken => {
                    broken.push(reply.call.clone());
                    return false;
                }
                Standing::Ended if reply.is_followed => {}
                Standing::Open(quiet) if reply.is_followed && quiet >= CERTAIN => {}
                Standing::Ended | Standing::Open(_) => return true,
            }
            self.session.answered(&reply.call);
            false
        });
        for call in broken {
            self.session.withdraw(&call).await;
        }
        self.session.called();
        !lock(&self.replies).is_empty()
    }

    /// Gives back what was given over connections that are gone, where no stream tells that the client lives.
    pub(super) async fn give_back_of_the_gone(&self) {
        if *self.streams.borrow() > 0 {
            return;
        }
        let is_gone = |reply: &Reply| !matches!(reply.link.standing(), Standing::Open(_));
        let gone: Vec<_> = lock(&self.replies).extract_if(.., |reply| is_gone(reply)).collect();
        for reply in gone {
            self.session.withdraw(&reply.call).await;
        }
    }

    /// Begins a stream of news; the one before ends, which may be a client's that is gone. The receiver is told when
    /// this one is to end.
    pub(super) async fn stream(self: &Arc<Self>) -> (Streaming, oneshot::Receiver<()>) {
        let (end, ended) = oneshot::channel();
        *lock(&self.stream) = Some(end);
        let _ = timeout(STREAM_END, self.streams.subscribe().wait_for(|count| *count == 0)).await;
        self.streams.send_modify(|count| *count += 1);
        (Streaming(Arc::clone(self)), ended)
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.streams.send_modify(|count| *count -= 1);
        self.0.used();
    }
}
