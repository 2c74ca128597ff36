//! Applying a plan: the receipt first, then each file whole. What fails, or is stopped, is taken back.
//!
//! If the process dies here, each file is whole, old or new, and the receipt knows both: the next setup or
//! uninstall ends right.

use std::sync::atomic::{AtomicBool, Ordering};

use super::lock::{self, WriterLock};
use super::plan::Change;
use super::receipt::Receipt;
use super::{Error, file};

/// Applies the changes of one harness, or none of them; the receipt is then what it was `before`.
///
/// # Errors
/// Where a file cannot be written, changed since the plan, or `stop` was set; what was done is taken back.
pub fn apply(
    changes: &[Change],
    receipt: &mut Receipt,
    before: Receipt,
    stop: &AtomicBool,
) -> Result<(), Error> {
    if let Err(error) = record(changes, receipt) {
        forget(changes, receipt, before);
        return Err(error);
    }
    for (done, change) in changes.iter().enumerate() {
        let step = if stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { make(change) };
        if let Err(error) = step {
            // One that somebody else changed, or holds, was not touched: it may even be as we would have it.
            let is_untouched = matches!(error, Error::Changed { .. } | Error::Held { .. } | Error::Stopped);
            let made = done + usize::from(!is_untouched);
            take_back(&changes[..=done], made, receipt, before);
            return Err(error);
        }
    }
    for change in changes.iter().filter(|change| change.record.is_none() && change.kept.is_none()) {
        // Where another harness has the same file by a link, the record is that one's.
        if receipt.record(&change.known).is_some_and(|record| record.owner == change.owner) {
            receipt.set(&change.known, None);
        }
    }
    receipt.save()
}

/// Makes the receipt durable: records of files that will be there are written first, those of files that go are
/// taken away last.
fn record(changes: &[Change], receipt: &mut Receipt) -> Result<(), Error> {
    for change in changes.iter().filter(|change| change.record.is_some()) {
        if let Some(original) = &change.original {
            receipt.keep_original(original)?;
        }
        receipt.set(&change.known, change.record.clone());
    }
    if changes.iter().any(|change| change.record.is_some() && !change.is_nothing()) {
        receipt.save()?;
    }
    Ok(())
}

fn make(change: &Change) -> Result<(), Error> {
    change.store.sweep(&change.real);
    change.lock.iter().for_each(|path| lock::sweep(path));
    if change.is_nothing() {
        return if change.after.is_none() { file::remove_directories(&change.directories) } else { Ok(()) };
    }
    let _lock = change.lock.as_deref().map(WriterLock::take).transpose()?;
    match (&change.before, &change.after) {
        (before, Some(after)) => {
            let written = change.store.write(&change.real, before.as_deref(), after, change.mode);
            written.map_err(|error| match error {
                Error::Io { .. } if change.path.is_symlink() => {
                    Error::Linked { path: change.path.clone(), error: Box::new(error) }
                }
                error => error,
            })
        }
        (Some(before), None) => {
            change.store.remove(&change.real, before)?;
            file::remove_directories(&change.directories)
        }
        (None, None) => Ok(()),
    }
}

fn unmake(change: &Change) -> Result<(), Error> {
    let _lock = change.lock.as_deref().map(WriterLock::take).transpose()?;
    match (&change.before, &change.after) {
        (Some(before), after) => {
            change.store.write(&change.real, after.as_deref(), before, change.mode_before)
        }
        (None, Some(after)) => {
            change.store.remove(&change.real, after)?;
            file::remove_directories(&change.directories)
        }
        (None, None) => Ok(()),
    }
}

/// Makes those of the files that were made what they were, the last first; one that somebody else changed meanwhile
/// is theirs.
pub fn take_back(changes: &[Change], made: usize, receipt: &mut Receipt, before: Receipt) {
    for change in changes[..made].iter().rev().filter(|change| !change.is_nothing()) {
        let undone = unmake(change);
        // The receipt stays as it is for what could not be undone: it knows how.
        if undone.is_err() && change.store.find(&change.real).is_ok_and(|found| found.bytes == change.after) {
            return;
        }
    }
    forget(changes, receipt, before);
}

/// Makes the receipt what it was.
fn forget(changes: &[Change], receipt: &mut Receipt, before: Receipt) {
    *receipt = before;
    // What the receipt says too much is told apart by the files' fingerprints.
    let _ = receipt.save();
    // Only now: the first receipt lies in a directory that was made for the programs.
    for change in changes.iter().rev().filter(|change| change.before.is_none()) {
        // One that is left empty is taken away by the next uninstall.
        let _ = file::remove_directories(&change.directories);
    }
}
