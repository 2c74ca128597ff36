//! Where a command finds its agent's mail: on this machine, at a relay, or in a brain.

use crate::config::Config;
use crate::credentials::Credentials;
use crate::env::Env;
use crate::message::AgentName;
use crate::spool::brain::BrainSpool;
use crate::spool::local::LocalSpool;
use crate::spool::relay::{Deadline, PATIENCE, RelaySpool};
use crate::spool::{self, Spool};

/// The mail of one agent, wherever it is.
pub(super) type Mail = Box<dyn Spool + Send + Sync>;

/// Opens an agent's mail for a command.
pub(super) fn open(config: &Config, agent: &AgentName, env: &Env) -> anyhow::Result<Mail> {
    open_for(config, agent, true, env)
}

/// The same; what is sent may wait for the relay or the brain, or not.
pub(super) fn open_for(
    config: &Config,
    agent: &AgentName,
    may_queue: bool,
    env: &Env,
) -> anyhow::Result<Mail> {
    match Credentials::find(config, agent, env)? {
        Some(credentials) => open_elsewhere(config, credentials, may_queue, env),
        None => Ok(Box::new(open_local(config, env)?)),
    }
}

/// Opens an agent's mail for what is installed: it does not listen to the environment.
pub(super) fn open_kept(config: &Config, agent: &AgentName, env: &Env) -> anyhow::Result<Mail> {
    match Credentials::kept(config, agent)? {
        Some(credentials) => open_elsewhere(config, credentials, true, env),
        None => Ok(Box::new(open_local(config, env)?)),
    }
}

fn open_elsewhere(
    config: &Config,
    credentials: Credentials,
    may_queue: bool,
    env: &Env,
) -> anyhow::Result<Mail> {
    Ok(match (credentials.brain, may_queue) {
        (true, true) => Box::new(open_brain(config, credentials, env)?),
        (true, false) => Box::new(open_brain(config, credentials, env)?.without_queue()),
        (false, true) => Box::new(open_relay(config, credentials, env)?),
        (false, false) => Box::new(open_relay(config, credentials, env)?.without_queue()),
    })
}

/// The agent's mail at its relay.
pub(super) fn open_relay(config: &Config, credentials: Credentials, env: &Env) -> anyhow::Result<RelaySpool> {
    let (root, minutes) = (credentials.root(&config.home), config.settings()?.recent_minutes);
    Ok(RelaySpool::open(&root, credentials.identity(), Deadline::Each(PATIENCE), minutes, env)?)
}

/// The agent's mail in its brain.
pub(super) fn open_brain(config: &Config, credentials: Credentials, env: &Env) -> anyhow::Result<BrainSpool> {
    let (root, minutes) = (credentials.root(&config.home), config.settings()?.recent_minutes);
    let identity = credentials.identity_in_brain()?;
    let spool = BrainSpool::open(&root, identity, Deadline::Each(PATIENCE), minutes, env)?;
    Ok(spool.with_redaction(config.redaction()))
}

/// Every agent's mail that this home has elsewhere; none where its mail is on this machine.
pub(super) fn open_all_kept(config: &Config, env: &Env) -> anyhow::Result<Vec<(AgentName, Mail)>> {
    let mut all = Vec::new();
    for credentials in Credentials::all_kept(config)? {
        let agent = credentials.agent.clone();
        all.push((agent, open_elsewhere(config, credentials, true, env)?));
    }
    Ok(all)
}

/// The spool of this machine, which every home has.
pub(super) fn open_local(config: &Config, env: &Env) -> anyhow::Result<LocalSpool> {
    Ok(LocalSpool::open(&config.home, env, config.settings()?.recent_minutes))
}

/// Passes on what a command noted; what cannot be passed on now goes out with the next command.
pub(super) fn settle(spool: &dyn Spool) -> spool::Result<()> {
    match spool.settle() {
        Err(error) if error.is_temporary() => Ok(()),
        result => result,
    }
}
