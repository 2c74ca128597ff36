//! Further copies of our hook: where an event is served twice, its mail is shown twice.
//!
//! Entries of the vehicle that is not used are ours, and `--fix` takes them out. Lines that a person or another
//! tool wrote, in the user's other files or in a project's, are theirs.

use std::path::Path;

use super::{Sheet, editor, word};
use crate::harness::{LayerOwner, Manifest, Settings};
use crate::install::Content;
use crate::install::earlier::{self, Earlier};
use crate::install::wishes::{Ground, Vehicle};

/// The name of our hook, by whatever path.
const HOOK: &str = "bch-hook";

pub(super) fn look(
    sheet: &mut Sheet<'_>,
    manifest: &Manifest,
    ground: &Ground<'_>,
    directory: &Path,
    earlier: Earlier,
) {
    let before = sheet.checks.len();
    others(sheet, manifest, ground, directory, earlier);
    let install = &manifest.install;
    if let Some(user) = Settings::read(directory.join(&install.hooks.file), install.hooks.format) {
        // Those that bear our mark are counted with the entries.
        strange(sheet, manifest, &user, |line| !line.contains(&Ground::mark()));
    }
    for owner in [LayerOwner::User, LayerOwner::Administrator] {
        for settings in install.settings(owner, directory, ground.env) {
            strange(sheet, manifest, &settings, |_| true);
        }
    }
    for settings in install.project_settings(directory, ground.env).iter().flatten() {
        if let Some((detail, hint)) = copies(manifest, settings, |_| true) {
            // They count in its directory alone.
            sheet.warn("copies", detail, hint);
        }
    }
    if sheet.checks.len() == before {
        sheet.ok("copies", "each event is served once");
    }
}

/// What is there by the vehicle that is not used.
fn others(
    sheet: &mut Sheet<'_>,
    manifest: &Manifest,
    ground: &Ground<'_>,
    directory: &Path,
    earlier: Earlier,
) {
    for wish in earlier.others(manifest, ground) {
        let name = wish.path.display();
        match &wish.content {
            Content::Entries { entries, .. } => {
                let detail = format!("{name} holds {} of our entries beside our folder", entries.len());
                sheet.fail("copies", detail, "bch doctor --fix");
            }
            Content::Whole { .. } if earlier.vehicle == Vehicle::Settings => {
                let folder = manifest.install.folder.as_ref().map(|folder| directory.join(&folder.path));
                let description = manifest.install.folder.as_ref().map(|folder| &folder.description);
                let (Some(folder), Some(description)) = (folder, description) else { continue };
                let description = folder.join(description);
                // Without the description the harness loads nothing of it.
                if description == wish.path {
                    let hint = match earlier::is_as_written(&wish) {
                        true => "bch doctor --fix".to_owned(),
                        false => format!("rm {}", word(&description)),
                    };
                    let detail = format!("our folder {} is there beside our entries", folder.display());
                    sheet.fail("copies", detail, hint);
                }
            }
            Content::Whole { .. } | Content::Program { .. } | Content::Gone { .. } => {}
        }
    }
}

/// Lines in a file of the user's or the administrator's that are not of our making.
fn strange(sheet: &mut Sheet<'_>, manifest: &Manifest, settings: &Settings, is_meant: impl Fn(&str) -> bool) {
    if let Some((detail, hint)) = copies(manifest, settings, is_meant) {
        sheet.fail("copies", detail, hint);
    }
}

fn copies(
    manifest: &Manifest,
    settings: &Settings,
    is_meant: impl Fn(&str) -> bool,
) -> Option<(String, String)> {
    let mut events = Vec::new();
    for (event, line) in settings.commands(&manifest.install.hooks.path) {
        let is_served = manifest.event(event).is_some() && !events.contains(&event);
        if is_served && line.contains(HOOK) && is_meant(line) {
            events.push(event);
        }
    }
    let path = &settings.path;
    let detail = format!("{} serves with `{HOOK}` too: {}", path.display(), events.join(", "));
    (!events.is_empty()).then(|| (detail, format!("{}   # take the lines with {HOOK} out", editor(path))))
}
