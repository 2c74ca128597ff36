//! The agent of one proof: made in the mail's home, written to by itself, and taken away in the end.
//!
//! Its lock tells whether the doctor that made it still runs: a canary whose lock is free is nobody's.

use std::fs;
use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::message::{Address, AgentName, Message, Priority};
use crate::spool::local::LocalSpool;
use crate::spool::local::files::{self, Lock};
use crate::spool::{self, Afterwards, Error, Filter, Lease, LeaseId, Spool, Take};

/// Its lock, in its mailbox.
const LOCK: &str = ".lock";

/// A mailbox that lives as long as this.
pub(in crate::doctor) struct Canary<'a> {
    mail: &'a LocalSpool,
    home: &'a Path,
    env: &'a Env,
    pub(in crate::doctor) name: AgentName,
    _lock: Lock,
}

impl<'a> Canary<'a> {
    pub(super) fn make(mail: &'a LocalSpool, home: &'a Path, env: &'a Env) -> spool::Result<Self> {
        let name = AgentName::random_canary();
        let mailbox = mailbox(home, &name);
        files::make_directory(&mailbox)?;
        let lock = files::lock(mailbox.join(LOCK)).inspect_err(|_| {
            // A disk that is full: nothing else is in it yet.
            let _ = fs::remove_dir(&mailbox);
        })?;
        let canary = Self { mail, home, env, name, _lock: lock };
        mail.register(&canary.name)?;
        Ok(canary)
    }

    /// Leaves it a message.
    pub(in crate::doctor) fn send(&self, body: &str, priority: Priority) -> spool::Result<()> {
        let to = Address::Agent(self.name.clone());
        let mut message = Message::new(self.name.clone(), to, body, self.env.now());
        message.priority = priority;
        self.mail.send(&message, false).map(drop)
    }

    /// Whether it has neither unread nor claimed mail.
    pub(super) fn is_quiet(&self) -> bool {
        self.mail.is_quiet(&self.name)
    }

    /// How many messages are unread, or shown and not acknowledged.
    pub(in crate::doctor) fn left(&self) -> usize {
        self.mail.inbox(&self.name).map_or(0, |inbox| inbox.messages.len() + inbox.claimed)
    }

    /// Takes away what is unread.
    pub(in crate::doctor) fn empty(&self) -> spool::Result<()> {
        let lease = Lease::of_command(self.env.now());
        self.mail.claim(&self.name, &lease, &Filter::default(), Take::All)?;
        self.settle(&lease.id)
    }

    /// Acknowledges what a session was shown.
    pub(super) fn settle(&self, lease: &LeaseId) -> spool::Result<()> {
        for held in self.mail.held(&self.name, lease)? {
            self.mail.acknowledge(&self.name, lease, &held.message, Afterwards::Gone)?;
        }
        Ok(())
    }
}

impl Drop for Canary<'_> {
    fn drop(&mut self) {
        // What cannot be taken away now is swept by the next proof.
        let _ = take_away(self.mail, self.home, &self.name);
    }
}

/// Takes the canaries away that killed doctors left; returns how many.
pub(super) fn sweep(mail: &LocalSpool, home: &Path) -> spool::Result<usize> {
    let mut swept = 0;
    let records = files::names(&home.join("agents"))?;
    let records = records.iter().filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
    for name in files::names(&home.join("spool"))?.into_iter().chain(records) {
        let Ok(name) = name.parse::<AgentName>() else { continue };
        if !name.is_canary() {
            continue;
        }
        let mailbox = mailbox(home, &name);
        let is_there = mailbox.exists() || mail.agent(&name)?.is_some();
        if is_there && (!mailbox.exists() || files::lock_if_free(mailbox.join(LOCK))?.is_some()) {
            take_away(mail, home, &name)?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn mailbox(home: &Path, name: &AgentName) -> PathBuf {
    home.join("spool").join(name.as_str())
}

fn take_away(mail: &LocalSpool, home: &Path, name: &AgentName) -> spool::Result<()> {
    match mail.unregister(name, true) {
        // It was never registered, but its mailbox may be there.
        Err(Error::UnknownAgent(_)) => {}
        done => return done,
    }
    let mailbox = mailbox(home, name);
    match fs::remove_dir_all(&mailbox) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { verb: "remove", path: mailbox, source })
        }
        _ => Ok(()),
    }
}
