//! What all harnesses' wishes are made of: the surroundings, our programs, and the line that starts one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::NAME;
use crate::env::Env;
use crate::harness::{Event, Manifest};
use crate::install::service::Manager;
use crate::install::{Content, PROGRAMS, Wish};
use crate::message::AgentName;
use crate::shell::quoted;

/// What all harnesses' wishes are made of.
#[derive(Debug, Clone)]
pub struct Ground<'a> {
    /// The surroundings, with the variables that move a harness's files.
    pub env: &'a Env,
    /// Where our programs lie.
    pub programs: PathBuf,
    /// The mail's home.
    pub home: PathBuf,
    /// Whether our tools are approved in advance.
    pub approve_tools: bool,
    /// This machine's agent, where it has one.
    pub agent: Option<AgentName>,
    /// The service manager, where it was asked and answered.
    pub manager: Option<Manager>,
    /// Harnesses, by id, with an agent of their own; the others are this machine's.
    pub identities: BTreeMap<String, AgentName>,
}

impl Ground<'_> {
    /// The hook's stable path, by which our entries are recognised.
    #[must_use]
    pub fn hook(&self) -> PathBuf {
        self.programs.join("bch-hook")
    }

    /// The text in a hook's command that marks it as ours, wherever the data directory is.
    #[must_use]
    pub fn mark() -> String {
        format!("/{NAME}/bin/bch-hook")
    }

    /// The shell line of one hook. It does no harm once its program is gone: Gemini CLI would hold the prompt up.
    #[must_use]
    pub fn hook_line(&self, manifest: &Manifest, event: &Event) -> String {
        let agent = self.identities.get(&manifest.id);
        let agent = agent.map(|agent| format!(" --agent {agent}")).unwrap_or_default();
        format!(
            "{} {} {}{agent} --home {} 2>/dev/null || true",
            quoted(&self.hook()),
            manifest.id,
            event.name,
            quoted(&self.home)
        )
    }
}

/// The programs, in the directory that stays the same across upgrades.
#[must_use]
pub fn programs(directory: &Path, sources: &[PathBuf]) -> Vec<Wish> {
    let wish = |source: &PathBuf| Wish {
        owner: PROGRAMS.to_owned(),
        path: directory.join(source.file_name().unwrap_or_default()),
        content: Content::Program { source: source.clone() },
        lock: None,
    };
    sources.iter().map(wish).collect()
}
