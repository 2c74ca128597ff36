//! The receipt: for each file that setup wrote, what it was before, so that uninstall can give back the
//! same bytes. It is durable before the first file is touched.
//!
//! ```text
//! ${XDG_DATA_HOME:-~/.local/share}/backchannel/receipt.json   0600
//! ${XDG_DATA_HOME:-~/.local/share}/backchannel/originals/<sha256>
//! ```
//!
//! A record does not say whether its file was written yet: the file's own bytes tell, by their fingerprint.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Fingerprint, OnPath, cause};
use crate::edit::{Entry, Format, Holder};
use crate::message::AgentName;
use crate::spool::local::files;

/// What was done to one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The harness that wished for it.
    pub owner: String,
    /// The file as the harness names it.
    pub path: PathBuf,
    /// The file behind its links.
    pub real: PathBuf,
    /// The bytes before; `None` where there was no file.
    pub original: Option<Fingerprint>,
    /// Its permission bits before.
    pub mode: u32,
    /// The bytes that were written; `None` where the file was taken away.
    pub written: Option<Fingerprint>,
    /// The bytes that they took the place of: a writer that was killed may have left those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Fingerprint>,
    /// What is ours in it; `None` where all of it is.
    pub entries: Option<Entries>,
    /// Directories that were made for it, the outermost first.
    #[serde(default)]
    pub directories: Vec<PathBuf>,
    /// The directory that its harness's own writers make while they write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<PathBuf>,
}

/// What is ours in a file of the user's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entries {
    /// How the file is written.
    pub format: Format,
    /// Our entries.
    pub entries: Vec<Entry>,
    /// Objects and arrays that were made or filled for them.
    pub holders: Vec<Holder>,
    /// What the first version had there: it comes back where the original bytes cannot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Entry>,
}

/// All records, and where they are kept.
#[derive(Debug, Clone)]
pub struct Receipt {
    directory: PathBuf,
    contents: Contents,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Contents {
    /// The version that wrote it.
    version: String,
    /// Environment variables that moved a harness's directory, as setup found them.
    environment: BTreeMap<String, PathBuf>,
    /// Harnesses with an agent of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    identities: BTreeMap<String, AgentName>,
    records: Vec<Record>,
}

impl Record {
    /// Whether the file is where it was, behind no link that was made since.
    #[must_use]
    pub(super) fn is_in_place(&self) -> bool {
        fs::canonicalize(&self.real).is_ok_and(|real| real == self.real)
    }

    /// Whether these are bytes that setup wrote, or was about to replace: nobody touched the file since.
    #[must_use]
    pub fn is_untouched(&self, now: Option<&Fingerprint>) -> bool {
        now == self.written.as_ref() || now.is_some() && now == self.earlier.as_ref()
    }
}

impl Receipt {
    /// Loads the receipt in our directory of data; none is an empty one.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn load(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("receipt.json");
        let contents = match files::read(&path).on("read", &path)? {
            None => Contents::default(),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::Receipt { path, reason: error.to_string() })?,
        };
        Ok(Self { directory: directory.to_owned(), contents })
    }

    /// The record of the file that is really here.
    #[must_use]
    pub fn record(&self, real: &Path) -> Option<&Record> {
        self.contents.records.iter().find(|record| record.real == real)
    }

    /// The record of the file that a harness names so, wherever it really is by now: its user may have put it behind a
    /// link since.
    #[must_use]
    pub(super) fn record_of(&self, real: &Path, path: &Path) -> Option<&Record> {
        let moved =
            || self.contents.records.iter().find(|record| record.path == path && !record.is_in_place());
        self.record(real).or_else(moved)
    }

    /// All records, in the order of their writing.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.contents.records
    }

    /// The environment variables that setup found.
    #[must_use]
    pub fn environment(&self) -> &BTreeMap<String, PathBuf> {
        &self.contents.environment
    }

    /// Remembers an environment variable that moves a harness's directory, or that none does any more.
    pub fn remember_variable(&mut self, name: &str, value: Option<&Path>) {
        match value {
            Some(value) => drop(self.contents.environment.insert(name.to_owned(), value.to_owned())),
            None => drop(self.contents.environment.remove(name)),
        }
    }

    /// The harnesses, by id, that were given an agent of their own.
    #[must_use]
    pub fn identities(&self) -> &BTreeMap<String, AgentName> {
        &self.contents.identities
    }

    /// Remembers a harness's agent, or that it has none of its own.
    pub(super) fn remember_identity(&mut self, id: &str, agent: Option<&AgentName>) {
        match agent {
            Some(agent) => drop(self.contents.identities.insert(id.to_owned(), agent.clone())),
            None => drop(self.contents.identities.remove(id)),
        }
    }

    /// The bytes that a record's file had; `None` where they are lost, or do not fit their name.
    #[must_use]
    pub fn original(&self, fingerprint: &Fingerprint) -> Option<Vec<u8>> {
        let bytes = fs::read(self.original_path(fingerprint)).ok()?;
        (Fingerprint::of(&bytes) == *fingerprint).then_some(bytes)
    }

    fn original_path(&self, fingerprint: &Fingerprint) -> PathBuf {
        self.directory.join("originals").join(fingerprint.as_str())
    }

    /// Keeps a file's bytes, on the disk.
    pub(super) fn keep_original(&self, bytes: &[u8]) -> Result<Fingerprint, Error> {
        let fingerprint = Fingerprint::of(bytes);
        let path = self.original_path(&fingerprint);
        if self.original(&fingerprint).is_none() {
            files::replace(&path, bytes).map_err(cause).on("write", &path)?;
        }
        Ok(fingerprint)
    }

    /// Puts a record in the place of the one that knows the file under this name, or takes that away.
    pub(super) fn set(&mut self, known: &Path, record: Option<Record>) {
        let place = self.contents.records.iter().position(|other| other.real == known);
        match (place, record) {
            (Some(place), Some(record)) => self.contents.records[place] = record,
            (Some(place), None) => drop(self.contents.records.remove(place)),
            (None, Some(record)) => self.contents.records.push(record),
            (None, None) => {}
        }
    }

    /// Writes the receipt, on the disk; an empty one leaves no file.
    pub(super) fn save(&mut self) -> Result<(), Error> {
        let path = self.directory.join("receipt.json");
        if self.contents.records.is_empty() {
            if !self.has_damaged() {
                let _ = fs::remove_dir_all(self.directory.join("originals"));
            }
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).on("remove", &path),
                _ => Ok(()),
            };
        }
        env!("CARGO_PKG_VERSION").clone_into(&mut self.contents.version);
        let mut text = serde_json::to_string_pretty(&self.contents)
            .map_err(|error| Error::Receipt { path: path.clone(), reason: error.to_string() })?;
        text.push('\n');
        if files::read(&path).ok().flatten().as_deref() == Some(text.as_bytes()) {
            // A run that changes nothing writes nothing, and works where nothing can be written.
            return Ok(());
        }
        files::replace(&path, text.as_bytes()).map_err(cause).on("write", &path)
    }

    /// Removes originals that no record names, and what a killed writer left.
    pub(super) fn sweep(&self) {
        if self.has_damaged() {
            return;
        }
        for directory in [self.directory.clone(), self.directory.join("originals")] {
            for name in files::names(&directory).unwrap_or_default() {
                if name.starts_with('.') && name.ends_with(".tmp") {
                    let _ = fs::remove_file(directory.join(name));
                }
            }
        }
        let named: HashSet<_> = self
            .records()
            .iter()
            .filter_map(|record| record.original.as_ref())
            .map(Fingerprint::as_str)
            .collect();
        for name in files::names(&self.directory.join("originals")).unwrap_or_default() {
            if !named.contains(name.as_str()) {
                let _ = fs::remove_file(self.directory.join("originals").join(name));
            }
        }
    }

    /// Whether a receipt was put aside that names originals which this one does not.
    fn has_damaged(&self) -> bool {
        self.directory.join("receipt.json.damaged").exists()
    }

    /// Our directory of data.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}
