//! What setup wrote into a harness's files: there, as it was written, once, and for this home.

use std::path::Path;

use serde_json::Value;

use super::{Sheet, editor, word};
use crate::edit::{self, Entry, Presence};
use crate::harness::{Manifest, Settings};
use crate::install::earlier::Earlier;
use crate::install::receipt::Receipt;
use crate::install::setup;
use crate::install::wishes::{Ground, Maker, Vehicle};
use crate::install::{Content, Fingerprint, Wish};
use crate::spool::local::files::read_settings;

pub(super) fn look(
    sheet: &mut Sheet<'_>,
    manifest: &Manifest,
    ground: &Ground<'_>,
    receipt: &Receipt,
    earlier: Earlier,
) {
    let again = format!("bch setup --only {}", manifest.id);
    if earlier.vehicle == Vehicle::Folder && setup::is_too_old_for_folder(manifest, ground.env) {
        let detail = format!("this version of {} does not load our folder", manifest.title);
        sheet.fail("version", detail, format!("{again} --vehicle settings"));
    }
    let wishes = Maker::new(manifest, ground).map(|maker| maker.wishes(earlier.vehicle));
    let wishes = wishes.unwrap_or_default();
    if let Some((path, home)) = other_home(&wishes, ground) {
        let here = ground.home.display();
        let detail = format!("the hooks in {} read the mail in {home}, not in {here}", path.display());
        let there = word(Path::new(&home));
        sheet.fail(
            "home",
            detail,
            format!("BACKCHANNEL_HOME={there} bch doctor   # or move it here: {again}"),
        );
        return;
    }
    refused_keys(sheet, manifest, ground);
    wishes.iter().for_each(|wish| file(sheet, wish, receipt, &again));
}

/// Another home than this one that our hooks name, and the file in which they do.
pub(super) fn other_home<'a>(wishes: &'a [Wish], ground: &Ground<'_>) -> Option<(&'a Path, String)> {
    wishes.iter().find_map(|wish| {
        let text = String::from_utf8(read_settings(&wish.path).ok()?).ok()?;
        let (_, line) = text.split_once(&Ground::mark())?;
        let (_, rest) = line.split_once("--home '")?;
        let (home, _) = rest.split_once('\'')?;
        // A home with such letters is spelled otherwise in the file.
        let is_plain = |text: &str| !text.contains(['\'', '"', '\\']);
        let here = ground.home.to_string_lossy();
        (is_plain(home) && is_plain(&here) && home != here).then(|| (wish.path.as_path(), home.to_owned()))
    })
}

/// A key of somebody else for which the harness refuses the whole file of hooks.
fn refused_keys(sheet: &mut Sheet<'_>, manifest: &Manifest, ground: &Ground<'_>) {
    let install = &manifest.install;
    let (Some(keys), Some((directory, _))) = (&install.hooks_file_keys, install.directories(ground.env))
    else {
        return;
    };
    let path = directory.join(&install.hooks.file);
    let settings = Settings::read(path.clone(), install.hooks.format);
    let fields = settings.as_ref().and_then(|settings| settings.at(&[])).and_then(Value::as_object);
    let strange = fields.into_iter().flatten().find(|(key, _)| !keys.contains(key));
    if let Some((key, _)) = strange {
        let detail = format!("{}: {} refuses all of it for the key `{key}`", path.display(), manifest.title);
        sheet.fail("entries", detail, format!("{}   # take `{key}` out", editor(&path)));
    }
}

fn file(sheet: &mut Sheet<'_>, wish: &Wish, receipt: &Receipt, again: &str) {
    let name = wish.path.display().to_string();
    let bytes = read_settings(&wish.path);
    match (&wish.content, bytes) {
        (Content::Gone { .. } | Content::Program { .. }, _) => {}
        (Content::Entries { entries, .. }, Err(_)) if entries.is_empty() => {}
        (_, Err(error)) => sheet.fail("entries", format!("{name}: {error}"), again),
        (Content::Whole { bytes }, Ok(found)) if found == *bytes => sheet.ok("entries", name),
        (Content::Whole { .. }, Ok(found)) => whole(sheet, wish, &found, receipt, again),
        (Content::Entries { format, entries, outdated }, Ok(bytes)) => {
            match edit::find(*format, &bytes, entries) {
                Err(refusal) => {
                    let detail = format!("{name}:{}:{}: {refusal}", refusal.line, refusal.column);
                    sheet.fail("entries", detail, refusal.hint(&wish.path).unwrap_or(again.to_owned()));
                    return;
                }
                Ok(found) => presences(sheet, &name, entries, &found, again),
            }
            if edit::remove(*format, &bytes, outdated, &[]).is_ok_and(|edited| edited.bytes != bytes) {
                let detail = format!("{name} holds a hook of the first version, which takes our mail");
                sheet.fail("first version", detail, again);
            }
        }
    }
}

/// A file of ours with other bytes: setup wrote it so, or somebody changed it, to whom it is left.
fn whole(sheet: &mut Sheet<'_>, wish: &Wish, found: &[u8], receipt: &Receipt, again: &str) {
    let name = wish.path.display();
    let written = receipt.records().iter().find(|record| record.path == wish.path);
    let written = written.and_then(|record| record.written.as_ref());
    if written == Some(&Fingerprint::of(found)) {
        sheet.warn("entries", format!("{name} is of another version"), again);
        return;
    }
    let detail = format!("{name} was changed since setup");
    let hint = format!("rm {} && {again}", word(&wish.path));
    // A skill in other words is still a skill.
    if wish.path.ends_with("SKILL.md") {
        sheet.warn("entries", detail, hint);
    } else {
        sheet.fail("entries", detail, hint);
    }
}

fn presences(sheet: &mut Sheet<'_>, name: &str, entries: &[Entry], found: &[Presence], again: &str) {
    let count = |wanted| found.iter().filter(|presence| **presence == wanted).count();
    let (absent, different, repeated) =
        (count(Presence::Absent), count(Presence::Different), count(Presence::Repeated));
    if repeated > 0 {
        sheet.fail("entries", format!("{name}: {repeated} of our entries are there twice"), again);
    }
    if absent > 0 {
        sheet.fail(
            "entries",
            format!("{name}: {absent} of our {} entries are missing", entries.len()),
            again,
        );
    }
    if different > 0 {
        sheet.fail("entries", format!("{name}: {different} of our entries were changed"), again);
    }
    if absent + different + repeated == 0 && !entries.is_empty() {
        sheet.ok("entries", name);
    }
}
