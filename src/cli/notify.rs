//! `notify`: urgent mail on the desktop, until the end is asked for; `--once`, `--test`, `--status`.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::thread;

use anyhow::Context as _;
use serde_json::json;

use super::args::NotifyArguments;
use super::mail::{self, Mail};
use super::{Silent, mistake, network, output};
use crate::config::Config;
use crate::env::Env;
use crate::message::AgentName;
use crate::notify::announcement::Announcement;
use crate::notify::status::{self, Running, Status};
use crate::notify::{self, Bell, Notifier, Rings, Waiting, desktop};
use crate::spool::local::files;
use crate::spool::{Several, Spool as _, Watch, Whose};

pub(super) fn notify(arguments: NotifyArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let config = match &arguments.home {
        // A unit or a crontab names it: what else is in the environment does not count then.
        Some(home) => Config::load_from(home)?,
        None => Config::load(env)?,
    };
    if arguments.status {
        return tell_status(&config, json);
    }
    if arguments.test {
        return test(json, env);
    }
    config.notify_settings()?;
    if arguments.home.is_some() {
        network::as_kept(&config, env)?;
    }
    if arguments.once { once(&arguments, config, json, env) } else { serve(&arguments, config, env) }
}

fn serve(arguments: &NotifyArguments, config: Config, env: &Env) -> anyhow::Result<()> {
    let home = config.home.clone();
    let rings = Rings::new();
    end_by_signal(rings.bell())?;
    let _running = match Running::take(&home).context("could not start the notifier")? {
        Ok(running) => running,
        Err(process) => {
            return Err(mistake(
                format!("process {process} notifies of this home's mail already: {}", home.display()),
                "bch notify --status",
            ));
        }
    };
    // Whoever is at it with `--once` ends first: what both were to show would come twice.
    drop(turn(&home)?);
    let mut notifier = notifier(arguments, config, rings.bell(), env)?;
    output::remark("note", &format!("notifying of urgent mail in {}", home.display()));
    let mut rings = rings;
    notifier.run(&mut rings, &mut |trouble| output::remark("error", &format!("could not notify: {trouble}")));
    Ok(())
}

fn once(arguments: &NotifyArguments, config: Config, json: bool, env: &Env) -> anyhow::Result<()> {
    let home = config.home.clone();
    let _turn = turn(&home)?;
    if let Some(process) = status::running(&home).context("could not look for the notifier")? {
        return told(json, &json!({ "announced": 0, "running": process }), || {
            format!("process {process} notifies of this home's mail already")
        });
    }
    let mut notifier = notifier(arguments, config, Rings::new().bell(), env)?;
    // Where one place does not answer, what is here and elsewhere is announced all the same.
    let caught_up = notifier.catch_up();
    let pass = notifier.pass();
    if let Some((_, Waiting::Failed)) = pass.waiting {
        let failure = notifier.into_failure().context("could not notify")?;
        return Err(anyhow::Error::new(failure).context("could not notify"));
    }
    caught_up.context("could not look for all urgent mail")?;
    let waiting = pass.waiting.map_or(0, |(count, _)| count);
    told(json, &json!({ "announced": pass.announced, "waiting": waiting }), || match pass.waiting {
        Some((count, Waiting::Paused)) => format!("{count} wait: mail is paused"),
        Some((count, Waiting::Quiet)) => format!("{count} wait: these are quiet hours"),
        _ => format!("{} announced", pass.announced),
    })
}

fn notifier(arguments: &NotifyArguments, config: Config, bell: Bell, env: &Env) -> anyhow::Result<Notifier> {
    // A unit's notifier has its home named: it does not listen to the environment.
    let agents = arguments.agent.as_slice();
    let elsewhere = mail::open_all_kept(&config, env)?;
    let watch = if elsewhere.is_empty() {
        watch_local(agents, &config, bell, env)
    } else {
        watch_elsewhere(agents, elsewhere, &config, bell)
    }?;
    Notifier::new(config, env, watch, desktop::of_session(env)).context("could not start the notifier")
}

fn watch_local(
    agents: &[AgentName],
    config: &Config,
    bell: Bell,
    env: &Env,
) -> anyhow::Result<Box<dyn Watch>> {
    let spool = mail::open_local(config, env)?;
    for agent in agents {
        if spool.agent(agent)?.is_none() {
            return Err(unknown(agent, config));
        }
    }
    let whose = if agents.is_empty() { Whose::All } else { Whose::These(agents.to_vec()) };
    spool.watch(whose, Box::new(move || bell.ring())).context("could not watch the mailboxes")
}

fn watch_elsewhere(
    agents: &[AgentName],
    elsewhere: Vec<(AgentName, Mail)>,
    config: &Config,
    bell: Bell,
) -> anyhow::Result<Box<dyn Watch>> {
    if let Some(agent) = agents.iter().find(|agent| !elsewhere.iter().any(|(other, _)| other == *agent)) {
        return Err(unknown(agent, config));
    }
    let mut watches = Vec::new();
    for (agent, spool) in elsewhere {
        if agents.is_empty() || agents.contains(&agent) {
            let bell = bell.clone();
            let whose = Whose::These(vec![agent.clone()]);
            let watch = spool.watch(whose, Box::new(move || bell.ring()));
            watches.push((agent, watch.context("could not watch the mailbox")?));
        }
    }
    Ok(Box::new(Several::new(watches)))
}

fn unknown(agent: &AgentName, config: &Config) -> anyhow::Error {
    mistake(format!("there is no agent @{agent} in {}", config.home.display()), "bch agents")
}

/// Held while messages are announced by a command that does not stay.
fn turn(home: &std::path::Path) -> anyhow::Result<files::Lock> {
    let directory = notify::directory(home);
    files::make_directory(&directory)?;
    Ok(files::lock(directory.join("once.lock"))?)
}

/// Ends the loop at the first signal that asks for it, in place of ending the process in the middle of a write.
fn end_by_signal(bell: Bell) -> anyhow::Result<()> {
    let (mut told, tell) = UnixStream::pair().context("could not watch for signals")?;
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let tell = tell.try_clone().context("could not watch for signals")?;
        signal_hook::low_level::pipe::register(signal, tell).context("could not watch for signals")?;
    }
    let wait = move || {
        let _ = told.read(&mut [0]);
        bell.end();
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).context("could not watch for signals")?;
    Ok(())
}

fn test(json: bool, env: &Env) -> anyhow::Result<()> {
    let mut desktop = desktop::of_session(env);
    let server = desktop.greet().context("could not show a test")?;
    let announcement = Announcement {
        title: "backchannel: a test".to_owned(),
        body: "Urgent mail is announced like this: <b>no markup</b>, no links, & one line.".to_owned(),
    };
    desktop.show(&announcement).context("could not show a test")?;
    desktop.leave();
    told(json, &json!({ "server": server }), || format!("shown by {server}"))
}

fn tell_status(config: &Config, json: bool) -> anyhow::Result<()> {
    let process = status::running(&config.home).context("could not look for the notifier")?;
    let status = Status::load(&config.home)?;
    let quiet = config.notify_settings()?.quiet_hours.map(|hours| hours.to_string());
    if json {
        let mut value = serde_json::to_value(&status).context("could not print")?;
        value["running"] = json!(process);
        value["quietHours"] = json!(quiet);
        if process.is_none() {
            value["since"] = json!(null);
        }
        output::print_json(&value)?;
    } else {
        let mut text = match (process, status.since) {
            (Some(process), Some(since)) => format!("running as process {process} since {since:.0}\n"),
            (Some(process), None) => format!("running as process {process}\n"),
            (None, _) => "not running\n".to_owned(),
        };
        let last = status.last_announcement.map_or(String::new(), |last| format!(", the last at {last:.0}"));
        text.push_str(&format!("announced: {}{last}\n", status.announced));
        text.push_str(&format!("quiet hours: {}\n", quiet.as_deref().unwrap_or("none")));
        if let Some(trouble) = &status.last_error {
            text.push_str(&format!("last error: {:.0}: {}\n", trouble.at, trouble.what));
        }
        output::print(&output::plain(&text))?;
    }
    if process.is_some() { Ok(()) } else { Err(Silent.into()) }
}

fn told(json: bool, value: &serde_json::Value, text: impl Fn() -> String) -> anyhow::Result<()> {
    if json {
        output::print_json(value)?;
    } else {
        output::print(&output::plain(&(text() + "\n")))?;
    }
    Ok(())
}
