//! Putting in: what one wish changes.

use super::entries::{has_any, is_done, over, put_in};
use super::{CHANGED, Change};
use crate::edit::{Entry, Format};
use crate::install::file::{self, Found};
use crate::install::receipt::{Entries, Receipt, Record};
use crate::install::{Content, Error, Fingerprint, Wish, first_version};

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
pub(super) fn wished(wish: &Wish, receipt: &Receipt) -> Result<Change, Error> {
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
    let is_untouched = |record: &&Record| found.bytes.as_deref().map(Fingerprint::of) == record.written;
    let situation =
        Situation { wish, receipt, found: &found, record, untouched: record.filter(is_untouched) };
    let mut change = Change::nothing(&wish.owner, wish.path.clone(), &found);
    change.record = record.cloned();
    change.lock.clone_from(&wish.lock);
    change.directories = match record {
        Some(record) => record.directories.clone(),
        None => file::missing_directories(&found.real),
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
    if change.is_nothing() {
        return Ok(change);
    }
    change.record = Some(Record {
        owner: wish.owner.clone(),
        path: wish.path.clone(),
        real: found.real.clone(),
        original: outcome.original.as_deref().map(Fingerprint::of),
        mode: situation.untouched.map_or(found.mode, |record| record.mode),
        written: change.after.as_deref().map(Fingerprint::of),
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
        let (original, edited) = edited.map_err(refused)?;
        let entries = Entries { format, entries: entries.to_vec(), holders: edited.holders };
        Ok(Some(Outcome { after: Some(edited.bytes), original, entries: Some(entries) }))
    }

    /// No file, where the one that is there is the first version's.
    fn gone(&self, mark: &str) -> Option<Outcome> {
        let is_theirs = |bytes: &&Vec<u8>| memchr::memmem::find(bytes, mark.as_bytes()).is_some();
        let original = self.found.bytes.as_ref().filter(is_theirs)?;
        Some(Outcome { after: None, original: Some(original.clone()), entries: None })
    }
}

/// Whether a skill's file is the first version's.
fn is_first_version(bytes: &[u8]) -> bool {
    let has = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    has("name: backchannel") && has(first_version::SKILL)
}
