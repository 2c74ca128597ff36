//! Who holds a claim, and when it lapses.

use std::fmt;
use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long a session keeps what it was shown without a further event: the longest quiet turn.
const SESSION: SignedDuration = SignedDuration::from_hours(2);
/// How long a process keeps its claims where nobody can see whether it lives.
const PROCESS: SignedDuration = SignedDuration::from_secs(60);

/// The name of a lease and of its directory: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct LeaseId(String);

/// A text that names no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a lease has 32 lower-case hexadecimal digits")]
pub struct InvalidLease;

/// A process that can be recognised: a pid alone is used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    boot: String,
    namespace: String,
    pid: u32,
    start: u64,
}

/// Who holds a lease.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Holder {
    /// One running command.
    Command {
        /// Where the system tells it.
        process: Option<ProcessIdentity>,
    },
    /// A harness's session, over many short-lived hooks.
    Session {
        /// The harness's id.
        harness: String,
        /// The harness's own process, where it is known.
        process: Option<ProcessIdentity>,
    },
}

/// What one reader holds, as a look finds it.
#[derive(Debug, Clone)]
pub struct Holding {
    /// Its lease.
    pub lease: LeaseId,
    /// How many messages.
    pub messages: usize,
    /// Whether others may claim them: the reader is gone, or went quiet.
    pub has_lapsed: bool,
    /// Its last sign of life, where that is known.
    pub seen: Option<Timestamp>,
    /// Why its lease cannot be read. One that does not parse never lapses.
    pub damage: Option<String>,
}

/// A lease: its name, its holder, and until when it holds without renewal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lease {
    /// Its name.
    #[serde(skip, default = "LeaseId::none")]
    pub id: LeaseId,
    /// Who has it.
    pub holder: Holder,
    until: Timestamp,
}

impl LeaseId {
    /// A name that nobody else has.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().as_simple().to_string())
    }

    fn none() -> Self {
        Self(String::new())
    }

    /// Reads a directory's name.
    pub(crate) fn from_directory(name: &str) -> Option<Self> {
        Self::try_from(name.to_owned()).ok()
    }
}

impl TryFrom<String> for LeaseId {
    type Error = InvalidLease;

    fn try_from(name: String) -> Result<Self, InvalidLease> {
        let fits = name.len() == 32 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(name)) } else { Err(InvalidLease) }
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Lease {
    /// A new lease of this process.
    #[must_use]
    pub fn of_command(now: Timestamp) -> Self {
        Self {
            id: LeaseId::random(),
            holder: Holder::Command { process: ProcessIdentity::of(std::process::id()) },
            until: now + PROCESS,
        }
    }

    /// The lease of a session: the same for each of its hooks.
    #[must_use]
    pub fn of_session(harness: &str, session: &str, harness_pid: Option<u32>, now: Timestamp) -> Self {
        let digest = Sha256::new().chain_update(harness).chain_update([0]).chain_update(session).finalize();
        let id = LeaseId(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect());
        let process = harness_pid.and_then(ProcessIdentity::of);
        Self { id, holder: Holder::Session { harness: harness.to_owned(), process }, until: now + SESSION }
    }

    /// The same lease, renewed.
    #[must_use]
    pub fn renewed(&self, now: Timestamp) -> Self {
        Self { until: now + self.span(), ..self.clone() }
    }

    /// When it was made, or last renewed.
    #[must_use]
    pub fn seen(&self) -> Timestamp {
        self.until.checked_sub(self.span()).unwrap_or(self.until)
    }

    fn span(&self) -> SignedDuration {
        if matches!(self.holder, Holder::Command { .. }) { PROCESS } else { SESSION }
    }

    /// Whether others may claim what it holds: its process is gone, or it went quiet.
    #[must_use]
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        match &self.holder {
            Holder::Command { process: Some(process) } => match process.is_alive() {
                Some(alive) => !alive,
                None => self.until < now,
            },
            Holder::Session { process: Some(process), .. } => {
                self.until < now || process.is_alive() == Some(false)
            }
            Holder::Command { process: None } | Holder::Session { process: None, .. } => self.until < now,
        }
    }
}

impl ProcessIdentity {
    /// Reads `/proc`; `None` where there is none, or no such process.
    fn of(pid: u32) -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned();
        Some(Self { boot, namespace, pid, start: start_time(pid)? })
    }

    /// Whether the process runs; `None` where it cannot be seen from here (another boot, another pid
    /// namespace), so that time alone decides.
    fn is_alive(&self) -> Option<bool> {
        let here = Self::of(std::process::id())?;
        (here.boot == self.boot && here.namespace == self.namespace)
            .then(|| start_time(self.pid) == Some(self.start))
    }
}

/// Field 22 of `/proc/<pid>/stat` (proc_pid_stat(5)), counted after the command's name, which may hold
/// spaces and brackets. A zombie has ended.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ended_lapses_at_once_and_a_live_one_never() {
        let now = Timestamp::UNIX_EPOCH;
        let mut lease = Lease::of_command(now);
        assert_eq!(lease.seen(), now);
        assert!(!lease.has_lapsed(now + SignedDuration::from_hours(99)));
        if let Holder::Command { process: Some(process) } = &mut lease.holder {
            process.start += 1;
        }
        assert!(lease.has_lapsed(now));
    }

    #[test]
    fn a_session_lapses_when_it_was_quiet_for_two_hours() {
        let now = Timestamp::UNIX_EPOCH;
        let lease = Lease::of_session("codex", "s", None, now);
        assert_eq!(lease.id, Lease::of_session("codex", "s", None, now).id);
        assert_ne!(lease.id, Lease::of_session("gemini-cli", "s", None, now).id);
        assert_eq!(lease.renewed(now + PROCESS).seen(), now + PROCESS);
        assert!(!lease.has_lapsed(now + SESSION) && lease.has_lapsed(now + SESSION + PROCESS));
    }
}
