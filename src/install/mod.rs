//! Putting our entries into other programs' files, and taking them out again.
//!
//! A harness [wishes](Wish) for entries and files. A [plan](plan::Plan) says what that changes, as data, so
//! that a dry run is free. [Applying](apply::apply) it makes the receipt durable first, then writes each file
//! whole. Uninstalling is a plan too, made from the receipt. The user's crontab is a [store](Store) of its own, and
//! goes the same way. What text an entry makes is `crate::edit`'s.

pub mod apply;
pub mod codex;
pub mod codex_trust;
mod crontab;
pub mod earlier;
mod file;
pub mod first_version;
pub mod lock;
pub mod plan;
pub mod receipt;
mod run;
pub mod service;
pub mod setup;
mod store;
pub mod uninstall;
pub mod wishes;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::edit::{Entry, Format, Refusal};
use crate::shell::word;
use crate::spool;
pub use crontab::Fault;
pub use store::Store;

/// What a harness needs in one file, so that mail reaches it.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The harness's id, or [`PROGRAMS`].
    pub owner: String,
    /// The file.
    pub path: PathBuf,
    /// What has to be in it.
    pub content: Content,
    /// The directory that the harness's own writers of it make while they write, and remove.
    pub lock: Option<PathBuf>,
}

/// What has to be in a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// Entries of ours in a file of the user's.
    Entries {
        /// How the file is written.
        format: Format,
        /// What is ours in it.
        entries: Vec<Entry>,
        /// What the first version of backchannel put there.
        outdated: Vec<Entry>,
    },
    /// A file that is ours alone.
    Whole {
        /// All of it.
        bytes: Vec<u8>,
    },
    /// A program of ours, copied.
    Program {
        /// From where.
        source: PathBuf,
    },
    /// No file: the first version's, told by a text in it.
    Gone {
        /// What only that version wrote.
        mark: String,
    },
}

/// The owner of the programs that all harnesses start.
pub const PROGRAMS: &str = "programs";
/// The owner of our block in the user's crontab.
pub const CRON: &str = "cron";
/// The owner of the unit that runs the notifier.
pub const NOTIFIER: &str = "notifier";
/// How the crontab is named where a file has its path; also the program's name.
pub const CRONTAB: &str = "crontab";

/// The SHA-256 of a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::{Digest, Sha256};
        Self(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused it.
    #[error("could not {verb} {}: {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused what a link leads to.
    #[error("{} is a link: {error}", path.display())]
    Linked {
        /// The link.
        path: PathBuf,
        /// What was refused behind it.
        error: Box<Error>,
    },
    /// It is not what the editor can keep whole.
    #[error("{}:{}:{}: {refusal}", path.display(), refusal.line, refusal.column)]
    Refused {
        /// The file.
        path: PathBuf,
        /// Where in it, and why.
        refusal: Refusal,
    },
    /// Somebody else's file is where ours should be.
    #[error("{} is there already, and is not ours", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// Another harness reads the same file, and wants it otherwise.
    #[error("{} is another harness's file, too", path.display())]
    Shared {
        /// The file.
        path: PathBuf,
    },
    /// It changed between the plan and the write.
    #[error("{} was changed by another program just now", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The harness's own writers do not let go of it.
    #[error("another program holds {}", path.display())]
    Held {
        /// Their lock.
        path: PathBuf,
    },
    /// The crontab cannot be read or written.
    #[error(transparent)]
    Crontab(#[from] Fault),
    /// The notifier cannot be run.
    #[error(transparent)]
    Service(#[from] service::Fault),
    /// Another setup or uninstall runs.
    #[error("another setup or uninstall of backchannel is running")]
    Busy,
    /// A link without a file at its end, or something else that is no file.
    #[error("{} is no file", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// The receipt cannot be read, or cannot hold what it has to.
    #[error("could not use {}: {reason}", path.display())]
    Receipt {
        /// The receipt.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// The user stopped it.
    #[error("stopped; everything is as it was")]
    Stopped,
}

impl Error {
    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { path, refusal } if path.as_path() == Path::new(CRONTAB) => {
                Some(format!("crontab -e   # line {}", refusal.line))
            }
            Self::Refused { path, refusal } => refusal.hint(path),
            Self::Crontab(fault) => Some(fault.hint()),
            Self::Service(fault) => Some(fault.hint()),
            Self::NotOurs { path } => Some(format!("mv {0} {0}.mine && bch setup", word(path))),
            Self::Changed { .. } | Self::Stopped | Self::Busy => Some("bch doctor".into()),
            Self::Held { path } => {
                Some(format!("ls -ld {}   # leave the harness, then: bch setup", word(path)))
            }
            Self::NoFile { path } | Self::Shared { path } => Some(format!("ls -l {}", word(path))),
            Self::Receipt { path, .. } => Some(format!("mv {0} {0}.damaged && bch setup", word(path))),
            // A file of Nix, say: it is read-only for good, and comes from elsewhere.
            Self::Linked { path, .. } => {
                Some(format!("ls -l {}   # make the change where that file comes from", word(path)))
            }
            Self::Io { verb, path, source } => {
                // The nearest that is there: it is the one that refuses.
                let is_there = |above: &&Path| above.symlink_metadata().is_ok();
                let mut paths = path.ancestors().skip(usize::from(*verb != "read"));
                let above = paths.find(is_there).unwrap_or(path);
                let above = word(above);
                Some(match source.kind() {
                    io::ErrorKind::ReadOnlyFilesystem => format!("df {above}   # mounted read-only"),
                    io::ErrorKind::StorageFull => format!("df -h {above}"),
                    _ => format!("ls -ld {above}"),
                })
            }
        }
    }
}

/// What the system said, where the path is told by whoever uses the spool's files.
fn cause(error: spool::Error) -> io::Error {
    match error {
        spool::Error::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}

trait OnPath<T> {
    fn on(self, verb: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> OnPath<T> for Result<T, E> {
    fn on(self, verb: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { verb, path: path.to_owned(), source: source.into() })
    }
}
