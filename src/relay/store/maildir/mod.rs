//! The store over one directory: a Maildir for each agent, in the layout of the first version, so that its data is
//! served where it lies.
//!
//! ```text
//! relay.lock                                one relay at a time
//! sends/<n>.log                             what was sent lately, as hashes
//! room.json invites.json                    tokens' hashes; room `default` lies here, others under rooms/<id>/
//! agents/<name>.json                        [v1]
//! tmp/<id>.json                             sends on their way
//! spool/<agent>/new/<id>.json               unread                                  [v1]
//! spool/<agent>/cur/<id>.json               kept by a reader                        [v1]
//! spool/<agent>/claimed/<lease>.<until>/    under a lease, which holds until then (milliseconds since 1970)
//! spool/<agent>/returned/<id>               it may have been shown before
//! spool/<agent>/bad/                        what is no message, with the reason
//! ```
//!
//! Memory is the truth for readers, and the disk brings it back: which messages there are is known without a look,
//! bodies are read when they are handed out. Of one mailbox's claims and ends one runs at a time ([`Member::turn`]);
//! they run on threads that may wait for a disk, and what touches none is answered at once.

mod agents;
mod amount;
mod bounce;
mod claims;
mod commit;
mod contract;
mod ends;
mod envelope;
mod invites;
mod load;
mod load_mailbox;
mod look;
mod mailbox;
mod names;
mod place;
mod plan;
mod quota;
mod records;
mod remembered;
mod rooms;
mod send;
mod send_log;
mod sweep;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Error, Limits, Result, RoomId};
use crate::env::Env;
use crate::message::AgentName;
use crate::secret::TokenHash;
use crate::spool;
use crate::spool::local::files;
use agents::Member;
use commit::Committer;
use remembered::Remembered;
use rooms::Room;
use tokens::Tokens;

/// Who may register in room `default`, as the relay was told at its start.
#[derive(Debug, Clone, Copy)]
pub enum Admission {
    /// Who bears this token.
    Token(TokenHash),
    /// Everybody: the caller makes a [`super::Bearer::Room`] of a stranger. For a relay that only this machine reaches.
    Open,
}

/// Why a directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another relay has it.
    #[error("another relay runs on {}", .0.display())]
    Busy(PathBuf),
    /// The system refused something.
    #[error(transparent)]
    System(#[from] spool::Error),
    /// The system gave no thread.
    #[error("could not start a thread: {0}")]
    Thread(std::io::Error),
}

/// The store over one directory.
pub struct Maildir {
    engine: Arc<Engine>,
    committer: Committer,
}

/// What the store's threads share.
struct Engine {
    root: PathBuf,
    env: Env,
    limits: Limits,
    tokens: Tokens,
    rooms: RwLock<BTreeMap<RoomId, Arc<Room>>>,
    remembered: Remembered,
    /// Rooms are made and removed one at a time.
    change: Arc<tokio::sync::Mutex<()>>,
    _lock: files::Lock,
}

impl Maildir {
    /// Opens the directory, makes it where it is not there, and reads all that lies in it. What is damaged is set
    /// aside and told to the log, never in the way of the rest. Waits for the disk.
    ///
    /// # Errors
    /// Where another relay has it, or the system refuses.
    pub fn open(
        directory: &Path,
        admission: Admission,
        limits: Limits,
        env: &Env,
    ) -> std::result::Result<Self, OpenError> {
        let engine = Arc::new(load::load(directory, admission, limits, env)?);
        let committer = Committer::start(&engine).map_err(OpenError::Thread)?;
        Ok(Self { engine, committer })
    }
}

impl OpenError {
    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Busy(_) => {
                Some("bch relay --data DIR   # another directory, or end the other relay".into())
            }
            Self::System(error) => error.hint(),
            Self::Thread(_) => None,
        }
    }
}

impl Engine {
    fn room(&self, id: &RoomId) -> Result<Arc<Room>> {
        read(&self.rooms).get(id).cloned().ok_or_else(|| Error::UnknownRoom(id.clone()))
    }

    fn member(&self, room: &RoomId, name: &AgentName) -> Result<(Arc<Room>, Arc<Member>)> {
        let room = self.room(room)?;
        let member = room.member(name)?;
        member.note_seen(self.env.now());
        Ok((room, member))
    }
}

/// What only a panic elsewhere could have poisoned is used on: each change of ours is whole before it lets go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what may wait for the disk where it holds nobody up, to its end even where the caller is gone.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // It panicked, or the runtime ends.
        Err(_) => Err(Error::System { verb: "handle", kind: std::io::ErrorKind::Interrupted }),
    }
}

impl From<spool::Error> for Error {
    /// The log gets the path, the client does not.
    fn from(error: spool::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match error {
            spool::Error::Duplicate(id) => Self::Duplicate(id),
            spool::Error::Io { ref source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded) => {
                Self::Full
            }
            spool::Error::Io { verb, ref source, .. } => {
                tracing::warn!(%error, "the disk refuses");
                Self::System { verb, kind: source.kind() }
            }
            other => Self::Invalid(other.to_string()),
        }
    }
}
