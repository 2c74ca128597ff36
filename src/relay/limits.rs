//! How often, how much and for how long: everything that one sender could take from the others.
//!
//! Memory is bounded whatever the addresses do: beyond [`MOST_KEYS`] of them the further ones share one place.

mod places;
mod rates;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::{Answer, Refusal};
use super::store::RoomId;
use crate::message::{AgentName, LONGEST_BODY};
use crate::secret::TokenHash;
use places::{Place, Places};
use rates::{Attempts, Network, Rate};

/// How many requests with large bodies are read at the same time, and how many of one agent.
const LARGE_BODIES: usize = 64;
const LARGE_BODIES_PER_AGENT: usize = 8;
/// How many lists of a room's agents are answered at the same time: each may be of megabytes.
const DIRECTORIES: usize = 8;
/// How many rooms one address may make in a row, and in an hour, where everybody may.
const ROOMS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// The place of an open event stream.
pub(super) type Streaming = Place<(RoomId, AgentName)>;
/// The place of a request that is not answered to its end.
pub(super) type Underway = Place<TokenHash>;

/// The place of a list of agents that is not answered to its end.
pub(super) type Directory = Place<()>;

/// The place in which a large body is read.
pub(super) struct LargeBody<'a> {
    _place: Option<SemaphorePermit<'a>>,
    _by: Underway,
}

/// What `relay.toml` says of them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes of a message's body.
    pub body_bytes: usize,
    /// References of a message.
    pub refs: usize,
    /// Requests of one agent in a minute; any number where it is not set.
    pub requests_per_agent: Option<NonZeroU32>,
    /// Requests from one address in a minute; any number where it is not set.
    pub requests_per_address: Option<NonZeroU32>,
    /// Failed authentications from one address in a minute.
    pub failures: NonZeroU32,
    /// Event streams of one agent.
    pub streams_per_agent: usize,
    /// Requests of one agent at once, each until its answer was read.
    pub underway_per_agent: usize,
    /// Connections of all.
    pub connections: usize,
    /// For how long a connection may take for its first request's headers, and for TLS.
    pub header_time: Duration,
    /// For how long a request's body may take.
    pub body_time: Duration,
    /// For how long a connection may be kept without a request.
    pub idle_time: Duration,
}

/// The limits of one running relay, with what has been used of them.
pub(super) struct Limits {
    pub(super) body_bytes: usize,
    pub(super) refs: usize,
    body_time: Duration,
    agents: Option<Rate<TokenHash>>,
    addresses: Option<Rate<Network>>,
    attempts: Attempts,
    rooms: Rate<Network>,
    streams: Places<(RoomId, AgentName)>,
    underway: Places<TokenHash>,
    directories: Places<()>,
    large_bodies: Semaphore,
    large_bodies_by: Places<TokenHash>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_bytes: LONGEST_BODY,
            refs: 64,
            requests_per_agent: None,
            requests_per_address: None,
            failures: NonZeroU32::MIN.saturating_add(19),
            streams_per_agent: 16,
            underway_per_agent: 64,
            connections: 16_384,
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(90),
        }
    }
}

impl Limits {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            body_bytes: settings.body_bytes,
            refs: settings.refs,
            body_time: settings.body_time,
            agents: settings.requests_per_agent.map(Rate::per_minute),
            addresses: settings.requests_per_address.map(Rate::per_minute),
            attempts: Attempts::new(settings.failures),
            rooms: Rate::per_hour(ROOMS),
            streams: Places::new(settings.streams_per_agent),
            underway: Places::new(settings.underway_per_agent),
            directories: Places::new(DIRECTORIES),
            large_bodies: Semaphore::new(LARGE_BODIES),
            large_bodies_by: Places::new(LARGE_BODIES_PER_AGENT),
        }
    }

    /// Bytes of a request's body: a message's, in which each byte may be escaped as `\u00xx`, and what is around it.
    pub(super) fn request_bytes(&self) -> usize {
        const LONGEST_REF: usize = 2 * 1024;
        const AROUND: usize = 64 * 1024;
        6 * (self.body_bytes + self.refs * LONGEST_REF) + AROUND
    }

    pub(super) fn body_time(&self) -> Duration {
        self.body_time
    }

    /// Waits for a place to read a large body in, where its sender has not too many already.
    pub(super) async fn large_body(&self, token: TokenHash) -> Answer<LargeBody<'_>> {
        let by = self.large_bodies_by.take(token).ok_or_else(|| {
            Refusal::too_many("too many large requests with this token at once", Duration::from_secs(1))
        })?;
        // It is never closed.
        Ok(LargeBody { _place: self.large_bodies.acquire().await.ok(), _by: by })
    }

    /// Counts a request from this address.
    pub(super) fn request_from(&self, address: IpAddr) -> Answer<()> {
        let Some(rate) = &self.addresses else { return Ok(()) };
        rate.count(Network::of(address))
            .map_err(|wait| Refusal::too_many("too many requests from this address", wait))
    }

    /// Counts a request with this agent's token.
    pub(super) fn request_by(&self, token: &TokenHash) -> Answer<()> {
        let Some(rate) = &self.agents else { return Ok(()) };
        rate.count(*token).map_err(|wait| Refusal::too_many("too many requests with this token", wait))
    }

    /// Whether a token that could be guessed is looked at, from this address.
    pub(super) fn may_try(&self, address: IpAddr) -> Answer<()> {
        self.attempts.may_try(Network::of(address)).map_err(too_many_attempts)
    }

    /// Counts a token that is nobody's.
    pub(super) fn failed(&self, address: IpAddr) -> Refusal {
        match self.attempts.failed(Network::of(address)) {
            Ok(()) => Refusal::unauthorized("nobody has this token"),
            Err(wait) => too_many_attempts(wait),
        }
    }

    /// Counts a room that somebody without a token makes.
    pub(super) fn room_from(&self, address: IpAddr) -> Answer<()> {
        self.rooms
            .count(Network::of(address))
            .map_err(|wait| Refusal::too_many("too many rooms from this address", wait))
    }

    /// A place for one more event stream of the agent; it is given back when it is dropped.
    pub(super) fn stream_of(&self, room: &RoomId, agent: &AgentName) -> Answer<Streaming> {
        self.streams.take((room.clone(), agent.clone())).ok_or_else(|| {
            let wait = Duration::from_secs(30);
            Refusal::too_many(format!("@{agent} has too many event streams"), wait)
        })
    }

    /// A place for one more request of the agent; it is given back when it is dropped.
    pub(super) fn request_under_way(&self, token: TokenHash) -> Answer<Underway> {
        self.underway.take(token).ok_or_else(|| {
            Refusal::too_many("too many requests with this token at once", Duration::from_secs(1))
        })
    }

    /// A place for one more list of agents; it is given back when it is dropped.
    pub(super) fn directory(&self) -> Answer<Directory> {
        self.directories.take(()).ok_or_else(|| {
            Refusal::too_many("too many ask for the room's agents at once", Duration::from_secs(1))
        })
    }

    /// Forgets whoever has been quiet for long enough.
    pub(super) fn sweep(&self) {
        if let Some(rate) = &self.agents {
            rate.sweep();
        }
        if let Some(rate) = &self.addresses {
            rate.sweep();
        }
        self.attempts.sweep();
        self.rooms.sweep();
    }
}

fn too_many_attempts(wait: Duration) -> Refusal {
    Refusal::too_many("too many failed attempts from this address", wait)
}
