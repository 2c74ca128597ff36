//! Setting up and uninstalling all harnesses: which are here, what each gets, and what came of it.
//!
//! One harness that is refused never stops the others. A stop from outside takes everything back.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::plan::{self, Change};
use super::receipt::Receipt;
use super::wishes::{self, Ground, Maker, Vehicle};
use super::{CRON, Error, PROGRAMS, Store, Wish, apply, codex, file};
use crate::edit::{self, Format};
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
    /// Who this machine's jobs are, unless they have an agent of their own.
    pub agent: Option<AgentName>,
    /// Whether a service manager can run the notifier, so that cron need not.
    pub has_manager: bool,
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
    wishes: Option<Vec<Wish>>,
    /// The agent of its own that it gets.
    pub agent: Option<AgentName>,
    /// What a lost receipt would have known, where it is being taken out.
    swept: Vec<Wish>,
    /// Where its things lie.
    store: Store,
    /// Whether it has been carried out.
    pub is_done: bool,
}

impl Part {
    fn install(id: &str, title: &str, wishes: Vec<Wish>, receipt: &Receipt) -> Self {
        Self::install_in(Store::Files, id, title, Ok(wishes), receipt)
    }

    fn install_in(
        store: Store,
        id: &str,
        title: &str,
        wishes: Result<Vec<Wish>, Error>,
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
    let mut parts = vec![Part::install(PROGRAMS, "programs", programs, receipt)];
    for manifest in Manifest::all() {
        let is_chosen = match &choice.only {
            Some(only) => only.contains(&manifest.id),
            None => is_here(&manifest, ground.env),
        };
        if is_chosen {
            let wishes = wishes(&manifest, ground, choice);
            let part = Part::install(&manifest.id, &manifest.title, wishes, receipt);
            parts.push(Part { agent: ground.identities.get(&manifest.id).cloned(), ..part });
        }
    }
    if choice.only.as_ref().is_some_and(|only| only.iter().any(|id| id == CRON)) {
        let own = ground.identities.get(CRON);
        let wish = wishes::cron::wish(ground, own.or(choice.agent.as_ref()), choice.has_manager);
        let wishes = wish.map(|wish| vec![wish]).map_err(Error::from);
        let part = Part::install_in(Store::crontab(ground.env), CRON, "cron", wishes, receipt);
        parts.push(Part { agent: own.cloned(), ..part });
    }
    parts
}

/// What one harness gets, by the user's choice.
#[must_use]
pub fn wishes(manifest: &Manifest, ground: &Ground<'_>, choice: &Choice) -> Vec<Wish> {
    let vehicle = choice.vehicle.unwrap_or_else(|| vehicle(manifest, ground.env));
    Maker::new(manifest, ground).map(|maker| maker.wishes(vehicle)).unwrap_or_default()
}

/// The plan of `uninstall`: what the receipt knows, and what a lost one would have known; the programs last.
#[must_use]
pub fn plan_uninstall(
    ground: &Ground<'_>,
    choice: &Choice,
    programs: &[Wish],
    receipt: &Receipt,
) -> Vec<Part> {
    let mut parts = Vec::new();
    let is_known = |id: &str| receipt.records().iter().any(|record| record.owner == id);
    let mut add = |id: &str, title: &str, wishes: Vec<Wish>, store: Store| {
        let changes = plan_out(id, &wishes, &store, receipt);
        if changes.as_ref().is_ok_and(Vec::is_empty) {
            return;
        }
        let (id, title, swept) = (id.to_owned(), title.to_owned(), wishes);
        parts.push(Part { id, title, changes, wishes: None, agent: None, swept, store, is_done: false });
    };
    let is_chosen = |id: &str| choice.only.as_ref().is_none_or(|only| only.iter().any(|other| other == id));
    for manifest in Manifest::all() {
        if is_chosen(&manifest.id) {
            // Both vehicles, the tools approved and not: a superset of what setup may have written. An approval that a
            // receipt does not know is the user's own, unless there is none.
            let is_lost = !is_known(&manifest.id);
            let mut wishes = Vec::new();
            for approve_tools in [true, false].into_iter().filter(|approve| is_lost || !approve) {
                let ground = Ground { approve_tools, ..ground.clone() };
                for vehicle in [Vehicle::Settings, Vehicle::Folder] {
                    let maker = Maker::new(&manifest, &ground);
                    wishes.extend(maker.into_iter().flat_map(|maker| maker.wishes(vehicle)));
                }
            }
            add(&manifest.id, &manifest.title, wishes, Store::Files);
        }
    }
    let crontab = Store::crontab(ground.env);
    if is_chosen(CRON) && (is_known(CRON) || wishes::cron::is_there(ground, &crontab)) {
        add(CRON, "cron", vec![wishes::cron::any()], crontab);
    }
    if choice.only.is_none() {
        add(PROGRAMS, "programs", programs.to_vec(), Store::Files);
    }
    parts
}

fn plan_out(owner: &str, wishes: &[Wish], store: &Store, receipt: &Receipt) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    for record in receipt.records().iter().rev().filter(|record| record.owner == owner) {
        changes.push(plan::revert(record, store, receipt)?);
    }
    for wish in wishes {
        let Some(change) = plan::sweep(wish, store)? else { continue };
        // One file can be two harnesses', by links: who has it in the receipt takes ours out of it.
        let is_known = receipt.record(&change.real).is_some();
        if !is_known && !changes.iter().any(|other: &Change| other.real == change.real) {
            changes.push(change);
        }
    }
    if owner == "codex" {
        forget_trust(&mut changes)?;
    }
    Ok(changes)
}

/// What Codex's user trusted of ours goes with it.
fn forget_trust(changes: &mut [Change]) -> Result<(), Error> {
    let is = |change: &Change, name: &str| change.path.file_name().is_some_and(|found| found == name);
    let hooks = changes.iter().find(|change| is(change, "hooks.json"));
    let Some((file, Some(hooks))) = hooks.map(|change| (change.path.clone(), change.before.clone())) else {
        return Ok(());
    };
    let hooks = edit::value(Format::Json, &hooks).unwrap_or_default();
    for config in changes.iter_mut().filter(|change| is(change, "config.toml")) {
        let Some(bytes) = &config.after else { continue };
        let refused = |refusal| Error::Refused { path: config.path.clone(), refusal };
        let edited = codex::without_trust(bytes, &file, &hooks, &Ground::mark()).map_err(refused)?;
        let is_trace = config.was_made() && edit::is_empty(Format::Toml, &edited);
        config.after = if is_trace { None } else { Some(edited) };
    }
    Ok(())
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
            receipt.remember_identity(&part.id, part.agent.as_ref());
            match apply::apply(changes, receipt, stop) {
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
                        None => plan_out(&part.id, &part.swept, &part.store, receipt),
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
    let is_set_up = |other: &Part| receipt.records().iter().any(|record| record.owner == other.id);
    let is_left = |other: &Part| other.changes.is_err() && is_set_up(other);
    part.id == PROGRAMS && part.wishes.is_none() && earlier.iter().any(is_left)
}

/// Where our programs lie, in our directory of data.
#[must_use]
pub fn programs_directory(env: &Env) -> Option<PathBuf> {
    Some(env.data_directory()?.join("bin"))
}
