//! What every backend does, in one set of tests: run over the local spool, over a relay, over a relay of the first version,
//! and over a brain, with hashes and without. A difference between them is a defect.

mod claims;
mod mail;
mod watch;

use std::path::PathBuf;

use backchannel::env::Env;
use backchannel::message::{Address, AgentName, Message};
use backchannel::spool::brain::{self, BrainSpool};
use backchannel::spool::local::LocalSpool;
use backchannel::spool::relay::{Deadline, Identity, PATIENCE, RelaySpool};
use backchannel::spool::{Claim, Filter, Lease, Spool, Take};

use crate::support::brain::{Brain, Hashes, Shape};
use crate::support::earlier_relay::EarlierRelay;
use crate::support::http::Api;
use crate::support::relay::Relay;

/// A backend with the agents ann, bob, cid and dan.
pub struct Stage {
    backend: Backend,
    place: tempfile::TempDir,
    pub env: Env,
}

enum Backend {
    Local,
    Relay(#[expect(dead_code, reason = "the relay ends with its value")] Relay, Vec<(String, Api)>),
    Earlier(EarlierRelay, Vec<(String, String)>),
    /// Whether it gives hashes.
    Brain(Brain, bool),
}

const AGENTS: [&str; 4] = ["ann", "bob", "cid", "dan"];

impl Stage {
    pub fn local() -> Self {
        let stage = Self::on(Backend::Local);
        AGENTS.iter().for_each(|name| drop(stage.spool(name).register(&agent(name)).unwrap()));
        stage
    }

    pub fn relay() -> Self {
        let relay = Relay::start();
        let peers = AGENTS.iter().map(|name| ((*name).to_owned(), relay.peer(name).api)).collect();
        Self::on(Backend::Relay(relay, peers))
    }

    pub fn earlier() -> Self {
        let relay = EarlierRelay::start();
        let tokens = AGENTS.iter().map(|name| ((*name).to_owned(), relay.register(name))).collect();
        Self::on(Backend::Earlier(relay, tokens))
    }

    pub fn brain() -> Self {
        Self::in_brain(Brain::start(), true)
    }

    /// A brain whose lists have neither bodies nor hashes, and whose documents have no hashes at all.
    pub fn bare_brain() -> Self {
        let shape = Shape {
            is_wrapped: true,
            has_bodies_in_lists: false,
            has_hashes_in_lists: false,
            hashes: Hashes::Absent,
            ..Shape::default()
        };
        Self::in_brain(Brain::with(shape), false)
    }

    fn in_brain(brain: Brain, has_hashes: bool) -> Self {
        let stage = Self::on(Backend::Brain(brain, has_hashes));
        AGENTS.iter().for_each(|name| drop(stage.spool(name).register(&agent(name)).unwrap()));
        stage
    }

    fn on(backend: Backend) -> Self {
        Self { backend, place: tempfile::tempdir().unwrap(), env: Env::system() }
    }

    /// The mail of this agent on its own machine.
    pub fn spool(&self, name: &str) -> Box<dyn Spool + Send + Sync> {
        self.spool_on(name, "")
    }

    /// The same on another machine, where the backend has such.
    pub fn spool_on(&self, name: &str, machine: &str) -> Box<dyn Spool + Send + Sync> {
        let (address, token) = match &self.backend {
            Backend::Local => return Box::new(LocalSpool::open(self.place.path(), &self.env, 60)),
            Backend::Relay(_, peers) => {
                let api = &peers.iter().find(|(other, _)| other == name).unwrap().1;
                (api.address, api.token.clone().unwrap())
            }
            Backend::Brain(brain, _) => {
                let identity = brain::Identity {
                    url: brain.url().parse().unwrap(),
                    room: "team".parse().unwrap(),
                    agent: agent(name),
                    token: backchannel::secret::Secret::parse(&brain.token()).unwrap(),
                };
                let root = self.place.path().join(format!("{name}{machine}"));
                let patience = Deadline::Each(PATIENCE);
                return Box::new(BrainSpool::open(&root, identity, patience, 60, &self.env).unwrap());
            }
            Backend::Earlier(relay, tokens) => {
                (relay.address, tokens.iter().find(|(other, _)| other == name).unwrap().1.clone())
            }
        };
        let identity = Identity {
            url: format!("http://{address}").parse().unwrap(),
            room: None,
            agent: agent(name),
            token: backchannel::secret::Secret::parse(&token).unwrap(),
        };
        let root: PathBuf = self.place.path().join(format!("{name}{machine}"));
        Box::new(RelaySpool::open(&root, identity, Deadline::Each(PATIENCE), 60, &self.env).unwrap())
    }

    /// Sends, and returns the message as it was delivered.
    pub fn send(&self, from: &str, to: &str, change: impl FnOnce(&mut Message)) -> Message {
        let mut message = Message::new(agent(from), address(to), "the body", self.env.now());
        change(&mut message);
        let sent = self.spool(from).send(&message, true).unwrap();
        assert!(sent.queued.is_none(), "{:?}", sent.queued);
        sent.stamped.unwrap_or(message)
    }

    /// A session of bob's.
    pub fn session(&self, name: &str) -> Lease {
        Lease::of_session("codex", name, None, self.env.now())
    }

    pub fn claim(&self, lease: &Lease, filter: &Filter) -> Claim {
        self.spool("bob").claim(&agent("bob"), lease, filter, Take::All).unwrap()
    }

    /// How many messages bob finds unread.
    pub fn unread(&self) -> usize {
        self.spool("bob").inbox(&agent("bob")).unwrap().messages.len()
    }

    /// Whether a reader on another machine can get what one here gave back.
    pub fn gives_back(&self) -> bool {
        !matches!(self.backend, Backend::Earlier(..) | Backend::Brain(_, false))
    }
}

pub fn agent(name: &str) -> AgentName {
    name.parse().unwrap()
}

pub fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// Each behaviour is a test of each backend.
macro_rules! on_each_backend {
    ($($behaviour:ident),* $(,)?) => {
        mod local {
            $(#[test] fn $behaviour() { super::$behaviour(&crate::behaviours::Stage::local()); })*
        }
        mod relay {
            $(#[test] fn $behaviour() { super::$behaviour(&crate::behaviours::Stage::relay()); })*
        }
        mod earlier_relay {
            $(#[test] fn $behaviour() { super::$behaviour(&crate::behaviours::Stage::earlier()); })*
        }
        mod brain {
            $(#[test] fn $behaviour() { super::$behaviour(&crate::behaviours::Stage::brain()); })*
        }
        mod bare_brain {
            $(#[test] fn $behaviour() { super::$behaviour(&crate::behaviours::Stage::bare_brain()); })*
        }
    };
}
pub(crate) use on_each_backend;
