//! Whether mail can reach each harness: what setup wrote is there, the harness will run it, and the mail's home
//! is in order. It reads, and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::edit::{self, Entry, Presence};
use crate::harness::Manifest;
use crate::install::codex;
use crate::install::receipt::Receipt;
use crate::install::setup::{self, Choice};
use crate::install::wishes::{Ground, Maker, Vehicle};
use crate::install::{Content, Wish};
use crate::message::AgentName;
use crate::spool::Spool;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Mail goes on, but somebody should look.
    Warn,
    /// Mail does not reach the model.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// The harness's id; none for the mail's home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub harness: Option<String>,
    /// What was looked at, in a word.
    pub check: &'static str,
    /// How it is.
    pub status: Status,
    /// What was seen.
    pub detail: String,
    /// The command that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The list of checks as it grows.
struct Sheet {
    harness: Option<String>,
    checks: Vec<Check>,
}

impl Sheet {
    fn add(&mut self, status: Status, check: &'static str, detail: impl Into<String>, hint: Option<String>) {
        let harness = self.harness.clone();
        self.checks.push(Check { harness, check, status, detail: detail.into(), hint });
    }

    fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(Status::Ok, check, detail, None);
    }

    fn fail(&mut self, check: &'static str, detail: impl Into<String>, hint: impl Into<String>) {
        self.add(Status::Fail, check, detail, Some(hint.into()));
    }

    fn warn(&mut self, check: &'static str, detail: impl Into<String>, hint: impl Into<String>) {
        self.add(Status::Warn, check, detail, Some(hint.into()));
    }
}

/// Looks at every harness that is here, and at the mail's home.
#[must_use]
pub fn examine(
    ground: &Ground<'_>,
    receipt: &Receipt,
    mail: &dyn Spool,
    agent: Option<&AgentName>,
) -> Vec<Check> {
    let mut sheet = Sheet { harness: None, checks: Vec::new() };
    home(&mut sheet, ground, mail, agent);
    for manifest in Manifest::all().iter().filter(|manifest| setup::is_here(manifest, ground.env)) {
        sheet.harness = Some(manifest.id.clone());
        harness(&mut sheet, manifest, ground, receipt);
    }
    sheet.checks
}

/// Whether all is as it should be, or goes on at least.
#[must_use]
pub fn is_well(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.status != Status::Fail)
}

fn home(sheet: &mut Sheet, ground: &Ground<'_>, mail: &dyn Spool, agent: Option<&AgentName>) {
    match agent {
        None => sheet.fail("agent", "this machine has no agent yet", "bch init NAME"),
        Some(agent) => match mail.inbox(agent) {
            Err(error) => {
                sheet.fail("mail", error.to_string(), error.hint().unwrap_or("ls -l ~/.backchannel".into()))
            }
            Ok(inbox) => {
                let counts =
                    format!("@{agent}: {} unread, {} being read", inbox.messages.len(), inbox.claimed);
                sheet.ok("mail", counts);
                for (file, reason) in inbox.bad {
                    let place = ground.home.join("spool").join(agent.as_str()).join("bad");
                    sheet.warn(
                        "bad message",
                        format!("{file}: {reason}"),
                        format!("ls -l {}", place.display()),
                    );
                }
            }
        },
    }
    for (path, wanted) in [(ground.home.clone(), 0o700), (ground.home.join("config.json"), 0o600)] {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 == 0 {
            sheet.ok("modes", format!("{} is private", path.display()));
        } else {
            let hint = format!("chmod {wanted:o} {}", path.display());
            sheet.warn("modes", format!("{} is open to others ({mode:o})", path.display()), hint);
        }
    }
    for name in ["bch", "bch-hook"] {
        let path = ground.programs.join(name);
        let is_program =
            fs::metadata(&path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        if is_program {
            sheet.ok("programs", path.display().to_string());
        } else {
            sheet.fail("programs", format!("{} is not there", path.display()), "bch setup");
        }
    }
}

fn harness(sheet: &mut Sheet, manifest: &Manifest, ground: &Ground<'_>, receipt: &Receipt) {
    let again = format!("bch setup --only {}", manifest.id);
    match manifest.install.version(ground.env) {
        Some(version) => sheet.ok("version", format!("{} {version}", manifest.title)),
        None => sheet.add(Status::Ok, "version", format!("{}, version unknown", manifest.title), None),
    }
    if !receipt.records().iter().any(|record| record.owner == manifest.id) {
        sheet.fail("set up", format!("{} is not set up", manifest.title), again);
        return;
    }
    let vehicle = used_vehicle(manifest, ground, receipt);
    let Some(maker) = Maker::new(manifest, ground, None) else { return };
    for wish in maker.wishes(vehicle) {
        file(sheet, &wish, &again);
    }
    switches(sheet, manifest, maker.directory());
    if manifest.id == "codex" {
        trust(sheet, maker.directory());
    }
}

/// The vehicle by which the harness was set up, told by the files of its record.
fn used_vehicle(manifest: &Manifest, ground: &Ground<'_>, receipt: &Receipt) -> Vehicle {
    let plan = |vehicle| {
        let choice =
            Choice { only: Some(vec![manifest.id.clone()]), vehicle: Some(vehicle), ..Choice::default() };
        setup::wishes(manifest, ground, &choice)
    };
    let is_known = |wish: &Wish| receipt.records().iter().any(|record| record.path == wish.path);
    let folder = plan(Vehicle::Folder);
    let whole = folder.iter().filter(|wish| matches!(wish.content, Content::Whole { .. }));
    if manifest.install.folder.is_some() && whole.clone().count() > 0 && whole.clone().all(is_known) {
        Vehicle::Folder
    } else {
        Vehicle::Settings
    }
}

fn file(sheet: &mut Sheet, wish: &Wish, again: &str) {
    let name = wish.path.display().to_string();
    let bytes = fs::read(&wish.path);
    match (&wish.content, bytes) {
        (Content::Gone { .. } | Content::Program { .. }, _) => {}
        (Content::Entries { entries, .. }, Err(_)) if entries.is_empty() => {}
        (_, Err(error)) => sheet.fail("entries", format!("{name}: {error}"), again),
        (Content::Whole { bytes }, Ok(found)) if found == *bytes => sheet.ok("entries", name),
        (Content::Whole { .. }, Ok(_)) => {
            sheet.warn("entries", format!("{name} was changed since setup"), format!("rm {name} && {again}"));
        }
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

fn presences(sheet: &mut Sheet, name: &str, entries: &[Entry], found: &[Presence], again: &str) {
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

/// Settings of the harness that switch every hook off.
fn switches(sheet: &mut Sheet, manifest: &Manifest, directory: &Path) {
    for switch in &manifest.install.switches {
        let path = directory.join(&switch.place.file);
        let Ok(bytes) = fs::read(&path) else { continue };
        let Ok(value) = edit::value(switch.place.format, &bytes) else { continue };
        let found = switch.place.path.iter().try_fold(&value, |value, key| value.get(key));
        let is_off = match (found, &switch.off) {
            (Some(Value::Array(list)), off) => list.contains(off),
            (found, off) => found == Some(off),
        };
        let name = switch.place.path.join(".");
        if is_off {
            let detail = format!("{} switches hooks off: `{name}`", path.display());
            sheet.fail(
                "switched off",
                detail,
                format!("${{EDITOR:-vi}} {}   # take `{name}` out", path.display()),
            );
        }
    }
}

/// Codex runs a hook only when its user trusted exactly this line at this place.
fn trust(sheet: &mut Sheet, directory: &Path) {
    let (hooks, config) = codex::read(directory);
    let untrusted = codex::untrusted(&directory.join("hooks.json"), &hooks, &config, &Ground::mark());
    if config.pointer("/features/hooks") == Some(&Value::Bool(false)) {
        sheet.fail("switched off", "config.toml has `features.hooks = false`", "codex features enable hooks");
    }
    match untrusted.as_slice() {
        [] => sheet.ok("trust", "Codex trusts our hooks"),
        some => sheet.fail(
            "trust",
            format!("Codex skips our hooks until you trust them: {}", some.join(", ")),
            "codex   # then /hooks, and trust those of backchannel",
        ),
    }
}
