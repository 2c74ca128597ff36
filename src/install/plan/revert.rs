//! Taking out: what a record knows, and what a lost one would have known.

use super::{CHANGED, Change};
use crate::edit::{self, Entry, Holder, Presence};
use crate::install::file::{self, Found};
use crate::install::receipt::{Receipt, Record};
use crate::install::wishes::NAME;
use crate::install::{Content, Error, Fingerprint, Wish};

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
