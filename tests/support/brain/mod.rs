//! A brain: as much of the Unison brain's service as the brain backend uses, on loopback, in memory, with real HTTP. Its
//! answers have each shape that is known or feared, and each request can be made to fail, before or after it was done.
//!
//! Written from the service's `SPEC.md` (repository unison-brain, commit 1482a3c) and the Python client (`unisonlabs`
//! 0.2.0), both read on 2026-11-29; that client checks it in `tests/brain/official.rs`. What neither of them says is
//! chosen so that a client which counts on it fails: the order of lists, the number of documents without a `limit`.

mod fault;
mod serve;
mod shape;
mod store;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use fault::{Fault, On};
pub use serve::{Asked, Operation};
pub use shape::{Gone, Hashes, Shape};
pub use store::Document;

use super::http::{Api, PATIENCE};
use fault::Plan;
use store::Store;

/// The user whose documents [`Brain::documents`] shows.
const USER: &str = "the-user";

/// A running brain. It ends with its value.
pub struct Brain {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _end: tokio::sync::oneshot::Sender<()>,
}

/// What the requests and the test share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    released: tokio::sync::watch::Sender<u64>,
}

struct State {
    shape: Shape,
    plan: Plan,
    store: Store,
    asked: Vec<Asked>,
    /// How many requests came before those.
    forgotten: usize,
    /// Requests that wait for [`Brain::release`].
    held: usize,
}

impl Brain {
    /// An empty one in its usual shape.
    pub fn start() -> Self {
        let state = State {
            shape: Shape::default(),
            plan: Plan::default(),
            store: Store::with(USER),
            asked: Vec::new(),
            forgotten: 0,
            held: 0,
        };
        let released = tokio::sync::watch::Sender::new(0);
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), released });
        let (address, end) = serve::start(Arc::clone(&shared));
        Self { address, shared, _end: end }
    }

    /// The same in another shape.
    pub fn with(shape: Shape) -> Self {
        let brain = Self::start();
        brain.shape(shape);
        brain
    }

    /// Its base URL, as in `UNISON_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A token that may read and write.
    pub fn token(&self) -> String {
        self.token_of(USER, &["brain:read", "brain:write"])
    }

    /// A token of another user of the workspace, or with other scopes. What lies under `/private/` is its user's alone.
    pub fn token_of(&self, user: &str, scopes: &[&str]) -> String {
        self.lock().store.token(user, scopes)
    }

    /// Takes no token any more.
    pub fn revoke_tokens(&self) {
        self.lock().store.revoke_tokens();
    }

    /// Its answers have this shape from now on.
    pub fn shape(&self, shape: Shape) {
        self.lock().shape = shape;
    }

    /// The next such request fails so. Faults of the same requests come in the order in which they were given.
    pub fn next(&self, on: On, fault: Fault) {
        self.next_times(1, on, fault);
    }

    /// The next so many of such requests fail so; `usize::MAX` until it is mended.
    pub fn next_times(&self, count: usize, on: On, fault: Fault) {
        self.lock().plan.add(count, on, fault);
    }

    /// Nothing fails any more; what is held goes on being held.
    pub fn mend(&self) {
        self.lock().plan = Plan::default();
    }

    /// Waits until so many requests are held by [`Fault::held`].
    #[track_caller]
    pub fn wait_until_held(&self, count: usize) {
        self.wait(|state| state.held >= count, "nothing is held");
    }

    /// Lets all go on that is held.
    pub fn release(&self) {
        self.shared.released.send_modify(|times| *times += 1);
    }

    /// What lies there: the user's own and the workspace's, by path.
    pub fn documents(&self) -> Vec<Document> {
        self.lock().store.visible(USER)
    }

    /// The paths under a prefix.
    pub fn paths(&self, prefix: &str) -> Vec<String> {
        let all = self.documents().into_iter().map(|document| document.path);
        all.filter(|path| path.starts_with(prefix)).collect()
    }

    pub fn document(&self, path: &str) -> Option<Document> {
        self.documents().into_iter().find(|document| document.path == path)
    }

    /// Writes past the service, as somebody else: no request, no fault.
    pub fn put(&self, path: &str, body: &str) {
        self.lock().store.put(USER, path, body, None, None);
    }

    /// Deletes past the service, as somebody else; whether it was there.
    pub fn remove(&self, path: &str) -> bool {
        self.lock().store.remove(USER, path)
    }

    /// All that it was asked and did not forget, in the order in which the requests came.
    pub fn requests(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// How many such requests came.
    pub fn count(&self, on: &On) -> usize {
        self.lock().asked.iter().filter(|asked| on.is_meant(asked)).count()
    }

    /// Forgets what it was asked.
    pub fn forget_requests(&self) {
        let mut state = self.lock();
        state.forgotten += state.asked.len();
        state.asked.clear();
    }

    /// Waits until so many such requests came.
    #[track_caller]
    pub fn wait_until_asked(&self, count: usize, on: &On) {
        let is_asked = |state: &State| state.asked.iter().filter(|asked| on.is_meant(asked)).count() >= count;
        self.wait(is_asked, "it is not asked");
    }

    /// Somebody with a token that may read and write.
    pub fn api(&self) -> Api {
        Api::of(self.address, Some(&self.token()))
    }

    #[track_caller]
    fn wait(&self, until: impl Fn(&State) -> bool, otherwise: &str) {
        let begun = Instant::now();
        let mut state = self.lock();
        while !until(&state) {
            assert!(begun.elapsed() < PATIENCE, "{otherwise}: {:?}", state.asked);
            state = self.shared.changed.wait_timeout(state, Duration::from_secs(1)).unwrap().0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}
