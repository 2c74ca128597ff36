//! What was sent lately: so that a message which is sent again is delivered once, and so that a start after a crash
//! can tell a send that was answered from one that was not.
//!
//! Hashes alone, in two generations: when the young one is full, the old one is forgotten.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::super::{Result, RoomId};
use super::lock;
use super::send_log::Log;
use crate::message::{Message, MessageId, Priority};
use crate::spool::error::OnPath;
use crate::spool::{self, Sent};

/// How long a send is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Which message: a hash of its room and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) [u8; 16]);

/// What it says: a hash of its sender and all that a sender gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content(pub(super) [u8; 12]);

/// The answer to a send, for each who waits for it.
pub(super) type Answer = Result<Sent>;

/// What is known of a send that is about to begin.
pub(super) enum Begin {
    /// Nothing: it is on its way from now on, and [`Remembered::finish`] answers.
    New(oneshot::Receiver<Answer>),
    /// The same is on its way.
    Underway(oneshot::Receiver<Answer>),
    /// The same was delivered.
    Delivered,
    /// The id is another message's.
    Other,
}

/// What was sent, in memory and in `sends/`.
pub(super) struct Remembered {
    known: Mutex<Known>,
    log: Mutex<Log>,
}

/// Both lists are as large from the start as they may become, and used again: lists that grow and go would leave holes
/// in the memory of each thread that let them grow.
struct Known {
    young: HashMap<Key, (Content, u32)>,
    old: HashMap<Key, (Content, u32)>,
    underway: HashMap<Key, (Content, Vec<oneshot::Sender<Answer>>)>,
    /// Records of a generation.
    most: usize,
}

impl Key {
    pub(super) fn of(room: &RoomId, id: MessageId) -> Self {
        let digest = digest([room.as_str().as_bytes(), id.to_string().as_bytes()].into_iter());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }
}

impl Content {
    /// Takes an earlier record back.
    pub(super) const NONE: Self = Self([0; 12]);

    pub(super) fn of(message: &Message) -> Self {
        let to = message.to.to_string().to_ascii_lowercase();
        let from = message.from.as_str().to_ascii_lowercase();
        let urgent: &[u8] = if message.priority == Priority::Urgent { b"1" } else { b"0" };
        let optional =
            |text: Option<&str>| text.map_or_else(|| vec![0], |text| [b"1", text.as_bytes()].concat());
        let scope = optional(message.scope.as_ref().map(crate::message::Scope::as_str));
        let thread = optional(message.thread.as_deref());
        let fields = [from.as_bytes(), to.as_bytes(), message.body.as_bytes(), urgent, &scope, &thread];
        let digest = digest(fields.into_iter().chain(message.refs.iter().map(String::as_bytes)));
        let mut content = [0; 12];
        content.copy_from_slice(&digest[..12]);
        Self(content)
    }
}

/// A hash of several texts, each by its length, so that no two lists are the same.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.as_second()).unwrap_or_default()
}

fn is_recent(at: u32, now: Timestamp) -> bool {
    i64::from(at) > now.as_second() - KEPT.as_secs()
}

impl Remembered {
    /// Reads both generations.
    pub(super) fn open(directory: PathBuf, most: usize) -> std::result::Result<Self, spool::Error> {
        let most = (most / 2).max(1);
        let (log, records) = Log::open(directory, most)?;
        let mut known = Known {
            young: HashMap::with_capacity(most),
            old: HashMap::with_capacity(most),
            underway: HashMap::new(),
            most,
        };
        for (key, content, at) in records {
            known.insert(key, content, at);
        }
        Ok(Self { known: Mutex::new(known), log: Mutex::new(log) })
    }

    /// Whether this very message was delivered, or is another's id; `None` for an unknown one.
    pub(super) fn is_delivered(&self, key: Key, content: Content, now: Timestamp) -> Option<bool> {
        let (known, at) = lock(&self.known).find(key)?;
        is_recent(at, now).then_some(known == content)
    }

    pub(super) fn begin(&self, key: Key, content: Content, now: Timestamp) -> Begin {
        let mut known = lock(&self.known);
        if let Some((other, at)) = known.find(key)
            && is_recent(at, now)
        {
            return if other == content { Begin::Delivered } else { Begin::Other };
        }
        let (sender, receiver) = oneshot::channel();
        match known.underway.get_mut(&key) {
            Some((other, _)) if *other != content => Begin::Other,
            Some((_, waiting)) => {
                waiting.push(sender);
                Begin::Underway(receiver)
            }
            None => {
                known.underway.insert(key, (content, vec![sender]));
                Begin::New(receiver)
            }
        }
    }

    /// Appends records, flushed to the disk when `durable`; all or none.
    pub(super) fn record(&self, sends: &[(Key, Content)], now: Timestamp, durable: bool) -> Result<()> {
        let at = seconds(now);
        let file = lock(&self.log).append(sends, at)?;
        // Others append meanwhile.
        if durable && let Err(error) = file.sync_data() {
            let back: Vec<_> = sends.iter().map(|(key, _)| (*key, Content::NONE)).collect();
            let _ = lock(&self.log).append(&back, at);
            return Ok(Err(error).on("flush", Path::new("sends"))?);
        }
        Ok(())
    }

    /// Ends a send that had begun, and answers all who wait for it. A delivered one was recorded before.
    pub(super) fn finish(&self, key: Key, answer: &Answer, now: Timestamp) {
        let mut known = lock(&self.known);
        let Some((content, waiting)) = known.underway.remove(&key) else { return };
        if answer.is_ok() {
            known.insert(key, content, seconds(now));
        }
        drop(known);
        for sender in waiting {
            // Who waits no more has gone: it may send again.
            let _ = sender.send(answer.clone());
        }
    }

    /// Takes in what a crash left delivered and unrecorded, where the answer was never given.
    pub(super) fn adopt(&self, sends: &[(Key, Content)], now: Timestamp) -> Result<()> {
        self.record(sends, now, false)?;
        let mut known = lock(&self.known);
        sends.iter().for_each(|(key, content)| known.insert(*key, *content, seconds(now)));
        Ok(())
    }

    pub(super) fn has(&self, key: Key) -> bool {
        lock(&self.known).find(key).is_some()
    }

    /// When the last send was recorded.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let known = lock(&self.known);
        let newest = known.young.values().chain(known.old.values()).map(|(_, at)| *at).max()?;
        Timestamp::from_second(newest.into()).ok()
    }

    /// Forgets what is old; a quiet relay keeps no list for ever.
    pub(super) fn sweep(&self, now: Timestamp) -> Result<()> {
        let mut known = lock(&self.known);
        let is_old =
            |sends: &HashMap<Key, (Content, u32)>| !sends.values().any(|(_, at)| is_recent(*at, now));
        if !known.young.is_empty() && is_old(&known.young) {
            known.young.clear();
            known.old.clear();
            drop(known);
            lock(&self.log).turn_over()?;
        } else if !known.old.is_empty() && is_old(&known.old) {
            known.old.clear();
            drop(known);
            lock(&self.log).forget_old();
        }
        Ok(())
    }

    /// Flushes the file to the disk.
    pub(super) fn flush(&self) -> Result<()> {
        let file = lock(&self.log).file();
        Ok(file.sync_data().on("flush", Path::new("sends"))?)
    }
}

impl Known {
    fn find(&self, key: Key) -> Option<(Content, u32)> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn insert(&mut self, key: Key, content: Content, at: u32) {
        if content == Content::NONE {
            self.young.remove(&key);
            self.old.remove(&key);
            return;
        }
        if self.young.len() >= self.most {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, (content, at));
    }
}
