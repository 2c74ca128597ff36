//! The notifier in `setup` and `uninstall`: whether there is a manager to run it, the question, its start and its end.

use std::fs;

use super::Site;
use super::ask::{Questions, SETUP};
use crate::cli::mistake;
use crate::env::Env;
use crate::install::receipt::Receipt;
use crate::install::service::{Fault, Kind, Manager};
use crate::install::setup::{Choice, Part};
use crate::install::wishes::Ground;
use crate::install::{CRON, NOTIFIER, PROGRAMS};

/// Asks for a service manager, where the answer matters.
pub(super) fn ask_manager(ground: &mut Ground<'_>, choice: &Choice) -> anyhow::Result<()> {
    let is_named = |id: &str| choice.only.as_ref().is_some_and(|only| only.iter().any(|other| other == id));
    if is_named(NOTIFIER) || is_named(CRON) || (choice.only.is_none() && choice.notifier) {
        ground.manager = Manager::find(ground.env);
    }
    if is_named(NOTIFIER) && ground.manager.is_none() {
        return Err(mistake(
            "no service manager answers here that could run the notifier",
            "bch setup --only cron   # or run it yourself: bch notify",
        ));
    }
    Ok(())
}

/// How to have it all the same, where setup wanted to write a unit and found nothing that would run it.
pub(super) fn missing(ground: &Ground<'_>, choice: &Choice, receipt: &Receipt) -> Option<String> {
    let is_set_up = receipt.records().iter().any(|record| [NOTIFIER, CRON].contains(&record.owner.as_str()));
    let is_missing = choice.only.is_none() && choice.notifier && ground.manager.is_none() && !is_set_up;
    is_missing.then(|| {
        "to be notified of urgent mail, run `bch notify` yourself, or let cron look each minute (bch setup --only \
         cron): no service manager answers here"
            .to_owned()
    })
}

impl Questions<'_> {
    /// Asks whether the notifier is wanted; whether anything is left to be done.
    pub(super) fn notifier(&self, parts: &mut Vec<Part>) -> anyhow::Result<bool> {
        if self.word != SETUP {
            return Ok(true);
        }
        if parts.iter().any(|part| part.id == NOTIFIER && part.has_changes()) {
            let question = "Start a service that shows a notification when urgent mail comes?";
            if !self.confirm(question, true)? {
                parts.retain(|part| part.id != NOTIFIER);
            }
        }
        Ok(parts.iter().any(Part::has_changes))
    }
}

fn find(parts: &[Part]) -> Option<&Part> {
    parts.iter().find(|part| part.id == NOTIFIER && part.changes.is_ok())
}

/// Starts what was set up, and starts it anew where it or its program changed.
pub(super) fn start(parts: &[Part], manager: Option<&Manager>, site: &Site) -> Result<(), Fault> {
    let has_new_program = parts.iter().any(|part| part.id == PROGRAMS && part.is_done && part.has_changes());
    let was_set_up = || site.receipt.records().iter().any(|record| record.owner == NOTIFIER);
    match (find(parts), manager) {
        (Some(part), Some(manager)) if part.is_done => {
            let state = manager.state()?;
            if part.has_changes() || !state.is_enabled || !state.is_running {
                manager.start(&manager.kind().unit_file(&site.env).ok_or(Fault::NoHome)?)
            } else if has_new_program {
                manager.restart()
            } else {
                Ok(())
            }
        }
        (_, manager) if has_new_program && was_set_up() => {
            match manager.cloned().or_else(|| Manager::find(&site.env)) {
                Some(manager) => manager.restart(),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// What `uninstall` stopped, so that it can be started again.
pub(super) struct Stopped(Option<Manager>);

/// Stops the notifier before its unit goes.
pub(super) fn stop(parts: &[Part], env: &Env) -> Result<Stopped, Fault> {
    if find(parts).is_none() {
        return Ok(Stopped(None));
    }
    let manager = Manager::find(env);
    match &manager {
        Some(manager) => manager.stop()?,
        None => disable(env),
    }
    Ok(Stopped(manager))
}

/// Takes away the link by which the unit was enabled, as the manager would: the directory that held it is to be empty
/// before the unit goes.
fn disable(env: &Env) {
    let kind = Kind::here();
    let (link, file) = (kind.enablement(env), kind.unit_file(env));
    if let Some(link) = link.filter(|link| fs::read_link(link).ok() == file) {
        let _ = fs::remove_file(&link);
        let _ = link.parent().map(fs::remove_dir);
    }
}

impl Stopped {
    /// The unit is gone: so is what the manager knows of it.
    pub(super) fn end(self, parts: &[Part], env: &Env) -> Result<(), Fault> {
        let Some(part) = find(parts) else { return self.resume(env) };
        let is_gone = part.is_done && part.changes.iter().flatten().all(|change| change.kept.is_none());
        if !is_gone {
            return self.resume(env);
        }
        if let Some(manager) = &self.0 {
            manager.forget();
        }
        Ok(())
    }

    /// The unit stayed: it is to run as before.
    pub(super) fn resume(self, env: &Env) -> Result<(), Fault> {
        match (self.0, Kind::here().unit_file(env)) {
            (Some(manager), Some(file)) if file.exists() => manager.start(&file),
            _ => Ok(()),
        }
    }
}
