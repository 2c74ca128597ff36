//! The notifier in `setup` and `uninstall`: whether there is a manager to run it, the question, its start and its end.

use std::fs;
use std::path::Path;

use super::Site;
use super::ask::{Questions, SETUP};
use crate::cli::mistake;
use crate::env::Env;
use crate::install::receipt::Receipt;
use crate::install::service::{Fault, Kind, Manager, State};
use crate::install::setup::{Choice, Part};
use crate::install::wishes::Ground;
use crate::install::{CRON, NOTIFIER, PROGRAMS};
use crate::notify::status;

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
                // Programs that nothing would start are wanted by nobody.
                return Ok(
                    parts.iter().any(|part| part.id != PROGRAMS) && parts.iter().any(Part::has_changes)
                );
            }
        }
        Ok(parts.iter().any(Part::has_changes))
    }
}

fn find(parts: &[Part]) -> Option<&Part> {
    parts.iter().find(|part| part.id == NOTIFIER && part.changes.is_ok())
}

/// Starts what was set up, and starts it anew where it or its program changed. One that its user switched off stays so
/// until it is named.
pub(super) fn start(
    parts: &[Part],
    manager: Option<&Manager>,
    site: &Site,
    choice: &Choice,
) -> Result<(), Fault> {
    let has_new_program = parts.iter().any(|part| part.id == PROGRAMS && part.is_done && part.has_changes());
    let was_set_up = || site.receipt.records().iter().any(|record| record.owner == NOTIFIER);
    match (find(parts), manager) {
        (Some(part), Some(manager)) if part.is_done => {
            let state = manager.state()?;
            let is_amiss = state.is_enabled && !state.is_running;
            if part.has_changes() || is_amiss || choice.only.is_some() && !state.is_running {
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

/// What `uninstall` stopped, and how it was before.
pub(super) struct Stopped(Option<(Manager, State)>);

/// Stops the notifier before its unit goes; where it cannot be stopped, its part is refused.
pub(super) fn stop(parts: &mut [Part], env: &Env) -> Stopped {
    let Some(part) = parts.iter_mut().find(|part| part.id == NOTIFIER && part.changes.is_ok()) else {
        return Stopped(None);
    };
    let Some(manager) = Manager::find(env) else {
        disable(env);
        return Stopped(None);
    };
    match manager.state().and_then(|before| manager.stop().map(|()| before)) {
        Ok(before) => Stopped(Some((manager, before))),
        Err(fault) => {
            part.changes = Err(fault.into());
            Stopped(None)
        }
    }
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
    /// The unit is gone: so is what the manager knows of it. One that its user changed stays, and stays stopped.
    pub(super) fn end(self, parts: &[Part], env: &Env) -> Result<(), Fault> {
        match find(parts).filter(|part| part.is_done) {
            Some(_) => {
                if let Some((manager, _)) = &self.0 {
                    manager.forget();
                }
                Ok(())
            }
            None => self.resume(env),
        }
    }

    /// The unit stayed: it is to be as before.
    pub(super) fn resume(self, env: &Env) -> Result<(), Fault> {
        match (self.0, Kind::here().unit_file(env)) {
            (Some((manager, before)), Some(file)) if file.exists() => manager.restore(&file, before),
            _ => Ok(()),
        }
    }
}

/// What is left to a person where nobody could be told to stop it.
pub(super) fn runs_on(home: &Path) -> Option<String> {
    let process = status::running(home).ok().flatten()?;
    Some(format!("end the notifier, which still runs from what was taken out: kill {process}"))
}
