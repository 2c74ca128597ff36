//! `setup --identity HARNESS=NAME`: harnesses with an agent of their own.

use anyhow::Context as _;

use super::target::Target;
use crate::cli::{mail, mistake};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::env::Env;
use crate::install::setup::{Choice, Part};
use crate::install::wishes::Ground;
use crate::message::AgentName;
use crate::spool::Spool as _;
use crate::spool::local::LocalSpool;

/// What the command line says of identities; checked, so that only a disk can refuse it.
pub(super) struct Identities {
    /// Each harness's id, and its agent; `None` for this machine's.
    wanted: Vec<(String, Option<AgentName>)>,
    spool: LocalSpool,
    /// Whether names are a relay's to give.
    is_elsewhere: bool,
}

impl Identities {
    /// Reads the pairs; nothing is made yet.
    pub(super) fn check(pairs: &[String], choice: &Choice, env: &Env) -> anyhow::Result<Self> {
        let config = Config::load(env)?;
        let spool = mail::open_local(&config, env)?;
        let mut wanted: Vec<(String, Option<AgentName>)> = Vec::new();
        for pair in pairs {
            let Some((id, name)) = pair.split_once('=') else {
                return Err(mistake(
                    format!("`{pair}` gives no harness an agent"),
                    "bch setup --identity codex=bob-codex",
                ));
            };
            let target = Target::find(id)?;
            if matches!(target, Target::Notifier) {
                return Err(mistake(
                    "the notifier tells of every agent's mail, and has none of its own",
                    "bch setup --identity codex=bob-codex",
                ));
            }
            if choice.only.as_ref().is_some_and(|only| !only.iter().any(|other| other == target.id())) {
                return Err(mistake(
                    format!("could not give {} an agent: `--only` leaves it out", target.title()),
                    format!("bch setup --only {id} --identity {pair}"),
                ));
            }
            if choice.only.is_none() && !target.is_by_default(env) {
                return Err(mistake(
                    format!("could not give {} an agent: it is not here", target.title()),
                    target.command(),
                ));
            }
            if wanted.iter().any(|(other, _)| *other == target.id()) {
                return Err(mistake(
                    format!("{} is given an agent twice", target.title()),
                    format!("bch setup --identity {pair}"),
                ));
            }
            let name = (!name.is_empty()).then(|| name.parse::<AgentName>()).transpose();
            let name = name.with_context(|| format!("could not give {} an agent", target.title()))?;
            if let Some(name) = &name
                && !name.is_lower_case()
                && spool.agent(name)?.is_none()
            {
                return Err(mistake(
                    format!("could not give {} an agent: new names are lower case", target.title()),
                    format!("bch setup --identity {id}={}", name.to_lower_case()),
                ));
            }
            wanted.push((target.id().to_owned(), name));
        }
        Ok(Self { wanted, spool, is_elsewhere: config.remote().is_some() })
    }

    /// The agents that harnesses are to have.
    pub(super) fn names(&self) -> impl Iterator<Item = &AgentName> {
        self.wanted.iter().filter_map(|(_, name)| name.as_ref())
    }

    /// Whether the harness's agent is among what was asked for.
    pub(super) fn names_agent_of(&self, id: &str) -> bool {
        self.wanted.iter().any(|(wanted, _)| wanted == id)
    }

    /// At a relay a name comes with an invite, in a brain with a token.
    pub(super) fn check_tokens(&self, env: &Env) -> anyhow::Result<()> {
        let config = Config::load(env)?;
        self.names().try_for_each(|name| Credentials::kept(&config, name).map(drop))?;
        Ok(())
    }

    /// Lays them over what an earlier setup was told.
    pub(super) fn apply(&self, ground: &mut Ground<'_>) {
        for (id, agent) in &self.wanted {
            match agent {
                Some(agent) => drop(ground.identities.insert(id.clone(), agent.clone())),
                None => drop(ground.identities.remove(id)),
            }
        }
    }

    /// Makes the agents that are not there yet. It comes after the harnesses: an agent without a reader would take
    /// mail that nobody is shown, a reader without an agent finds none until the next run.
    pub(super) fn register(&self, parts: &[Part]) -> anyhow::Result<()> {
        if self.is_elsewhere {
            return Ok(());
        }
        let is_done = |id: &str| parts.iter().any(|part| part.id == id && part.is_done);
        let done = self.wanted.iter().filter(|(id, _)| is_done(id));
        for agent in done.filter_map(|(_, agent)| agent.as_ref()) {
            self.spool.register(agent).with_context(|| format!("could not make @{agent}"))?;
        }
        Ok(())
    }
}
