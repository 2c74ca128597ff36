//! The notifier's word that nothing waits at the relay: while it is fresh, a prompt asks nobody.
//!
//! It is given only while the relay's event stream is alive, and counted by the clock since the machine's start, which no
//! clock that is set, and no sleep of the machine, makes younger.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::env::Env;
use crate::message::{AgentName, MessageId};
use crate::spool::Result;
use crate::spool::error::OnPath;
use crate::spool::local::{LocalSpool, files};

/// For how many seconds the word is good: a relay says each 25 s that it lives.
pub const FRESH: u64 = 40;

#[derive(Debug, Serialize, Deserialize)]
struct Word {
    /// Which start of the machine.
    boot: String,
    /// Seconds since then.
    at: u64,
    /// The name of the desk, where mail may wait all the same.
    desk: String,
}

/// Whether the notifier said a moment ago that nothing of the agent's is unread at the relay, and nothing is here.
#[must_use]
pub fn is_quiet(home: &Path, agent: &AgentName, env: &Env) -> bool {
    let directory = home.join("relay");
    let Ok(Some(bytes)) = files::read(&path(&directory, agent)) else { return false };
    let Ok(word) = serde_json::from_slice::<Word>(&bytes) else { return false };
    let is_name = word.desk.len() == 16 && word.desk.bytes().all(|byte| byte.is_ascii_hexdigit());
    let desk = directory.join(word.desk);
    // What was asked for without an answer is unread nowhere, and perhaps ours.
    let is_answered = |place: &str| {
        let names = files::names(&desk.join(place));
        names.is_ok_and(|names| !names.iter().any(|name| name.ends_with(".json")))
    };
    is_name
        && Some(word.boot) == boot()
        && now().checked_sub(word.at).is_some_and(|age| age <= FRESH)
        && is_answered("claims")
        && is_answered("taking")
        && LocalSpool::open_for_a_look(&desk, env, 0).is_quiet(agent)
}

/// Says that nothing is unread, as was known `at`.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn say(root: &Path, agent: &AgentName, at: u64) -> Result<()> {
    let (Some(boot), Some(directory), Some(desk)) = (boot(), root.parent(), root.file_name()) else {
        return Ok(());
    };
    let word = Word { boot, at, desk: desk.to_string_lossy().into_owned() };
    let text = serde_json::to_vec(&word).unwrap_or_default();
    files::make_directory(root)?;
    let draft = root.join(format!(".{}.tmp", MessageId::random()));
    let path = path(directory, agent);
    // The word of a moment: whoever finds half of it asks the relay.
    files::write_new(&draft, &text, false)?;
    fs::rename(&draft, &path).on("write", &path)
}

/// Takes the word back.
pub(super) fn take_back(root: &Path, agent: &AgentName) {
    if let Some(directory) = root.parent() {
        let _ = fs::remove_file(path(directory, agent));
    }
}

/// Seconds since the machine's start, those in which it slept among them.
pub(super) fn now() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    u64::try_from(clock_gettime(clock).tv_sec).unwrap_or_default()
}

/// Which start of the machine this is, where the system tells.
pub(crate) fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

fn path(directory: &Path, agent: &AgentName) -> PathBuf {
    directory.join(format!("{}.quiet.json", agent.to_lower_case()))
}
