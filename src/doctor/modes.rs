//! Who may read and write the mail's home. It is ours alone: 0700 and 0600, which the first version did not keep.
//!
//! Links are not followed: what they lead to is not ours.

use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Sheet, proven, word};

/// What of the home is ours; whatever else lies in it is not looked at.
const OURS: [&str; 7] =
    ["config.json", "bch.toml", "hook.log", proven::FILE, "credentials", "agents", "spool"];

/// A file or directory with other rights than it should have.
pub(super) struct Wrong {
    pub(super) path: PathBuf,
    /// Its permission bits.
    pub(super) mode: u32,
    /// What they should be.
    pub(super) wanted: u32,
}

impl Wrong {
    /// Whether its owner lacks a right, so that mail cannot move.
    fn is_closed(&self) -> bool {
        self.mode & self.wanted != self.wanted
    }

    pub(super) fn command(&self) -> String {
        format!("chmod {:o} {}", self.wanted, word(&self.path))
    }
}

pub(super) fn look(sheet: &mut Sheet<'_>, home: &Path) {
    let found = wrong(home);
    for is_closed in [true, false] {
        let some: Vec<_> = found.iter().filter(|wrong| wrong.is_closed() == is_closed).collect();
        let Some(first) = some.first() else { continue };
        let (path, mode) = (first.path.display(), first.mode);
        let state = if is_closed { "closed to its owner" } else { "open to others" };
        let mut detail = format!("{path} is {state} ({mode:o})");
        let mut hint = first.command();
        if some.len() > 1 {
            detail.push_str(&format!(", and so are {} more", some.len() - 1));
            hint = "bch doctor --fix".to_owned();
        }
        if is_closed { sheet.fail("modes", detail, hint) } else { sheet.warn("modes", detail, hint) }
    }
    if found.is_empty() && home.exists() {
        sheet.ok("modes", format!("{} is private", home.display()));
    }
}

/// What has other rights than it should, directories before what is in them.
pub(super) fn wrong(home: &Path) -> Vec<Wrong> {
    let mut found = Vec::new();
    // The home itself may be a link: its user chose it.
    if let Ok(metadata) = fs::metadata(home) {
        check(home, &metadata, &mut found);
        OURS.iter().for_each(|name| walk(&home.join(name), &mut found));
    }
    found
}

fn walk(path: &Path, found: &mut Vec<Wrong>) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    check(path, &metadata, found);
    if metadata.is_dir() {
        let mut below: Vec<_> =
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        below.sort();
        below.iter().for_each(|path| walk(path, found));
    }
}

fn check(path: &Path, metadata: &Metadata, found: &mut Vec<Wrong>) {
    let wanted = match metadata {
        directory if directory.is_dir() => 0o700,
        file if file.is_file() => 0o600,
        _ => return,
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 || mode & wanted != wanted {
        found.push(Wrong { path: path.to_owned(), mode, wanted });
    }
}
