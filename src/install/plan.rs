//! Plans: what each file is, what it would be, and what the receipt would say of it. Making one reads files
//! and changes nothing.

use std::path::PathBuf;

use super::receipt::{Entries, Receipt, Record};
use super::{Content, Error, Fingerprint, Wish, file};
use crate::edit::{self, Entry, Format};

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
    /// Why the file stays, where it should go.
    pub kept: Option<String>,
}

impl Change {
    /// Whether the file stays as it is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.before == self.after && self.mode == self.mode_before
    }

    /// The change as a unified diff, without a line where there is none.
    #[must_use]
    pub fn diff(&self) -> String {
        let text = |bytes: &Option<Vec<u8>>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        let (before, after) = (text(&self.before), text(&self.after));
        let name = self.path.display().to_string();
        let side =
            |bytes: &Option<Vec<u8>>| if bytes.is_some() { name.clone() } else { "/dev/null".to_owned() };
        similar::TextDiff::from_lines(&before, &after)
            .unified_diff()
            .header(&side(&self.before), &side(&self.after))
            .to_string()
    }
}

/// What these wishes change.
///
/// # Errors
/// Where one of the files cannot be read, or is not what an editor can keep whole: none is to be written then.
pub fn install(wishes: &[Wish], receipt: &Receipt) -> Result<Vec<Change>, Error> {
    wishes.iter().map(|wish| wished(wish, receipt)).collect()
}

fn wished(wish: &Wish, receipt: &Receipt) -> Result<Change, Error> {
    let found = file::find(&wish.path)?;
    let record = receipt.record(&found.real);
    let directories = match record {
        Some(record) => record.directories.clone(),
        None => file::missing_directories(&found.real),
    };
    let mut change = Change {
        owner: wish.owner.clone(),
        path: wish.path.clone(),
        real: found.real.clone(),
        before: found.bytes.clone(),
        after: found.bytes.clone(),
        mode: found.mode,
        mode_before: found.mode,
        directories,
        record: record.cloned(),
        original: None,
        kept: None,
    };
    // Bytes that are ours alone stand for what was there before us.
    let is_as_written =
        |record: &&Record| found.bytes.as_ref().is_some_and(|bytes| Fingerprint::of(bytes) == record.written);
    let untouched = record.filter(is_as_written);
    let entries = match &wish.content {
        Content::Whole { bytes, is_program } => {
            let is_ours = found.bytes.is_none()
                || untouched.is_some()
                || *is_program
                || found.bytes.as_ref() == Some(bytes);
            if !is_ours {
                if record.is_some() {
                    change.kept = Some("you changed it since setup".into());
                    return Ok(change);
                }
                return Err(Error::NotOurs { path: wish.path.clone() });
            }
            change.mode = if *is_program { 0o755 } else { found.mode };
            change.after = Some(bytes.clone());
            None
        }
        Content::Entries { format, entries } => {
            let refused = |refusal| Error::Refused { path: wish.path.clone(), refusal };
            let base = match untouched {
                Some(record) => match &record.original {
                    None => Some(None),
                    Some(fingerprint) => receipt.original(fingerprint).map(Some),
                },
                None => None,
            };
            let (original, edited) = match base {
                Some(original) => {
                    let edited = edit::insert(*format, original.as_deref(), entries).map_err(refused)?;
                    (original, edited)
                }
                None => {
                    let outdated = record.and_then(|record| record.entries.as_ref());
                    let outdated = outdated.map(|old| without(&old.entries, entries)).unwrap_or_default();
                    let made = record.and_then(|record| record.entries.as_ref()).map(|old| old.made.clone());
                    let bare = found.bytes.as_deref();
                    let cleaned = match bare {
                        Some(bytes) if !outdated.is_empty() => {
                            Some(edit::remove(*format, bytes, &outdated, &[]).map_err(refused)?.bytes)
                        }
                        _ => bare.map(<[u8]>::to_vec),
                    };
                    let mut edited = edit::insert(*format, cleaned.as_deref(), entries).map_err(refused)?;
                    edited.made.extend(made.unwrap_or_default());
                    let original = match bare {
                        Some(bytes) => {
                            Some(edit::remove(*format, bytes, entries, &edited.made).map_err(refused)?.bytes)
                        }
                        None => None,
                    };
                    (original, edited)
                }
            };
            change.after = Some(edited.bytes);
            if change.is_nothing() {
                return Ok(change);
            }
            change.original = original;
            Some(Entries { format: *format, entries: entries.clone(), made: edited.made })
        }
    };
    if change.is_nothing() && (record.is_some() || entries.is_none()) {
        return Ok(change);
    }
    let written = change.after.as_deref().map(Fingerprint::of);
    change.record = written.map(|written| Record {
        owner: wish.owner.clone(),
        path: wish.path.clone(),
        real: found.real.clone(),
        original: change.original.as_deref().map(Fingerprint::of),
        mode: record.map_or(found.mode, |record| record.mode),
        written,
        entries,
        directories: change.directories.clone(),
    });
    Ok(change)
}

/// The entries that are not among the new ones, by their place and mark.
fn without(old: &[Entry], new: &[Entry]) -> Vec<Entry> {
    old.iter().filter(|old| !new.iter().any(|new| new.is_same_place(old))).cloned().collect()
}

/// What taking out a record's file changes.
///
/// # Errors
/// As [`install`].
pub fn revert(record: &Record, receipt: &Receipt) -> Result<Change, Error> {
    let found = file::find(&record.real)?;
    let mut change = Change {
        owner: record.owner.clone(),
        path: record.path.clone(),
        real: record.real.clone(),
        before: found.bytes.clone(),
        after: found.bytes.clone(),
        mode: found.mode,
        mode_before: found.mode,
        directories: record.directories.clone(),
        record: None,
        original: None,
        kept: None,
    };
    let Some(bytes) = found.bytes else { return Ok(change) };
    let fingerprint = Fingerprint::of(&bytes);
    if record.original.as_ref() == Some(&fingerprint) {
        return Ok(change);
    }
    let original = record.original.as_ref().map(|original| receipt.original(original));
    match (&record.entries, original) {
        (_, None) if fingerprint == record.written => change.after = None,
        (_, Some(Some(original))) if fingerprint == record.written => {
            change.after = Some(original);
            change.mode = record.mode;
        }
        (None, _) => {
            change.kept = Some("you changed it since setup".into());
        }
        (Some(ours), original) => {
            let refused = |refusal| Error::Refused { path: record.path.clone(), refusal };
            let edited = edit::remove(ours.format, &bytes, &ours.entries, &ours.made).map_err(refused)?;
            // A file that we made, and that holds nothing any more, is a trace of ours.
            let is_trace = original.is_none() && edit::is_empty(ours.format, &edited.bytes);
            change.after = if is_trace { None } else { Some(edited.bytes) };
        }
    }
    Ok(change)
}

/// What taking out our entries changes in a file that the receipt does not know, because it was lost;
/// `None` where there are none.
///
/// # Errors
/// As [`install`].
pub fn sweep(wish: &Wish) -> Result<Option<Change>, Error> {
    let found = file::find(&wish.path)?;
    let Some(bytes) = &found.bytes else { return Ok(None) };
    let after = match &wish.content {
        Content::Whole { bytes: ours, is_program } if *is_program || ours == bytes => None,
        Content::Whole { .. } => return Ok(None),
        Content::Entries { format, entries } => {
            let refused = |refusal| Error::Refused { path: wish.path.clone(), refusal };
            let made = containers(*format, entries);
            Some(edit::remove(*format, bytes, entries, &made).map_err(refused)?.bytes)
        }
    };
    let change = Change {
        owner: wish.owner.clone(),
        path: wish.path.clone(),
        real: found.real,
        before: found.bytes,
        after,
        mode: found.mode,
        mode_before: found.mode,
        directories: Vec::new(),
        record: None,
        original: None,
        kept: None,
    };
    Ok((!change.is_nothing()).then_some(change))
}

/// Every container above the entries: where nobody knows who made them, an empty one goes.
fn containers(format: Format, entries: &[Entry]) -> Vec<Vec<String>> {
    let _ = format;
    let mut made: Vec<Vec<String>> = Vec::new();
    for entry in entries {
        let path = entry.container();
        made.extend((1..=path.len()).map(|length| path[..length].to_vec()));
    }
    made.sort();
    made.dedup();
    made
}
