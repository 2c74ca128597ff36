//! What all requests of one relay share.

use std::sync::Arc;

use tokio::sync::watch;

use super::limits::{Limits, Settings};
use super::link::Links;
use super::mcp::Endpoint;
use super::metrics::Metrics;
use super::store::Store;
use crate::env::Env;
use crate::secret::{NoRandomness, Secret, TokenHash};

/// A state as routes have it.
pub(super) type Shared = Arc<State>;

/// One running relay.
pub struct State {
    pub(super) store: Arc<dyn Store>,
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) metrics: Metrics,
    pub(super) links: Links,
    pub(super) mcp: Endpoint,
    pub(super) env: Env,
    /// What the ids of this run's events begin with.
    pub(super) run: String,
    /// Becomes `true` when the relay is asked to end: event streams end then.
    pub(super) stopping: watch::Sender<bool>,
    /// Changes when any token was taken back: event streams look whether theirs still counts.
    pub(super) revoked: watch::Sender<u64>,
}

/// What the operator decided about who may do what.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The admin token's hash; nobody is an admin where there is none.
    pub admin: Option<TokenHash>,
    /// Anyone may make rooms.
    pub open_rooms: bool,
    /// The sender's address is in the last `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// The names by which clients reach the relay, for `/mcp`; `None` is any, for a relay beyond loopback.
    pub hosts: Option<Vec<String>>,
    /// Where the token of room `default` comes from.
    pub default_token: DefaultToken,
}

/// Who keeps the token of room `default`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DefaultToken {
    /// The operator gives it at each start.
    #[default]
    Given,
    /// The relay made it, and keeps it in this file.
    Made(std::path::PathBuf),
}

impl State {
    /// The state of a relay that begins.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub fn new(
        store: Arc<dyn Store>,
        rules: Rules,
        limits: &Settings,
        env: Env,
    ) -> Result<Self, NoRandomness> {
        let limits = Limits::new(limits);
        // Letters that stand in no number and need no escape: `-` ends the run's part of an event's id.
        let run = Secret::random()?.hash().to_string()[..16].to_owned();
        Ok(Self {
            store,
            mcp: Endpoint::new(limits.request_bytes(), &rules),
            links: Links::default(),
            rules,
            limits,
            metrics: Metrics::new(),
            env,
            run,
            stopping: watch::Sender::new(false),
            revoked: watch::Sender::new(0),
        })
    }

    /// Lets every event stream look whether its token still counts.
    pub(super) fn tell_revoked(&self) {
        self.revoked.send_modify(|count| *count += 1);
    }
}
