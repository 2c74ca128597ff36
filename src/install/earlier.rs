//! What an earlier setup chose, told by its receipt: doctor goes by it, and chooses nothing anew.
//!
//! Entries of the vehicle that is not used serve each event a second time: here they are found, and taken out.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::plan;
use super::receipt::{Receipt, Record};
use super::wishes::{Ground, Maker, Vehicle};
use super::{Content, Error, Fingerprint, Store, Wish, apply};
use crate::edit::{self, Entry};
use crate::harness::Manifest;
use crate::spool::local::files::read_settings;

/// How a harness was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Where mail reaches it.
    pub vehicle: Vehicle,
    /// Whether our tools are approved in advance.
    pub approve_tools: bool,
}

impl Earlier {
    /// How the harness was set up; `None` where it never was.
    #[must_use]
    pub fn of(manifest: &Manifest, ground: &Ground<'_>, receipt: &Receipt) -> Option<Self> {
        let records: Vec<_> = receipt.records().iter().filter(|record| record.owner == manifest.id).collect();
        let (directory, _) = manifest.install.directories(ground.env)?;
        if records.is_empty() {
            return None;
        }
        let hooks = manifest.install.folder.as_ref().map(|folder| {
            let folder_directory = directory.join(&folder.path);
            folder_directory.join(&folder.hooks)
        });
        let is_folder = hooks.is_some_and(|hooks| records.iter().any(|record| record.path == hooks));
        let vehicle = if is_folder { Vehicle::Folder } else { Vehicle::Settings };
        let approve_tools = records.iter().any(|record| approves(manifest, record))
            || wrote_approving_file(manifest, ground, vehicle, &records);
        // What its user took back since is not granted again.
        let approve_tools = approve_tools && is_approved(manifest, ground, vehicle);
        Some(Self { vehicle, approve_tools })
    }

    /// The ground with that choice.
    #[must_use]
    pub fn ground<'a>(&self, ground: &Ground<'a>) -> Ground<'a> {
        Ground { approve_tools: self.approve_tools, ..ground.clone() }
    }

    /// What is there of ours that the other vehicle would have, and this one does not.
    #[must_use]
    pub fn others(&self, manifest: &Manifest, ground: &Ground<'_>) -> Vec<Wish> {
        if manifest.install.folder.is_none() {
            return Vec::new();
        }
        let other = if self.vehicle == Vehicle::Folder { Vehicle::Settings } else { Vehicle::Folder };
        let mut others: Vec<Wish> = Vec::new();
        for approve_tools in [true, false] {
            let ground = Ground { approve_tools, ..ground.clone() };
            let Some(maker) = Maker::new(manifest, &ground) else { continue };
            let used = maker.wishes(self.vehicle);
            for wish in maker.wishes(other).into_iter().filter_map(|wish| narrow(wish, &used)) {
                match others.iter_mut().find(|other| other.path == wish.path) {
                    None => others.push(wish),
                    Some(other) if is_as_written(&wish) => *other = wish,
                    Some(_) => {}
                }
            }
        }
        others
    }

    /// Takes what the other vehicle has of ours out of the files; returns which.
    ///
    /// # Errors
    /// Where a file cannot be read, kept whole or written: none is changed then.
    pub fn take_out_others(
        &self,
        manifest: &Manifest,
        ground: &Ground<'_>,
        receipt: &mut Receipt,
        stop: &AtomicBool,
    ) -> Result<Vec<PathBuf>, Error> {
        let mut changes = Vec::new();
        for wish in self.others(manifest, ground) {
            if let Some(mut change) = plan::sweep(&wish, &Store::Files)? {
                // What the receipt knows of the file stays known.
                change.record = receipt.record(&change.real).cloned();
                change.directories = folder_directories(manifest, ground, &change.path);
                changes.push(change);
            }
        }
        if !changes.is_empty() {
            let before = receipt.clone();
            apply::apply(&changes, receipt, before, stop)?;
        }
        Ok(changes.into_iter().map(|change| change.path).collect())
    }
}

/// The directories of our folder in which the file is, the outermost first.
fn folder_directories(manifest: &Manifest, ground: &Ground<'_>, file: &Path) -> Vec<PathBuf> {
    let folder = manifest.install.folder.as_ref();
    let root = manifest.install.directories(ground.env).zip(folder);
    let Some(root) = root.map(|((directory, _), folder)| directory.join(&folder.path)) else {
        return Vec::new();
    };
    let within = file.ancestors().skip(1).take_while(|above| above.starts_with(&root));
    let mut directories: Vec<_> = within.map(Path::to_owned).collect();
    directories.reverse();
    directories
}

/// The wish with no more than what is there, and is not in the same place by the vehicle in use.
fn narrow(wish: Wish, used: &[Wish]) -> Option<Wish> {
    let found = read_settings(&wish.path).ok()?;
    let same: Vec<_> = used.iter().filter(|used| used.path == wish.path).collect();
    let content = match wish.content {
        Content::Entries { format, mut entries, .. } => {
            for used in &same {
                let Content::Entries { entries: kept, .. } = &used.content else { continue };
                entries.retain(|entry| !kept.iter().any(|kept| kept.is_same_place(entry)));
            }
            // One by one: an empty list of the user's is no trace of an entry that is not there.
            entries.retain(|entry| {
                edit::remove(format, &found, std::slice::from_ref(entry), &[])
                    .is_ok_and(|edited| edited.bytes != found)
            });
            (!entries.is_empty()).then_some(Content::Entries { format, entries, outdated: Vec::new() })
        }
        content @ Content::Whole { .. } => {
            let is_used = same.iter().any(|used| matches!(used.content, Content::Whole { .. }));
            (!is_used).then_some(content)
        }
        Content::Program { .. } | Content::Gone { .. } => None,
    };
    content.map(|content| Wish { content, ..wish })
}

/// Whether a file of ours has these very bytes.
#[must_use]
pub fn is_as_written(wish: &Wish) -> bool {
    match &wish.content {
        Content::Whole { bytes } => read_settings(&wish.path).is_ok_and(|found| found == *bytes),
        Content::Entries { .. } | Content::Program { .. } | Content::Gone { .. } => false,
    }
}

/// Whether one of the entries that were written approves our tools.
fn approves(manifest: &Manifest, record: &Record) -> bool {
    let tools = &manifest.install.tools;
    let is_approval = |mark: &String| {
        tools
            .approval
            .as_ref()
            .is_some_and(|approval| *mark == approval.element || *mark == approval.folder_element)
    };
    let entries = record.entries.iter().flat_map(|ours| &ours.entries);
    entries.into_iter().any(|entry| match entry {
        Entry::Element { mark, .. } => is_approval(mark),
        Entry::Member { value, .. } => {
            let mut fields = tools.approving_fields.iter();
            fields.len() > 0 && fields.all(|(name, wanted)| value.get(name) == Some(wanted))
        }
        Entry::Section { .. } | Entry::Heading { .. } => false,
    })
}

/// What the harness would get with this choice of approval.
fn wishes(manifest: &Manifest, ground: &Ground<'_>, vehicle: Vehicle, approve_tools: bool) -> Vec<Wish> {
    let ground = Ground { approve_tools, ..ground.clone() };
    Maker::new(manifest, &ground).map(|maker| maker.wishes(vehicle)).unwrap_or_default()
}

/// Whether the approval is there still: what only an approving setup writes.
fn is_approved(manifest: &Manifest, ground: &Ground<'_>, vehicle: Vehicle) -> bool {
    let without = wishes(manifest, ground, vehicle, false);
    wishes(manifest, ground, vehicle, true).into_iter().all(|wish| {
        let plain = without.iter().find(|without| without.path == wish.path).map(|wish| &wish.content);
        match (wish.content, plain) {
            (Content::Whole { .. }, None) => wish.path.exists(),
            (Content::Entries { format, mut entries, .. }, plain) => {
                if let Some(Content::Entries { entries: plain, .. }) = plain {
                    entries.retain(|entry| !plain.contains(entry));
                }
                let found = read_settings(&wish.path).map(|bytes| edit::find(format, &bytes, &entries));
                entries.is_empty()
                    || found.is_ok_and(|found| {
                        found.is_ok_and(|found| found.iter().all(|found| *found == edit::Presence::AsWritten))
                    })
            }
            _ => true,
        }
    })
}

/// Whether a file of ours was written as it is only where tools are approved.
fn wrote_approving_file(
    manifest: &Manifest,
    ground: &Ground<'_>,
    vehicle: Vehicle,
    records: &[&Record],
) -> bool {
    let was_written = |wish: &Wish| {
        let Content::Whole { bytes } = &wish.content else { return None };
        let record = records.iter().find(|record| record.path == wish.path)?;
        Some(record.written == Some(Fingerprint::of(bytes)))
    };
    let without = wishes(manifest, ground, vehicle, false);
    wishes(manifest, ground, vehicle, true).iter().filter(|with| was_written(with) == Some(true)).any(
        |with| {
            let plain = without.iter().find(|without| without.path == with.path);
            plain.is_some_and(|without| was_written(without) == Some(false))
        },
    )
}
