//! Who this machine's agent is: `init`, `whoami`, `unregister`.

use anyhow::Context as _;

use super::{mistake, open_spool, output};
use crate::config::Config;
use crate::env::Env;
use crate::message::AgentName;
use crate::spool::Spool;

pub(super) fn init(name: &str, switch: bool, json: bool, env: &Env) -> anyhow::Result<()> {
    let name: AgentName = name.parse().context("could not make the agent")?;
    let mut config = Config::load(env)?;
    let is_further = match env.text("BACKCHANNEL_AGENT") {
        Some(asked) if asked.parse::<AgentName>().ok().as_ref() == Some(&name) => true,
        Some(asked) => {
            return Err(mistake(
                format!("could not make @{name}: BACKCHANNEL_AGENT asks for `{asked}`"),
                format!("BACKCHANNEL_AGENT={name} bch init {name}"),
            ));
        }
        None => false,
    };
    let present = config.agent().ok();
    if let Some(present) = &present
        && *present != name
        && !is_further
        && !switch
    {
        return Err(mistake(
            format!("this machine's agent is @{present}"),
            format!(
                "BACKCHANNEL_AGENT={name} bch init {name}   # a further identity; or: bch init {name} --switch"
            ),
        ));
    }
    let spool = open_spool(&config, env)?;
    let agent = spool.register(&name).with_context(|| format!("could not make @{name}"))?;
    if present.is_none() || (switch && !is_further) {
        config.set_agent(Some(&agent.name))?;
    }
    if json {
        output::print_json(&agent)?;
    } else {
        output::print(&format!("you are @{}, with mail in {}\n", agent.name, config.home.display()))?;
    }
    Ok(())
}

pub(super) fn whoami(json: bool, env: &Env) -> anyhow::Result<()> {
    let config = Config::load(env)?;
    let agent = super::agent(&config, env)?;
    let backend = config.remote().unwrap_or("local");
    if json {
        output::print_json(&serde_json::json!({ "agent": agent, "backend": backend, "home": config.home }))?;
    } else {
        output::print(&format!("@{agent} ({backend}, {})\n", config.home.display()))?;
    }
    Ok(())
}

pub(super) fn unregister(name: Option<String>, force: bool, env: &Env) -> anyhow::Result<()> {
    let mut config = Config::load(env)?;
    let name = match name {
        Some(name) => name.parse().context("could not take the agent away")?,
        None => super::agent(&config, env)?,
    };
    open_spool(&config, env)?
        .unregister(&name, force)
        .with_context(|| format!("could not take @{name} away"))?;
    if config.agent().is_ok_and(|agent| agent == name) {
        config.set_agent(None)?;
    }
    output::print(&format!("@{name} is gone, and its mailbox\n"))?;
    Ok(())
}
