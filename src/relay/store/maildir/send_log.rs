//! The file of what was sent lately: records of one size, appended, in two generations.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::Result;
use super::remembered::{Content, Key};
use crate::spool;
use crate::spool::error::OnPath;
use crate::spool::local::files;

/// Bytes of a record: key, content, seconds since 1970.
const SIZE: usize = KEY + CONTENT + 4;
const KEY: usize = 16;
const CONTENT: usize = 12;

/// One record: which message, what it says, seconds since 1970.
pub(super) type Record = (Key, Content, u32);

/// `sends/<number>.log`, and the generation before it.
pub(super) struct Log {
    directory: PathBuf,
    number: u64,
    file: Arc<File>,
    records: usize,
    /// Records of a generation.
    most: usize,
}

impl Log {
    /// Reads both generations, the old one first.
    pub(super) fn open(directory: PathBuf, most: usize) -> spool::Result<(Self, Vec<Record>)> {
        files::make_directory(&directory)?;
        let mut numbers: Vec<u64> = files::names(&directory)?
            .iter()
            .filter_map(|name| name.strip_suffix(".log")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        while numbers.len() > 2 {
            let path = path(&directory, numbers.remove(0));
            fs::remove_file(&path).on("remove", &path)?;
        }
        let number = numbers.last().copied().unwrap_or(0);
        let mut all = if numbers.len() == 2 { read(&path(&directory, numbers[0]))? } else { Vec::new() };
        let young = read(&path(&directory, number))?;
        let file = Arc::new(open(&directory, number)?);
        // A record that a crash cut would shift all that follow.
        file.set_len((young.len() * SIZE) as u64).on("mend", &path(&directory, number))?;
        let records = young.len();
        all.extend(young);
        Ok((Self { directory, number, file, records, most }, all))
    }

    /// The file that is appended to now.
    pub(super) fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// Appends records in one piece, or none; the file that they are in.
    pub(super) fn append(&mut self, sends: &[(Key, Content)], at: u32) -> Result<Arc<File>> {
        if self.records >= self.most {
            self.turn_over()?;
        }
        let mut bytes = Vec::with_capacity(sends.len() * SIZE);
        for (key, content) in sends {
            bytes.extend_from_slice(&key.0);
            bytes.extend_from_slice(&content.0);
            bytes.extend_from_slice(&at.to_le_bytes());
        }
        let path = path(&self.directory, self.number);
        if let Err(error) = (&*self.file).write_all(&bytes) {
            // Half a record would shift all that follow.
            self.file.set_len((self.records * SIZE) as u64).on("mend", &path)?;
            return Ok(Err(error).on("write", &path)?);
        }
        self.records += sends.len();
        Ok(self.file.clone())
    }

    /// Begins a new generation, and forgets the one before the last.
    pub(super) fn turn_over(&mut self) -> Result<()> {
        let file = open(&self.directory, self.number + 1)?;
        files::sync_directory(&self.directory)?;
        self.forget_old();
        (self.number, self.file, self.records) = (self.number + 1, Arc::new(file), 0);
        Ok(())
    }

    /// Forgets the generation before.
    pub(super) fn forget_old(&self) {
        if let Some(old) = self.number.checked_sub(1) {
            let _ = fs::remove_file(path(&self.directory, old));
        }
    }
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number}.log"))
}

fn open(directory: &Path, number: u64) -> spool::Result<File> {
    let path = path(directory, number);
    let mut options = File::options();
    options.append(true).create(true).mode(0o600).custom_flags(files::NO_WAIT).open(&path).on("open", &path)
}

fn read(path: &Path) -> spool::Result<Vec<Record>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.and_then(|mut file| file.read_to_end(&mut bytes)).on("read", path)?,
    };
    let records = bytes.chunks_exact(SIZE).map(|record| {
        let (mut key, mut content, mut at) = ([0; KEY], [0; CONTENT], [0; 4]);
        key.copy_from_slice(&record[..KEY]);
        content.copy_from_slice(&record[KEY..KEY + CONTENT]);
        at.copy_from_slice(&record[KEY + CONTENT..]);
        (Key(key), Content(content), u32::from_le_bytes(at))
    });
    Ok(records.collect())
}
