//! `setup` and `uninstall`: the plan shown, the question asked, the plan carried out, what came of it.

mod approval;
mod ask;
mod identities;
mod notifier;
mod preview;
mod purge;
mod report;
mod target;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::{PlanArguments, SetupArguments, UninstallArguments, VehicleArgument};
use super::{mistake, output};
use crate::config::Config;
use crate::env::Env;
use crate::harness::Manifest;
use crate::install::lock::SetupLock;
use crate::install::receipt::Receipt;
use crate::install::setup::{self, Choice};
use crate::install::uninstall::plan_uninstall;
use crate::install::wishes::{self, Ground, Vehicle, cron};
use crate::install::{CRON, CRONTAB, Error, NOTIFIER, PROGRAMS, Wish, codex, first_version};
use crate::message::AgentName;
pub(super) use ask::is_a_person_here;
pub(super) use ask::watch_for_signals;
use ask::{Questions, SETUP};
use identities::Identities;
use purge::Purge;
use report::{Manner, report};
use target::Target;

/// What setup says where it has nothing to set up.
pub(super) const NO_HARNESS: &str = "there is no harness here";
/// What is left to a person whose crontab nobody can look at.
const NO_CRONTAB: &str = "if cron comes back here: take our block out of your crontab (crontab -e). There is no \
                          program `crontab` now";

/// Everything that the commands on harnesses need.
pub(super) struct Site {
    pub(super) env: Env,
    data: PathBuf,
    home: PathBuf,
    pub(super) receipt: Receipt,
}

impl Site {
    pub(super) fn open(env: &Env) -> anyhow::Result<Self> {
        let data = env.data_directory().ok_or_else(no_home)?;
        let receipt = Receipt::load(&data)?;
        let home = std::path::absolute(Config::load(env)?.home)?;
        // Harnesses keep our lines in files of UTF-8.
        if let Some(strange) = [&data, &home].into_iter().find(|path| path.to_str().is_none()) {
            let problem = format!("the path {} is not UTF-8", strange.display());
            return Err(mistake(problem, "export HOME=/another/home"));
        }
        Ok(Self { env: env.clone(), data, home, receipt })
    }

    pub(super) fn ground(&self, approve_tools: bool) -> Ground<'_> {
        let (programs, home) = (self.data.join("bin"), self.home.clone());
        let identities = self.receipt.identities().clone();
        let agent = Config::load(&self.env).and_then(|config| config.agent()).ok();
        Ground { env: &self.env, programs, home, approve_tools, agent, manager: None, identities }
    }

    /// Our two programs, as they lie beside the one that runs.
    pub(super) fn programs(&self) -> anyhow::Result<Vec<Wish>> {
        let own = self.env.program().context("could not find the running program")?;
        let directory = own.parent().unwrap_or(Path::new("/")).to_owned();
        let sources = ["bch", "bch-hook"].map(|name| directory.join(name));
        if let Some(missing) = sources.iter().find(|source| !source.is_file()) {
            return Err(mistake(format!("{} is missing", missing.display()), "cargo build --release"));
        }
        let mut wishes = wishes::programs(&self.data.join("bin"), &sources);
        wishes.extend(first_version::units(PROGRAMS, &self.env.home().ok_or_else(no_home)?));
        Ok(wishes)
    }
}

fn no_home() -> anyhow::Error {
    mistake("there is no home directory", "export HOME=/your/home")
}

pub(super) fn setup(arguments: &SetupArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let _lock = lock(&arguments.plan, env)?;
    // After the lock: while it is waited for, a signal ends the process.
    let stop = watch_for_signals()?;
    let mut site = Site::open(env)?;
    let identities = identities(arguments, env)?;
    identities.check_tokens(env)?;
    let choice = choice(arguments);
    let mut ground = site.ground(arguments.approve_tools);
    identities.apply(&mut ground);
    notifier::ask_manager(&mut ground, &choice)?;
    let manager = ground.manager.clone();
    let missing = notifier::missing(&ground, &choice, &site.receipt);
    let mut parts = setup::plan_setup(&ground, &choice, site.programs()?, &site.receipt);
    if parts.len() == 1 {
        return Err(mistake(
            NO_HARNESS,
            "npm install -g @openai/codex   # or another harness, then: bch setup",
        ));
    }
    for manifest in Manifest::all().iter().filter(|manifest| parts.iter().any(|part| part.id == manifest.id))
    {
        for (name, value) in manifest.install.variables(env) {
            site.receipt.remember_variable(&name, value.as_deref());
        }
    }
    let (word, confirmation) = (SETUP, "Set these up?");
    let questions = Questions { word, confirmation, arguments: &arguments.plan, json, stop: &stop, env };
    let with_approval = || {
        let mut ground = site.ground(true);
        identities.apply(&mut ground);
        ground.manager.clone_from(&manager);
        Ok(setup::plan_setup(&ground, &choice, site.programs()?, &site.receipt))
    };
    let with_approval: Option<&dyn Fn() -> anyhow::Result<Vec<setup::Part>>> =
        if arguments.approve_tools { None } else { Some(&with_approval) };
    let go = questions.proceed(&mut parts, with_approval).map_err(|error| stopped(error, word))?;
    let (mut trusted, mut started, mut registered) = (Ok(()), Ok(()), Ok(()));
    if go {
        setup::carry_out(&mut parts, &mut site.receipt, &stop)
            .map_err(|error| stopped(error.into(), word))?;
        registered = identities.register(&parts);
        started = notifier::start(&parts, manager.as_ref(), &site, &choice);
        if parts.iter().any(|part| part.id == "codex" && part.is_done) {
            trusted = questions.trust_codex(arguments.trust_hooks, &site);
        }
    }
    // Whatever came of these, what was done is told.
    let manner = Manner { json, is_only_shown: !go, is_seen: !arguments.plan.yes, env };
    let reported = report(&parts, &manner, |id| {
        let missing = missing.iter().filter(|_| id == PROGRAMS).cloned();
        steps(id, &site).into_iter().chain(missing).collect()
    });
    if go && !json {
        approval::tell(&parts, &site)?;
    }
    let late = ("stopped at the question of trust; what is set up stays", "codex   # then /hooks");
    trusted.map_err(|error| stopped_late(error, late)).and(registered).and(reported)?;
    Ok(started.map_err(Error::from)?)
}

pub(super) fn uninstall(arguments: &UninstallArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let purge = arguments.purge;
    let arguments = &arguments.plan;
    let _lock = lock(arguments, env)?;
    let stop = watch_for_signals()?;
    let mut site = Site::open(env)?;
    // Files that a variable moved at setup are still there when it is not set any more.
    site.env = site.env.with(site.receipt.environment());
    only(arguments)?;
    let choice = Choice { only: arguments.only.clone(), ..Choice::default() };
    let programs = site.programs().unwrap_or_default();
    let records = site.receipt.records().iter().filter(|record| record.owner == PROGRAMS);
    let made: Vec<_> = records.flat_map(|record| record.directories.clone()).collect();
    let mut parts = plan_uninstall(&site.ground(true), &choice, &programs, &site.receipt);
    let (word, confirmation) = ("uninstall", "Take these out?");
    let count = parts.len();
    let questions = Questions { word, confirmation, arguments, json, stop: &stop, env };
    let go = questions.proceed(&mut parts, None).map_err(|error| stopped(error, word))?;
    let mut ended = Ok(());
    if go {
        if parts.len() < count {
            // A harness that was not picked still starts them.
            parts.retain(|part| part.id != PROGRAMS);
        }
        let running = notifier::stop(&mut parts, &site.env);
        match setup::carry_out(&mut parts, &mut site.receipt, &stop) {
            Ok(()) => ended = running.end(&parts, &site.env),
            Err(error) => {
                running.resume(&site.env).map_err(Error::from)?;
                return Err(stopped(error.into(), word));
            }
        }
        if site.receipt.records().is_empty() {
            // They held the programs and the receipt; what else is in one keeps it.
            for directory in [site.data.join("originals"), site.data.join("bin"), site.data.clone()] {
                let _ = fs::remove_dir(directory);
            }
            for directory in made.iter().rev() {
                let _ = fs::remove_dir(directory);
            }
        }
    }
    let manner = Manner { json, is_only_shown: !go, is_seen: !arguments.yes, env };
    let left = |id: &str| match id {
        NOTIFIER if go => notifier::runs_on(&site.home).into_iter().collect(),
        CRON if go && site.env.find_program(CRONTAB).is_none() => vec![NO_CRONTAB.to_owned()],
        _ => Vec::new(),
    };
    report(&parts, &manner, left)?;
    ended.map_err(Error::from)?;
    let is_kept = go && !site.receipt.records().is_empty();
    match purge && (go || arguments.dry_run) {
        true if is_kept => {
            Err(mistake("mail and identity stay while a harness is set up", "bch uninstall --purge"))
        }
        true => take_mail_away(&questions, env),
        false => Ok(()),
    }
}

/// What only `--purge` takes, once nothing in a harness leads to it any more.
fn take_mail_away(questions: &Questions<'_>, env: &Env) -> anyhow::Result<()> {
    let purge = Purge::plan(env)?;
    if !questions.json {
        purge.tell()?;
    }
    if questions.arguments.dry_run {
        return Ok(());
    }
    if !questions.arguments.yes && !questions.can_ask() {
        return Err(mistake("mail and identity stay: nobody is here to ask", "bch uninstall --purge --yes"));
    }
    let question = "Take that away, too? It cannot be undone.";
    let late = ("stopped; mail and identity stay, the harnesses are taken out", "bch uninstall --purge");
    if questions.arguments.yes
        || questions.confirm(question, false).map_err(|error| stopped_late(error, late))?
    {
        return purge.carry_out(questions.json);
    }
    Ok(output::print("mail and identity stay\n")?)
}

/// Refuses what no setup can do, before anything is changed; the agents that harnesses are to have of their own, or have
/// by an earlier setup.
pub(super) fn check(arguments: &SetupArguments, env: &Env) -> anyhow::Result<Vec<AgentName>> {
    let wanted = identities(arguments, env)?;
    let site = Site::open(env)?;
    let earlier = site.receipt.identities().iter().filter(|(id, _)| !wanted.names_agent_of(id));
    let mut names: Vec<_> = wanted.names().chain(earlier.map(|(_, agent)| agent)).cloned().collect();
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    Ok(names)
}

fn identities(arguments: &SetupArguments, env: &Env) -> anyhow::Result<Identities> {
    for target in only(&arguments.plan)?.iter().flatten() {
        target.check_is_here(env)?;
    }
    if arguments.trust_hooks && !is_a_person_here(env) {
        return Err(mistake(
            "could not trust hooks: no person is at a terminal, and an agent must not do it for its user",
            "codex   # then /hooks",
        ));
    }
    Identities::check(&arguments.identity, &choice(arguments), env)
}

fn choice(arguments: &SetupArguments) -> Choice {
    let vehicle = arguments.vehicle.map(|vehicle| match vehicle {
        VehicleArgument::Folder => Vehicle::Folder,
        VehicleArgument::Settings => Vehicle::Settings,
    });
    Choice { only: arguments.plan.only.clone(), vehicle, notifier: !arguments.no_notify }
}

/// The lock under which a plan is made and carried out.
fn lock(arguments: &PlanArguments, env: &Env) -> anyhow::Result<Option<SetupLock>> {
    let home = env.home().filter(|_| !arguments.dry_run);
    Ok(home.map(|home| SetupLock::take(&home)).transpose()?)
}

/// What `--only` names.
fn only(arguments: &PlanArguments) -> anyhow::Result<Option<Vec<Target>>> {
    let named = arguments.only.as_ref().map(|ids| ids.iter().map(|id| Target::find(id)).collect());
    named.transpose()
}

fn is_stop(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Stopped))
}

/// A stop, with the command to begin again. Its exit status is 1, as of all that the user can mend by a second
/// run: 130 would say that a signal ended the process, and it ended by itself, with everything taken back.
fn stopped(error: anyhow::Error, word: &str) -> anyhow::Error {
    if is_stop(&error) { mistake(error.to_string(), format!("bch {word}")) } else { error }
}

/// The same at a question that comes when the files are written.
fn stopped_late(error: anyhow::Error, (problem, hint): (&str, &str)) -> anyhow::Error {
    if is_stop(&error) { mistake(problem, hint) } else { error }
}

/// What a person has to do yet.
fn steps(id: &str, site: &Site) -> Vec<String> {
    let mut steps = Vec::new();
    let is_trusted =
        || Manifest::find("codex").is_some_and(|manifest| codex::is_trusted(&manifest, &site.env));
    if id == "codex" && !is_trusted() {
        steps.push(
            "run `codex`, then `/hooks`, and trust the hooks of backchannel: until then Codex skips them"
                .into(),
        );
    }
    if id == CRON {
        steps.extend(cron::steps(&site.ground(false)).iter().map(ToString::to_string));
    }
    if id == PROGRAMS && Config::load(&site.env).is_ok_and(|config| config.agent().is_err()) {
        steps.push("name this machine's agent: bch init NAME".into());
    }
    steps
}
