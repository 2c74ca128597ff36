//! An agent of this home at a relay: registered, subscribed, kept. All that can be refused is looked at before anything is
//! changed, and what was begun is gone on with by the same command.

mod registration;

use anyhow::Context as _;

use super::{mail, mistake};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::env::Env;
use crate::message::{AgentName, ChannelName};
use crate::relay::url::{NotSecure, RelayUrl};
use crate::secret::Secret;
use crate::spool::relay::Refusal;
use crate::spool::{self, Spool as _};
use registration::{is_gone, register};

/// What admits somebody to a relay.
pub(super) struct Admission {
    pub(super) url: RelayUrl,
    pub(super) token: Secret,
    pub(super) room: Option<String>,
    pub(super) channels: Vec<ChannelName>,
    pub(super) insecure: bool,
    pub(super) way: Way,
}

/// How the command line names it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// `bch join INVITE --as NAME`.
    Invite,
    /// `bch init NAME --url URL --token-file FILE`.
    RoomToken,
}

/// What came of it.
pub(super) struct Enrolled {
    url: RelayUrl,
    channels: Vec<ChannelName>,
    /// Unread mail that stays on this machine.
    left: usize,
    /// Agents whose mail stays on this machine, where nobody looks any more.
    behind: Vec<AgentName>,
    /// Who this machine's agent was, and is known to the relay no more.
    instead_of: Option<AgentName>,
}

impl Admission {
    /// The command for a name, with what the user has to fill in.
    pub(super) fn command(&self, name: impl std::fmt::Display) -> String {
        match self.way {
            Way::Invite => format!("bch join INVITE --as {name}"),
            Way::RoomToken => format!("bch init {name} --url {} --token-file FILE", self.url),
        }
    }

    fn check_secure(&self, name: &AgentName) -> anyhow::Result<()> {
        self.url.check_secure(self.insecure).map_err(|NotSecure(url)| {
            let hint = match self.way {
                Way::Invite => format!("ask for an invite to https://{}", url.host()),
                Way::RoomToken => format!("bch init {name} --url https://{} --token-file FILE", url.host()),
            };
            mistake(
                format!("could not join: {}", NotSecure(url)),
                format!("{hint}   # or --insecure, where nobody reads along"),
            )
        })
    }

    /// What the relay says, in words for somebody who wants to join.
    fn refused(&self, refusal: Refusal, name: &AgentName) -> anyhow::Error {
        match refusal {
            Refusal::Refused { status: 409, .. } => {
                mistake(format!("the name @{name} is taken"), self.command(format!("{name}-2")))
            }
            Refusal::Unknown { url, reason } | Refusal::Refused { url, status: 403, reason } => mistake(
                format!("the relay at {url} does not admit by this token: {reason}"),
                match self.way {
                    Way::Invite => "bch invite --url URL   # whoever keeps the room makes a new one",
                    Way::RoomToken => "bch room rotate ROOM   # the operator: it makes and prints another",
                },
            ),
            refusal => anyhow::Error::new(spool::Error::from(refusal)).context("could not join"),
        }
    }
}

impl Enrolled {
    pub(super) fn text(&self, name: &AgentName) -> String {
        let mut text = format!("you are @{name}, with mail at {}\n", self.url);
        if let Some(former) = &self.instead_of {
            text.push_str(&format!(
                "the relay knows @{former} no more: @{name} is this machine's agent now\n"
            ));
        }
        for channel in &self.channels {
            text.push_str(&format!("@{name} reads {channel}\n"));
        }
        if self.left > 0 {
            text.push_str(&format!(
                "{} unread on this machine stay here: BACKCHANNEL_BACKEND=local bch drain --all\n",
                self.left
            ));
        }
        for other in &self.behind {
            text.push_str(&format!(
                "@{other} stays on this machine, out of reach: BACKCHANNEL_AGENT={other} bch join INVITE --as \
                 {other}, or look by BACKCHANNEL_BACKEND=local BACKCHANNEL_AGENT={other} bch inbox --all\n"
            ));
        }
        text
    }
}

/// Registers the name, subscribes it, and makes the relay this home's. `is_further` where the home may have another agent.
pub(super) fn enrol(
    name: &AgentName,
    admission: &Admission,
    is_further: bool,
    env: &Env,
) -> anyhow::Result<Enrolled> {
    let Admission { url, room, channels, .. } = admission;
    let mut config = Config::load(env)?;
    let is_local = config.remote().is_none();
    let gone = check_home(&config, name, admission, is_further, env)?;
    admission.check_secure(name)?;
    if !name.is_lower_case() {
        let error = spool::Error::NotLowerCase(name.clone());
        return Err(mistake(error.to_string(), admission.command(name.to_lower_case())));
    }
    let is_it = |one: &Credentials| !one.brain && one.url == *url && one.room == *room && one.agent == *name;
    Credentials::put_all_back(&config.home)?;
    let (kept, damage) = Credentials::all(&config.home)?;
    let elsewhere =
        |one: &&Credentials| !one.brain && one.url == *url && one.agent == *name && one.room != *room;
    let mut aside = Vec::new();
    if let Some(other) = kept.iter().filter(|one| !one.pending).find(elsewhere) {
        if is_gone(&config, other, env) {
            aside.push(other.clone());
        } else {
            return Err(in_another_room(other, admission));
        }
    }
    aside.extend(kept.iter().filter(|one| is_it(one) && !one.pending && is_gone(&config, one, env)).cloned());
    aside.extend(gone.clone());
    let credentials = match (kept.into_iter().find(|one| is_it(one) && !aside.contains(one)), damage) {
        // It has joined already: what follows is done again.
        (Some(done), _) if !done.pending => done,
        // The damaged one may be of this name.
        (None, Some(damage)) => return Err(damage.into()),
        _ => {
            // They come back where nothing comes of it: the relay may be what is wrong.
            aside.iter().try_for_each(|one| one.set_aside(&config.home))?;
            let registered = register(name, admission, &config)
                .inspect_err(|_| aside.iter().for_each(|one| one.put_back(&config.home)))?;
            aside.iter().for_each(|one| one.leave(&config.home));
            registered
        }
    };
    let desk = mail::open_local(&config, env)?;
    let left = desk.inbox(name).map_or(0, |inbox| inbox.messages.len());
    let others = desk.agents().unwrap_or_default().into_iter().map(|agent| agent.name);
    let behind: Vec<_> = others.filter(|other| is_local && other != name && !other.is_canary()).collect();
    let is_own = gone.is_some() || config.agent().map_or(true, |own| own == *name);
    if is_own {
        config.note_network(env);
        config.set_relay(name, url.as_str(), credentials.token.expose())?;
    }
    let spool = mail::open_relay(&config, credentials, env)?;
    for channel in channels {
        spool.subscribe(name, channel).with_context(|| format!("could not subscribe to {channel}"))?;
    }
    // The desk is made now, so that looking at it later changes nothing.
    spool.agent(name)?;
    let instead_of = gone.map(|gone| gone.agent);
    Ok(Enrolled { url: url.clone(), channels: channels.clone(), left, behind, instead_of })
}

fn in_another_room(other: &Credentials, admission: &Admission) -> anyhow::Error {
    let (room, name) = (other.room.as_deref().unwrap_or("default"), &other.agent);
    mistake(
        format!("this home's @{name} is in room {room} of the same relay"),
        format!("BACKCHANNEL_HOME=~/.backchannel-{name} {}", admission.command(name)),
    )
}

/// Refuses what would take another agent's place, or lead a home's mail away from its relay. The place of one that the
/// relay knows no more is free: that one is returned.
fn check_home(
    config: &Config,
    name: &AgentName,
    admission: &Admission,
    is_further: bool,
    env: &Env,
) -> anyhow::Result<Option<Credentials>> {
    let command = admission.command(name);
    let other_home = format!("BACKCHANNEL_HOME=~/.backchannel-{name} {command}");
    if config.remote() == Some("brain") {
        return Err(mistake(
            format!("this home's mail is in a brain: {}", config.home.display()),
            other_home,
        ));
    }
    if let Some(present) = config.text("url").filter(|_| config.remote().is_some())
        && present.parse::<RelayUrl>().ok().as_ref() != Some(&admission.url)
    {
        let problem = format!("this home's mail is at another relay: {}", config.home.display());
        return Err(mistake(problem, other_home));
    }
    let is_asked =
        env.text("BACKCHANNEL_AGENT").is_some_and(|asked| asked.parse().ok().as_ref() == Some(name));
    match config.agent() {
        Ok(present) if present != *name && !is_further && !is_asked => {
            let kept = Credentials::kept(config, &present).ok().flatten();
            match kept.filter(|kept| is_gone(config, kept, env)) {
                Some(gone) => Ok(Some(gone)),
                None => Err(mistake(
                    format!("this machine's agent is @{present}"),
                    format!("BACKCHANNEL_AGENT={name} {command}   # a further identity"),
                )),
            }
        }
        Ok(present) if present != *name && config.remote().is_none() => {
            Err(mistake(format!("the mail of this home's agent @{present} is on this machine"), other_home))
        }
        _ => Ok(None),
    }
}
