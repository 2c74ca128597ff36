//! Mail that lies as documents in a Unison brain, where it stays as memory: the layout and front matter of the first
//! version [v1], so that both can share a room.
//!
//! ```text
//! /private/backchannel/<room>/agents/<name>.md        subscriptions, createdAt, lastSeen         [v1]
//!                             inbox/<agent>/<id>.md   unread; deleted once it was read           [v1]
//!                             log/<id>.md             the archive, written first and once        [v1]
//!                             bad/<agent>/            what lay in an inbox and is no message
//! ```
//!
//! A claim is a mark in the message's front matter, put there by a write that names the hash of what it replaces: of any
//! number of readers one succeeds. What this machine keeps of it lies in `brain/<key>/`, and is that of every
//! [`Remote`](super::remote::Remote), with
//!
//! ```text
//! brain/<key>/taking/                what is deleted to claim it, where a service gives no hashes
//! brain/<key>/sent, got, touched     when a message was sent or read, `lastSeen` was written last
//! brain/<key>/later                  until when the service wants not to be asked
//! ```

mod answer;
mod archive;
mod calls;
mod claims;
mod contract;
mod directory;
mod document;
mod front;
mod journey;
mod look;
mod mark;
mod outbox;
mod pace;
mod parallel;
mod place;
mod refusal;
mod send;
mod taking;
mod tell;
mod watch;

use std::path::Path;
use std::sync::Arc;

use super::local::files;
use super::remote::Here;
use super::{Error, Result, Spool as _};
pub use crate::client::{Deadline, PATIENCE};
use crate::config;
use crate::env::Env;
use crate::message::AgentName;
use crate::redaction::Redaction;
use crate::relay::url::RelayUrl;
use crate::secret::Secret;
use calls::Calls;
use parallel::each;
pub use place::{InvalidRoom, Room};
pub use refusal::Refusal;

/// Where the service is, unless `UNISON_API_URL` or a setting names another (`SPEC.md` 4, 2026-11-29).
pub const URL: &str = "https://brain.unisonlabs.ai";

/// What a token has to allow (`SPEC.md` 3).
const SCOPES: [&str; 2] = ["brain:read", "brain:write"];

/// Who one is in a brain.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Where the service is.
    pub url: RelayUrl,
    /// In which room.
    pub room: Room,
    /// Who.
    pub agent: AgentName,
    /// The user's token: whoever has it is any agent of any room.
    pub token: Secret,
}

/// What a look at the service found.
#[derive(Debug, Clone)]
pub struct State {
    /// Whose token it is, where the service tells.
    pub user: Option<String>,
    /// What the token would have to allow and does not.
    pub missing: Vec<&'static str>,
    /// Whether the room has this agent.
    pub is_registered: bool,
    /// How many agents the room has.
    pub agents: usize,
}

/// One agent's mail in a brain.
#[derive(Debug, Clone)]
pub struct BrainSpool {
    here: Here,
    room: Room,
    calls: Arc<Calls>,
    /// What the archive is not to hold.
    redaction: archive::Rules,
}

impl BrainSpool {
    /// Opens an agent's mail; `root` is what this machine keeps of it. Nothing is asked yet.
    ///
    /// # Errors
    /// Where no client can be made.
    pub fn open(
        root: &Path,
        identity: Identity,
        deadline: Deadline,
        recent_minutes: u32,
        env: &Env,
    ) -> Result<Self> {
        let Identity { url, room, agent, token } = identity;
        let calls = Arc::new(Calls::new(url, token, deadline, root, env)?);
        let mut here = Here::new(root, agent, recent_minutes, env);
        // The first version may have made the name with capitals, and paths are of its spelling.
        if let Ok(Some(known)) = here.desk.agent(&here.agent) {
            here.agent = known.name;
        }
        Ok(Self { here, room, calls, redaction: Ok(Arc::default()) })
    }

    /// The same with these rules for what the archive is not to hold. Where they are damaged nothing is sent, and all else
    /// goes on.
    #[must_use]
    pub fn with_redaction(self, rules: std::result::Result<Redaction, config::Error>) -> Self {
        let redaction = rules.map(Arc::new).map_err(|error| error.to_string());
        Self { redaction, ..self }
    }

    /// The same, where what cannot be sent now is not to wait.
    #[must_use]
    pub fn without_queue(self) -> Self {
        Self { here: Here { is_queueing: false, ..self.here }, ..self }
    }

    /// Where the service is.
    #[must_use]
    pub fn url(&self) -> &RelayUrl {
        &self.calls.url
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Whose mail it is.
    #[must_use]
    pub fn own_name(&self) -> &AgentName {
        &self.here.agent
    }

    /// How many messages wait to be sent.
    ///
    /// # Errors
    /// Where the outbox cannot be read.
    pub fn queued(&self) -> Result<usize> {
        Ok(self.here.outbox.waiting()?.len())
    }

    /// Looks whether the service knows the token, and who is in the room.
    ///
    /// # Errors
    /// Where it cannot be asked, or does not know the token.
    pub fn look_over(&self) -> Result<State> {
        let who = self.calls.who()?;
        let has =
            |scope: &str| who.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|one| one == scope));
        let missing: Vec<_> = SCOPES.into_iter().filter(|scope| !has(scope)).collect();
        let user = who.user.and_then(|user| user.email);
        // Who may not read is not asked to.
        let agents = if has(SCOPES[0]) { self.all_agents()? } else { Vec::new() };
        let is_registered = agents.iter().any(|agent| agent.name == self.here.agent);
        Ok(State { user, missing, is_registered, agents: agents.len() })
    }

    /// Whether a prompt or the end of a turn waits.
    fn is_of_a_hook(&self) -> bool {
        matches!(self.calls.deadline(), Deadline::At(_))
    }
}
