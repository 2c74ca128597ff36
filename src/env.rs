//! The surroundings of the process: environment, home, working directory and clock.
//!
//! Only this module reads them. The rest is given an [`Env`], so that a test is a value, not a global.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What a command or hook may know of the process that it runs in.
#[derive(Debug, Clone, Default)]
pub struct Env {
    made: Option<Made>,
    /// Variables as they were at another time.
    remembered: BTreeMap<String, PathBuf>,
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
        Self::default()
    }

    /// Surroundings made for a test: these variables, this working directory, a clock that stands still.
    #[must_use]
    pub fn made(variables: &[(&str, &str)], directory: impl Into<PathBuf>, now: Timestamp) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        let clock = Arc::new(AtomicI64::new(now.as_millisecond()));
        let made = Some(Made { variables, directory: directory.into(), clock });
        Self { made, remembered: BTreeMap::new() }
    }

    /// The same surroundings, with these variables where they are not set.
    #[must_use]
    pub fn with(&self, variables: &BTreeMap<String, PathBuf>) -> Self {
        let mut env = self.clone();
        env.remembered.extend(variables.clone());
        env
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
        let remembered = || self.remembered.get(name).map(|value| value.clone().into_os_string());
        value.or_else(remembered).filter(|value| !value.is_empty())
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

    /// The user's home directory.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").map(PathBuf::from)
    }

    /// `$HOME/.backchannel`, where nothing names another home.
    #[must_use]
    pub fn default_home(&self) -> Option<PathBuf> {
        Some(self.home()?.join(".backchannel"))
    }

    /// Our directory of data, outside the mail (XDG Base Directory Specification).
    #[must_use]
    pub fn data_directory(&self) -> Option<PathBuf> {
        let base = self.variable("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        Some(base.or_else(|| Some(self.home()?.join(".local/share")))?.join("backchannel"))
    }

    /// Where the user's programs keep their configuration (XDG Base Directory Specification).
    #[must_use]
    pub fn config_directory(&self) -> Option<PathBuf> {
        let base = self.variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        base.or_else(|| Some(self.home()?.join(".config")))
    }

    /// Where temporary files go, of the process itself.
    #[must_use]
    pub fn temporary_directory(&self) -> PathBuf {
        std::env::temp_dir()
    }

    /// The program that runs.
    #[must_use]
    pub fn program(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }

    /// The file that a program's name means on the search path.
    #[must_use]
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        let directories = self.variable("PATH")?;
        // A relative entry is of whatever directory this runs in.
        let absolute = std::env::split_paths(&directories).filter(|directory| directory.is_absolute());
        absolute.map(|directory| directory.join(name)).find(|path| is_program(path))
    }

    /// The user's shell, as the system's list of users names it; `None` where that is kept elsewhere.
    #[must_use]
    pub fn login_shell(&self) -> Option<PathBuf> {
        let user = rustix::process::getuid().as_raw().to_string();
        let users = fs::read_to_string("/etc/passwd").ok()?;
        // name:password:number:group:comment:home:shell
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let shell =
            fields.into_iter().find(|fields| fields.get(2) == Some(&user.as_str()))?.get(6)?.to_owned();
        (!shell.is_empty()).then(|| PathBuf::from(shell))
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

    /// The user's time zone; UTC where none is known. Made surroundings name it in `TZ`, as a rule of POSIX.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module is where the time zone is read")]
    pub fn time_zone(&self) -> TimeZone {
        match &self.made {
            Some(_) => self.text("TZ").and_then(|rule| TimeZone::posix(&rule).ok()).unwrap_or(TimeZone::UTC),
            None => TimeZone::system(),
        }
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
