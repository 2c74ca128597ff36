//! `init --brain`: an agent of this home in a Unison brain. All that can be refused is looked at before anything is
//! changed.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{identity, mail, mistake, output, secrets};
use crate::config::Config;
use crate::credentials::{Credentials, brain_room, brain_url};
use crate::env::Env;
use crate::message::AgentName;
use crate::relay::url::{NotSecure, RelayUrl};
use crate::secret::Secret;
use crate::shell::word;
use crate::spool::Spool as _;
use crate::spool::brain::{Room, URL};
use crate::spool::local::files;

/// What the command line says.
pub(super) struct Asked {
    pub(super) room: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) insecure: bool,
    pub(super) switch: bool,
}

/// Whether `init` means a brain without being told: the environment says so, or the home is of one.
pub(super) fn is_meant(env: &Env) -> anyhow::Result<bool> {
    Ok(match env.text("BACKCHANNEL_BACKEND") {
        Some(backend) => backend == "brain",
        None => Config::load(env)?.remote() == Some("brain"),
    })
}

pub(super) fn init(name: &str, asked: &Asked, json: bool, env: &Env) -> anyhow::Result<()> {
    let name: AgentName = name.parse().context("could not make the agent")?;
    let mut config = Config::load(env)?;
    let room = match &asked.room {
        Some(room) => room.parse::<Room>().map_err(|error| {
            mistake(
                format!("could not use the room `{room}`: {error}"),
                format!("bch init {name} --brain --brain-room team"),
            )
        })?,
        None => brain_room(&config, env.text("BACKCHANNEL_ROOM"))?,
    };
    let (url, _) = brain_url(&config, env.text("UNISON_API_URL"))?;
    let again = format!("bch init {name} --brain --brain-room {room} --token-file FILE");
    check_home(&config, &name, &url, &room, asked.switch, &again, env)?;
    url.check_secure(asked.insecure).map_err(|NotSecure(url)| {
        mistake(
            format!("could not use the brain: {}", NotSecure(url)),
            format!("{again} --insecure   # where nobody reads along"),
        )
    })?;
    let token = token(&config, asked, &url, &room, &again, env)?;
    let credentials = Credentials {
        url: url.clone(),
        room: Some(room.to_string()),
        agent: name.clone(),
        token,
        insecure: asked.insecure,
        pending: false,
        brain: true,
    };
    let spool = mail::open_brain(&config, credentials.clone(), env)?;
    let agent = spool.register(&name).with_context(|| format!("could not make @{name}"))?;
    let credentials = Credentials { agent: agent.name.clone(), ..credentials };
    files::make_directory(&config.home)?;
    credentials.keep(&config.home)?;
    let present = config.agent().ok();
    if present.as_ref().is_none_or(|present| *present == agent.name) || asked.switch {
        let elsewhere = (url.as_str() != URL).then(|| url.as_str());
        config.note_network(env);
        config.set_brain(&agent.name, elsewhere, room.as_str())?;
    }
    if json {
        return identity::whoami(true, env);
    }
    let name = &agent.name;
    let mut text = format!("you are @{name}, with mail in the brain at {url}, room {room}\n");
    let left = mail::open_local(&config, env)?.inbox(name).map_or(0, |inbox| inbox.messages.len());
    if left > 0 {
        text.push_str(&format!(
            "{left} unread on this machine stay here: BACKCHANNEL_BACKEND=local bch drain --all\n"
        ));
    }
    output::print(&output::plain(&text))?;
    Ok(())
}

/// The token: what is given, else what the home has for this brain, else it is asked for.
fn token(
    config: &Config,
    asked: &Asked,
    url: &RelayUrl,
    room: &Room,
    again: &str,
    env: &Env,
) -> anyhow::Result<Secret> {
    if asked.token_file.is_none() && env.text("UNISON_TOKEN").is_none() {
        let kept = Credentials::all(&config.home)?.0.into_iter().find(|one| one.is_of_brain(url, room));
        if let Some(kept) = kept {
            return Ok(kept.token);
        }
        let is_of_home = config.remote() == Some("brain") && brain_url(config, None)?.0 == *url;
        if let Some(token) = config.text("brainToken").filter(|_| is_of_home) {
            let place = word(&config.home.join("config.json"));
            return Secret::parse(token)
                .map_err(|error| mistake(format!("could not use the token in {place}: {error}"), again));
        }
    }
    secrets::token(&secrets::BRAIN, asked.token_file.as_deref(), again, env)
}

/// Refuses what would take another agent's place, or lead a home's mail away from where it is.
fn check_home(
    config: &Config,
    name: &AgentName,
    url: &RelayUrl,
    room: &Room,
    switch: bool,
    again: &str,
    env: &Env,
) -> anyhow::Result<()> {
    let asked = env.text("BACKCHANNEL_AGENT");
    let is_further = match &asked {
        Some(asked) if asked.parse::<AgentName>().ok().as_ref() == Some(name) => true,
        Some(asked) => {
            return Err(mistake(
                format!("could not make @{name}: BACKCHANNEL_AGENT asks for `{asked}`"),
                format!("BACKCHANNEL_AGENT={name} bch init {name} --brain"),
            ));
        }
        None => false,
    };
    let other_home = format!("BACKCHANNEL_HOME=~/.backchannel-{name} {again}");
    let home = config.home.display();
    let (kept_url, kept_room) = (brain_url(config, None)?.0, brain_room(config, None)?);
    match (config.remote(), config.agent().ok()) {
        (Some("relay"), _) => Err(mistake(format!("this home's mail is at a relay: {home}"), other_home)),
        (Some(_), _) if kept_url != *url || kept_room != *room => Err(mistake(
            format!("this home's mail is in room {kept_room} of the brain at {kept_url}"),
            other_home,
        )),
        (None, Some(present)) if present != *name => {
            Err(mistake(format!("the mail of this home's agent @{present} is on this machine"), other_home))
        }
        (_, Some(present)) if present != *name && !is_further && !switch => Err(mistake(
            format!("this machine's agent is @{present}"),
            format!(
                "BACKCHANNEL_AGENT={name} bch init {name}   # a further identity; or: bch init {name} --switch"
            ),
        )),
        _ => Ok(()),
    }
}
