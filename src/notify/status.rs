//! Whether a notifier serves a home, and what it did: a lock that it holds, and `status.json`.
//!
//! The lock is the truth of its running; the file says the rest, and is as old as the last event.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::directory;
use crate::spool::local::files;
use crate::spool::{self, Error};

/// Looks at a lock that whoever asks for the notifier's process holds for a moment.
const LOOKS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(10);

/// What a notifier tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    /// When the notifier started.
    pub since: Option<Timestamp>,
    /// How many messages were announced in this home, by all its notifiers.
    pub announced: u64,
    /// When the last one was.
    pub last_announcement: Option<Timestamp>,
    /// What went wrong last; it may have mended itself since.
    pub last_error: Option<Trouble>,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// What, as a person is told.
    pub what: String,
}

impl Status {
    /// What the last notifier of this home told; nothing where there was none.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn load(home: &Path) -> spool::Result<Self> {
        let path = Self::path(home);
        match files::read(&path) {
            // Nothing depends on it: a damaged one is as none.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes.unwrap_or_default()).unwrap_or_default()),
            Err(source) => Err(Error::Io { verb: "read", path, source }),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn save(&self, home: &Path) -> spool::Result<()> {
        files::replace(&Self::path(home), &serde_json::to_vec_pretty(self).unwrap_or_default())
    }

    fn path(home: &Path) -> PathBuf {
        directory(home).join("status.json")
    }
}

/// Held by the one notifier of a home.
#[derive(Debug)]
pub struct Running(#[expect(dead_code, reason = "closing the file releases the lock")] File);

impl Running {
    /// Takes the lock, or tells which process has it.
    ///
    /// # Errors
    /// Where the lock cannot be made.
    pub fn take(home: &Path) -> spool::Result<Result<Self, u32>> {
        let path = lock_path(home);
        files::make_directory(&directory(home))?;
        let fail = |source: io::Error| Error::Io { verb: "lock", path: path.clone(), source };
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true).mode(0o600).custom_flags(files::NO_WAIT);
        let mut file = options.open(&path).map_err(fail)?;
        for _ in 0..LOOKS {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    file.set_len(0).map_err(fail)?;
                    file.write_all(format!("{}\n", std::process::id()).as_bytes()).map_err(fail)?;
                    return Ok(Ok(Self(file)));
                }
                Err(Errno::WOULDBLOCK) => thread::sleep(BETWEEN),
                Err(error) => return Err(fail(error.into())),
            }
        }
        Ok(Err(process(&path).map_err(fail)?))
    }
}

/// The process of the notifier that serves this home, if one does.
///
/// # Errors
/// Where the lock cannot be looked at.
pub fn running(home: &Path) -> io::Result<Option<u32>> {
    let path = lock_path(home);
    let file = match File::options().read(true).custom_flags(files::NO_WAIT).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(Errno::WOULDBLOCK) => process(&path).map(Some),
        Err(error) => Err(error.into()),
    }
}

/// The number that whoever holds the lock wrote into it, or is about to.
fn process(path: &Path) -> io::Result<u32> {
    for _ in 0..LOOKS {
        let mut text = String::new();
        File::open(path)?.take(20).read_to_string(&mut text)?;
        if let Some(process) = text.strip_suffix('\n').and_then(|text| text.parse().ok()) {
            return Ok(process);
        }
        thread::sleep(BETWEEN);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no number of a process"))
}

fn lock_path(home: &Path) -> PathBuf {
    directory(home).join("lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_notifier_serves_a_home_as_long_as_it_lives() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(running(place.path()).unwrap(), None);
        assert!(!directory(place.path()).exists(), "a look makes nothing");
        let held = Running::take(place.path()).unwrap().unwrap();
        let own = std::process::id();
        assert_eq!(running(place.path()).unwrap(), Some(own));
        assert_eq!(Running::take(place.path()).unwrap().unwrap_err(), own);
        drop(held);
        assert_eq!(running(place.path()).unwrap(), None);
        Running::take(place.path()).unwrap().unwrap();
    }
}
