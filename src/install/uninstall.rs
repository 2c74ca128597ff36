//! The plan of `uninstall`: what the receipt knows of each harness, and what a lost one would have known.

use super::codex;
use super::plan::{self, Change};
use super::receipt::Receipt;
use super::service::Kind;
use super::setup::{Choice, Part};
use super::wishes::{self, Ground, Maker, Vehicle};
use super::{CRON, Error, Fault, NOTIFIER, PROGRAMS, Store, Wish};
use crate::edit::{self, Format};
use crate::harness::Manifest;

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
    if is_chosen(CRON) && (is_known(CRON) || has_block(ground, &crontab, receipt)) {
        add(CRON, "cron", vec![wishes::cron::any()], crontab);
    }
    if is_chosen(NOTIFIER) {
        let mut wish = wishes::notifier::wish(ground, Kind::here()).ok();
        let is_of_others = |wish: &Wish| wishes::notifier::is_of_others(ground, Kind::here(), &wish.path);
        if !is_known(NOTIFIER) {
            wish = wish.filter(|wish| !is_of_others(wish));
        }
        add(NOTIFIER, "notifier", wish.into_iter().collect(), Store::Files);
    }
    if choice.only.is_none() {
        add(PROGRAMS, "programs", programs.to_vec(), Store::Files);
    }
    parts
}

/// Whether a crontab that the receipt does not know has a block of ours, or may have one: where the receipt was lost,
/// and the crontab cannot be read, the programs that it may start have to stay.
fn has_block(ground: &Ground<'_>, store: &Store, receipt: &Receipt) -> bool {
    match wishes::cron::is_there(ground, store) {
        Ok(is_there) => is_there,
        Err(Error::Crontab(Fault::Missing)) => false,
        Err(_) => receipt.records().is_empty() && ground.programs.join("bch").exists(),
    }
}

pub(super) fn plan_out(
    owner: &str,
    wishes: &[Wish],
    store: &Store,
    receipt: &Receipt,
) -> Result<Vec<Change>, Error> {
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
