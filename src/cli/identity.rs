//! Who this machine's agent is: `init`, `whoami`, `unregister`.

use std::path::Path;

use anyhow::Context as _;

use super::enrol::{Admission, Way, enrol};
use super::{mail, mistake, output, secrets};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::env::Env;
use crate::message::AgentName;
use crate::relay::url::{InvalidUrl, RelayUrl};

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
        let hint = match config.remote() {
            Some("relay") => {
                format!("BACKCHANNEL_AGENT={name} bch join INVITE --as {name}   # a further identity")
            }
            _ => format!(
                "BACKCHANNEL_AGENT={name} bch init {name}   # a further identity; or: bch init {name} --switch"
            ),
        };
        return Err(mistake(format!("this machine's agent is @{present}"), hint));
    }
    let spool = mail::open(&config, &name, env)?;
    let agent = spool.register(&name).with_context(|| format!("could not make @{name}"))?;
    if present.is_none() || (switch && !is_further) {
        make_own(&mut config, present.as_ref(), &agent.name)?;
    }
    if json {
        output::print_json(&agent)?;
    } else {
        let place = match Credentials::find(&config, &agent.name, env)? {
            Some(elsewhere) => format!("at {}", elsewhere.url),
            None => format!("in {}", config.home.display()),
        };
        output::print(&output::plain(&format!("you are @{}, with mail {place}\n", agent.name)))?;
    }
    Ok(())
}

/// Makes the agent at a relay, by the room's token.
pub(super) fn init_at(
    name: &str,
    url: &str,
    token_file: Option<&Path>,
    insecure: bool,
    json: bool,
    env: &Env,
) -> anyhow::Result<()> {
    let name: AgentName = name.parse().context("could not make the agent")?;
    let again = |url: &str| format!("bch init {name} --url {url} --token-file FILE");
    let url: RelayUrl = url.parse().map_err(|error: InvalidUrl| {
        mistake(format!("could not use the URL: {error}"), again(InvalidUrl::example()))
    })?;
    let token = secrets::token(&secrets::ROOM, token_file, &again(url.as_str()), env)?;
    let admission = Admission { url, token, room: None, channels: Vec::new(), insecure, way: Way::RoomToken };
    let enrolled = enrol(&name, &admission, false, env)?;
    if json {
        return whoami(true, env);
    }
    output::print(&output::plain(&enrolled.text(&name)))?;
    Ok(())
}

/// Makes the agent this machine's. At a relay its token goes with its name; the one before keeps its own.
fn make_own(config: &mut Config, present: Option<&AgentName>, name: &AgentName) -> anyhow::Result<()> {
    let Some(credentials) = Credentials::kept(config, name)? else {
        return Ok(config.set_agent(Some(name))?);
    };
    if let Some(before) = present.map(|present| Credentials::kept(config, present)) {
        // Where it has no token there is none to keep.
        before.ok().flatten().map_or(Ok(()), |before| before.keep(&config.home))?;
    }
    Ok(config.set_relay(name, credentials.url.as_str(), credentials.token.expose())?)
}

pub(super) fn whoami(json: bool, env: &Env) -> anyhow::Result<()> {
    let config = Config::load(env)?;
    let agent = super::agent(&config, env)?;
    let backend = config.remote().unwrap_or("local");
    let relay = Credentials::find(&config, &agent, env)?;
    let backend = match &relay {
        Some(found) if found.brain => "brain",
        Some(_) => "relay",
        None => backend,
    };
    if json {
        let (url, room) = relay.map(|relay| (relay.url, relay.room)).unzip();
        let mut who = serde_json::json!({ "agent": agent, "backend": backend, "home": config.home });
        for (name, value) in [("url", url.map(String::from)), ("room", room.flatten())] {
            if let Some(value) = value {
                who[name] = value.into();
            }
        }
        output::print_json(&who)?;
    } else {
        let place = relay.map_or_else(|| config.home.display().to_string(), |relay| relay.url.to_string());
        output::print(&format!("@{agent} ({backend}, {place})\n"))?;
    }
    Ok(())
}

pub(super) fn unregister(name: Option<String>, force: bool, json: bool, env: &Env) -> anyhow::Result<()> {
    let mut config = Config::load(env)?;
    let name = match name {
        Some(name) => name.parse().context("could not take the agent away")?,
        None => super::agent(&config, env)?,
    };
    mail::open(&config, &name, env)?
        .unregister(&name, force)
        .with_context(|| format!("could not take @{name} away"))?;
    if let Some(credentials) = Credentials::find(&config, &name, env)?.filter(|one| one.brain) {
        credentials.remove(&config.home);
    }
    if config.agent().is_ok_and(|agent| agent == name) {
        config.set_agent(None)?;
    }
    if json {
        output::print_json(&serde_json::json!({ "agent": name, "registered": false }))?;
    } else {
        output::print(&format!("@{name} is gone, and its mailbox\n"))?;
    }
    Ok(())
}
