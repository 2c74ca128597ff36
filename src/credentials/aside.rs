//! Credentials that a relay knows no more, while others are to take their place.

use std::fs;
use std::io;
use std::path::Path;

use super::{Credentials, DIRECTORY, Error};
use crate::spool::error::OnPath as _;
use crate::spool::local::files;

/// The extension of such a file.
const ASIDE: &str = "gone";

impl Credentials {
    /// Keeps them where nobody looks, until it is known whether others take their place.
    ///
    /// # Errors
    /// Where the file cannot be moved.
    pub fn set_aside(&self, home: &Path) -> Result<(), Error> {
        let path = self.path(home);
        match fs::rename(&path, path.with_extension(ASIDE)) {
            // It is in `config.json` alone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => Ok(result.on("move", &path)?),
        }
    }

    /// Takes them back from there.
    pub fn put_back(&self, home: &Path) {
        let path = self.path(home);
        let _ = files::move_new(&path.with_extension(ASIDE), &path);
    }

    /// Takes back all that a process set aside and did not live to decide on; where others were begun meanwhile, those stay.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn put_all_back(home: &Path) -> Result<(), Error> {
        let directory = home.join(DIRECTORY);
        for name in files::names(&directory)? {
            let aside = directory.join(&name);
            if aside.extension().is_some_and(|extension| extension == ASIDE) {
                let _ = files::move_new(&aside, &aside.with_extension("json"));
            }
        }
        Ok(())
    }

    /// Leaves what was set aside: others have its place.
    pub fn leave(&self, home: &Path) {
        let _ = fs::remove_file(self.path(home).with_extension(ASIDE));
    }
}
