//! Setting up all harnesses and what is around them: which are here, what each gets, and what came of it.
//!
//! One harness that is refused never stops the others. A stop from outside takes everything back.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::earlier::Earlier;
use super::plan::{self, Change};
use super::receipt::Receipt;
use super::wishes::{self, Ground, Maker, Vehicle};
use super::{CRON, Error, NOTIFIER, PROGRAMS, Store, Wish, apply, file, uninstall};
use crate::env::Env;
use crate::harness::Manifest;
use crate::message::AgentName;

/// What the user asked for.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only these harnesses; `None` is every one that is here.
    pub only: Option<Vec<String>>,
    /// One vehicle for all of them.
    pub vehicle: Option<Vehicle>,
    /// Whether the notifier is wanted where nothing is named.
    pub notifier: bool,
}

/// What is to be done for one harness.
#[derive(Debug)]
pub struct Part {
    /// The harness's id, or [`PROGRAMS`].
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Its files, or why none of them is touched.
    pub changes: Result<Vec<Change>, Error>,
    /// What is asked for, where it is being set up.
    pub(super) wishes: Option<Vec<Wish>>,
    /// The agent of its own that it gets.
    pub agent: Option<AgentName>,
    /// What a lost receipt would have known, where it is being taken out.
    pub(super) swept: Vec<Wish>,
    /// Where its things lie.
    pub(super) store: Store,
    /// Whether it has been carried out.
    pub is_done: bool,
}

impl Part {
    fn install(
        id: &str,
        title: &str,
        wishes: Result<Vec<Wish>, Error>,
        store: Store,
        receipt: &Receipt,
    ) -> Self {
        let (changes, wishes) = match wishes {
            Ok(wishes) => (plan::install(id, &wishes, &store, receipt), wishes),
            Err(error) => (Err(error), Vec::new()),
        };
        let (id, title, swept) = (id.to_owned(), title.to_owned(), Vec::new());
        Self { id, title, changes, wishes: Some(wishes), agent: None, swept, store, is_done: false }
    }

    /// Whether a file changes.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.changes.as_ref().is_ok_and(|changes| changes.iter().any(|change| !change.is_nothing()))
    }
}

/// Whether a harness is here: its directory or its program.
#[must_use]
pub fn is_here(manifest: &Manifest, env: &Env) -> bool {
    let install = &manifest.install;
    install.directories(env).is_some_and(|(directory, _)| directory.is_dir())
        || env.find_program(&install.program).is_some()
}

/// The vehicle that a harness gets unless the user chose one.
#[must_use]
pub fn vehicle(manifest: &Manifest, env: &Env) -> Vehicle {
    match &manifest.install.folder {
        Some(folder) if folder.is_default && !is_too_old_for_folder(manifest, env) => Vehicle::Folder,
        _ => Vehicle::Settings,
    }
}

/// Whether the harness is known to be older than the first version that loads our folder.
#[must_use]
pub fn is_too_old_for_folder(manifest: &Manifest, env: &Env) -> bool {
    let since = manifest.install.folder.as_ref().and_then(|folder| folder.since.as_deref());
    since.is_some_and(|since| {
        manifest.install.version(env).is_some_and(|version| numbers(&version) < numbers(since))
    })
}

/// Whether the second is a program as setup copies it from the first.
#[must_use]
pub fn is_copy(source: &Path, copy: &Path) -> bool {
    file::is_program_like(source, copy)
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// The plan of `setup`: the programs first.
#[must_use]
pub fn plan_setup(ground: &Ground<'_>, choice: &Choice, programs: Vec<Wish>, receipt: &Receipt) -> Vec<Part> {
    let mut parts = vec![Part::install(PROGRAMS, "programs", Ok(programs), Store::Files, receipt)];
    for manifest in Manifest::all() {
        let is_chosen = match &choice.only {
            Some(only) => only.contains(&manifest.id),
            None => is_here(&manifest, ground.env),
        };
        if is_chosen {
            let wishes = Ok(wishes(&manifest, ground, choice, receipt));
            let part = Part::install(&manifest.id, &manifest.title, wishes, Store::Files, receipt);
            parts.push(Part { agent: ground.identities.get(&manifest.id).cloned(), ..part });
        }
    }
    let is_named = |id: &str| choice.only.as_ref().map(|only| only.iter().any(|other| other == id));
    if is_named(CRON) == Some(true) {
        let store = Store::crontab(ground.env);
        let wish = wishes::cron::check(ground, &store)
            .and_then(|()| Ok(wishes::cron::wish(ground, choice.notifier)?));
        let part = Part::install(CRON, "cron", wish.map(|wish| vec![wish]), store, receipt);
        parts.push(Part { agent: ground.identities.get(CRON).cloned(), ..part });
    }
    if let Some(manager) = ground.manager.as_ref().filter(|_| is_named(NOTIFIER).unwrap_or(choice.notifier)) {
        let is_known = receipt.records().iter().any(|record| record.owner == NOTIFIER);
        let wish = wishes::notifier::wish(ground, manager.kind()).map_err(Error::from);
        let wishes = match wish {
            Ok(wish) if !is_known && wishes::notifier::is_of_others(ground, manager.kind(), &wish.path) => {
                Err(Error::NotOurs { path: wish.path })
            }
            wish => wish.map(|wish| vec![wish]),
        };
        parts.push(Part::install(NOTIFIER, "notifier", wishes, Store::Files, receipt));
    }
    parts
}

/// What one harness gets, by the user's choice: now, or at an earlier setup.
#[must_use]
pub fn wishes(manifest: &Manifest, ground: &Ground<'_>, choice: &Choice, receipt: &Receipt) -> Vec<Wish> {
    let earlier = Earlier::of(manifest, ground, receipt).map(|earlier| earlier.vehicle);
    let fits =
        |earlier: &Vehicle| *earlier == Vehicle::Settings || !is_too_old_for_folder(manifest, ground.env);
    let vehicle = choice.vehicle.or(earlier.filter(fits)).unwrap_or_else(|| vehicle(manifest, ground.env));
    Maker::new(manifest, ground).map(|maker| maker.wishes(vehicle)).unwrap_or_default()
}

/// Carries the parts out, each whole or not at all. A file that another program changed meanwhile is planned
/// again.
///
/// # Errors
/// [`Error::Stopped`], when everything was taken back.
pub fn carry_out(parts: &mut [Part], receipt: &mut Receipt, stop: &AtomicBool) -> Result<(), Error> {
    let before = receipt.clone();
    for index in 0..parts.len() {
        if has_to_stay(&parts[index], &parts[..index], receipt) {
            parts[index].changes = Ok(Vec::new());
        }
        let mut tries = 3;
        loop {
            let part = &mut parts[index];
            let Ok(changes) = &part.changes else { break };
            // With the files, so that neither is ever without the other; what fails forgets none.
            let earlier = receipt.clone();
            receipt.remember_identity(&part.id, part.agent.as_ref());
            match apply::apply(changes, receipt, earlier, stop) {
                Ok(()) => {
                    part.is_done = true;
                    break;
                }
                Err(Error::Stopped) => {
                    let done = parts[..index].iter().filter(|part| part.is_done);
                    let changes: Vec<Change> =
                        done.filter_map(|part| part.changes.as_ref().ok()).flatten().cloned().collect();
                    apply::take_back(&changes, changes.len(), receipt, before);
                    return Err(Error::Stopped);
                }
                Err(Error::Changed { .. }) if tries > 0 => {
                    tries -= 1;
                    part.changes = match &part.wishes {
                        Some(wishes) => plan::install(&part.id, wishes, &part.store, receipt),
                        None => uninstall::plan_out(&part.id, &part.swept, &part.store, receipt),
                    };
                }
                Err(error) => {
                    part.changes = Err(error);
                    break;
                }
            }
        }
        // A harness that is told of programs which are not there gets no mail.
        if parts[index].wishes.is_some() && parts[index].id == PROGRAMS && parts[index].changes.is_err() {
            break;
        }
    }
    // Not after each part: what is taken back needs its originals again.
    receipt.sweep();
    Ok(())
}

/// Whether these are the programs that uninstall would take from a harness whose entries could not be taken out.
fn has_to_stay(part: &Part, earlier: &[Part], receipt: &Receipt) -> bool {
    // A crontab is only in the plan where it may have a block of ours.
    let is_set_up =
        |other: &Part| other.id == CRON || receipt.records().iter().any(|record| record.owner == other.id);
    let is_left = |other: &Part| other.changes.is_err() && is_set_up(other);
    part.id == PROGRAMS && part.wishes.is_none() && earlier.iter().any(is_left)
}

/// Where our programs lie, in our directory of data.
#[must_use]
pub fn programs_directory(env: &Env) -> Option<PathBuf> {
    Some(env.data_directory()?.join("bin"))
}
