//! One file of another program: found behind its links, written whole beside itself and moved into place.
//!
//! Its mode and owner stay. A file that is not what the plan saw is not written.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Error, OnPath, cause};

/// Links that are followed from one path.
const MOST_LINKS: usize = 40;

/// A file as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it really is: behind every link.
    pub(super) real: PathBuf,
    /// Its bytes; `None` where there is none.
    pub(super) bytes: Option<Vec<u8>>,
    /// Its permission bits; what a new one would have where there is none.
    pub(super) mode: u32,
}

/// Where Linux keeps the access control list of a file (acl(5)).
const ACCESS_LIST: &str = "system.posix_acl_access";
/// The most that it takes of an extended attribute (xattr(7)).
const LARGEST_LIST: usize = 64 * 1024;

/// A program's permission bits.
pub(super) const PROGRAM: u32 = 0o755;

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).on("read", path)
}

/// Whether the second is a program with the bytes of the first.
pub(super) fn is_program_like(source: &Path, copy: &Path) -> bool {
    let same = || {
        let (mut one, mut other) = (File::open(source)?, File::open(copy)?);
        let (metadata, other_metadata) = (one.metadata()?, fs::symlink_metadata(copy)?);
        let mode = other_metadata.permissions().mode() & 0o7777;
        if metadata.len() != other_metadata.len() || mode != PROGRAM || !other_metadata.is_file() {
            return Ok(false);
        }
        let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        loop {
            let count = one.read(&mut left)?;
            if count == 0 {
                return Ok(true);
            }
            other.read_exact(&mut right[..count])?;
            if left[..count] != right[..count] {
                return Ok(false);
            }
        }
    };
    let same: io::Result<bool> = same();
    same.unwrap_or(false)
}

/// Finds a file of ours: a link in its place is nothing to follow.
pub(super) fn find_own(path: &Path) -> Result<Found, Error> {
    let real = settled(path);
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(Error::NoFile { path: path.to_owned() }),
        Ok(metadata) if metadata.is_file() => {
            let bytes = Some(fs::read(path).on("read", path)?);
            Ok(Found { real, bytes, mode: metadata.permissions().mode() & 0o7777 })
        }
        // What is behind a link is somebody else's, and stays: writing puts a file in the link's place.
        _ => Ok(Found { real, bytes: None, mode: PROGRAM }),
    }
}

/// As if nothing were there.
pub(super) fn nothing_at(path: &Path) -> Found {
    Found { real: settled(path), bytes: None, mode: 0o600 }
}

/// Finds a file behind its links.
pub(super) fn find(path: &Path) -> Result<Found, Error> {
    let mut real = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&real) {
            Ok(metadata) if metadata.is_symlink() => {
                let target = fs::read_link(&real).on("read", &real)?;
                real = real.parent().unwrap_or(Path::new("/")).join(target);
            }
            Ok(metadata) if metadata.is_file() => {
                // Links among the directories above it, too, so that one file has one name in the receipt.
                let real = fs::canonicalize(&real).on("read", &real)?;
                let bytes = Some(fs::read(&real).on("read", &real)?);
                return Ok(Found { real, bytes, mode: metadata.permissions().mode() & 0o7777 });
            }
            Ok(_) => return Err(Error::NoFile { path: path.to_owned() }),
            // A link that leads nowhere was meant for a file that somebody took away.
            Err(error) if error.kind() == io::ErrorKind::NotFound && real != path => {
                return Err(Error::NoFile { path: path.to_owned() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Found { real: settled(&real), bytes: None, mode: 0o600 });
            }
            Err(error) => return Err(error).on("read", &real),
        }
    }
    Err(Error::NoFile { path: path.to_owned() })
}

/// The path with the links of those directories resolved that are there.
pub(super) fn settled(path: &Path) -> PathBuf {
    for above in path.ancestors().skip(1) {
        if let (Ok(real), Ok(rest)) = (fs::canonicalize(above), path.strip_prefix(above)) {
            return real.join(rest);
        }
    }
    path.to_owned()
}

/// The directories above a path that are not there, the outermost first.
pub(super) fn missing_directories(path: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<_> =
        path.ancestors().skip(1).take_while(|above| !above.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

/// Writes a file whole, if it still is what `before` says: the temporary file beside it is on the disk
/// before it is moved into place.
pub(super) fn write(real: &Path, before: Option<&[u8]>, after: &[u8], mode: u32) -> Result<(), Error> {
    let directory = real.parent().unwrap_or(real);
    crate::spool::local::files::make_directory(directory).map_err(cause).on("make", directory)?;
    let beside = temporary(real);
    let written = write_beside(&beside, real, after, mode).and_then(|()| {
        check_unchanged(real, before)?;
        fs::rename(&beside, real).on("write", real)
    });
    if written.is_err() {
        // Half a file is worth nothing; if it cannot be removed either, the next setup does it.
        let _ = fs::remove_file(&beside);
    }
    written?;
    sync_directory(directory)
}

/// Removes a file, if it still is what `before` says.
pub(super) fn remove(real: &Path, before: &[u8]) -> Result<(), Error> {
    check_unchanged(real, Some(before))?;
    fs::remove_file(real).on("remove", real)?;
    sync_directory(real.parent().unwrap_or(real))
}

/// Removes those of the directories that are empty, the innermost first.
pub(super) fn remove_directories(directories: &[PathBuf]) -> Result<(), Error> {
    // On a read-only disk the system refuses to remove even what is not there.
    for directory in directories.iter().rev().filter(|directory| directory.exists()) {
        match fs::remove_dir(directory) {
            // Whoever put something into it since keeps it.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => {}
            result => result.on("remove", directory)?,
        }
    }
    Ok(())
}

/// Removes what a killed writer left beside a file.
pub(super) fn sweep(real: &Path) {
    let (Some(directory), Some(name)) = (real.parent(), real.file_name()) else { return };
    let start = format!(".{}.bch-", name.to_string_lossy());
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&start) && name.ends_with(".tmp") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn temporary(real: &Path) -> PathBuf {
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    real.with_file_name(format!(".{name}.bch-{}.tmp", uuid::Uuid::new_v4().as_simple()))
}

/// An error names the file that is to be written: nobody knows the name of the one beside it.
fn write_beside(beside: &Path, real: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(beside).on("write", real)?;
    file.write_all(bytes).on("write", real)?;
    if let Ok(metadata) = fs::metadata(real) {
        let owner = (metadata.uid(), metadata.gid());
        let ours = file.metadata().on("write", real)?;
        if owner != (ours.uid(), ours.gid()) {
            // Only root may give a file away; anybody else keeps the file as their own, and of its groups only
            // those that they are in.
            let (uid, gid) = (rustix::fs::Uid::from_raw(owner.0), rustix::fs::Gid::from_raw(owner.1));
            let _ = rustix::fs::fchown(&file, Some(uid), Some(gid))
                .or_else(|_| rustix::fs::fchown(&file, None, Some(gid)));
        }
        keep_access_list(real, &file).on("write", real)?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode)).on("write", real)?;
    file.sync_all().on("write", real)
}

/// Gives the file the access control list of another. Without one the mode's bits of the group, which bound the
/// list, would be the group's own.
fn keep_access_list(from: &Path, file: &File) -> Result<(), rustix::io::Errno> {
    let mut list = vec![0; LARGEST_LIST];
    match rustix::fs::getxattr(from, ACCESS_LIST, &mut list[..]) {
        Ok(length) => {
            rustix::fs::fsetxattr(file, ACCESS_LIST, &list[..length], rustix::fs::XattrFlags::empty())
        }
        Err(_) => {
            // Its directory may have given it one.
            let _ = rustix::fs::fremovexattr(file, ACCESS_LIST);
            Ok(())
        }
    }
}

fn check_unchanged(real: &Path, before: Option<&[u8]>) -> Result<(), Error> {
    let now = match fs::read(real) {
        // Only a program of ours is known by a path that can be a link.
        Ok(_) if real.is_symlink() => None,
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).on("read", real),
    };
    if now.as_deref() == before { Ok(()) } else { Err(Error::Changed { path: real.to_owned() }) }
}

fn sync_directory(directory: &Path) -> Result<(), Error> {
    crate::spool::local::files::sync_directory(directory).map_err(cause).on("write", directory)
}
