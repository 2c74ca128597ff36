//! The store through its contract, over directories of its own, with a clock that stands until a test moves it.

mod claims;
mod damage;
mod model;
mod rooms;
mod sends;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::{Admission, Maildir, OpenError};
use crate::env::Env;
use crate::message::{AgentName, Message, MessageId};
use crate::relay::store::{Bearer, Claim, Claimed, Limits, RoomId, Store};
use crate::secret::{Secret, TokenHash};
use crate::spool::LeaseId;

/// A store, and what it takes to open it again.
struct Bench {
    place: tempfile::TempDir,
    env: Env,
    limits: Limits,
    admission: Admission,
    store: Option<Maildir>,
}

fn name(name: &str) -> AgentName {
    name.parse().unwrap()
}

fn hash(token: &str) -> TokenHash {
    Secret::parse(token).unwrap().hash()
}

fn room() -> RoomId {
    RoomId::default_room()
}

fn claim(lease: &LeaseId) -> Claim {
    Claim {
        lease: lease.clone(),
        span: Duration::from_secs(600),
        contexts: None,
        urgent: false,
        ids: None,
        except: Vec::new(),
        bytes: None,
    }
}

fn ids(claimed: &Claimed) -> Vec<MessageId> {
    claimed.messages.iter().map(|(message, _, _)| message.id).collect()
}

impl Bench {
    fn with(limits: Limits) -> Self {
        let place = tempfile::tempdir().unwrap();
        let env = Env::made(&[], "/", Timestamp::from_second(1_800_000_000).unwrap());
        let admission = Admission::Token(hash("room"));
        let mut bench = Self { place, env, limits, admission, store: None };
        bench.open();
        bench
    }

    /// A store with the agents alice and bob.
    async fn new() -> Self {
        let bench = Self::with(Limits::default());
        for agent in ["alice", "bob"] {
            bench.register(agent).await;
        }
        bench
    }

    /// Opens the directory again, as soon as the threads let go of it that worked on after they answered.
    fn open(&mut self) {
        self.store = None;
        self.store = loop {
            match Maildir::open(self.place.path(), self.admission, self.limits.clone(), &self.env) {
                Err(OpenError::Busy(_)) => std::thread::yield_now(),
                opened => break Some(opened.unwrap()),
            }
        };
    }

    fn store(&self) -> &Maildir {
        self.store.as_ref().unwrap()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    fn pass(&self, span: Duration) {
        self.env.pass(span.as_millis().try_into().unwrap());
    }

    async fn register(&self, agent: &str) {
        let token = hash(&format!("token-of-{agent}"));
        self.store().register(&Bearer::Room(room()), &name(agent), &token).await.unwrap();
    }

    fn message(&self, to: &str, body: &str) -> Message {
        Message::new(name("alice"), to.parse().unwrap(), body, self.env.now())
    }

    async fn send(&self, to: &str, body: &str) -> MessageId {
        let message = self.message(to, body);
        let id = message.id;
        self.store().send(&room(), message, false).await.unwrap();
        id
    }

    async fn unread(&self, agent: &str) -> Vec<MessageId> {
        let inbox = self.store().inbox(&room(), &name(agent), None).await.unwrap().messages;
        inbox.iter().map(|message| message.id).collect()
    }

    async fn claim(&self, agent: &str, lease: &LeaseId) -> Vec<MessageId> {
        ids(&self.store().claim(&room(), &name(agent), claim(lease)).await.unwrap())
    }

    async fn acknowledge(&self, agent: &str, lease: &LeaseId) -> usize {
        self.store().acknowledge(&room(), &name(agent), lease, None).await.unwrap()
    }

    /// Every file below the data directory.
    fn files(&self) -> Vec<PathBuf> {
        fn below(path: &Path, files: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { below(&path, files) } else { files.push(path) }
            }
        }
        let mut files = Vec::new();
        below(self.place.path(), &mut files);
        files
    }

    /// Those that hold the text.
    fn holding(&self, text: &str) -> Vec<PathBuf> {
        let holds = |path: &PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(text);
        self.files().into_iter().filter(holds).collect()
    }
}
