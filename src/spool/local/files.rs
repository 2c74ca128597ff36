//! Files as a spool needs them: read only whole regular ones, replace whole, move without replacing.
//!
//! Everything is made with mode 0600 or 0700, whatever the umask: both programs set theirs first.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::spool::error::OnPath;
use crate::spool::{Error, Result};

/// A message file larger than this is not read: no version writes such a one.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The flag with which a file is opened that might be a pipe: opening and reading never wait then.
pub const NO_WAIT: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// Makes files private by default; called first by both programs.
pub fn set_umask() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Makes a directory and those above it, each with mode 0700; one that is there is left as it is.
pub(crate) fn make_directory(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).on("make", path)
}

/// Takes a directory's group and world rights away, which the first version left there.
pub(crate) fn make_private(path: &Path) {
    if let Ok(metadata) = fs::metadata(path)
        && metadata.permissions().mode() & 0o077 != 0
    {
        // Somebody else's directory or a read-only disk: `bch doctor` tells, mail goes on.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    }
}

/// Reads a regular file; `None` where there is none. Never waits for a pipe.
///
/// # Errors
/// Where it cannot be read, or is no file.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    Ok(read_into(path, &mut bytes)?.then_some(bytes))
}

/// Reads a settings file, of whomever it is: a regular file of 64 MiB at most. A link to a device or a pipe in its
/// place must not hold us up.
///
/// # Errors
/// Where it is not there, cannot be read, or is no such file.
pub(crate) fn read_settings(path: &Path) -> io::Result<Vec<u8>> {
    const MOST: u64 = 64 * 1024 * 1024;
    let file = File::options().read(true).custom_flags(NO_WAIT).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MOST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file of settings"));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`read`], into a buffer that is used again; `false` where there is no file.
pub(crate) fn read_into(path: &Path, bytes: &mut Vec<u8>) -> io::Result<bool> {
    bytes.clear();
    // Most files fit: without room, the first bytes would be read by the handful.
    bytes.reserve(1024);
    let file = match File::options().read(true).custom_flags(NO_WAIT).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    file.take(LARGEST).read_to_end(bytes)?;
    Ok(true)
}

/// Writes a new file, flushed to the disk when `durable`. One that is there already is another's, and stays.
pub(crate) fn write_new(path: &Path, bytes: &[u8], durable: bool) -> Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).on("write", path)?;
    let written = file.write_all(bytes).and_then(|()| if durable { file.sync_all() } else { Ok(()) });
    if written.is_err() {
        // Half a file is worth nothing; if it cannot be removed either, the next sweep does it.
        let _ = fs::remove_file(path);
    }
    written.on("write", path)
}

/// Replaces a file whole: readers see the old bytes or the new ones.
///
/// # Errors
/// Where it cannot be written; the old file is then untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = match path.parent() {
        // A bare name is of the working directory.
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        parent => parent.unwrap_or(path),
    };
    make_directory(directory)?;
    let beside = directory.join(format!(".{}.tmp", uuid::Uuid::new_v4().as_simple()));
    write_new(&beside, bytes, true)?;
    fs::rename(&beside, path).on("replace", path).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })?;
    sync_directory(directory)
}

/// Flushes a directory's entries; a file system that cannot is left to its own ways.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    match File::open(path).and_then(|directory| directory.sync_all()) {
        Err(error) if matches!(error.raw_os_error(), Some(code) if code == Errno::INVAL.raw_os_error()) => {
            Ok(())
        }
        result => result.on("flush", path),
    }
}

/// How a link can fail to be made because the file system has none (FAT, some network mounts).
fn has_no_links(error: Errno) -> bool {
    matches!(error, Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK | Errno::XDEV)
}

/// Gives a file a second name that is not taken yet; where there are no hard links, a copy.
pub(crate) fn link_or_copy(from: &Path, to: &Path, durable: bool) -> Result<()> {
    match rustix::fs::link(from, to) {
        Err(error) if has_no_links(error) => {
            let bytes = fs::read(from).on("read", from)?;
            let beside = from.with_extension("copy");
            write_new(&beside, &bytes, durable)?;
            // A copy that stays behind would be in the way of the next recipient's.
            move_new(&beside, to).inspect_err(|_| {
                let _ = fs::remove_file(&beside);
            })
        }
        result => result.on("write", to),
    }
}

/// Moves a file to a name that is not taken yet.
pub(crate) fn move_new(from: &Path, to: &Path) -> Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // An old kernel or file system: ids are random, so that a look before the move is enough.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            if to.exists() {
                return Err(io::Error::from(io::ErrorKind::AlreadyExists)).on("write", to);
            }
            fs::rename(from, to).on("write", to)
        }
        result => result.on("write", to),
    }
}

/// The UTF-8 names in a directory, none where it is not there.
pub(crate) fn names(path: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.on("read", path)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.on("read", path)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Whether a directory has any entry.
pub(crate) fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}

/// A lock between processes, released when dropped or when the process ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

/// Waits for the lock at `path`.
pub(crate) fn lock(path: PathBuf) -> Result<Lock> {
    let file = open_lock(&path)?;
    match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
        // A network mount without locks: replacing files whole still keeps each of them intact.
        Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Lock(file)),
        Err(error) => Err(Error::Io { verb: "lock", path, source: error.into() }),
    }
}

/// The lock at `path` where it is free, else `None` at once.
pub(crate) fn lock_if_free(path: PathBuf) -> Result<Option<Lock>> {
    let file = open_lock(&path)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Some(Lock(file))),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Error::Io { verb: "lock", path, source: error.into() }),
    }
}

fn open_lock(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600).custom_flags(NO_WAIT);
    options.open(path).on("lock", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_takes_nobody_elses_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("draft");
        write_new(&path, b"first", false).unwrap();
        let error = write_new(&path, b"second", false).unwrap_err();
        assert!(
            matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists),
            "{error:?}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }
}
