//! `setup` and `uninstall` through the built program: what they do to other programs' files, to the byte.

mod bytes;
mod crash;
mod cron;
mod cron_daemon;
mod cron_refused;
mod dialogue;
pub mod doctor;
mod edits;
mod first_version;
mod harnesses;
mod identities;
mod locks;
mod moved;
mod notifier;
mod owned;
mod permissions;
mod preview;
mod purge;
mod questions;
mod read_only;
mod refusals;
mod sequences;
mod typed;
mod unit;
mod versions;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::home::BCH;
use crate::support::user::User;

/// A user's home, with whatever configuration a test writes into it.
pub struct UserHome {
    directory: tempfile::TempDir,
    /// As whom our programs run, where it is not the user that runs the tests.
    user: Option<User>,
}

/// Everything in a directory: bytes and mode of files, targets of links, directories.
pub type Snapshot = BTreeMap<PathBuf, String>;

impl UserHome {
    pub fn new() -> Self {
        // In memory where that can be: setup waits for the disk a dozen times, and thousands of setups run.
        let memory = tempfile::tempdir_in("/dev/shm");
        Self { directory: memory.or_else(|_| tempfile::tempdir()).unwrap(), user: None }
    }

    /// Of a user without privileges.
    pub fn unprivileged() -> Self {
        Self { user: User::unprivileged(), ..Self::new() }
    }

    /// Makes the user the owner of all that is in it.
    pub fn give(&self) {
        if self.user.is_some() {
            User::give(self.path());
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match &self.user {
            Some(user) => Command::new(user.program(BCH)),
            None => Command::new(BCH),
        };
        if self.user.is_some() {
            User::run(&mut command);
        }
        command.args(arguments).env_clear().env("HOME", self.path()).env("PATH", "/nowhere").current_dir("/");
        command
    }

    pub fn bch(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs `setup --yes` or `uninstall --yes`, and returns its report.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> (bool, Value) {
        Self::report(arguments, &self.bch(&[arguments, &["--yes", "--json"]].concat()))
    }

    #[track_caller]
    pub fn report(arguments: &[&str], output: &Output) -> (bool, Value) {
        let error = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_slice(&output.stdout);
        (output.status.success(), report.unwrap_or_else(|_| panic!("{arguments:?}: {error}")))
    }

    /// Everything in the home but our programs, which are large.
    pub fn everything(&self) -> Snapshot {
        let mut found = Snapshot::new();
        collect(self.path(), self.path(), &[".local/share/backchannel/bin"], &mut found);
        found
    }

    /// What is in the home, without the mail, our programs and our receipt.
    pub fn snapshot(&self) -> Snapshot {
        let mut found = Snapshot::new();
        collect(self.path(), self.path(), &[".backchannel", ".local"], &mut found);
        found
    }

    /// The same, with them.
    pub fn snapshot_of_all(&self) -> Snapshot {
        let mut found = Snapshot::new();
        collect(self.path(), self.path(), &[], &mut found);
        found
    }
}

fn collect(root: &Path, directory: &Path, without: &[&str], found: &mut Snapshot) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_owned();
        if without.iter().any(|other| name == Path::new(other)) {
            continue;
        }
        let mode = metadata.permissions().mode() & 0o7777;
        let text = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else if metadata.is_dir() {
            collect(root, &path, without, found);
            format!("{mode:o} directory")
        } else {
            format!("{mode:o} {}", fs::read(&path).unwrap().escape_ascii())
        };
        found.insert(name, text);
    }
}

/// The snapshots are the same; else only what differs is shown.
#[track_caller]
pub fn assert_same(now: &Snapshot, before: &Snapshot, what: &str) {
    let names = now.keys().chain(before.keys());
    let differing = names.filter(|name| now.get(*name) != before.get(*name));
    let differing: Vec<_> = differing.map(|name| (name, before.get(name), now.get(name))).collect();
    assert!(differing.is_empty(), "{what}: before and now: {differing:#?}");
}

/// What a report says of one harness.
fn result<'a>(report: &'a Value, id: &str) -> &'a str {
    let harnesses = report["harnesses"].as_array().unwrap();
    harnesses.iter().find(|harness| harness["id"] == id).unwrap()["result"].as_str().unwrap()
}
