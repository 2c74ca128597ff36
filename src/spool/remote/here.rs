//! What this machine has of mail that is kept elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Outbox;
use super::journal::Journal;
use crate::env::Env;
use crate::message::{Address, AgentName, Message};
use crate::spool::local::{LocalSpool, files};
use crate::spool::{Agent, Error, Result, Spool as _};

/// One agent's mail that is here.
#[derive(Debug, Clone)]
pub(in crate::spool) struct Here {
    pub(in crate::spool) root: PathBuf,
    pub(in crate::spool) agent: AgentName,
    pub(in crate::spool) desk: LocalSpool,
    pub(in crate::spool) journal: Journal,
    pub(in crate::spool) outbox: Outbox,
    /// Whether what cannot be sent now may wait in the outbox.
    pub(in crate::spool) is_queueing: bool,
    pub(in crate::spool) env: Env,
}

impl Here {
    /// What is kept of this agent's mail in a directory.
    pub(in crate::spool) fn new(root: &Path, agent: AgentName, recent_minutes: u32, env: &Env) -> Self {
        Self {
            root: root.to_owned(),
            agent,
            desk: LocalSpool::open(root, env, recent_minutes),
            journal: Journal::new(root),
            outbox: Outbox::new(root),
            is_queueing: true,
            env: env.clone(),
        }
    }

    /// It is one agent's mail.
    pub(in crate::spool) fn check_own(&self, agent: &AgentName) -> Result<()> {
        if *agent == self.agent { Ok(()) } else { Err(Error::NotYours(agent.clone())) }
    }

    /// The own record in the desk, made where it is not there yet.
    pub(in crate::spool) fn own_record(&self) -> Result<Agent> {
        match self.desk.agent(&self.agent)? {
            Some(agent) => Ok(agent),
            // The first version may know us by a name with capitals.
            None => self.desk.adopt_agent(&self.agent),
        }
    }

    /// Notes that something happened now; where it cannot be noted, it is as if it were long ago.
    pub(in crate::spool) fn note(&self, what: &str) {
        let _ = files::make_directory(&self.root);
        let _ = fs::write(self.root.join(what), b"");
    }

    /// Whether that happened within this time.
    pub(in crate::spool) fn happened_within(&self, what: &str, time: Duration) -> bool {
        let noted = fs::metadata(self.root.join(what)).and_then(|file| file.modified()).ok();
        noted.and_then(|noted| noted.elapsed().ok()).is_some_and(|age| age < time)
    }

    /// Tells the sender, in its own inbox on this machine, that a message which waited at `path` will not be sent.
    pub(in crate::spool) fn bounce(&self, path: &Path, message: &Message, reason: &str) -> Result<()> {
        let refused = self.outbox.refused(message.id);
        let body = format!(
            "Your message {} to {} was not delivered: {reason}. Its text is kept in {}",
            message.id.short(),
            message.to,
            refused.display()
        );
        let to = Address::Agent(self.agent.clone());
        let mut bounce = Message::new(self.agent.clone(), to, body, self.env.now());
        bounce.thread = Some(message.id.to_string());
        self.own_record()?;
        self.desk.put(&self.agent, &bounce, true)?;
        self.outbox.refuse(path, message.id)
    }
}
