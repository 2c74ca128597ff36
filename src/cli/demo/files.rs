//! What lies in the throw-away home, as it is found on the disk: its fingerprints at one moment, and what
//! differs between two. It reads, and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::install::Fingerprint;

/// Letters of a fingerprint that are printed.
const SHOWN: usize = 12;

/// One path at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Directory { mode: u32 },
    File { mode: u32, length: usize, fingerprint: Fingerprint },
    Link { target: PathBuf },
}

/// Everything below a home but the mail, by its path below the home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    paths: BTreeMap<PathBuf, Found>,
}

impl Snapshot {
    /// Looks at a home; `mail` is the one directory that is left out.
    pub(super) fn take(home: &Path, mail: &Path) -> anyhow::Result<Self> {
        let mut snapshot = Self::default();
        let mut directories = vec![home.to_owned()];
        while let Some(directory) = directories.pop() {
            let on_path = |path: &Path| format!("could not read {}", path.display());
            for entry in fs::read_dir(&directory).with_context(|| on_path(&directory))? {
                let path = entry.with_context(|| on_path(&directory))?.path();
                if path == mail {
                    continue;
                }
                let found = find(&path).with_context(|| on_path(&path))?;
                let name = path.strip_prefix(home).unwrap_or(&path).to_owned();
                if matches!(found, Found::Directory { .. }) {
                    directories.push(path);
                }
                snapshot.paths.insert(name, found);
            }
        }
        Ok(snapshot)
    }

    /// A file's length and the beginning of its fingerprint.
    pub(super) fn describe(&self, path: &Path) -> String {
        match self.paths.get(path) {
            Some(Found::File { length, fingerprint, .. }) => {
                let letters = fingerprint.as_str().get(..SHOWN).unwrap_or_default();
                format!("{length:>5} {letters}")
            }
            Some(Found::Directory { .. }) => "a directory".to_owned(),
            Some(Found::Link { .. }) => "a link".to_owned(),
            None => "nothing".to_owned(),
        }
    }

    /// How many paths are here that the other does not have.
    pub(super) fn count_beyond(&self, other: &Self) -> usize {
        self.paths.keys().filter(|path| !other.paths.contains_key(*path)).count()
    }

    /// Whether a path is in both, or in neither, and the same.
    pub(super) fn has_same(&self, other: &Self, path: &Path) -> bool {
        self.paths.get(path) == other.paths.get(path)
    }

    /// Each path that is not what it was in the earlier one: bytes, permissions and kind count.
    pub(super) fn differences(&self, before: &Self) -> Vec<String> {
        let gone = before.paths.keys().filter(|path| !self.paths.contains_key(*path));
        let mut paths: Vec<_> = self.paths.keys().chain(gone).collect();
        paths.retain(|path| !self.has_same(before, path));
        paths.sort();
        let words = paths.into_iter().map(|path| {
            let word = match (before.paths.get(path), self.paths.get(path)) {
                (None, _) => "is new",
                (_, None) => "is gone",
                _ => "is not what it was",
            };
            format!("{} {word}", path.display())
        });
        words.collect()
    }
}

fn find(path: &Path) -> std::io::Result<Found> {
    let metadata = fs::symlink_metadata(path)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_dir() {
        Ok(Found::Directory { mode })
    } else if metadata.is_symlink() {
        Ok(Found::Link { target: fs::read_link(path)? })
    } else {
        let bytes = fs::read(path)?;
        Ok(Found::File { mode, length: bytes.len(), fingerprint: Fingerprint::of(&bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_one_bit_and_one_path_are_differences() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for name in ["byte", "mode", "gone", "same"] {
            fs::write(path(name), "text").unwrap();
        }
        fs::create_dir(path("mail")).unwrap();
        let take = || Snapshot::take(home.path(), &path("mail")).unwrap();
        let before = take();
        assert_eq!(take().differences(&before), Vec::<String>::new());
        fs::write(path("byte"), "texT").unwrap();
        fs::set_permissions(path("mode"), fs::Permissions::from_mode(0o611)).unwrap();
        fs::remove_file(path("gone")).unwrap();
        fs::create_dir(path("new")).unwrap();
        fs::write(path("mail/letter"), "text").unwrap();
        let expected = ["byte is not what it was", "gone is gone", "mode is not what it was", "new is new"];
        assert_eq!(take().differences(&before), expected);
        assert_eq!(take().count_beyond(&before), 1);
        assert_ne!(take().describe(Path::new("byte")), before.describe(Path::new("byte")));
    }
}
