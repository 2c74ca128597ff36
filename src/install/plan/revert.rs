//! Taking out: what a record knows, and what a lost one would have known.

use std::path::{Path, PathBuf};

use super::wished::is_alike;
use super::{CHANGED, Change, REPLACED};
use crate::edit::{self, Entry, Holder};
use crate::install::file::{self, Found};
use crate::install::receipt::{Receipt, Record};
use crate::install::wishes::NAME;
use crate::install::{Content, Error, Fault, Fingerprint, PROGRAMS, Store, Wish};

/// What taking out a record's file changes.
///
/// # Errors
/// As [`super::install`].
pub fn revert(record: &Record, store: &Store, receipt: &Receipt) -> Result<Change, Error> {
    // Behind a link that its user made of it since, the file is the same one.
    let place = if record.is_in_place() { &record.real } else { &record.path };
    let found = match record.owner.as_str() {
        PROGRAMS => file::find_own(&record.path),
        _ => store.find(place),
    };
    let (found, kept) = match found {
        Err(Error::NoFile { path }) => (file::nothing_at(&path), Some(REPLACED)),
        // Without its program nobody can say what is in the crontab, and nothing runs it.
        Err(Error::Crontab(Fault::Missing)) => (file::nothing_at(place), None),
        found => (found?, None),
    };
    let mut change = Change::nothing(&record.owner, record.path.clone(), store, &found);
    change.known.clone_from(&record.real);
    if kept.is_some() {
        change.kept = kept;
        return Ok(change);
    }
    change.directories = record.directories.clone();
    change.lock.clone_from(&record.lock);
    change.is_ours = record.original.is_none();
    let now = found.bytes.as_deref().map(Fingerprint::of);
    let original = record.original.as_ref().map(|original| receipt.original(original));
    if now == record.original {
        return Ok(change);
    }
    if record.is_untouched(now.as_ref()) {
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
    let mut edited = edit::remove(ours.format, bytes, &ours.entries, &ours.holders).map_err(&refused)?;
    if !ours.replaced.is_empty() {
        edited = edit::insert(ours.format, Some(&edited.bytes), &ours.replaced).map_err(refused)?;
    }
    // A file that we made, and that holds nothing any more, is a trace of ours.
    let is_trace = record.original.is_none() && edit::is_empty(ours.format, &edited.bytes);
    change.after = if is_trace { None } else { Some(edited.bytes) };
    Ok(())
}

/// What taking out our entries changes in a file that the receipt does not know, because it was lost;
/// `None` where there are none.
///
/// # Errors
/// As [`super::install`].
pub fn sweep(wish: &Wish, store: &Store) -> Result<Option<Change>, Error> {
    let found = match (&wish.content, store.find(&wish.path)) {
        (Content::Program { .. }, _) => file::find_own(&wish.path)?,
        (_, Err(Error::NoFile { .. } | Error::Crontab(Fault::Missing))) => return Ok(None),
        (_, found) => found?,
    };
    let mut change = Change::nothing(&wish.owner, wish.path.clone(), store, &found);
    let Some(bytes) = &found.bytes else { return Ok(None) };
    change.lock.clone_from(&wish.lock);
    match &wish.content {
        Content::Program { .. } => change.after = None,
        Content::Whole { bytes: ours } if is_alike(bytes, ours) => {
            change.after = None;
            change.directories = own_directories(&wish.path);
        }
        Content::Whole { .. } | Content::Gone { .. } => {}
        // A file that does not parse and does not name us is no concern of ours.
        Content::Entries { .. } if memchr::memmem::find(bytes, NAME.as_bytes()).is_none() => {}
        Content::Entries { format, entries, .. } => {
            let refused = |refusal| Error::Refused { path: wish.path.clone(), refusal };
            if edit::remove(*format, bytes, entries, &[]).map_err(&refused)?.bytes != *bytes {
                let edited = edit::remove(*format, bytes, entries, &holders(entries)).map_err(refused)?;
                change.after = Some(edited.bytes);
            }
        }
    }
    Ok((!change.is_nothing()).then_some(change))
}

/// The directories above a file of ours from the one that bears our name, the outermost first. A home can bear it, too:
/// no others than those of our folders lie between.
fn own_directories(path: &Path) -> Vec<PathBuf> {
    let is_named = |above: &Path, names: &[&str]| {
        above.file_name().is_some_and(|name| names.iter().any(|known| name == *known))
    };
    let is_of_folder = |above: &&Path| is_named(above, &[NAME, "hooks", "skills", ".claude-plugin"]);
    let mut above: Vec<_> = path.ancestors().skip(1).take_while(is_of_folder).map(Path::to_owned).collect();
    above.reverse();
    above.into_iter().skip_while(|above| !is_named(above, &[NAME])).collect()
}

/// Every object and array above the entries: where nobody knows who made them, an empty one goes.
pub(super) fn holders(entries: &[Entry]) -> Vec<Holder> {
    let mut paths: Vec<Vec<String>> = Vec::new();
    for entry in entries {
        let path = entry.container();
        paths.extend((1..=path.len()).map(|length| path[..length].to_vec()));
    }
    paths.sort();
    paths.dedup();
    paths.into_iter().map(|path| Holder { path, before: None }).collect()
}
