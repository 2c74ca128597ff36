//! The open sessions, each with the token that began it: how many an agent has, and when one is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::transport::streamable_http_server::session::SessionManager as _;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

use super::open::{CERTAIN, Open, lock};
use crate::relay::store::Store;
use crate::secret::TokenHash;

/// Sessions of one agent; one more ends the one that was used longest ago.
const MOST: usize = 16;
/// After this long without a request and without a stream a session ends: the longest quiet turn.
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// All of them.
pub(super) struct Sessions {
    open: Mutex<HashMap<Box<str>, Arc<Open>>>,
    manager: Arc<LocalSessionManager>,
    end_streams: Box<dyn Fn() + Send + Sync>,
}

impl Sessions {
    pub(super) fn new(manager: Arc<LocalSessionManager>, end_streams: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { open: Mutex::default(), manager, end_streams }
    }

    /// The session, if this token began it.
    pub(super) fn find(&self, id: &str, token: &TokenHash) -> Option<Arc<Open>> {
        lock(&self.open).get(id).filter(|open| open.is_of(token)).cloned()
    }

    /// Takes a new session in. The agent's oldest ends where it has too many, and what one of them was given over a
    /// connection that is gone goes back: its client is perhaps the one that begins anew.
    pub(super) async fn begin(&self, id: &str, open: Open) {
        let open = Arc::new(open);
        let mut others: Vec<_> = {
            let mut all = lock(&self.open);
            let theirs = all.iter().filter(|(_, other)| other.is_same_agents(&open));
            let others = theirs.map(|(id, other)| (id.to_string(), Arc::clone(other))).collect();
            all.insert(id.into(), open);
            others
        };
        others.sort_by_key(|(_, other)| other.last_use());
        let surplus = (others.len() + 1).saturating_sub(MOST);
        for (id, _) in others.drain(..surplus) {
            self.end(&id, false).await;
        }
        for (_, other) in others {
            other.give_back_of_the_gone().await;
        }
    }

    /// Ends a session. `said` where its client ended it itself.
    pub(super) async fn end(&self, id: &str, said: bool) {
        let Some(open) = lock(&self.open).remove(id) else { return };
        // It may be gone already.
        let _ = self.manager.close_session(&Arc::from(id)).await;
        if said && open.judge().await {
            // The client has said goodbye, and the connection of its last reply has yet to live, or break.
            tokio::time::sleep(CERTAIN).await;
            open.judge().await;
        }
        open.session.end(false).await;
    }

    pub(super) async fn sweep(&self, store: &dyn Store) {
        let all: Vec<_> =
            lock(&self.open).iter().map(|(id, open)| (id.to_string(), Arc::clone(open))).collect();
        for (id, open) in all {
            if open.is_idle(IDLE) || !open.counts(store) || !self.is_served(&id).await {
                self.end(&id, false).await;
            } else {
                open.judge().await;
                open.session.settle().await;
                open.session.renew().await;
            }
        }
    }

    async fn is_served(&self, id: &str) -> bool {
        self.manager.has_session(&Arc::from(id)).await.unwrap_or(false)
    }

    pub(super) fn end_streams(&self) {
        (self.end_streams)();
    }
}
