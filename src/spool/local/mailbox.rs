//! One agent's mailbox: its places, and a look at what is in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::{Error, Inbox, Lease, LeaseId, Moment, Result, Shown, files};
use crate::env::Env;
use crate::message::{Context, DeliveryId, Message, MessageId};
use crate::spool::error::OnPath;

/// Contexts that are remembered at most.
const MOST_CONTEXTS: usize = 200;
/// A draft older than this has no writer any more.
const OLD_DRAFT: Duration = Duration::from_secs(36 * 3600);

/// The directory `spool/<agent>`.
#[derive(Debug, Clone)]
pub(super) struct Mailbox {
    root: PathBuf,
    pub(super) env: Env,
}

/// A message file that a reader may claim.
pub(super) struct Unread {
    pub(super) path: PathBuf,
    pub(super) message: Message,
    /// It lies under a lease that lapsed: somebody may have been shown it.
    pub(super) lapsed: bool,
}

/// A file under a lease.
pub(super) struct ClaimedFile {
    pub(super) path: PathBuf,
    pub(super) id: MessageId,
    pub(super) shown: Option<Shown>,
}

impl Mailbox {
    pub(super) fn new(root: PathBuf, env: &Env) -> Self {
        Self { root, env: env.clone() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn new_directory(&self) -> PathBuf {
        self.root.join("new")
    }

    pub(super) fn claimed_directory(&self) -> PathBuf {
        self.root.join("claimed")
    }

    pub(super) fn lease_directory(&self, lease: &LeaseId) -> PathBuf {
        self.root.join("claimed").join(lease.to_string())
    }

    pub(super) fn draft(&self, id: MessageId) -> PathBuf {
        self.root.join("tmp").join(format!("{id}.json"))
    }

    pub(super) fn unread(&self, id: MessageId) -> PathBuf {
        self.root.join("new").join(format!("{id}.json"))
    }

    pub(super) fn kept(&self, id: MessageId) -> PathBuf {
        self.root.join("cur").join(format!("{id}.json"))
    }

    /// Makes the mailbox's directories where they are not there.
    pub(super) fn make(&self) -> Result<()> {
        ["tmp", "new", "cur"].iter().try_for_each(|name| files::make_directory(&self.root.join(name)))
    }

    /// Runs what writes into the mailbox, and again where its directories had to be made first: to look
    /// for them each time costs more than to fail once.
    pub(super) fn made<T>(&self, write: impl Fn() -> Result<T>) -> Result<T> {
        match write() {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                self.make()?;
                write()
            }
            result => result,
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        files::is_empty(&self.new_directory()) && files::is_empty(&self.claimed_directory())
    }

    /// The leases of this mailbox, with whether they lapsed.
    pub(super) fn leases(&self) -> Result<Vec<(LeaseId, bool)>> {
        let now = self.env.now();
        let names = files::names(&self.claimed_directory())?;
        let leases = names.iter().filter_map(|name| LeaseId::from_directory(name));
        Ok(leases
            .map(|lease| {
                let lapsed = self.has_lapsed(&lease, now);
                (lease, lapsed)
            })
            .collect())
    }

    fn has_lapsed(&self, lease: &LeaseId, now: Timestamp) -> bool {
        let directory = self.lease_directory(lease);
        match files::read(&directory.join("lease.json")) {
            Ok(Some(bytes)) => {
                serde_json::from_slice::<Lease>(&bytes).is_ok_and(|lease| lease.has_lapsed(now))
            }
            // Its holder was about to write it, or ended before it could: a minute is enough.
            _ => fs::metadata(&directory)
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|changed| is_older(changed, Duration::from_secs(60))),
        }
    }

    /// The message files under a lease.
    pub(super) fn files_of(&self, lease: &LeaseId) -> Result<Vec<ClaimedFile>> {
        let directory = self.lease_directory(lease);
        let names = files::names(&directory)?;
        Ok(names
            .iter()
            .filter_map(|name| {
                let (id, shown) = parse_claimed(name)?;
                Some(ClaimedFile { path: directory.join(name), id, shown })
            })
            .collect())
    }

    /// Reads every unread message, oldest first; what is none is handed to `bad` with its path and the reason.
    pub(super) fn scan(&self, mut bad: impl FnMut(&Path, String)) -> Result<Vec<Unread>> {
        let (mut unread, mut buffer) = (Vec::new(), Vec::new());
        let directory = self.new_directory();
        for name in files::names(&directory)? {
            let path = directory.join(&name);
            let Some(id) = MessageId::from_file_name(&name, ".json") else {
                if !name.starts_with('.') {
                    bad(&path, "its name is not `<uuid>.json`".into());
                }
                continue;
            };
            match read_message(&path, id, &mut buffer)? {
                Reading::Message(message) => unread.push(Unread { path, message, lapsed: false }),
                Reading::Gone => {}
                Reading::Bad(reason) => bad(&path, reason),
            }
        }
        for (lease, _) in self.leases()?.into_iter().filter(|(_, lapsed)| *lapsed) {
            for file in self.files_of(&lease)? {
                match read_message(&file.path, file.id, &mut buffer)? {
                    Reading::Message(message) => {
                        unread.push(Unread { path: file.path, message, lapsed: true })
                    }
                    Reading::Gone => {}
                    Reading::Bad(reason) => bad(&file.path, reason),
                }
            }
        }
        unread.sort_by(|one, other| {
            (one.message.ts, one.message.id).cmp(&(other.message.ts, other.message.id))
        });
        Ok(unread)
    }

    /// Looks, and changes nothing.
    pub(super) fn look(&self) -> Result<Inbox> {
        let mut inbox = Inbox::default();
        let unread = self.scan(|path, reason| inbox.bad.push((file_name(path), reason)))?;
        inbox.messages = unread.into_iter().map(|unread| unread.message).collect();
        for (lease, _) in self.leases()?.into_iter().filter(|(_, lapsed)| !lapsed) {
            inbox.claimed += self.files_of(&lease)?.len();
        }
        for name in files::names(&self.root.join("bad"))? {
            if let Some(file) = name.strip_suffix(".reason") {
                let reason =
                    files::read(&self.root.join("bad").join(&name)).ok().flatten().unwrap_or_default();
                inbox.bad.push((file.to_owned(), String::from_utf8_lossy(&reason).trim().to_owned()));
            }
        }
        Ok(inbox)
    }

    /// Sets aside what is no message, so that it stands in nobody's way.
    pub(super) fn set_aside(&self, path: &Path, reason: &str) {
        let directory = self.root.join("bad");
        let name = file_name(path);
        // Where this fails the file stays where it is, and is told again.
        if files::make_directory(&directory).is_ok() {
            let _ = files::write_new(&directory.join(format!("{name}.reason")), reason.as_bytes(), false);
            let _ = files::move_new(path, &directory.join(name));
        }
    }

    /// Removes drafts whose writer ended long ago.
    pub(super) fn sweep_drafts(&self) {
        let directory = self.root.join("tmp");
        for name in files::names(&directory).unwrap_or_default() {
            let path = directory.join(name);
            if fs::metadata(&path)
                .and_then(|file| file.modified())
                .is_ok_and(|changed| is_older(changed, OLD_DRAFT))
            {
                let _ = fs::remove_file(path);
            }
        }
    }

    pub(super) fn known_contexts(&self) -> Vec<Context> {
        let bytes = files::read(&self.root.join("contexts.json")).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub(super) fn learn_contexts(&self, contexts: &[Context]) -> Result<()> {
        let mut known = self.known_contexts();
        let new: Vec<_> = contexts.iter().filter(|context| !known.contains(context)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        known.extend(new);
        let surplus = known.len().saturating_sub(MOST_CONTEXTS);
        known.drain(..surplus);
        let text = serde_json::to_string(&known).unwrap_or_default();
        files::replace(&self.root.join("contexts.json"), text.as_bytes())
    }
}

/// What a file held.
pub(super) enum Reading {
    Message(Message),
    Gone,
    Bad(String),
}

/// Reads a message file. An error of the system is an error, and moves nothing.
pub(super) fn read_message(path: &Path, id: MessageId, buffer: &mut Vec<u8>) -> Result<Reading> {
    if !files::read_into(path, buffer).on("read", path)? {
        return Ok(Reading::Gone);
    }
    Ok(match Message::from_json(buffer) {
        Ok(message) if message.id == id => Reading::Message(message),
        Ok(message) => Reading::Bad(format!("it says that its id is {}", message.id)),
        Err(error) => Reading::Bad(error.to_string()),
    })
}

/// Reads the name of a message file under a lease.
pub(super) fn parse_claimed(name: &str) -> Option<(MessageId, Option<Shown>)> {
    let stem = name.strip_suffix(".json")?;
    let (id, shown) = match stem.split_once('.') {
        None => (stem, None),
        Some((id, mark)) => (id, Some(Shown::parse(mark)?)),
    };
    Some((MessageId::from_file_name(id, "")?, shown))
}

impl Shown {
    /// The mark in a claimed file's name: `<moment>` or `<moment>-<delivery>`.
    pub(super) fn mark(self) -> String {
        match self.delivery {
            Some(delivery) => format!("{}-{delivery}", self.by.word()),
            None => self.by.word().to_owned(),
        }
    }

    fn parse(mark: &str) -> Option<Self> {
        let (word, delivery) = match mark.split_once('-') {
            Some((word, delivery)) => (word, Some(DeliveryId::parse(delivery)?)),
            None => (mark, None),
        };
        Some(Self { by: Moment::from_word(word)?, delivery })
    }
}

impl Moment {
    /// The word in a claimed file's name.
    fn word(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Tool => "tool",
            Self::Head => "head",
            Self::Noted => "noted",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Prompt, Self::Tool, Self::Head, Self::Noted].into_iter().find(|moment| moment.word() == word)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_older(changed: SystemTime, age: Duration) -> bool {
    changed.elapsed().is_ok_and(|elapsed| elapsed > age)
}
