//! A room in a brain, and its agents on machines of their own.

use std::path::PathBuf;

use backchannel::env::Env;
use backchannel::message::{AgentName, Message};
use backchannel::secret::Secret;
use backchannel::spool::brain::{BrainSpool, Deadline, Identity, PATIENCE};
use backchannel::spool::{Afterwards, Claimed, Filter, Lease, Spool, Take};
use jiff::Timestamp;

use crate::support::brain::{Brain, Shape};

/// Where the room's documents lie.
pub const PREFIX: &str = "/private/backchannel/team/";

pub struct Room {
    pub brain: Brain,
    place: tempfile::TempDir,
    /// With a clock that stands still until it is moved.
    pub env: Env,
}

impl Room {
    /// A room with these agents.
    pub fn with(agents: &[&str]) -> Self {
        Self::of(Brain::start(), agents)
    }

    pub fn shaped(shape: Shape, agents: &[&str]) -> Self {
        Self::of(Brain::with(shape), agents)
    }

    fn of(brain: Brain, agents: &[&str]) -> Self {
        let env = Env::made(&[], "/", Timestamp::now());
        let room = Self { brain, place: tempfile::tempdir().unwrap(), env };
        agents.iter().for_each(|name| drop(room.spool(name).register(&agent(name)).unwrap()));
        room
    }

    pub fn root(&self, name: &str, machine: &str) -> PathBuf {
        self.place.path().join(format!("{name}{machine}"))
    }

    pub fn spool(&self, name: &str) -> BrainSpool {
        self.on(name, "", Deadline::Each(PATIENCE))
    }

    /// The agent's mail on another machine.
    pub fn second(&self, name: &str) -> BrainSpool {
        self.on(name, "-two", Deadline::Each(PATIENCE))
    }

    pub fn on(&self, name: &str, machine: &str, deadline: Deadline) -> BrainSpool {
        let identity = Identity {
            url: self.brain.url().parse().unwrap(),
            room: "team".parse().unwrap(),
            agent: agent(name),
            token: Secret::parse(&self.brain.token()).unwrap(),
        };
        BrainSpool::open(&self.root(name, machine), identity, deadline, 60, &self.env).unwrap()
    }

    pub fn message(&self, from: &str, to: &str, body: &str) -> Message {
        Message::new(agent(from), to.parse().unwrap(), body, self.env.now())
    }

    pub fn send(&self, from: &str, to: &str, body: &str) -> Message {
        let message = self.message(from, to, body);
        let sent = self.spool(from).send(&message, true).unwrap();
        assert_eq!(sent.queued, None);
        message
    }

    /// All that a reader on this machine can get.
    pub fn claim(&self, spool: &BrainSpool, lease: &Lease) -> Vec<Claimed> {
        spool.claim(&agent("bob"), lease, &Filter::default(), Take::All).unwrap().messages
    }

    pub fn session(&self, name: &str) -> Lease {
        Lease::of_session("codex", name, None, self.env.now())
    }

    pub fn read(&self, spool: &BrainSpool, lease: &Lease, claimed: &[Claimed]) {
        for one in claimed {
            assert!(
                spool.acknowledge(&agent("bob"), &lease.id, &one.message, Afterwards::Gone).unwrap(),
                "it is the reader's"
            );
        }
    }

    /// The documents in bob's inbox.
    pub fn inbox(&self) -> Vec<String> {
        self.brain.paths(&format!("{PREFIX}inbox/bob/"))
    }
}

pub fn agent(name: &str) -> AgentName {
    name.parse().unwrap()
}
