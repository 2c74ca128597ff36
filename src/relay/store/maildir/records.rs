//! Agents' records on the disk [v1]: `agents/<name>.json`, replaced whole.
//!
//! The file's name is the truth: a record that was copied does not speak for another agent.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::Result;
use crate::message::AgentName;
use crate::secret::TokenHash;
use crate::spool::Agent;
use crate::spool::local::files;

const TOKEN: &str = "tokenHash";
const REVOKED: &str = "revokedAt";

/// An agent's record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Without its token's hash.
    pub(super) agent: Agent,
    /// None for one that was made without a relay, or was revoked.
    pub(super) token: Option<TokenHash>,
    /// RFC 3339. The record then only keeps the name from being another's.
    pub(super) revoked_at: Option<String>,
}

pub(super) fn path(room: &Path, name: &AgentName) -> PathBuf {
    room.join("agents").join(format!("{name}.json"))
}

/// Writes a record, flushed to the disk.
pub(super) fn write(room: &Path, record: &Record) -> Result<()> {
    let mut agent = record.agent.clone();
    let mut put = |field: &str, value: Option<String>| {
        if let Some(value) = value {
            agent.other.insert(field.to_owned(), Value::String(value));
        }
    };
    put(TOKEN, record.token.map(|token| token.to_string()));
    put(REVOKED, record.revoked_at.clone());
    let mut text = serde_json::to_string_pretty(&agent).unwrap_or_default();
    text.push('\n');
    Ok(files::replace(&path(room, &agent.name), text.as_bytes())?)
}

/// Reads what lies in the file of that name; the reason where it is no record. Subscriptions that no channel can
/// have are dropped: the first version checked none.
pub(super) fn parse(name: AgentName, bytes: &[u8]) -> std::result::Result<Record, String> {
    let mut fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| {
        format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column())
    })?;
    if !matches!(fields.remove("name"), Some(Value::String(_))) {
        return Err("it has no name".into());
    }
    let mut text = |field: &str| match fields.remove(field) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let created_at = text("createdAt").unwrap_or_default();
    let last_seen = text("lastSeen");
    let revoked_at = text(REVOKED);
    let token = text(TOKEN);
    let subscriptions = match fields.remove("subscriptions") {
        Some(Value::Array(channels)) => {
            channels.iter().filter_map(|channel| channel.as_str()?.parse().ok()).collect()
        }
        _ => Vec::new(),
    };
    let token = match token.map(TokenHash::try_from) {
        None => None,
        Some(Ok(token)) => Some(token),
        Some(Err(error)) => return Err(error.to_string()),
    };
    Ok(Record {
        agent: Agent { name, subscriptions, created_at, last_seen, other: fields },
        token,
        revoked_at,
    })
}
