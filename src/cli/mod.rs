//! The commands: arguments, one call of the library, output.

mod args;
mod attention;
mod brain;
mod delivery;
mod demo;
mod directory;
mod doctor;
mod enrol;
mod harnesses;
mod hook;
mod identity;
mod invite;
mod join;
mod mail;
mod mcp;
mod network;
mod notify;
mod output;
mod relay;
mod room;
mod secrets;
mod send;
mod setup;
mod terminal;
mod unread;
mod watch;
mod wrap;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use crate::attention::Attention;
use crate::config::{self, Config};
use crate::credentials;
use crate::env::Env;
use crate::install;
use crate::message::{AgentName, Context};
use crate::notify::{Failure, desktop};
use crate::relay::{self as server, administrator};
use crate::repository;
use crate::spool;
use args::{Arguments, Command, ScopeArguments};
pub use hook::hook;
use mail::Mail;

/// The exit status of what may succeed later (`EX_TEMPFAIL` of sysexits(3)).
const TRY_AGAIN: u8 = 75;

/// Runs one command; the exit status is 0 (done), 1 (the user can mend it), 2 (usage) or 75 (try again later).
pub fn run(arguments: impl IntoIterator<Item = OsString>, env: &Env) -> ExitCode {
    let arguments = Arguments::with_free_bodies(arguments.into_iter().collect());
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // `--help` and `--version` are "errors" with status 0; where they cannot be printed, nothing can.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(arguments, env) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Silent>() => ExitCode::FAILURE,
        Err(error) => {
            output::remark("error", &chain(&error));
            if let Some(hint) = hint(&error) {
                output::remark("hint", &hint);
            }
            if is_temporary(&error) { ExitCode::from(TRY_AGAIN) } else { ExitCode::FAILURE }
        }
    }
}

/// Whether the same command may succeed later.
fn is_temporary(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_administration = cause.downcast_ref::<administrator::Error>();
        cause.downcast_ref::<spool::Error>().is_some_and(spool::Error::is_temporary)
            || of_administration.is_some_and(administrator::Error::is_temporary)
    })
}

/// The error and its causes; one that the line before says already is not said twice.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        said if said.ends_with(&cause) => said.to_owned(),
        said => format!("{said}: {cause}"),
    })
}

fn dispatch(arguments: Arguments, env: &Env) -> anyhow::Result<()> {
    let json = arguments.json;
    match arguments.command {
        Command::Init { name, url: Some(url), token_file, insecure, .. } => {
            identity::init_at(&name, &url, token_file.as_deref(), insecure, json, env)
        }
        Command::Init { name, switch, brain, brain_room, token_file, insecure, .. } => {
            if brain || brain::is_meant(env)? {
                let asked = brain::Asked { room: brain_room, token_file, insecure, switch };
                return brain::init(&name, &asked, json, env);
            }
            identity::init(&name, switch, json, env)
        }
        Command::Join(arguments) => join::join(&arguments, json, env),
        Command::Invite(arguments) => invite::invite(&arguments, json, env),
        Command::Whoami => identity::whoami(json, env),
        Command::Unregister { name, force } => identity::unregister(name, force, json, env),
        Command::Send(arguments) => send::send(arguments, json, env),
        Command::Reply(arguments) => send::reply(arguments, json, env),
        Command::Inbox { recent, scope } => delivery::inbox(recent, &scope, json, env),
        Command::Drain { scope } => delivery::drain(&scope, json, env),
        Command::Read { id, keep } => delivery::read(&id, keep, json, env),
        Command::Watch(arguments) => watch::watch(&arguments, json, env),
        Command::Sub { channel } => directory::subscribe(&channel, json, env),
        Command::Unsub { channel } => directory::unsubscribe(&channel, json, env),
        Command::Agents => directory::agents(json, env),
        Command::Channels => directory::channels(json, env),
        Command::Pause { span, also_span, here } => attention::pause(span.or(also_span), here, json, env),
        Command::Resume { here } => attention::resume(here, json, env),
        Command::Mute { whom } => attention::mute(&whom, json, env),
        Command::Unmute { whom } => attention::unmute(&whom, json, env),
        Command::Block { whom } => attention::block(&whom, json, env),
        Command::Unblock { whom } => attention::unblock(&whom, json, env),
        Command::Setup(arguments) => setup::setup(&arguments, json, env),
        Command::Uninstall(arguments) => setup::uninstall(&arguments, json, env),
        Command::Harnesses => harnesses::harnesses(json, env),
        Command::Doctor(arguments) => doctor::doctor(&arguments, json, env),
        Command::Notify(arguments) => notify::notify(arguments, json, env),
        Command::Mcp { agent, home } => mcp::mcp(agent, home, env),
        Command::Relay(arguments) => relay::relay(arguments, env),
        Command::Room(arguments) => room::room(arguments, json, env),
        Command::Demo => demo::demo(env),
    }
}

/// The mail of the agent that runs the command.
struct Desk {
    spool: Mail,
    agent: AgentName,
    home: PathBuf,
}

impl Desk {
    /// What its person does not want to be bothered with, as it is now.
    fn attention(&self) -> anyhow::Result<Attention> {
        Ok(Attention::load(&self.home)?)
    }
}

/// A mistake that only a command line can hold.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
struct Mistake {
    problem: String,
    hint: String,
}

/// A failure of which everything has been said.
#[derive(Debug, thiserror::Error)]
#[error("it failed")]
struct Silent;

fn mistake(problem: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Mistake { problem: problem.into(), hint: hint.into() }.into()
}

fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(mistake) = cause.downcast_ref::<Mistake>() {
            return Some(mistake.hint.clone());
        }
        cause
            .downcast_ref::<spool::Error>()
            .and_then(spool::Error::hint)
            .or_else(|| cause.downcast_ref::<credentials::Error>().and_then(credentials::Error::hint))
            .or_else(|| cause.downcast_ref::<config::Error>().and_then(config::Error::hint))
            .or_else(|| cause.downcast_ref::<install::Error>().and_then(install::Error::hint))
            .or_else(|| cause.downcast_ref::<desktop::Error>().and_then(desktop::Error::hint))
            .or_else(|| cause.downcast_ref::<Failure>().and_then(Failure::hint))
            .or_else(|| cause.downcast_ref::<server::options::Error>().and_then(server::options::Error::hint))
            .or_else(|| cause.downcast_ref::<server::Error>().and_then(server::Error::hint))
            .or_else(|| cause.downcast_ref::<administrator::Error>().and_then(administrator::Error::hint))
    })
}

/// The name in `BACKCHANNEL_AGENT`, else the one in `config.json`.
fn agent(config: &Config, env: &Env) -> anyhow::Result<AgentName> {
    match env.text("BACKCHANNEL_AGENT") {
        Some(name) => name.parse().context("could not use BACKCHANNEL_AGENT"),
        None => Ok(config.agent()?),
    }
}

fn desk(env: &Env) -> anyhow::Result<Desk> {
    open_desk(true, env)
}

/// The same, from which nothing is sent later.
fn desk_without_queue(env: &Env) -> anyhow::Result<Desk> {
    open_desk(false, env)
}

fn open_desk(may_queue: bool, env: &Env) -> anyhow::Result<Desk> {
    let config = Config::load(env)?;
    let agent = agent(&config, env)?;
    let spool = mail::open_for(&config, &agent, may_queue, env)?;
    if spool.agent(&agent)?.is_none() {
        return Err(mistake(
            format!("there is no agent @{agent} in {}", config.home.display()),
            format!("bch init {agent}"),
        ));
    }
    Ok(Desk { spool, agent, home: config.home })
}

/// Where the reader is: `--match`, or the working directory; `None` for every scope.
fn contexts(scope: &ScopeArguments, env: &Env) -> anyhow::Result<Option<Vec<Context>>> {
    if scope.all {
        return Ok(None);
    }
    match &scope.r#match {
        Some(text) => match Context::new(text) {
            Some(context) => Ok(Some(vec![context])),
            None => Err(mistake(format!("could not match `{text}`: it is empty"), "bch inbox --all")),
        },
        None => Ok(Some(repository::contexts(&env.directory().unwrap_or_else(|| PathBuf::from("/"))))),
    }
}
