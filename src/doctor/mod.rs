//! Whether mail can reach each harness: what setup wrote is there, the harness will run it, our programs answer,
//! and the mail's home is in order.
//!
//! Looking reads, and changes nothing; [`fix`] alone mends, and only what is ours. Each module owns the checks of
//! one subject.

mod attention;
mod copies;
mod entries;
pub mod fix;
mod home;
mod leftovers;
mod modes;
mod programs;
pub mod proven;
mod switches;
mod trust;

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::harness::Manifest;
use crate::install::earlier::Earlier;
use crate::install::receipt::Receipt;
use crate::install::setup;
use crate::install::wishes::Ground;
use crate::message::AgentName;
use crate::shell::word;
use crate::spool::Spool;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Mail goes on, but somebody should look.
    Warn,
    /// Mail does not reach the model, or reaches it twice.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// The harness's id; none for the machine and the mail's home.
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
#[derive(Default)]
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

/// Looks at the mail's home, our programs, and every harness that is here.
#[must_use]
pub fn examine(
    ground: &Ground<'_>,
    receipt: &Receipt,
    mail: &dyn Spool,
    agent: Option<&AgentName>,
) -> Vec<Check> {
    let mut sheet = Sheet::default();
    home::look(&mut sheet, ground, mail, agent);
    attention::look(&mut sheet, ground);
    modes::look(&mut sheet, &ground.home);
    leftovers::look(&mut sheet, ground, receipt);
    programs::look(&mut sheet, ground);
    for manifest in Manifest::all().iter().filter(|manifest| setup::is_here(manifest, ground.env)) {
        sheet.harness = Some(manifest.id.clone());
        harness(&mut sheet, manifest, ground, receipt, mail);
    }
    sheet.checks
}

/// Whether all is as it should be, or goes on at least.
#[must_use]
pub fn is_well(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.status != Status::Fail)
}

fn harness(sheet: &mut Sheet, manifest: &Manifest, ground: &Ground<'_>, receipt: &Receipt, mail: &dyn Spool) {
    let version = manifest.install.version(ground.env).unwrap_or_else(|| "of an unknown version".to_owned());
    sheet.ok("version", format!("{} {version}", manifest.title));
    let Some(earlier) = Earlier::of(manifest, ground, receipt) else {
        let detail = format!("{} is not set up", manifest.title);
        sheet.fail("set up", detail, format!("bch setup --only {}", manifest.id));
        return;
    };
    let ground = &earlier.ground(ground);
    let Some((directory, _)) = manifest.install.directories(ground.env) else { return };
    if let Some(agent) = ground.identities.get(&manifest.id) {
        home::identity(sheet, mail, agent);
    }
    entries::look(sheet, manifest, ground, receipt, earlier);
    copies::look(sheet, manifest, ground, &directory, earlier);
    switches::look(sheet, manifest, ground.env, &directory);
    trust::look(sheet, manifest, ground.env, &directory, earlier.vehicle);
}

/// The command with which a person opens a file.
fn editor(path: &Path) -> String {
    format!("${{EDITOR:-vi}} {}", word(path))
}

/// How long ago something was, in words.
fn age(now: Timestamp, then: Timestamp) -> String {
    span(now.duration_since(then))
}

/// A span of time in its largest unit.
fn span(duration: SignedDuration) -> String {
    let minutes = duration.as_mins();
    let (count, unit) = match minutes {
        ..1 => return "less than a minute".to_owned(),
        1..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    counted(usize::try_from(count).unwrap_or_default(), unit)
}

/// `1 file`, `2 files`.
fn counted(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}
