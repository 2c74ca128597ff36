//! `uninstall --purge`: mail and identity go as well, after it was said what is unread.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::{mail, output};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::doctor::{live, proven};
use crate::env::Env;
use crate::message::AgentName;
use crate::spool::Spool as _;
use crate::spool::local::LocalSpool;

/// Files of ours in the home, beside the agents and their mailboxes.
const FILES: [&str; 11] = [
    "agents/.lock",
    "notify/lock",
    "notify/once.lock",
    "notify/announced.json",
    "notify/status.json",
    "attention.json",
    ".attention.lock",
    "bch.toml",
    "hook.log",
    proven::FILE,
    "config.json",
];
/// What held them. Whatever else is in one keeps it.
const DIRECTORIES: [&str; 4] = ["agents", "notify", "spool", ""];

/// The agents of a home, and their mail.
pub(super) struct Purge {
    spool: LocalSpool,
    home: PathBuf,
    /// Each with the number of its messages that nobody has read.
    agents: Vec<(AgentName, usize)>,
    /// Each at its relay or in its brain, with the number of its messages that were not sent yet.
    elsewhere: Vec<(AgentName, String, usize)>,
}

impl Purge {
    /// Looks at what there is.
    pub(super) fn plan(env: &Env) -> anyhow::Result<Self> {
        let config = Config::load(env)?;
        let spool = mail::open_local(&config, env)?;
        let mut agents = Vec::new();
        for agent in spool.agents().context("could not list the agents")? {
            let inbox =
                spool.inbox(&agent.name).with_context(|| format!("could not look at @{}", agent.name))?;
            agents.push((agent.name, inbox.messages.len() + inbox.claimed));
        }
        let mut elsewhere = Vec::new();
        for credentials in Credentials::all_kept(&config)? {
            let (agent, url) = (credentials.agent.clone(), credentials.url.to_string());
            let queued = if credentials.brain {
                mail::open_brain(&config, credentials, env)?.queued()
            } else {
                mail::open_relay(&config, credentials, env)?.queued()
            };
            let queued = queued.with_context(|| format!("could not look at what @{agent} has to send"))?;
            elsewhere.push((agent, url, queued));
        }
        Ok(Self { spool, home: config.home, agents, elsewhere })
    }

    /// Says what goes.
    pub(super) fn tell(&self) -> io::Result<()> {
        let mut text = format!("mail and identity in {}:\n", self.home.display());
        for (agent, unread) in &self.agents {
            text.push_str(&format!("  @{agent}, {unread} unread\n"));
        }
        for (agent, url, queued) in &self.elsewhere {
            text.push_str(&format!("  the token of @{agent} at {url}, {queued} not sent yet\n"));
        }
        if !self.elsewhere.is_empty() {
            text.push_str("The name and its mail there stay: whoever keeps the place takes them away.\n");
        }
        output::print(&output::plain(&text))
    }

    /// Takes all of it away. What is killed in between is gone on with by the next one.
    pub(super) fn carry_out(&self, json: bool) -> anyhow::Result<()> {
        for (agent, _) in &self.agents {
            self.spool.unregister(agent, true).with_context(|| format!("could not take @{agent} away"))?;
        }
        for file in FILES {
            let path = self.home.join(file);
            ignoring(fs::remove_file(&path), io::ErrorKind::NotFound, &path)?;
        }
        for directory in [live::PLACE, "credentials", "relay", "brain"] {
            let place = self.home.join(directory);
            ignoring(fs::remove_dir_all(&place), io::ErrorKind::NotFound, &place)?;
        }
        for directory in DIRECTORIES {
            let path = self.home.join(directory);
            match fs::remove_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                result => ignoring(result, io::ErrorKind::NotFound, &path)?,
            }
        }
        if json {
            return Ok(());
        }
        let end = if self.home.exists() { "gone; what else is there is not ours" } else { "gone" };
        output::print(&output::plain(&format!("{}: {end}\n", self.home.display())))?;
        Ok(())
    }
}

fn ignoring(result: io::Result<()>, kind: io::ErrorKind, path: &Path) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() != kind => {
            Err(error).with_context(|| format!("could not remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
