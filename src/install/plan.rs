//! Plans: what each file is, what it would be, and what the receipt would say of it. Making one reads files
//! and changes nothing.

use std::path::PathBuf;

use super::file::{self, Found};
use super::receipt::{Entries, Receipt, Record};
use super::wishes::NAME;
use super::{Content, Error, Fingerprint, Wish, first_version};
use crate::edit::{self, Edited, Entry, Format, Holder, Presence};

/// One file, before and after.
#[derive(Debug, Clone)]
pub struct Change {
    /// The harness.
    pub owner: String,
    /// The file as the harness names it.
    pub path: PathBuf,
    /// The file behind its links.
    pub real: PathBuf,
    /// Its bytes now; `None` where there is none.
    pub before: Option<Vec<u8>>,
    /// Its bytes then; `None` where it is to go.
    pub after: Option<Vec<u8>>,
    /// Its permission bits then.
    pub mode: u32,
    /// Its permission bits now.
    pub(super) mode_before: u32,
    /// Directories that are made before, or removed after it where they are empty.
    pub(super) directories: Vec<PathBuf>,
    /// What the receipt says of it then; `None` where it says nothing.
    pub(super) record: Option<Record>,
    /// The original that the record names.
    pub(super) original: Option<Vec<u8>>,
    /// What its harness's own writers hold meanwhile.
    pub(super) lock: Option<PathBuf>,
    /// Whether setup made the file.
    is_ours: bool,
    /// Why the file stays, where it should change.
    pub kept: Option<&'static str>,
}

/// Why a file of ours that its user changed is left to them.
const CHANGED: &str = "you changed it since setup";

impl Change {
    fn nothing(owner: &str, path: PathBuf, found: &Found) -> Self {
        Self {
            owner: owner.to_owned(),
            path,
            real: found.real.clone(),
            before: found.bytes.clone(),
            after: found.bytes.clone(),
            mode: found.mode,
            mode_before: found.mode,
            directories: Vec::new(),
            record: None,
            original: None,
            lock: None,
            is_ours: false,
            kept: None,
        }
    }

    /// Whether the file was not there before setup made it.
    pub(super) fn was_made(&self) -> bool {
        self.is_ours
    }

    /// Whether the file stays as it is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.before == self.after && (self.mode == self.mode_before || self.after.is_none())
    }

    /// The change as a unified diff.
    #[must_use]
    pub fn diff(&self) -> String {
        let name = self.path.display().to_string();
        let side =
            |bytes: &Option<Vec<u8>>| if bytes.is_some() { name.clone() } else { "/dev/null".to_owned() };
        let text = |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().unwrap_or_default());
        match (text(&self.before), text(&self.after)) {
            (Ok(before), Ok(after)) => similar::TextDiff::from_lines(&before, &after)
                .unified_diff()
                .header(&side(&self.before), &side(&self.after))
                .to_string(),
            _ => {
                let size = self.after.as_ref().or(self.before.as_ref()).map_or(0, Vec::len);
                format!(
                    "--- {}\n+++ {}\n(a program of {size} bytes)\n",
                    side(&self.before),
                    side(&self.after)
                )
            }
        }
    }
}

/// What these wishes change. What the receipt has of the same owner beyond them is taken out.
///
/// # Errors
/// Where one of the files cannot be read, or is not what an editor can keep whole: none is to be written then.
pub fn install(owner: &str, wishes: &[Wish], receipt: &Receipt) -> Result<Vec<Change>, Error> {
    let mut changes = wishes.iter().map(|wish| wished(wish, receipt)).collect::<Result<Vec<_>, _>>()?;
    let is_wished = |record: &&Record| changes.iter().any(|change| change.real == record.real);
    let surplus: Vec<_> =
        receipt.records().iter().filter(|record| record.owner == owner && !is_wished(record)).collect();
    for record in surplus {
        changes.push(revert(record, receipt)?);
    }
    Ok(changes)
}

fn wished(wish: &Wish, receipt: &Receipt) -> Result<Change, Error> {
    if let Content::Program { source } = &wish.content
        && file::is_program_like(source, &wish.path)
    {
        // Programs are large: the same one is not read into memory.
        let found = Found { real: wish.path.clone(), bytes: None, mode: file::PROGRAM };
        let record = receipt.record(&found.real).cloned();
        return Ok(Change { record, ..Change::nothing(&wish.owner, wish.path.clone(), &found) });
    }
    let found = file::find(&wish.path)?;
    let record = receipt.record(&found.real);
    let mut change = Change::nothing(&wish.owner, wish.path.clone(), &found);
    change.record = record.cloned();
    change.lock.clone_from(&wish.lock);
    change.directories = match record {
        Some(record) => record.directories.clone(),
        None => file::missing_directories(&found.real),
    };
    // What nobody touched since setup stands for what was there before it.
    let is_untouched = |record: &&Record| found.bytes.as_deref().map(Fingerprint::of) == record.written;
    let untouched = record.filter(is_untouched);
    let (original, entries) = match &wish.content {
        Content::Whole { bytes } => {
            let is_known =
                found.bytes.is_none() || untouched.is_some() || found.bytes.as_ref() == Some(bytes);
            if !is_known && !found.bytes.as_deref().is_some_and(is_first_version) {
                if record.is_none() {
                    return Err(Error::NotOurs { path: wish.path.clone() });
                }
                change.kept = Some(CHANGED);
                return Ok(change);
            }
            change.after = Some(bytes.clone());
            let kept = untouched.and_then(|record| record.original.as_ref());
            let original = if is_known {
                kept.and_then(|original| receipt.original(original))
            } else {
                found.bytes.clone()
            };
            (original, None)
        }
        Content::Program { source } => {
            change.mode = file::PROGRAM;
            change.after = Some(file::read(source)?);
            (None, None)
        }
        Content::Entries { format, entries, outdated } => {
            if entries.is_empty() && !has_any(*format, found.bytes.as_deref(), outdated) && record.is_none() {
                return Ok(change);
            }
            let known = record.and_then(|record| record.entries.as_ref());
            if is_done(*format, found.bytes.as_deref(), entries, outdated, known) {
                return Ok(change);
            }
            let refused = |refusal| Error::Refused { path: wish.path.clone(), refusal };
            let base = match untouched.map(|record| record.original.as_ref()) {
                Some(None) => Some(None),
                Some(Some(original)) => receipt.original(original).map(Some),
                None => None,
            };
            let (original, edited) = match base {
                Some(original) => {
                    let edited =
                        put_in(*format, original.as_deref(), entries, outdated, &[]).map_err(refused)?;
                    (original, edited)
                }
                None => over(*format, found.bytes.as_deref(), entries, outdated, known).map_err(refused)?,
            };
            change.after = Some(edited.bytes);
            (original, Some(Entries { format: *format, entries: entries.clone(), holders: edited.holders }))
        }
        Content::Gone { mark } => {
            let is_theirs = |bytes: &Vec<u8>| memchr::memmem::find(bytes, mark.as_bytes()).is_some();
            match &found.bytes {
                Some(bytes) if is_theirs(bytes) => change.after = None,
                _ => return Ok(change),
            }
            change.directories = Vec::new();
            (found.bytes.clone(), None)
        }
    };
    if change.is_nothing() {
        return Ok(change);
    }
    change.record = Some(Record {
        owner: wish.owner.clone(),
        path: wish.path.clone(),
        real: found.real.clone(),
        original: original.as_deref().map(Fingerprint::of),
        mode: untouched.map_or(found.mode, |record| record.mode),
        written: change.after.as_deref().map(Fingerprint::of),
        entries,
        directories: change.directories.clone(),
        lock: wish.lock.clone(),
    });
    change.original = original;
    Ok(change)
}

/// Whether a file has what it has to have, and no more of ours, however it is laid out.
fn is_done(
    format: Format,
    bytes: Option<&[u8]>,
    entries: &[Entry],
    outdated: &[Entry],
    known: Option<&Entries>,
) -> bool {
    let found = bytes.map(|bytes| edit::find(format, bytes, entries));
    known.is_some_and(|known| known.entries == entries)
        && matches!(found, Some(Ok(found)) if found.iter().all(|found| *found == Presence::AsWritten))
        && !has_any(format, bytes, outdated)
}

/// Whether there is something to take out. A file that does not parse does nothing in its harness either.
fn has_any(format: Format, bytes: Option<&[u8]>, entries: &[Entry]) -> bool {
    bytes.is_some_and(|bytes| {
        edit::remove(format, bytes, entries, &[]).is_ok_and(|edited| edited.bytes != bytes)
    })
}

/// Whether a skill's file is the first version's.
fn is_first_version(bytes: &[u8]) -> bool {
    let has = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    has("name: backchannel") && has(first_version::SKILL)
}

fn put_in(
    format: Format,
    bytes: Option<&[u8]>,
    entries: &[Entry],
    outdated: &[Entry],
    holders: &[Holder],
) -> Result<Edited, edit::Refusal> {
    match bytes {
        Some(bytes) if !outdated.is_empty() => {
            let cleaned = edit::remove(format, bytes, outdated, holders)?.bytes;
            edit::insert(format, Some(&cleaned), entries)
        }
        bytes => edit::insert(format, bytes, entries),
    }
}

/// Edits a file that its user changed since, or that has entries of ours without a receipt: they keep their
/// place. Returns what it would be without us, and what it will be.
fn over(
    format: Format,
    bytes: Option<&[u8]>,
    entries: &[Entry],
    outdated: &[Entry],
    ours: Option<&Entries>,
) -> Result<(Option<Vec<u8>>, Edited), edit::Refusal> {
    let is_old = |old: &&Entry| !entries.iter().any(|new| new.is_same_place(old));
    let old: Vec<Entry> = ours.iter().flat_map(|ours| ours.entries.iter().filter(is_old)).cloned().collect();
    let gone = [outdated, &old].concat();
    let holders = ours.map_or(&[][..], |ours| &ours.holders);
    let mut edited = put_in(format, bytes, entries, &gone, holders)?;
    edited.holders.extend(holders.iter().cloned());
    let Some(bytes) = bytes else { return Ok((None, edited)) };
    let original = edit::remove(format, bytes, &[entries, &old].concat(), &edited.holders)?.bytes;
    Ok((Some(original), edited))
}

/// What taking out a record's file changes.
///
/// # Errors
/// As [`install`].
pub fn revert(record: &Record, receipt: &Receipt) -> Result<Change, Error> {
    let found = file::find(&record.real)?;
    let mut change = Change::nothing(&record.owner, record.path.clone(), &found);
    change.directories = record.directories.clone();
    change.lock.clone_from(&record.lock);
    change.is_ours = record.original.is_none();
    let now = found.bytes.as_deref().map(Fingerprint::of);
    let original = record.original.as_ref().map(|original| receipt.original(original));
    if now == record.original {
        return Ok(change);
    }
    if now == record.written {
        match original {
            None => change.after = None,
            Some(Some(original)) => {
                change.after = Some(original);
                // The mode of a file that is there is its user's to change.
                if found.bytes.is_none() {
                    change.mode = record.mode;
                }
            }
            // The original is lost: what is ours can still be taken out.
            Some(None) => take_out(record, &found, &mut change)?,
        }
    } else if found.bytes.is_some() {
        take_out(record, &found, &mut change)?;
    }
    Ok(change)
}

fn take_out(record: &Record, found: &Found, change: &mut Change) -> Result<(), Error> {
    let (Some(ours), Some(bytes)) = (&record.entries, &found.bytes) else {
        change.kept = Some(CHANGED);
        return Ok(());
    };
    let refused = |refusal| Error::Refused { path: record.path.clone(), refusal };
    let edited = edit::remove(ours.format, bytes, &ours.entries, &ours.holders).map_err(refused)?;
    // A file that we made, and that holds nothing any more, is a trace of ours.
    let is_trace = record.original.is_none() && edit::is_empty(ours.format, &edited.bytes);
    change.after = if is_trace { None } else { Some(edited.bytes) };
    Ok(())
}

/// What taking out our entries changes in a file that the receipt does not know, because it was lost;
/// `None` where there are none.
///
/// # Errors
/// As [`install`].
pub fn sweep(wish: &Wish) -> Result<Option<Change>, Error> {
    let found = file::find(&wish.path)?;
    let mut change = Change::nothing(&wish.owner, wish.path.clone(), &found);
    let Some(bytes) = &found.bytes else { return Ok(None) };
    change.lock.clone_from(&wish.lock);
    match &wish.content {
        Content::Program { .. } => change.after = None,
        Content::Whole { bytes: ours } if ours == bytes => change.after = None,
        Content::Whole { .. } | Content::Gone { .. } => {}
        // A file that does not parse and does not name us is no concern of ours.
        Content::Entries { .. } if memchr::memmem::find(bytes, NAME.as_bytes()).is_none() => {}
        Content::Entries { format, entries, .. } => {
            let refused = |refusal| Error::Refused { path: wish.path.clone(), refusal };
            let edited = edit::remove(*format, bytes, entries, &holders(entries)).map_err(refused)?;
            if edit::find(*format, bytes, entries)
                .map_err(refused)?
                .iter()
                .any(|found| *found != Presence::Absent)
            {
                change.after = Some(edited.bytes);
            }
        }
    }
    Ok((!change.is_nothing()).then_some(change))
}

/// Every object and array above the entries: where nobody knows who made them, an empty one goes.
fn holders(entries: &[Entry]) -> Vec<Holder> {
    let mut paths: Vec<Vec<String>> = Vec::new();
    for entry in entries {
        let path = entry.container();
        paths.extend((1..=path.len()).map(|length| path[..length].to_vec()));
    }
    paths.sort();
    paths.dedup();
    paths.into_iter().map(|path| Holder { path, before: None }).collect()
}
