//! What a person does not want to be bothered with: senders and channels that are muted, senders that are blocked,
//! a pause, and directories in which nothing is delivered.
//!
//! It holds back and loses nothing: mail stays unread until it is lifted. The mail of a muted one does not come by
//! itself, neither into a model's context nor as a notification; a command shows it. That of a blocked one is shown
//! nowhere. All of it is this home's, for all of its agents, in `attention.json`; senders are not told.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::message::{Address, AgentName, Message};
use crate::spool::local::files;
use crate::spool::{self, Error};

/// What is held back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Attention {
    /// Nothing comes by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// Senders and channels whose mail waits until a command asks for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub muted: Vec<Address>,
    /// Senders whose mail is shown nowhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<AgentName>,
    /// Directories in and below which nothing comes by itself; absolute, without links.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub off: Vec<PathBuf>,
    /// Fields of other versions.
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// How long nothing comes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pause {
    /// Until then; `None` is until somebody resumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Attention {
    fn path(home: &Path) -> PathBuf {
        home.join("attention.json")
    }

    /// What is held back in this home; nothing where there is no `attention.json`.
    ///
    /// # Errors
    /// Where the file cannot be read or does not parse: whoever shows mail must then show none.
    pub fn load(home: &Path) -> spool::Result<Self> {
        let path = Self::path(home);
        match files::read(&path) {
            Ok(None) => Ok(Self::default()),
            Ok(Some(bytes)) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::Damaged { path, reason: error.to_string() }),
            Err(source) => Err(Error::Io { verb: "read", path, source }),
        }
    }

    /// Changes what is held back, one writer at a time; returns it as it is then.
    ///
    /// # Errors
    /// Where the file cannot be read, does not parse, or cannot be written; it is then as it was.
    pub fn change(home: &Path, change: impl FnOnce(&mut Self)) -> spool::Result<Self> {
        files::make_directory(home)?;
        let _lock = files::lock(home.join(".attention.lock"))?;
        let mut attention = Self::load(home)?;
        change(&mut attention);
        let mut text = serde_json::to_string_pretty(&attention).unwrap_or_default();
        text.push('\n');
        files::replace(&Self::path(home), text.as_bytes())?;
        Ok(attention)
    }

    /// Whether nothing comes by itself now.
    #[must_use]
    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.paused.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| now < until))
    }

    /// Whether nothing comes by itself to a reader in this directory.
    #[must_use]
    pub fn is_off(&self, directory: &Path) -> bool {
        if self.off.is_empty() {
            return false;
        }
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        self.off.iter().any(|off| directory.starts_with(off))
    }

    /// Whether the message's sender, or the channel that it came by, is muted.
    #[must_use]
    pub fn is_muted(&self, message: &Message) -> bool {
        message.is_among(&self.muted)
    }

    /// Whether the sender is blocked.
    #[must_use]
    pub fn is_blocked(&self, sender: &AgentName) -> bool {
        self.blocked.contains(sender)
    }

    /// Those whose mail is shown nowhere.
    #[must_use]
    pub fn blocked(&self) -> Vec<Address> {
        self.blocked.iter().cloned().map(Address::Agent).collect()
    }

    /// Those whose mail does not come by itself: muted and blocked.
    #[must_use]
    pub fn unasked(&self) -> Vec<Address> {
        self.muted.iter().cloned().chain(self.blocked()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_by_itself() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut attention = Attention::default();
        assert!(!attention.is_paused(at(5)));
        attention.paused = Some(Pause { until: Some(at(10)) });
        assert!(attention.is_paused(at(9)) && !attention.is_paused(at(10)));
        attention.paused = Some(Pause { until: None });
        assert!(attention.is_paused(at(1 << 32)));
    }

    #[test]
    fn a_directory_below_is_off_too_and_one_beside_is_not() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        for directory in ["proj/src", "project"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        let attention = Attention { off: vec![root.join("proj")], ..Attention::default() };
        assert!(attention.is_off(&root.join("proj")) && attention.is_off(&root.join("proj/src")));
        assert!(!attention.is_off(&root.join("project")) && !attention.is_off(&root));
    }

    #[test]
    fn what_another_version_wrote_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("attention.json");
        std::fs::write(&path, r##"{"muted":["@a","#c"],"later":{"x":1.0}}"##).unwrap();
        Attention::change(place.path(), |attention| attention.blocked.push("b".parse().unwrap())).unwrap();
        let text: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(text, serde_json::json!({"muted": ["@a", "#c"], "blocked": ["b"], "later": {"x": 1.0}}));
    }
}
