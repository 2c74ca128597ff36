//! Where the bytes lie that a plan changes: in files, or in the user's crontab.

use std::path::{Path, PathBuf};

use super::crontab::Crontab;
use super::file::{self, Found};
use super::{CRONTAB, Error};
use crate::env::Env;

/// A place of bytes, which are read and written whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// The file that the path names.
    Files,
    /// The crontab of the user that runs this; the path is no more than its name.
    Crontab(Crontab),
}

impl Store {
    /// The user's crontab.
    #[must_use]
    pub fn crontab(env: &Env) -> Self {
        Self::Crontab(Crontab(env.find_program(CRONTAB)))
    }

    /// What lies there; `None` where nothing does.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn bytes(&self, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.find(path)?.bytes)
    }

    pub(super) fn find(&self, path: &Path) -> Result<Found, Error> {
        match self {
            Self::Files => file::find(path),
            Self::Crontab(crontab) => crontab.find(),
        }
    }

    /// The directories above a path that are not there, the outermost first.
    pub(super) fn missing_directories(&self, path: &Path) -> Vec<PathBuf> {
        match self {
            Self::Files => file::missing_directories(path),
            Self::Crontab(_) => Vec::new(),
        }
    }

    /// Writes it whole, if it still is what `before` says.
    pub(super) fn write(
        &self,
        real: &Path,
        before: Option<&[u8]>,
        after: &[u8],
        mode: u32,
    ) -> Result<(), Error> {
        match self {
            Self::Files => file::write(real, before, after, mode),
            Self::Crontab(crontab) => crontab.replace(before, Some(after)),
        }
    }

    /// Removes it, if it still is what `before` says.
    pub(super) fn remove(&self, real: &Path, before: &[u8]) -> Result<(), Error> {
        match self {
            Self::Files => file::remove(real, before),
            Self::Crontab(crontab) => crontab.replace(Some(before), None),
        }
    }

    /// Removes what a killed writer left.
    pub(super) fn sweep(&self, real: &Path) {
        if *self == Self::Files {
            file::sweep(real);
        }
    }
}
