//! `setup` and `uninstall`: the plan shown, the question asked, the plan carried out, what came of it.

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use dialoguer::theme::ColorfulTheme;
use serde::Serialize;

use super::args::{PlanArguments, SetupArguments, VehicleArgument};
use super::{mistake, output};
use crate::config::Config;
use crate::env::Env;
use crate::harness::Manifest;
use crate::install::lock::SetupLock;
use crate::install::plan::Change;
use crate::install::receipt::Receipt;
use crate::install::setup::{self, Choice, Part};
use crate::install::wishes::{self, Ground, Vehicle};
use crate::install::{Error, PROGRAMS, Wish, codex, codex_trust, first_version};

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
        let config = Config::load(env)?;
        Ok(Self { env: env.clone(), data, home: std::path::absolute(&config.home)?, receipt })
    }

    pub(super) fn ground(&self, approve_tools: bool) -> Ground<'_> {
        Ground { env: &self.env, programs: self.data.join("bin"), home: self.home.clone(), approve_tools }
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
    let mut site = Site::open(env)?;
    let only = only(&arguments.plan)?;
    if let Some(manifest) = only.iter().flatten().find(|manifest| !setup::is_here(manifest, env)) {
        return Err(mistake(
            format!("{} is not here: neither its directory nor its program", manifest.title),
            format!("npm install -g {}", manifest.install.package),
        ));
    }
    if arguments.trust_hooks && !is_at_a_terminal() {
        return Err(mistake(
            "could not trust hooks: nobody is at a terminal, and an agent must not do it for its user",
            "codex   # then /hooks",
        ));
    }
    let vehicle = arguments.vehicle.map(|vehicle| match vehicle {
        VehicleArgument::Folder => Vehicle::Folder,
        VehicleArgument::Settings => Vehicle::Settings,
    });
    let choice = Choice { only: arguments.plan.only.clone(), vehicle, identities: Vec::new() };
    let ground = site.ground(arguments.approve_tools);
    let mut parts = setup::plan_setup(&ground, &choice, site.programs()?, &site.receipt);
    if parts.len() == 1 {
        return Err(mistake("there is no harness here", "bch setup --only claude-code,codex,gemini-cli"));
    }
    for manifest in Manifest::all().iter().filter(|manifest| parts.iter().any(|part| part.id == manifest.id))
    {
        for (name, value) in manifest.install.variables(env) {
            site.receipt.remember_variable(&name, &value);
        }
    }
    let go = proceed(&mut parts, &arguments.plan, json, ("setup", "Set these up?"))?;
    if go {
        carry_out(&mut parts, &mut site.receipt)?;
        if parts.iter().any(|part| part.id == "codex" && part.is_done) {
            trust_codex(arguments, json, &site)?;
        }
    }
    report(&parts, arguments.plan.dry_run, json, |id| steps(id, &site))
}

pub(super) fn uninstall(arguments: &PlanArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let _lock = lock(arguments, env)?;
    let mut site = Site::open(env)?;
    // Files that a variable moved at setup are still there when it is not set any more.
    site.env = site.env.with(site.receipt.environment());
    only(arguments)?;
    let choice = Choice { only: arguments.only.clone(), ..Choice::default() };
    let programs = site.programs().unwrap_or_default();
    let records = site.receipt.records().iter().filter(|record| record.owner == PROGRAMS);
    let made: Vec<_> = records.flat_map(|record| record.directories.clone()).collect();
    let mut parts = setup::plan_uninstall(&site.ground(true), &choice, &programs, &site.receipt);
    if proceed(&mut parts, arguments, json, ("uninstall", "Take these out?"))? {
        carry_out(&mut parts, &mut site.receipt)?;
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
    report(&parts, arguments.dry_run, json, |_| Vec::new())
}

/// The lock under which a plan is made and carried out.
fn lock(arguments: &PlanArguments, env: &Env) -> anyhow::Result<Option<SetupLock>> {
    let home = env.home().filter(|_| !arguments.dry_run);
    Ok(home.map(|home| SetupLock::take(&home)).transpose()?)
}

/// The harnesses that `--only` names.
fn only(arguments: &PlanArguments) -> anyhow::Result<Option<Vec<Manifest>>> {
    let named = arguments.only.as_ref().map(|ids| ids.iter().map(|id| known(id)).collect());
    named.transpose()
}

fn known(id: &str) -> anyhow::Result<Manifest> {
    Manifest::find(id).ok_or_else(|| {
        let ids: Vec<_> = Manifest::all().into_iter().map(|manifest| manifest.id).collect();
        mistake(format!("there is no harness `{id}`"), format!("bch setup --only {}", ids.join(",")))
    })
}

/// Shows the plan, and asks where somebody is there to answer; whether it is to be carried out.
fn proceed(
    parts: &mut Vec<Part>,
    arguments: &PlanArguments,
    json: bool,
    (word, question): (&str, &str),
) -> anyhow::Result<bool> {
    let has_changes = parts.iter().any(Part::has_changes);
    if arguments.dry_run {
        if !json {
            output::print(&diffs(parts))?;
        }
        return Ok(false);
    }
    if !has_changes || arguments.yes {
        return Ok(true);
    }
    if json || !is_at_a_terminal() {
        return Err(mistake(
            "nothing was changed: nobody is here to ask",
            format!("bch {word} --yes   # or look first: bch {word} --dry-run"),
        ));
    }
    output::print(&diffs(parts))?;
    pick(parts, question)
}

/// The pick list and the confirmation.
fn pick(parts: &mut Vec<Part>, question: &str) -> anyhow::Result<bool> {
    let harnesses: Vec<_> = parts.iter().filter(|part| part.id != PROGRAMS && part.has_changes()).collect();
    let lines: Vec<_> = harnesses.iter().map(|part| format!("{}: {}", part.title, summary(part))).collect();
    let ids: Vec<_> = harnesses.iter().map(|part| part.id.clone()).collect();
    let theme = ColorfulTheme::default();
    let picked = dialoguer::MultiSelect::with_theme(&theme)
        .with_prompt("Harnesses (space to choose, enter to go on)")
        .items(&lines)
        .defaults(&vec![true; lines.len()])
        .interact_opt()
        .context("could not ask")?;
    let Some(picked) = picked else { return Ok(false) };
    let is_left =
        |part: &Part| ids.iter().position(|id| *id == part.id).is_some_and(|at| !picked.contains(&at));
    parts.retain(|part| !is_left(part));
    let answer = dialoguer::Confirm::with_theme(&theme).with_prompt(question).default(true).interact_opt();
    Ok(answer.context("could not ask")? == Some(true))
}

/// In one line, what changes.
fn summary(part: &Part) -> String {
    let files: Vec<_> = part.changes.iter().flatten().filter(|change| !change.is_nothing()).collect();
    match files.as_slice() {
        [one] => one.path.display().to_string(),
        [first, ..] => format!("{} and {} more", first.path.display(), files.len() - 1),
        [] => "nothing".to_owned(),
    }
}

fn diffs(parts: &[Part]) -> String {
    let changes = parts.iter().flat_map(|part| part.changes.iter().flatten());
    output::plain(&changes.filter(|change| !change.is_nothing()).map(Change::diff).collect::<String>())
}

fn carry_out(parts: &mut [Part], receipt: &mut Receipt) -> anyhow::Result<()> {
    let stop = watch_for_signals()?;
    Ok(setup::carry_out(parts, receipt, &stop)?)
}

/// A flag that Ctrl-C sets, in place of ending the process: what was begun can be taken back.
pub(super) fn watch_for_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("could not watch for Ctrl-C")?;
    }
    Ok(stop)
}

fn is_at_a_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Records the user's trust in our hooks with Codex, where the person at the terminal wants that.
fn trust_codex(arguments: &SetupArguments, json: bool, site: &Site) -> anyhow::Result<()> {
    let Some(manifest) = Manifest::find("codex") else { return Ok(()) };
    let Some(program) = site.env.find_program(&manifest.install.program) else { return Ok(()) };
    if json || !is_at_a_terminal() || codex::is_trusted(&manifest, &site.env) {
        return Ok(());
    }
    let question = "Codex runs a hook only if you trust it. Trust the hooks of backchannel now?";
    let is_wanted = arguments.trust_hooks
        || !arguments.plan.yes
            && dialoguer::Confirm::with_theme(&ColorfulTheme::default())
                .with_prompt(question)
                .default(false)
                .interact_opt()
                .context("could not ask")?
                == Some(true);
    if is_wanted {
        let ground = site.ground(false);
        let lines: Vec<_> =
            manifest.events.iter().map(|event| ground.hook_line(&manifest, event, None)).collect();
        let home = site.env.home().ok_or_else(no_home)?;
        codex_trust::trust(&program, &home, &lines).context("could not trust the hooks")?;
    }
    Ok(())
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
    if id == PROGRAMS && Config::load(&site.env).is_ok_and(|config| config.agent().is_err()) {
        steps.push("name this machine's agent: bch init NAME".into());
    }
    steps
}

#[derive(Serialize)]
struct Report {
    harnesses: Vec<HarnessReport>,
}

#[derive(Serialize)]
struct HarnessReport {
    id: String,
    result: &'static str,
    files: Vec<FileReport>,
    steps: Vec<String>,
}

#[derive(Serialize)]
struct FileReport {
    path: PathBuf,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

fn report(
    parts: &[Part],
    is_dry: bool,
    json: bool,
    steps: impl Fn(&str) -> Vec<String>,
) -> anyhow::Result<()> {
    let refused = parts.iter().filter(|part| part.changes.is_err()).count();
    if json {
        let mut harnesses: Vec<_> = parts.iter().map(|part| harness_report(part, steps(&part.id))).collect();
        for manifest in Manifest::all() {
            if !parts.iter().any(|part| part.id == manifest.id) {
                let absent =
                    HarnessReport { id: manifest.id, result: "absent", files: Vec::new(), steps: Vec::new() };
                harnesses.push(absent);
            }
        }
        output::print_json(&Report { harnesses })?;
    } else if !is_dry {
        output::print(&plain_report(parts, steps))?;
    }
    for part in parts {
        if let Err(error) = &part.changes {
            output::remark("error", &format!("{}: {error}", part.title));
            if let Some(hint) = error.hint() {
                output::remark("hint", &hint);
            }
        }
    }
    if refused > 0 { Err(super::Silent.into()) } else { Ok(()) }
}

fn harness_report(part: &Part, steps: Vec<String>) -> HarnessReport {
    let (result, files) = match &part.changes {
        Ok(changes) => {
            let result = if part.has_changes() { "changed" } else { "unchanged" };
            (result, changes.iter().map(file_report).collect())
        }
        Err(error) => ("refused", vec![refusal_report(error)]),
    };
    HarnessReport { id: part.id.clone(), result, files, steps }
}

fn file_report(change: &Change) -> FileReport {
    let action = match (&change.before, &change.after) {
        _ if change.kept.is_some() => "kept",
        _ if change.is_nothing() => "unchanged",
        (None, _) => "made",
        (_, None) => "removed",
        _ => "changed",
    };
    let reason = change.kept.map(str::to_owned);
    FileReport { path: change.path.clone(), action, line: None, column: None, reason }
}

fn refusal_report(error: &Error) -> FileReport {
    let (path, line, column) = match error {
        Error::Refused { path, refusal } => (path.clone(), Some(refusal.line), Some(refusal.column)),
        Error::Io { path, .. }
        | Error::NotOurs { path }
        | Error::Changed { path }
        | Error::Held { path }
        | Error::NoFile { path } => (path.clone(), None, None),
        Error::Receipt { path, .. } => (path.clone(), None, None),
        Error::Stopped | Error::Busy => (PathBuf::new(), None, None),
    };
    FileReport { path, action: "refused", line, column, reason: Some(error.to_string()) }
}

fn plain_report(parts: &[Part], steps: impl Fn(&str) -> Vec<String>) -> String {
    let mut text = String::new();
    for part in parts.iter().filter(|part| part.id != PROGRAMS && part.changes.is_ok()) {
        let word = match (part.has_changes(), part.is_done) {
            (true, true) => "done",
            (true, false) => "left as it is",
            (false, _) => "nothing to do",
        };
        text.push_str(&format!("{}: {word}\n", part.title));
        for change in part.changes.iter().flatten() {
            if let Some(kept) = change.kept {
                text.push_str(&format!("  kept {}: {kept}\n", change.path.display()));
            } else if !change.is_nothing() && part.is_done {
                text.push_str(&format!("  {} {}\n", file_report(change).action, change.path.display()));
            }
        }
    }
    let steps: Vec<_> =
        parts.iter().filter(|part| part.changes.is_ok()).flat_map(|part| steps(&part.id)).collect();
    if !steps.is_empty() {
        text.push_str("\nWhat is left to you:\n");
        for (number, step) in steps.iter().enumerate() {
            text.push_str(&format!("  {}. {step}\n", number + 1));
        }
    }
    if text.is_empty() {
        text.push_str("nothing of backchannel is here\n");
    }
    text
}
