//! How loans ended, as files that wait until it was told.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Journal;
use crate::message::{AgentName, Message, MessageId};
use crate::relay::wire::Ending;
use crate::spool::error::OnPath;
use crate::spool::local::{LocalSpool, files};
use crate::spool::{Afterwards, LeaseId, Result, Spool as _};

/// Endings that are told in one call.
const MOST: usize = 1_000;

/// What became of a message that was lent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::spool) struct End {
    pub(in crate::spool) lease: LeaseId,
    #[serde(default)]
    pub(in crate::spool) unseen: bool,
    /// Until when it was lent; `None` where somebody else may have it by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::spool) until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::spool) parts: Option<usize>,
}

/// How a loan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spool) enum What {
    /// It was read.
    Read,
    /// It goes back.
    Released,
}

impl What {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Read => "ack",
            Self::Released => "release",
        }
    }
}

/// The end of one loan, with the file that says so.
#[derive(Debug, Clone)]
pub(in crate::spool) struct Ended {
    pub(in crate::spool) what: What,
    pub(in crate::spool) id: MessageId,
    pub(in crate::spool) end: End,
    path: PathBuf,
    said: Vec<u8>,
}

/// What a relay is to be told, and the files that say so.
#[derive(Debug, Default)]
pub(in crate::spool) struct Endings {
    pub(in crate::spool) ack: Vec<Ending>,
    pub(in crate::spool) release: Vec<Ending>,
    /// Each with what it said.
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Endings {
    pub(in crate::spool) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// It is known there, and the lock is held: what was written meanwhile is another ending, and stays.
    pub(in crate::spool) fn told(self, _lock: &files::Lock) {
        self.files.iter().for_each(|(file, said)| remove_if_same(file, said));
    }
}

impl Ended {
    /// It was told, and the lock is held.
    pub(in crate::spool) fn told(&self, _lock: &files::Lock) {
        remove_if_same(&self.path, &self.said);
    }
}

fn remove_if_same(file: &Path, said: &[u8]) {
    if files::read(file).ok().flatten().is_some_and(|says| says == said) {
        // One that stays is told again, which changes nothing.
        let _ = fs::remove_file(file);
    }
}

impl Journal {
    /// The loans that ended, so many at most, and of which nobody was told.
    pub(in crate::spool) fn ended(&self) -> Result<Vec<Ended>> {
        let (mut all, directory) = (Vec::new(), self.root.join("ends"));
        for name in files::names(&directory)?.into_iter().take(MOST) {
            let (path, stem) = (directory.join(&name), name.strip_suffix(".json").unwrap_or_default());
            let Some((what, id)) = stem.split_once('-') else { continue };
            let Some(id) = MessageId::from_file_name(id, "") else { continue };
            let Some(what) = [What::Read, What::Released].into_iter().find(|one| one.word() == what) else {
                continue;
            };
            let said = files::read(&path).on("read", &path)?.unwrap_or_default();
            let Ok(end) = serde_json::from_slice::<End>(&said) else { continue };
            all.push(Ended { what, id, end, path, said });
        }
        Ok(all)
    }

    /// Ends a message that lies in the desk, and notes that it was read; whether it was this lease's.
    pub(in crate::spool) fn acknowledge(
        &self,
        desk: &LocalSpool,
        agent: &AgentName,
        lease: &LeaseId,
        message: &Message,
        after: Afterwards,
    ) -> Result<bool> {
        let _lock = self.lock()?;
        let was_ours = desk.acknowledge(agent, lease, message, after)?;
        if was_ours {
            // Where this cannot be written, the next claim finds a loan without its message, and does it.
            let _ = self.read(message.id);
        }
        Ok(was_ours)
    }

    /// Takes a message that was lent out of the desk, and notes that it goes back; another is unread in the desk again.
    pub(in crate::spool) fn release(
        &self,
        desk: &LocalSpool,
        agent: &AgentName,
        lease: &LeaseId,
        message: &Message,
    ) -> Result<()> {
        let _lock = self.lock()?;
        if self.loan(message.id)?.is_none() {
            return desk.release(agent, lease, message);
        }
        let way_back = self.way_back(message.id)?;
        match desk.withdraw(agent, lease, message.id, &way_back)? {
            Some(was_shown) => self.give_back(message.id, !was_shown),
            None => Ok(()),
        }
    }

    /// What a relay is to be told.
    pub(in crate::spool) fn endings(&self) -> Result<Endings> {
        let mut endings = Endings::default();
        for Ended { what, id, end, path, said } in self.ended()? {
            let ending = Ending { lease: end.lease, ids: Some(vec![id]), unseen: end.unseen };
            match what {
                What::Read => add(&mut endings.ack, ending),
                What::Released => add(&mut endings.release, ending),
            }
            endings.files.push((path, said));
        }
        Ok(endings)
    }
}

/// Puts an ending to those of the same lease.
fn add(endings: &mut Vec<Ending>, ending: Ending) {
    match endings.iter_mut().find(|other| other.lease == ending.lease && other.unseen == ending.unseen) {
        Some(Ending { ids: Some(ids), .. }) => ids.extend(ending.ids.into_iter().flatten()),
        _ => endings.push(ending),
    }
}
