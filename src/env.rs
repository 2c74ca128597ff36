//! The surroundings of the process: environment, home, working directory and clock.
//!
//! Only this module reads them. The rest is given an [`Env`], so that a test is a value, not a global.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// What a command or hook may know of the process that it runs in.
#[derive(Debug, Clone, Default)]
pub struct Env {
    made: Option<Made>,
}

#[derive(Debug, Clone, Default)]
struct Made {
    variables: BTreeMap<String, OsString>,
    directory: PathBuf,
    /// Milliseconds since 1970; shared, so that a test can let time pass.
    clock: Arc<AtomicI64>,
}

impl Env {
    /// The real surroundings.
    #[must_use]
    pub fn system() -> Self {
        Self { made: None }
    }

    /// Surroundings made for a test: these variables, this working directory, a clock that stands still.
    #[must_use]
    pub fn made(variables: &[(&str, &str)], directory: impl Into<PathBuf>, now: Timestamp) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        let clock = Arc::new(AtomicI64::new(now.as_millisecond()));
        Self { made: Some(Made { variables, directory: directory.into(), clock }) }
    }

    /// Moves the clock of made surroundings and of all their clones; the real clock stays.
    pub fn pass(&self, milliseconds: i64) {
        if let Some(made) = &self.made {
            made.clock.fetch_add(milliseconds, Ordering::Relaxed);
        }
    }

    /// The value of an environment variable; an empty one counts as unset.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module is where the environment is read")]
    pub fn variable(&self, name: &str) -> Option<OsString> {
        let value = match &self.made {
            Some(made) => made.variables.get(name).cloned(),
            None => std::env::var_os(name),
        };
        value.filter(|value| !value.is_empty())
    }

    /// The same, where it is UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.variable(name)?.into_string().ok()
    }

    /// The working directory, if there is one.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module is where the directory is read")]
    pub fn directory(&self) -> Option<PathBuf> {
        match &self.made {
            Some(made) => Some(made.directory.clone()),
            None => std::env::current_dir().ok(),
        }
    }

    /// `$HOME/.backchannel`, where nothing names another home.
    #[must_use]
    pub fn default_home(&self) -> Option<PathBuf> {
        Some(PathBuf::from(self.variable("HOME")?).join(".backchannel"))
    }

    /// The time of day.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module is where the clock is read")]
    pub fn now(&self) -> Timestamp {
        match &self.made {
            Some(made) => Timestamp::from_millisecond(made.clock.load(Ordering::Relaxed)).unwrap_or_default(),
            None => Timestamp::now(),
        }
    }
}
