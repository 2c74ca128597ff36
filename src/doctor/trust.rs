//! What a harness's user has to allow before our hooks run: Codex's trust in each line, Gemini CLI's in a folder.
//!
//! Nothing here, nor in [`super::fix`], grants any of it.

use std::path::Path;

use super::{Sheet, editor};
use crate::env::Env;
use crate::harness::{Manifest, Standing};
use crate::install::codex;
use crate::install::wishes::{Ground, Vehicle};

pub(super) fn look(
    sheet: &mut Sheet<'_>,
    manifest: &Manifest,
    env: &Env,
    directory: &Path,
    vehicle: Vehicle,
    approved: bool,
) {
    if manifest.id == "codex" {
        lines(sheet, directory);
    }
    folder(sheet, manifest, env, directory, vehicle);
    tools(sheet, manifest, approved);
}

/// Whether an agent may use our tools unasked. Mail arrives by hooks either way.
fn tools(sheet: &mut Sheet<'_>, manifest: &Manifest, approved: bool) {
    let title = &manifest.title;
    let detail = if approved {
        format!("{title} lets an agent use our tools: you allowed them in advance")
    } else {
        format!(
            "{title} asks you before an agent uses our tools, and refuses them without a person; \
             bch setup --only {} --approve-tools allows them",
            manifest.id
        )
    };
    sheet.ok("approval", detail);
}

/// Codex runs a hook only when its user trusted exactly this line at this place.
fn lines(sheet: &mut Sheet<'_>, directory: &Path) {
    let (hooks, config) = codex::read(directory);
    // Where there are none, the check of entries says so.
    if !hooks.to_string().contains(&Ground::mark()) {
        return;
    }
    let untrusted = codex::untrusted(&directory.join("hooks.json"), &hooks, &config, &Ground::mark());
    match untrusted.as_slice() {
        [] => sheet.ok("trust", "Codex trusts our hooks"),
        some => sheet.fail(
            "trust",
            format!("Codex skips our hooks until you trust them: {}", some.join(", ")),
            "codex   # then /hooks, and trust those of backchannel",
        ),
    }
}

/// Whether the harness may work in the working directory.
fn folder(sheet: &mut Sheet<'_>, manifest: &Manifest, env: &Env, directory: &Path, vehicle: Vehicle) {
    let install = &manifest.install;
    let (Some(trust), Some(here)) = (&install.folder_trust, env.directory()) else { return };
    let (title, place) = (&manifest.title, here.display());
    let lost = match vehicle {
        Vehicle::Settings => "our hooks do not run there",
        Vehicle::Folder => "our tools do not connect there",
    };
    match trust.standing(install, directory, &here, env) {
        Standing::Trusted => sheet.ok("folder trust", format!("{title} trusts {place}")),
        Standing::Distrusted => {
            let detail =
                format!("{title} does not trust {place}: {lost}, and it does not start without a person");
            sheet.warn("folder trust", detail, &trust.step);
        }
        Standing::Unknown => {
            let detail =
                format!("{title} asks about {place} first, and does not start there without a person");
            sheet.warn("folder trust", detail, &trust.step);
        }
        Standing::Denied(variable) => {
            let detail = format!("{title} trusts no folder, by `{variable}`: {lost}");
            sheet.warn("folder trust", detail, format!("unset {variable}"));
        }
        Standing::Damaged(path, reason) => {
            let detail = format!("{title} does not start: {}: {reason}", path.display());
            sheet.fail("folder trust", detail, editor(&path));
        }
    }
}
