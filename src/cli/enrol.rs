//! An agent of this home at a relay: registered, subscribed, kept. All that can be refused is looked at before anything is
//! changed, and what was begun is gone on with by the same command.

use anyhow::Context as _;

use super::{mail, mistake};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::env::Env;
use crate::message::{AgentName, ChannelName};
use crate::relay::url::{NotSecure, RelayUrl};
use crate::secret::Secret;
use crate::spool::local::files;
use crate::spool::relay::{Newcomer, Refusal};
use crate::spool::{self, Spool as _};

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
        for channel in &self.channels {
            text.push_str(&format!("@{name} reads {channel}\n"));
        }
        if self.left > 0 {
            text.push_str(&format!(
                "{} unread on this machine stay here: BACKCHANNEL_BACKEND=local bch drain --all\n",
                self.left
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
    check_home(&config, name, admission, is_further, env)?;
    admission.check_secure(name)?;
    if !name.is_lower_case() {
        let error = spool::Error::NotLowerCase(name.clone());
        return Err(mistake(error.to_string(), admission.command(name.to_lower_case())));
    }
    let is_it = |one: &Credentials| !one.brain && one.url == *url && one.room == *room && one.agent == *name;
    let (kept, damage) = Credentials::all(&config.home)?;
    let elsewhere =
        |one: &&Credentials| !one.brain && one.url == *url && one.agent == *name && one.room != *room;
    if let Some(other) = kept.iter().filter(|one| !one.pending).find(elsewhere) {
        let room = other.room.as_deref().unwrap_or("default");
        return Err(mistake(
            format!("this home's @{name} is in room {room} of the same relay"),
            format!("BACKCHANNEL_HOME=~/.backchannel-{name} {}", admission.command(name)),
        ));
    }
    let credentials = match (kept.into_iter().find(is_it), damage) {
        // It has joined already: what follows is done again.
        (Some(done), _) if !done.pending => done,
        // The damaged one may be of this name.
        (None, Some(damage)) => return Err(damage.into()),
        _ => register(name, admission, &config)?,
    };
    let left = mail::open_local(&config, env)?.inbox(name).map_or(0, |inbox| inbox.messages.len());
    let is_own = config.agent().map_or(true, |own| own == *name);
    if is_own {
        config.set_relay(name, url.as_str(), credentials.token.expose())?;
    }
    let spool = mail::open_relay(&config, credentials, env)?;
    for channel in channels {
        spool.subscribe(name, channel).with_context(|| format!("could not subscribe to {channel}"))?;
    }
    // The desk is made now, so that looking at it later changes nothing.
    spool.agent(name)?;
    Ok(Enrolled { url: url.clone(), channels: channels.clone(), left })
}

/// Refuses what would take another agent's place, or lead a home's mail away from its relay.
fn check_home(
    config: &Config,
    name: &AgentName,
    admission: &Admission,
    is_further: bool,
    env: &Env,
) -> anyhow::Result<()> {
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
        Ok(present) if present != *name && !is_further && !is_asked => Err(mistake(
            format!("this machine's agent is @{present}"),
            format!("BACKCHANNEL_AGENT={name} {command}   # a further identity"),
        )),
        Ok(present) if present != *name && config.remote().is_none() => {
            Err(mistake(format!("the mail of this home's agent @{present} is on this machine"), other_home))
        }
        _ => Ok(()),
    }
}

/// Registers the name with a token that is kept before the relay is asked: where the answer is lost, the same again is
/// the same registration.
fn register(name: &AgentName, admission: &Admission, config: &Config) -> anyhow::Result<Credentials> {
    let Admission { url, token, room, insecure, .. } = admission;
    let meet = |token: &Secret| Newcomer::meet(url.clone(), room.clone(), token.clone());
    let newcomer = meet(token).map_err(|refusal| admission.refused(refusal, name))?;
    files::make_directory(&config.home)?;
    let (mut credentials, is_new) = Credentials {
        url: url.clone(),
        room: room.clone(),
        agent: name.clone(),
        token: Secret::random()?,
        insecure: *insecure,
        pending: true,
        brain: false,
    }
    .begin(&config.home)?;
    if !credentials.pending {
        return Ok(credentials);
    }
    let registered = newcomer.register(name, &credentials.token).or_else(|refusal| {
        let own = match &refusal {
            // The name may be ours: by the token that this home has of the same relay.
            Refusal::Refused { status: 409, .. } => {
                let own = Credentials::kept(config, name).ok().flatten().filter(|own| own.url == *url);
                own.map(|own| own.token)
            }
            // An earlier try may have come to something that its answer did not tell.
            Refusal::Unknown { .. } | Refusal::Refused { .. } if !is_new => Some(credentials.token.clone()),
            _ => None,
        };
        match own {
            Some(own) if meet(&own).and_then(|again| again.register_again(name)).is_ok() => Ok(own),
            _ => Err(refusal),
        }
    });
    match registered {
        Ok(token) => {
            (credentials.token, credentials.pending) = (token, false);
            credentials.keep(&config.home)?;
            Ok(credentials)
        }
        Err(refusal) => {
            let is_anothers = matches!(refusal, Refusal::Refused { status: 409, .. });
            let may_be_ours = !is_new
                || matches!(refusal, Refusal::Unreachable { is_heard: true, .. } | Refusal::NoRelay { .. });
            if is_anothers || !may_be_ours {
                // Nothing came of it, and nothing stays.
                credentials.forget(&config.home);
            }
            Err(admission.refused(refusal, name))
        }
    }
}
