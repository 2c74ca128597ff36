//! What doctor proved last of each harness: `proven.json` in the mail's home, written by `--prove` and `--live`.
//!
//! It is a memory and no more: where it cannot be read, nothing is proven, and doctor proves it anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Check, Status};
use crate::env::Env;
use crate::harness::Manifest;
use crate::spool;
use crate::spool::local::files;

/// Its name in the mail's home.
pub const FILE: &str = "proven.json";

/// The last proof of each harness, by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proven(BTreeMap<String, Proof>);

/// How a proof ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// When it ended.
    pub when: Timestamp,
    /// The harness's version at that time, where its package told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// By what.
    pub by: ProofBy,
    /// Whether mail reaches the model: every check of this harness held.
    pub ok: bool,
}

/// By what something was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofBy {
    /// The installed hooks and MCP entry were run as the harness runs them.
    Hook,
    /// The harness itself ran, and showed the mail to a model on this machine.
    Live,
}

impl Proven {
    /// What is remembered in this home; nothing where the file is not there or cannot be read.
    #[must_use]
    pub fn load(home: &Path) -> Self {
        let bytes = files::read(&path(home)).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// The last proof of this harness.
    #[must_use]
    pub fn of(&self, harness: &str) -> Option<&Proof> {
        self.0.get(harness)
    }

    /// Remembers a proof in the last one's place.
    pub fn note(&mut self, harness: &str, proof: Proof) {
        self.0.insert(harness.to_owned(), proof);
    }

    /// Remembers what these checks proved of each harness that was run.
    pub fn learn(&mut self, checks: &[Check], env: &Env) {
        for manifest in Manifest::all() {
            let own: Vec<_> =
                checks.iter().filter(|check| check.harness.as_ref() == Some(&manifest.id)).collect();
            let was_run = |name: &str| own.iter().any(|check| check.check == name);
            if !was_run("prompt") {
                continue;
            }
            let is_live = |check: &&&Check| {
                check.check == "live" && (check.ms.is_some() || check.status == Status::Fail)
            };
            let by = if own.iter().any(|check| is_live(&check)) { ProofBy::Live } else { ProofBy::Hook };
            let ok = own.iter().all(|check| check.status != Status::Fail);
            let version = manifest.install.version(env);
            self.note(&manifest.id, Proof { when: env.now(), version, by, ok });
        }
    }

    /// Writes the file whole, for its owner alone.
    ///
    /// # Errors
    /// Where it cannot be written; the old one is untouched then.
    pub fn save(&self, home: &Path) -> spool::Result<()> {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        files::replace(&path(home), text.as_bytes())
    }
}

fn path(home: &Path) -> PathBuf {
    home.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_was_noted_is_remembered_and_what_is_damaged_proves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut proven = Proven::load(home.path());
        assert_eq!(proven, Proven::default());
        let when: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let proof = Proof { when, version: Some("1.2.3".to_owned()), by: ProofBy::Live, ok: true };
        proven.note("codex", proof.clone());
        proven.note("gemini-cli", Proof { version: None, by: ProofBy::Hook, ok: false, ..proof.clone() });
        proven.save(home.path()).unwrap();
        let again = Proven::load(home.path());
        assert_eq!((&again, again.of("codex"), again.of("cron")), (&proven, Some(&proof), None));
        let file = home.path().join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(file, "{").unwrap();
        assert_eq!(Proven::load(home.path()), Proven::default());
    }
}
