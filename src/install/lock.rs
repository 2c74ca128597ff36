//! Locks: of one setup or uninstall against another, and of a file against its harness's own writers.
//!
//! Neither leaves a file behind: the first is on the home directory itself and ends with the process; the second is
//! the directory that those writers make and remove.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::FlockOperation;

use super::{Error, OnPath};

/// How long another one may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// What its writer has not touched for so long belongs to a process that is gone: Claude Code touches its lock every
/// few seconds, and takes one over after 10 s or 30 s (read in the package, 2.1.330, 2026-11-25).
const STALE: Duration = Duration::from_secs(30);
/// Tells a lock of ours: writers make theirs with all bits of their owner, which a umask leaves.
const OURS: u32 = 0o500;

/// One setup or uninstall at a time, of one user.
#[derive(Debug)]
pub struct SetupLock(#[expect(dead_code, reason = "closing the file releases the lock")] Option<File>);

impl SetupLock {
    /// Takes the lock on this home directory. Where the file system has no locks there is none.
    ///
    /// # Errors
    /// Where another setup or uninstall does not end.
    pub fn take(home: &Path) -> Result<Self, Error> {
        let Ok(directory) = File::open(home) else { return Ok(Self(None)) };
        let start = Instant::now();
        loop {
            match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(Some(directory))),
                Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < PATIENCE => thread::sleep(LOOK),
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::Busy),
                Err(_) => return Ok(Self(None)),
            }
        }
    }
}

/// A harness's own lock on a file, held while we write that.
pub(super) struct WriterLock(PathBuf);

impl WriterLock {
    /// Takes it; call only with [`SetupLock`] held, so that a lock of ours that is found is nobody's.
    pub(super) fn take(path: &Path) -> Result<Self, Error> {
        let start = Instant::now();
        loop {
            match DirBuilder::new().mode(OURS).create(path) {
                Ok(()) => return Ok(Self(path.to_owned())),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error).on("make", path);
                }
                Err(_) if is_left_over(path) => match fs::remove_dir(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(error).on("remove", path);
                    }
                    _ => {}
                },
                Err(_) if start.elapsed() < PATIENCE => thread::sleep(LOOK),
                Err(_) => return Err(Error::Held { path: path.to_owned() }),
            }
        }
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // One that stays even so is stale soon, and known as ours.
        let _ = fs::remove_dir(&self.0).or_else(|_| fs::remove_dir(&self.0));
    }
}

/// Removes the lock that a killed setup of ours left; call only with [`SetupLock`] held.
pub(super) fn sweep(path: &Path) {
    if is_ours(path) {
        let _ = fs::remove_dir(path);
    }
}

fn is_ours(path: &Path) -> bool {
    let metadata = fs::symlink_metadata(path);
    metadata.is_ok_and(|metadata| metadata.is_dir() && metadata.permissions().mode() & 0o777 == OURS)
}

fn is_left_over(path: &Path) -> bool {
    let is_stale = |time: SystemTime| time.elapsed().is_ok_and(|age| age > STALE);
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    is_ours(path) || modified.is_ok_and(is_stale)
}
