//! Our entries in a file of the user's: whether they are there, and what the file is with and without them.

use crate::edit::{self, Edited, Entry, Format, Holder, Presence};
use crate::install::first_version;
use crate::install::receipt::Entries;

/// Whether a file has what it has to have, and no more of ours, however it is laid out.
pub(super) fn is_done(
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
pub(super) fn has_any(format: Format, bytes: Option<&[u8]>, entries: &[Entry]) -> bool {
    bytes.is_some_and(|bytes| {
        edit::remove(format, bytes, entries, &[]).is_ok_and(|edited| edited.bytes != bytes)
    })
}

pub(super) fn put_in(
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
pub(super) fn over(
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
    if ours.is_none() && edit::remove(format, bytes, entries, &[])?.bytes != bytes {
        // Ours are there, and a receipt is not.
        edited.holders.extend(super::revert::holders(entries));
    }
    let original = edit::remove(format, bytes, &[entries, &old].concat(), &edited.holders)?.bytes;
    Ok((Some(original), edited))
}

/// What of the first version gives way to ours: its own entries, and its server, which has our name.
pub(super) fn replaced(
    format: Format,
    bytes: Option<&[u8]>,
    entries: &[Entry],
    outdated: &[Entry],
) -> Result<Vec<Entry>, edit::Refusal> {
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    let servers = entries.iter().filter_map(|entry| match entry {
        Entry::Member { path, .. } => Some(first_version::server(path)),
        _ => None,
    });
    let places: Vec<_> = outdated.iter().cloned().chain(servers).collect();
    edit::extract(format, bytes, &places)
}
