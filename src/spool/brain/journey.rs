//! A message on its way into a brain: what of it is there, and who is still to get it. It is written down before the
//! first request, so that whoever goes on with it delivers to those alone.
//!
//! It lies in the outbox while it waits, and with what was refused where it is over for some.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{BrainSpool, Result, files};
use crate::message::{AgentName, Message, MessageId};
use crate::spool::error::OnPath;

/// One message's way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Journey {
    pub(super) message: Message,
    /// Whom it goes to; `None` while nobody was asked who that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Vec<AgentName>>,
    /// Who does not have it yet.
    #[serde(default)]
    pub(super) left: Vec<AgentName>,
    #[serde(default)]
    pub(super) is_archived: bool,
    /// A write may have been done whose answer nobody saw.
    #[serde(default)]
    pub(super) is_tried: bool,
}

impl Journey {
    pub(super) fn new(message: &Message) -> Self {
        let message = message.clone();
        Self { message, to: None, left: Vec::new(), is_archived: false, is_tried: false }
    }

    /// How many it goes to.
    pub(super) fn all(&self) -> usize {
        self.to.as_ref().map_or(1, Vec::len)
    }

    /// Whether somebody has it already, or may have it.
    pub(super) fn has_begun(&self) -> bool {
        self.is_archived || self.is_tried
    }
}

impl BrainSpool {
    /// An earlier try to send this message.
    pub(super) fn earlier(&self, id: MessageId) -> Result<Option<(PathBuf, Journey)>> {
        let end = format!("-{id}.json");
        let mut places = self.here.outbox.waiting()?;
        places.retain(|path| path.to_string_lossy().ends_with(&end));
        places.push(self.here.outbox.refused(id));
        for path in places {
            if let Some(journey) = read(&path)? {
                return Ok(Some((path, journey)));
            }
        }
        Ok(None)
    }

    /// Reads a message that waits; one that cannot be read is set aside.
    pub(super) fn read_waiting(&self, path: &Path) -> Result<Option<Journey>> {
        let journey = read(path)?;
        if journey.is_none() && path.exists() {
            self.here.outbox.set_aside(path)?;
        }
        Ok(journey)
    }
}

fn read(path: &Path) -> Result<Option<Journey>> {
    let bytes = files::read(path).on("read", path)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Writes down how far it is.
pub(super) fn save(path: &Path, journey: &Journey) -> Result<()> {
    files::replace(path, serde_json::to_string(journey).unwrap_or_default().as_bytes())
}

/// It is over.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.on("remove", path),
    }
}
