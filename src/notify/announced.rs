//! What was announced, across restarts: `announced.json`.
//!
//! An announcement is written down before it is shown, as tried, and after it, as shown. Whoever dies in between shows
//! it again at the next start: twice is better than never. But only so often: what kills the notifier each time, or
//! the machine's whole memory of it, must not be shown for ever. What can be written nowhere is not shown at all, for
//! the same reason.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::message::MessageId;
use crate::spool::local::files;
use crate::spool::{self, Error};

/// How often a message is shown whose notifier died at it.
const TRIES: u8 = 2;

/// The messages that were announced and still wait to be read.
#[derive(Debug)]
pub struct Announced {
    path: PathBuf,
    record: Record,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    shown: HashSet<MessageId>,
    /// How often it was begun to show them.
    tried: HashMap<MessageId, u8>,
}

impl Announced {
    /// Reads what was announced. A file that is damaged is as none: a notification comes twice then.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn load(directory: &Path) -> spool::Result<Self> {
        let path = directory.join("announced.json");
        let bytes = match files::read(&path) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(source) => return Err(Error::Io { verb: "read", path, source }),
        };
        Ok(Self { path, record: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    /// Whether the message is not to be announced any more.
    #[must_use]
    pub fn has(&self, id: MessageId) -> bool {
        self.record.shown.contains(&id) || self.record.tried.get(&id).is_some_and(|tries| *tries >= TRIES)
    }

    /// Writes down that these are about to be shown, and forgets what no mailbox holds any more.
    ///
    /// # Errors
    /// Where it cannot be written; they must not be shown then.
    pub fn begin(&mut self, ids: &[MessageId], waiting: &HashSet<MessageId>) -> spool::Result<()> {
        self.write(|record| {
            record.shown.retain(|id| waiting.contains(id));
            record.tried.retain(|id, _| waiting.contains(id));
            for id in ids {
                *record.tried.entry(*id).or_default() += 1;
            }
        })
    }

    /// Writes down that of those that were tried, these were shown, and the rest was not.
    ///
    /// # Errors
    /// Where it cannot be written; this process knows it nevertheless.
    pub fn finish(&mut self, tried: &[MessageId], shown: &[MessageId]) -> spool::Result<()> {
        let end = |record: &mut Record| {
            for id in tried {
                if let Some(tries) = record.tried.get_mut(id) {
                    *tries = tries.saturating_sub(1);
                }
            }
            record.shown.extend(shown);
            record.tried.retain(|id, tries| *tries > 0 && !record.shown.contains(id));
        };
        let written = self.write(end);
        if written.is_err() {
            end(&mut self.record);
        }
        written
    }

    fn write(&mut self, change: impl FnOnce(&mut Record)) -> spool::Result<()> {
        let mut record = self.record.clone();
        change(&mut record);
        files::replace(&self.path, &serde_json::to_vec(&record).unwrap_or_default())?;
        self.record = record;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_dies_while_showing_shows_once_more_and_not_for_ever() {
        let place = tempfile::tempdir().unwrap();
        let (one, other) = (MessageId::random(), MessageId::random());
        let waiting = HashSet::from([one, other]);
        for _ in 0..TRIES {
            let mut announced = Announced::load(place.path()).unwrap();
            assert!(!announced.has(one));
            announced.begin(&[one], &waiting).unwrap();
        }
        let mut announced = Announced::load(place.path()).unwrap();
        assert!(announced.has(one) && !announced.has(other));
        // A desktop that refuses is no death: it is tried as often as need be.
        for _ in 0..5 {
            announced.begin(&[other], &waiting).unwrap();
            announced.finish(&[other], &[]).unwrap();
        }
        assert!(!Announced::load(place.path()).unwrap().has(other));
        announced.begin(&[other], &waiting).unwrap();
        announced.finish(&[other], &[other]).unwrap();
        assert!(Announced::load(place.path()).unwrap().has(other));
    }

    #[test]
    fn what_waits_no_more_is_forgotten() {
        let place = tempfile::tempdir().unwrap();
        let ids: Vec<_> = (0..100).map(|_| MessageId::random()).collect();
        let mut announced = Announced::load(place.path()).unwrap();
        announced.begin(&ids, &ids.iter().copied().collect()).unwrap();
        announced.finish(&ids, &ids).unwrap();
        announced.begin(&[], &HashSet::from([ids[0]])).unwrap();
        let announced = Announced::load(place.path()).unwrap();
        assert!(announced.has(ids[0]) && !announced.has(ids[1]));
        assert_eq!(announced.record.shown.len(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_not_tried() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("file"), "").unwrap();
        let mut announced =
            Announced { path: place.path().join("file/announced.json"), record: Record::default() };
        let id = MessageId::random();
        assert!(announced.begin(&[id], &HashSet::from([id])).is_err());
        assert!(announced.record.tried.is_empty());
        assert!(announced.finish(&[id], &[id]).is_err());
        assert!(announced.has(id), "this process shows it once");
    }
}
