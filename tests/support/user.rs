//! A user without privileges, as whom programs run where root runs the tests: the system refuses root nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::home::{BCH, HOOK};

/// `nobody`, on every system that the tests know.
pub const NOBODY: u32 = 65534;

/// The user, with copies of our programs: the build directory may be closed to it.
pub struct User {
    programs: tempfile::TempDir,
}

impl User {
    /// `None` where the tests themselves have no privileges.
    pub fn unprivileged() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let programs = tempfile::tempdir().unwrap();
        fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Copied by another process: a program that this one has open for writing cannot be started.
        let copied = Command::new("cp").args([BCH, HOOK]).arg(programs.path()).status().unwrap();
        assert!(copied.success());
        Some(Self { programs })
    }

    /// Where the user finds a program.
    pub fn program(&self, program: &str) -> PathBuf {
        match program {
            BCH | HOOK => self.programs.path().join(Path::new(program).file_name().unwrap()),
            _ => program.into(),
        }
    }

    pub fn run(command: &mut Command) {
        command.uid(NOBODY).gid(NOBODY);
    }

    /// Makes the user the owner of a path and of all below it.
    pub fn give(path: &Path) {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| Self::give(&entry.unwrap().path()));
        }
    }
}
