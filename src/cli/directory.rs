//! Agents and channels: `sub`, `unsub`, `agents`, `channels`.

use anyhow::Context as _;
use serde_json::json;

use super::{desk, mail, mistake, output};
use crate::config::Config;
use crate::env::Env;
use crate::message::ChannelName;

pub(super) fn subscribe(channel: &str, json: bool, env: &Env) -> anyhow::Result<()> {
    let channel: ChannelName = channel.parse().context("could not subscribe")?;
    let desk = desk(env)?;
    desk.spool
        .subscribe(&desk.agent, &channel)
        .with_context(|| format!("could not subscribe to {channel}"))?;
    if json {
        output::print_json(&json!({ "agent": desk.agent, "channel": channel, "subscribed": true }))?;
    } else {
        output::print(&format!("@{} reads {channel}\n", desk.agent))?;
    }
    Ok(mail::settle(&*desk.spool)?)
}

pub(super) fn unsubscribe(channel: &str, json: bool, env: &Env) -> anyhow::Result<()> {
    let channel: ChannelName = channel.parse().context("could not unsubscribe")?;
    let desk = desk(env)?;
    if !desk.spool.unsubscribe(&desk.agent, &channel)? {
        return Err(mistake(format!("@{} does not read {channel}", desk.agent), "bch agents"));
    }
    if json {
        output::print_json(&json!({ "agent": desk.agent, "channel": channel, "subscribed": false }))?;
    } else {
        output::print(&format!("@{} no longer reads {channel}\n", desk.agent))?;
    }
    Ok(mail::settle(&*desk.spool)?)
}

/// A spool that tells of everybody; a relay wants to know who asks.
fn whole_room(env: &Env) -> anyhow::Result<mail::Mail> {
    let config = Config::load(env)?;
    match super::agent(&config, env) {
        Ok(agent) => mail::open(&config, &agent, env),
        Err(error) if config.remote().is_some() => Err(error),
        Err(_) => Ok(Box::new(mail::open_local(&config, env)?)),
    }
}

pub(super) fn agents(json: bool, env: &Env) -> anyhow::Result<()> {
    let room = whole_room(env)?;
    let mut agents = room.agents()?;
    agents.retain(|agent| !agent.name.is_canary());
    if json {
        for agent in &mut agents {
            agent.other.remove("tokenHash");
        }
        output::print_json(&agents)?;
    } else {
        for agent in agents {
            let seen = agent.last_seen.as_deref().unwrap_or("never");
            let channels: Vec<_> = agent.subscriptions.iter().map(ToString::to_string).collect();
            output::print(&output::plain(&format!(
                "@{}  seen {seen}  {}\n",
                agent.name,
                channels.join(" ")
            )))?;
        }
    }
    Ok(mail::settle(&*room)?)
}

pub(super) fn channels(json: bool, env: &Env) -> anyhow::Result<()> {
    let room = whole_room(env)?;
    let channels = room.channels()?;
    if json {
        output::print_json(&channels)?;
    } else {
        for channel in channels {
            output::print(&format!("{channel}\n"))?;
        }
    }
    Ok(mail::settle(&*room)?)
}
