//! Putting in: what one wish changes.

use super::entries::{has_any, is_done, over, put_in, replaced};
use super::{CHANGED, Change};
use crate::edit::{self, Entry, Format, Presence};
use crate::install::file::{self, Found};
use crate::install::receipt::{Entries, Receipt, Record};
use crate::install::{Content, Error, Fingerprint, Store, Wish, first_version};

/// What is there, and what is known of it.
struct Situation<'a> {
    wish: &'a Wish,
    receipt: &'a Receipt,
    found: &'a Found,
    record: Option<&'a Record>,
    /// The record, where nobody touched the file since setup: what it knows stands for what was there before.
    untouched: Option<&'a Record>,
}

/// What is to be there, what would be without us, and our entries in it.
struct Outcome {
    after: Option<Vec<u8>>,
    original: Option<Vec<u8>>,
    entries: Option<Entries>,
}

/// What a wish changes.
pub(super) fn wished(wish: &Wish, store: &Store, receipt: &Receipt) -> Result<Change, Error> {
    if let Content::Program { source } = &wish.content
        && file::is_program_like(source, &wish.path)
        && let Some(record) = receipt.record(&file::settled(&wish.path)).cloned()
    {
        // Programs are large: the same one is not read into memory.
        let found = Found { bytes: None, mode: file::PROGRAM, ..file::nothing_at(&wish.path) };
        return Ok(Change {
            record: Some(record),
            ..Change::nothing(&wish.owner, wish.path.clone(), store, &found)
        });
    }
    let found = match &wish.content {
        Content::Program { .. } => file::find_own(&wish.path)?,
        // Behind a link is somebody's file, which does no harm here.
        Content::Gone { .. } if wish.path.is_symlink() => file::nothing_at(&wish.path),
        _ => store.find(&wish.path)?,
    };
    let record = receipt.record_of(&found.real, &wish.path);
    let now = found.bytes.as_deref().map(Fingerprint::of);
    let is_untouched = |record: &&Record| record.is_untouched(now.as_ref());
    let situation =
        Situation { wish, receipt, found: &found, record, untouched: record.filter(is_untouched) };
    let mut change = Change::nothing(&wish.owner, wish.path.clone(), store, &found);
    if let Some(record) = record {
        change.known.clone_from(&record.real);
        change.record = Some(Record { real: found.real.clone(), ..record.clone() });
    }
    change.lock.clone_from(&wish.lock);
    change.directories = match record {
        Some(record) => record.directories.clone(),
        None => store.missing_directories(&found.real),
    };
    let outcome = match &wish.content {
        Content::Whole { bytes } => match situation.whole(bytes)? {
            Some(outcome) => Some(outcome),
            None => {
                change.kept = Some(CHANGED);
                None
            }
        },
        Content::Program { source } => {
            change.mode = file::PROGRAM;
            Some(Outcome { after: Some(file::read(source)?), original: None, entries: None })
        }
        Content::Entries { format, entries, outdated } => situation.entries(*format, entries, outdated)?,
        Content::Gone { mark } => {
            change.directories = Vec::new();
            situation.gone(mark)
        }
    };
    let Some(outcome) = outcome else { return Ok(change) };
    change.after = outcome.after;
    // What is there without a record, since that was lost, is learned anew.
    let is_ours = outcome.entries.as_ref().is_none_or(|ours| !ours.entries.is_empty());
    if change.is_nothing() && (record.is_some() || found.bytes.is_none() || !is_ours) {
        return Ok(change);
    }
    change.record = Some(Record {
        owner: wish.owner.clone(),
        path: wish.path.clone(),
        real: found.real.clone(),
        original: outcome.original.as_deref().map(Fingerprint::of),
        mode: situation.untouched.map_or(found.mode, |record| record.mode),
        written: change.after.as_deref().map(Fingerprint::of),
        earlier: now,
        entries: outcome.entries,
        directories: change.directories.clone(),
        lock: wish.lock.clone(),
    });
    change.original = outcome.original;
    Ok(change)
}

impl Situation<'_> {
    /// A file that is ours alone; `None` where its user changed it.
    fn whole(&self, bytes: &[u8]) -> Result<Option<Outcome>, Error> {
        let found = self.found.bytes.as_deref();
        let after = Some(bytes.to_vec());
        if found.is_none_or(|found| found == bytes) || self.untouched.is_some() {
            let kept = self.untouched.and_then(|record| record.original.as_ref());
            let original = kept.and_then(|original| self.receipt.original(original));
            return Ok(Some(Outcome { after, original, entries: None }));
        }
        match found {
            Some(found) if is_first_version(found) => {
                Ok(Some(Outcome { after, original: Some(found.to_vec()), entries: None }))
            }
            // Ours of another time, with programs elsewhere, and without a record.
            Some(found) if self.record.is_none() && is_alike(found, bytes) => {
                Ok(Some(Outcome { after, original: None, entries: None }))
            }
            _ if self.record.is_some() => Ok(None),
            _ => Err(Error::NotOurs { path: self.wish.path.clone() }),
        }
    }

    /// Entries of ours in a file of the user's; `None` where nothing is to be done.
    fn entries(
        &self,
        format: Format,
        entries: &[Entry],
        outdated: &[Entry],
    ) -> Result<Option<Outcome>, Error> {
        let found = self.found.bytes.as_deref();
        let known = self.record.and_then(|record| record.entries.as_ref());
        let entries = &self.wanted(format, entries);
        // One file can be two harnesses', by links: the first has it in the receipt, and takes ours out of it.
        if self.record.is_some_and(|record| record.owner != self.wish.owner) {
            let is_there = |bytes| {
                let found = edit::find(format, bytes, entries);
                found.is_ok_and(|found| found.iter().all(|found| *found == Presence::AsWritten))
            };
            return match entries.is_empty() || found.is_some_and(is_there) {
                true => Ok(None),
                false => Err(Error::Shared { path: self.wish.path.clone() }),
            };
        }
        let is_unknown = entries.is_empty() && self.record.is_none() && !has_any(format, found, outdated);
        if is_unknown || is_done(format, found, entries, outdated, known) {
            return Ok(None);
        }
        let base = match self.untouched.map(|record| record.original.as_ref()) {
            Some(None) => Some(None),
            Some(Some(original)) => self.receipt.original(original).map(Some),
            None => None,
        };
        let edited = match base {
            Some(original) => {
                put_in(format, original.as_deref(), entries, outdated, &[]).map(|edited| (original, edited))
            }
            None => over(format, found, entries, outdated, known),
        };
        let refused = |refusal| Error::Refused { path: self.wish.path.clone(), refusal };
        let (mut original, edited) = edited.map_err(&refused)?;
        let replaced = match known {
            Some(known) => known.replaced.clone(),
            None => replaced(format, found, entries, outdated).map_err(&refused)?,
        };
        // A file that was changed since does not hold it any more.
        if let (Some(known), None, Some(bytes)) = (known, self.untouched, &original) {
            original = Some(edit::insert(format, Some(bytes), &known.replaced).map_err(refused)?.bytes);
        }
        let entries = Entries { format, entries: entries.clone(), holders: edited.holders, replaced };
        Ok(Some(Outcome { after: Some(edited.bytes), original, entries: Some(entries) }))
    }

    /// The entries, without approvals that the user gave before us.
    fn wanted(&self, format: Format, entries: &[Entry]) -> Vec<Entry> {
        let known = self.record.and_then(|record| record.entries.as_ref());
        let is_known = |entry: &Entry| {
            known.is_some_and(|known| known.entries.iter().any(|known| known.is_same_place(entry)))
        };
        let is_there = |entry: &Entry| match &self.found.bytes {
            Some(bytes) => edit::find(format, bytes, std::slice::from_ref(entry))
                .is_ok_and(|found| found == [Presence::AsWritten]),
            None => false,
        };
        let is_wanted = |entry: &&Entry| !entry.is_word() || is_known(entry) || !is_there(entry);
        entries.iter().filter(is_wanted).cloned().collect()
    }

    /// No file, where the one that is there is the first version's.
    fn gone(&self, mark: &str) -> Option<Outcome> {
        // Ours is there, by the other vehicle: what it replaced stays known.
        let replaced = self.untouched.filter(|record| record.written.is_some());
        let replaced = replaced.and_then(|record| self.receipt.original(record.original.as_ref()?));
        if replaced.is_some() {
            return Some(Outcome { after: None, original: replaced, entries: None });
        }
        let is_theirs = |bytes: &&Vec<u8>| memchr::memmem::find(bytes, mark.as_bytes()).is_some();
        let original = self.found.bytes.as_ref().filter(is_theirs)?;
        Some(Outcome { after: None, original: Some(original.clone()), entries: None })
    }
}

/// Whether a file is ours but for the version, and for where the programs and the mail were: one that its user changed
/// is theirs.
pub(super) fn is_alike(found: &[u8], ours: &[u8]) -> bool {
    const MOVING: [&str; 3] = ["/backchannel/bin/bch", "/.backchannel\"", "\"version\": "];
    let (Ok(found), Ok(ours)) = (std::str::from_utf8(found), std::str::from_utf8(ours)) else { return false };
    let is_same = |(one, other): (&str, &str)| {
        one == other || MOVING.iter().any(|part| one.contains(part) && other.contains(part))
    };
    found.lines().count() == ours.lines().count() && found.lines().zip(ours.lines()).all(is_same)
}

/// Whether a skill's file is the first version's.
fn is_first_version(bytes: &[u8]) -> bool {
    let has = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    has("name: backchannel") && has(first_version::SKILL)
}
