//! What the first version of backchannel left in harnesses' files: its hook would take our mail, so setup
//! takes it out, and uninstall gives it back like everything else.
//!
//! Read in that version's installer, 2026-11-24.

use std::path::Path;

use serde_json::Value;

use super::{Content, Wish};
use crate::edit::{Entry, Format};

/// In the command of its hook line.
const HOOK: &str = "drain --hook --match";
/// The program that its MCP entry starts.
pub(super) const SERVER: &str = "cli.ts";
/// The line above its section in AGENTS.md and GEMINI.md.
const HEADING: &str = "## Agent messaging (backchannel)";
/// In its skill alone.
pub(super) const SKILL: &str = "bch drain --match";
/// In the units of its daemon, which could start programs.
const DAEMON: &str = "--urgent-only";
const UNITS: [&str; 2] = [
    ".config/systemd/user/backchannel-wake.service",
    "Library/LaunchAgents/ai.unisonlabs.backchannel.wake.plist",
];

/// Its hook in the list of this event.
pub(super) fn hook(hooks: &[String], event: &str) -> Entry {
    let path = [hooks, &[event.to_owned()]].concat();
    Entry::Element { path, value: Value::Null, mark: HOOK.to_owned() }
}

/// Its MCP server, which has our name.
pub(super) fn server(path: &[String]) -> Entry {
    let mark = Some(SERVER.to_owned());
    Entry::Member { path: path.to_vec(), value: Value::Null, mark, replaces: Vec::new() }
}

/// Its section of instructions.
pub(super) fn section() -> Entry {
    Entry::Heading { line: HEADING.to_owned() }
}

/// A file with nothing of ours but what the first version put there.
pub(super) fn clean(format: Format, outdated: Vec<Entry>) -> Content {
    Content::Entries { format, entries: Vec::new(), outdated }
}

/// The units of its daemon.
#[must_use]
pub fn units(owner: &str, home: &Path) -> Vec<Wish> {
    let gone = |unit| Wish {
        owner: owner.to_owned(),
        path: home.join(unit),
        content: Content::Gone { mark: DAEMON.to_owned() },
        lock: None,
    };
    UNITS.into_iter().map(gone).collect()
}
