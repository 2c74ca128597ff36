//! Whether mail can reach each harness: what setup wrote is there, the harness will run it, our programs answer,
//! and the mail's home is in order.
//!
//! Looking reads, and changes nothing; [`fix`] alone mends, and only what is ours; [`prove`] runs what is installed,
//! on a mailbox of its own. Each module owns the checks of one subject.

mod attention;
pub mod brain;
mod copies;
mod entries;
pub mod fix;
mod home;
mod leftovers;
pub mod live;
mod modes;
mod notifier;
mod process;
mod programs;
mod prove;
pub mod proven;
pub mod relay;
mod switches;
mod trust;

use std::path::Path;
use std::time::Duration;

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
pub use prove::Prover;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// How long what was run took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<f64>,
}

/// Who follows the checks as they are made.
pub trait Audience {
    /// Something begins that takes a while.
    fn begins(&mut self, harness: Option<&str>, what: &str);
    /// A check is made.
    fn found(&mut self, check: &Check);
}

/// Nobody.
impl Audience for () {
    fn begins(&mut self, _harness: Option<&str>, _what: &str) {}
    fn found(&mut self, _check: &Check) {}
}

/// The list of checks as it grows.
#[derive(Default)]
struct Sheet<'a> {
    harness: Option<String>,
    checks: Vec<Check>,
    audience: Option<&'a mut dyn Audience>,
}

impl Sheet<'_> {
    fn add(&mut self, status: Status, check: &'static str, detail: impl Into<String>, hint: Option<String>) {
        let harness = self.harness.clone();
        self.push(Check { harness, check, status, detail: detail.into(), hint, ms: None });
    }

    fn push(&mut self, check: Check) {
        if let Some(audience) = &mut self.audience {
            audience.found(&check);
        }
        self.checks.push(check);
    }

    fn begin(&mut self, what: &str) {
        if let Some(audience) = &mut self.audience {
            audience.begins(self.harness.as_deref(), what);
        }
    }

    /// Something that was run and held.
    fn held(&mut self, check: &'static str, detail: impl Into<String>, time: Duration) {
        let (harness, detail) = (self.harness.clone(), detail.into());
        let ms = Some((time.as_secs_f64() * 10_000.0).round() / 10.0);
        self.push(Check { harness, check, status: Status::Ok, detail, hint: None, ms });
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

/// What is looked at, and how closely.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The surroundings.
    pub ground: &'a Ground<'a>,
    /// What setup knows of what it wrote.
    pub receipt: &'a Receipt,
    /// The mail.
    pub mail: &'a dyn Spool,
    /// This machine's agent.
    pub agent: Option<&'a AgentName>,
    /// What runs what is installed, where that is asked for.
    pub prover: Option<&'a Prover<'a>>,
}

/// Looks at the mail's home, our programs, and every harness that is here.
#[must_use]
pub fn examine(subject: Subject<'_>, audience: &mut dyn Audience) -> Vec<Check> {
    let Subject { ground, receipt, mail, agent, prover } = subject;
    let mut sheet = Sheet { audience: Some(audience), ..Sheet::default() };
    home::look(&mut sheet, ground, mail, agent);
    attention::look(&mut sheet, ground);
    modes::look(&mut sheet, &ground.home);
    leftovers::look(&mut sheet, ground, receipt);
    let here: Vec<_> =
        Manifest::all().into_iter().filter(|manifest| setup::is_here(manifest, ground.env)).collect();
    let is_set_up = !receipt.records().is_empty()
        || here.iter().any(|manifest| Earlier::of(manifest, ground, receipt).is_some());
    if is_set_up {
        programs::look(&mut sheet, ground);
    } else {
        sheet.ok("programs", "nothing is set up here that would start them");
    }
    notifier::look(&mut sheet, ground, receipt);
    if let Some(prover) = prover {
        prover.sweep(&mut sheet, &ground.home);
    }
    for manifest in &here {
        sheet.harness = Some(manifest.id.clone());
        harness(&mut sheet, manifest, subject);
    }
    sheet.checks
}

/// Whether all is as it should be, or goes on at least.
#[must_use]
pub fn is_well(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.status != Status::Fail)
}

fn harness(sheet: &mut Sheet<'_>, manifest: &Manifest, subject: Subject<'_>) {
    let Subject { ground, receipt, mail, .. } = subject;
    let version = manifest.install.version(ground.env).unwrap_or_else(|| "of an unknown version".to_owned());
    sheet.ok("version", format!("{} {version}", manifest.title));
    let Some(earlier) = Earlier::of(manifest, ground, receipt) else {
        let detail = format!("{} is not set up", manifest.title);
        let is_first = receipt.records().is_empty();
        let hint =
            if is_first { "bch setup".to_owned() } else { format!("bch setup --only {}", manifest.id) };
        sheet.fail("set up", detail, hint);
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
    trust::look(sheet, manifest, ground.env, &directory, earlier.vehicle, earlier.approve_tools);
    if let Some(prover) = subject.prover {
        prover.look(sheet, manifest, ground, &directory, earlier.vehicle);
    }
}

/// The command with which a person opens a file.
fn editor(path: &Path) -> String {
    format!("${{EDITOR:-vi}} {}", word(path))
}

/// How long ago something was, in words.
#[must_use]
pub fn age(now: Timestamp, then: Timestamp) -> String {
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
