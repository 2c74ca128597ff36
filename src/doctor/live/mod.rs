//! Drives the real harness once, without a person, against a model on this machine: with the user's own
//! configuration, as the harness itself loads it, and the canary's message waiting.
//!
//! Nothing leaves the machine: its provider is ours by everything that names one, what it wants to reach beside that
//! is refused, and its keys are none. It works in an empty directory of ours, so that no project's hooks run.

mod answers;
mod model;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::process::{self, Ended, Limits};
use super::prove::{Canary, Stage, TEXT, dress, quoted};
use super::{Sheet, word};
use crate::env::Env;
use crate::harness::{LayerOwner, LiveFacts, Manifest, Values};
use crate::install::wishes::Ground;
use crate::message::Priority;
use model::{Model, Seen};

/// How long a run may take; the slowest harness needs about 5 s.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a hook may take that its harness does not wait for.
const LATE: Duration = Duration::from_secs(3);
/// Variables that say through which proxy a program goes, in both spellings.
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"];
/// And those that say where to it goes without one.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// Its working directory, in the mail's home. One that a killed doctor left goes with the next run, or with the home.
pub const PLACE: &str = "live";
/// The prompt.
const PROMPT: &str = "Say ok.";

/// Runs it, and looks for the canary's message in what the model was asked.
pub(super) fn look(
    sheet: &mut Sheet<'_>,
    stage: &Stage<'_>,
    ground: &Ground<'_>,
    directory: &Path,
    canary: &Canary<'_>,
) {
    let (manifest, facts) = (stage.manifest, &stage.facts.live);
    let title = &manifest.title;
    let Some(program) = ground.env.find_program(&manifest.install.program) else {
        let name = &manifest.install.program;
        return sheet.ok("live", format!("`{name}` is not on the search path, so it was not run"));
    };
    if let Some((path, key)) = redirected(manifest, facts, directory, ground.env) {
        let detail = format!(
            "{title} was not run: {} sets `{key}`, which may lead it to another model",
            path.display()
        );
        return sheet.warn("live", detail, format!("less {}", word(&path)));
    }
    sheet.begin("one prompt through the harness itself");
    let body = format!("{TEXT} ({})", canary.name);
    // What a proof that failed left is nothing to look for.
    let sent = canary.empty().and_then(|()| canary.send(&body, Priority::Normal));
    let run = sent.map_err(|error| error.to_string()).and_then(|()| {
        let drive = || -> io::Result<_> {
            let (model, place) = (Model::start()?, Place::make(&ground.home, facts)?);
            let ended = process::run(
                command(facts, &program, &place.0, model.url(), canary).current_dir(&place.0),
                b"",
                Limits { patience: PATIENCE, ..stage.limits },
            );
            Ok((ended, model.seen(&body)))
        };
        drive().map_err(|error| format!("could not run {title}: {error}"))
    });
    let judged = run.and_then(|(ended, seen)| {
        let ended = ended.map_err(|failure| format!("{title} {failure}"))?;
        judge(title, &ended, &seen).map(|()| ended)
    });
    match judged {
        Ok(ended) if is_acknowledged(canary) => {
            sheet.held("live", format!("{title} put the message before a model on this machine"), ended.time);
        }
        Ok(_) => {
            let detail =
                format!("{title} showed the message, and its end of the turn did not acknowledge it");
            sheet.fail("live", detail, &facts.step);
        }
        Err(fault) => sheet.fail("live", fault, &facts.step),
    }
}

/// Whether the model was shown the message, once.
fn judge(title: &str, ended: &Ended, seen: &Seen) -> Result<(), String> {
    let beyond = match seen.refused.as_slice() {
        [] => String::new(),
        hosts => format!("; it wanted to reach {}, which was refused", hosts.join(", ")),
    };
    match (seen.requests, seen.messages) {
        (0, _) => {
            let output = if ended.stderr.trim_ascii().is_empty() { &ended.stdout } else { &ended.stderr };
            Err(format!("{title} asked no model: {}, {}{beyond}", ended.status, quoted(output)))
        }
        (_, 0) => Err(format!("{title} asked a model without the message that waits: our hook did not run")),
        (_, 1) => Ok(()),
        (_, many) => Err(format!("{title} put one message before the model {many} times")),
    }
}

/// Waits for the hook at the end of the turn, which may outlive its harness.
fn is_acknowledged(canary: &Canary<'_>) -> bool {
    let start = Instant::now();
    while canary.left() > 0 && start.elapsed() < LATE {
        thread::sleep(Duration::from_millis(50));
    }
    canary.left() == 0
}

/// A setting of the administrator's that goes before everything that we can say, and names another provider.
fn redirected(
    manifest: &Manifest,
    facts: &LiveFacts,
    directory: &Path,
    env: &Env,
) -> Option<(PathBuf, String)> {
    let layers = manifest.install.settings(LayerOwner::Administrator, directory, env);
    layers.into_iter().find_map(|settings| {
        let keys = &facts.decisive;
        let key = keys.iter().find(|keys| settings.at(keys).is_some())?.join(".");
        Some((settings.path, key))
    })
}

/// The harness, with a model of ours and nothing else that it could reach.
fn command(
    facts: &LiveFacts,
    program: &Path,
    directory: &Path,
    url: &str,
    canary: &Canary<'_>,
) -> std::process::Command {
    let mut values = Values::default();
    values.set("url", url);
    values.set("prompt", PROMPT);
    values.set("directory", directory.to_string_lossy());
    let mut command = process::command(program);
    command.args(facts.arguments.iter().map(|word| values.fill(word)));
    dress(&mut command, &canary.name);
    for name in &facts.without {
        command.env_remove(name);
    }
    for name in PROXIES {
        command.env(name, url);
    }
    for name in NO_PROXY {
        command.env(name, "127.0.0.1,localhost");
    }
    command.env("BACKCHANNEL_UNATTENDED", "1").env("PWD", directory);
    command.envs(facts.environment.iter().map(|(name, value)| (name, values.fill(value))));
    command
}

/// The directory in which it works: always the same, so that what a harness remembers of directories does not grow.
struct Place(PathBuf);

impl Place {
    fn make(home: &Path, facts: &LiveFacts) -> io::Result<Self> {
        let place = Self(home.join(PLACE));
        place.remove()?;
        DirBuilder::new().mode(0o700).create(&place.0)?;
        for (name, text) in &facts.files {
            let path = place.0.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&place.0))?;
            fs::write(path, text)?;
        }
        Ok(place)
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}
