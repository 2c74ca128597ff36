//! Mends what is ours, and only that: the modes of our own home, files that a killed writer left, our programs, and
//! our entries in harnesses that were set up before, by the choices of that time.
//!
//! Never: trust, a switch of the user's, mail, or anything in a file beyond our entries.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Sheet, Status, entries, leftovers, modes, programs};
use crate::harness::Manifest;
use crate::install::earlier::Earlier;
use crate::install::plan::Change;
use crate::install::receipt::Receipt;
use crate::install::setup::{self, Choice, Part};
use crate::install::wishes::{Ground, Maker};
use crate::install::{Error, PROGRAMS, Wish};

/// Directories in the mail's home, one within the other: `spool/<agent>/claimed/<lease>`.
const DEEPEST: usize = 5;

/// What came of it.
#[derive(Debug, Default)]
pub struct Mended {
    /// What was mended, each in a line.
    pub fixed: Vec<String>,
    /// What could not be, and why.
    pub refused: Vec<(String, Error)>,
}

/// Mends what can be mended. `programs` are those beside the one that runs, where they are known. A stop leaves
/// what was mended until then, and no harness half mended.
pub fn fix(
    ground: &Ground<'_>,
    receipt: &mut Receipt,
    programs: Option<&[Wish]>,
    stop: &AtomicBool,
) -> Mended {
    let mut mended = Mended::default();
    // A directory that was closed shows what is in it once it is open.
    for _ in 0..DEEPEST {
        for wrong in modes::wrong(&ground.home) {
            let done = fs::set_permissions(&wrong.path, fs::Permissions::from_mode(wrong.wanted));
            mended.note(done, "chmod", &wrong.path, wrong.command());
        }
        if !mended.refused.is_empty() {
            break;
        }
    }
    for path in leftovers::find(ground, receipt) {
        mended.note(fs::remove_file(&path), "remove", &path, format!("removed {}", path.display()));
    }
    let is_set_up = receipt.records().iter().any(|record| record.owner == PROGRAMS);
    if let Some(wishes) = programs.filter(|_| is_set_up)
        && is_faulty(|sheet| programs::look(sheet, ground))
    {
        let choice = Choice { only: Some(Vec::new()), ..Choice::default() };
        let parts = setup::plan_setup(ground, &choice, wishes.to_vec(), receipt);
        mended.carry_out(parts, receipt, stop);
    }
    for manifest in Manifest::all().iter().filter(|manifest| setup::is_here(manifest, ground.env)) {
        if !stop.load(Ordering::Relaxed) {
            harness(manifest, ground, receipt, stop, &mut mended);
        }
    }
    mended
}

/// Whether a look finds anything amiss: nothing is written where there is not.
fn is_faulty(look: impl FnOnce(&mut Sheet<'_>)) -> bool {
    let mut sheet = Sheet::default();
    look(&mut sheet);
    sheet.checks.iter().any(|check| check.status != Status::Ok)
}

fn harness(
    manifest: &Manifest,
    ground: &Ground<'_>,
    receipt: &mut Receipt,
    stop: &AtomicBool,
    mended: &mut Mended,
) {
    let Some(earlier) = Earlier::of(manifest, ground, receipt) else { return };
    let ground = &earlier.ground(ground);
    let wishes = Maker::new(manifest, ground).map(|maker| maker.wishes(earlier.vehicle));
    // Which of the two homes is meant, its user knows.
    if entries::other_home(&wishes.unwrap_or_default(), ground).is_some() {
        return;
    }
    let title = &manifest.title;
    match earlier.take_out_others(manifest, ground, receipt, stop) {
        Ok(paths) => mended.fixed.extend(
            paths.iter().map(|path| format!("{title}: took our second copy out of {}", path.display())),
        ),
        Err(error) => mended.refused.push((title.clone(), error)),
    }
    if is_faulty(|sheet| entries::look(sheet, manifest, ground, receipt, earlier)) {
        let (only, vehicle) = (Some(vec![manifest.id.clone()]), Some(earlier.vehicle));
        let mut parts =
            setup::plan_setup(ground, &Choice { only, vehicle, notifier: false }, Vec::new(), receipt);
        // Without programs to copy, their plan would be to take the installed ones away.
        parts.retain(|part| part.id != PROGRAMS);
        mended.carry_out(parts, receipt, stop);
    }
}

impl Mended {
    fn note(&mut self, done: io::Result<()>, verb: &'static str, path: &Path, text: String) {
        match done {
            Ok(()) => self.fixed.push(text),
            Err(source) => {
                let error = Error::Io { verb, path: path.to_owned(), source };
                self.refused.push(("the mail's home".to_owned(), error));
            }
        }
    }

    fn carry_out(&mut self, mut parts: Vec<Part>, receipt: &mut Receipt, stop: &AtomicBool) {
        parts.retain(|part| part.has_changes() || part.changes.is_err());
        if let Err(error) = setup::carry_out(&mut parts, receipt, stop) {
            self.refused.extend(parts.into_iter().next().map(|part| (part.title, error)));
            return;
        }
        for part in parts {
            match part.changes {
                Ok(changes) => {
                    let done = changes.iter().filter(|change| part.is_done && !change.is_nothing());
                    self.fixed.extend(done.map(|change| line(&part.id, &part.title, change)));
                }
                Err(error) => self.refused.push((part.title, error)),
            }
        }
    }
}

fn line(id: &str, title: &str, change: &Change) -> String {
    let verb = match (&change.before, &change.after) {
        (None, _) => "made",
        (_, None) => "removed",
        _ => "mended",
    };
    let path = change.path.display();
    if id == PROGRAMS { format!("{verb} {path}") } else { format!("{title}: {verb} {path}") }
}
