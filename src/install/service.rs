//! The user's service manager, which runs the notifier: systemd's, or launchd.
//!
//! Whether there is one is asked, not guessed: containers, WSL and servers often have the programs and no manager
//! that answers. It is told of our unit alone, with words that never change.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::run::{Answer, run};
use crate::env::Env;

/// How long a manager may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take to start or stop something.
const LIMIT: Duration = Duration::from_secs(30);

/// The kinds of managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `systemd --user`.
    Systemd,
    /// macOS's.
    Launchd,
}

/// A manager that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    kind: Kind,
    program: PathBuf,
}

/// How the notifier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Whether it is started at the next login.
    pub is_enabled: bool,
    /// Whether it runs.
    pub is_running: bool,
}

/// Why the notifier is not run.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no home.
    #[error("there is no home directory")]
    NoHome,
    /// A path of ours has letters that no unit can hold.
    #[error("a unit cannot hold the path {}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// The manager's program does not start, or does not end.
    #[error("could not run {}: {source}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It refused.
    #[error("could not {verb} the notifier: {said}")]
    Refused {
        /// What was tried.
        verb: &'static str,
        /// What it said.
        said: String,
    },
}

impl Fault {
    /// A command that mends it, or tells more.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::NoHome => "export HOME=/another/home".to_owned(),
            Self::Path { .. } => "bch setup --no-notify   # and run it yourself: bch notify".to_owned(),
            Self::Run { .. } | Self::Refused { .. } => Kind::here().status_command(),
        }
    }
}

impl Kind {
    /// This system's.
    #[must_use]
    pub fn here() -> Self {
        if cfg!(target_os = "macos") { Self::Launchd } else { Self::Systemd }
    }

    /// The unit's name for the manager.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Systemd => "backchannel-notify.service",
            Self::Launchd => "sh.backchannel.notify",
        }
    }

    /// The directory in which the user's units are.
    fn directory(self, env: &Env) -> Option<PathBuf> {
        match self {
            Self::Systemd => Some(env.config_directory()?.join("systemd/user")),
            Self::Launchd => Some(env.home()?.join("Library/LaunchAgents")),
        }
    }

    /// The unit's file.
    #[must_use]
    pub fn unit_file(self, env: &Env) -> Option<PathBuf> {
        let end = if self == Self::Launchd { ".plist" } else { "" };
        Some(self.directory(env)?.join(format!("{}{end}", self.unit())))
    }

    /// What `enable` makes beside it.
    #[must_use]
    pub fn enablement(self, env: &Env) -> Option<PathBuf> {
        let directory = self.directory(env).filter(|_| self == Self::Systemd)?;
        Some(directory.join("default.target.wants").join(self.unit()))
    }

    /// The command by which a person looks at it.
    #[must_use]
    pub fn status_command(self) -> String {
        match self {
            Self::Systemd => format!("systemctl --user status {}", self.unit()),
            Self::Launchd => format!("launchctl print gui/$(id -u)/{}", self.unit()),
        }
    }

    /// The command by which a person starts it anew.
    #[must_use]
    pub fn restart_command(self) -> String {
        match self {
            Self::Systemd => format!("systemctl --user restart {}", self.unit()),
            Self::Launchd => format!("launchctl kickstart -k gui/$(id -u)/{}", self.unit()),
        }
    }
}

impl Manager {
    /// The manager that answers here and reads units of this home; `None` where none does.
    #[must_use]
    pub fn find(env: &Env) -> Option<Self> {
        let kind = Kind::here();
        let (name, words): (_, &[&str]) = match kind {
            Kind::Systemd => ("systemctl", &["--user", "show", "--property=UnitPath"]),
            Kind::Launchd => ("launchctl", &["managername"]),
        };
        let manager = Self { kind, program: env.find_program(name)? };
        let answer = manager.run(words, PATIENCE).ok().filter(|answer| answer.status.success())?;
        let said = String::from_utf8_lossy(&answer.output);
        let is_ours = match kind {
            // Another home than the one that the manager was started with has units that it never reads.
            Kind::Systemd => {
                has_word(said.trim_end().strip_prefix("UnitPath=")?, kind.directory(env)?.to_str()?)
            }
            Kind::Launchd => said.trim() == "Aqua",
        };
        is_ours.then_some(manager)
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    fn run(&self, words: &[&str], limit: Duration) -> Result<Answer, Fault> {
        let words: Vec<_> = words.iter().map(OsStr::new).collect();
        run(&self.program, &words, b"", &[("LC_ALL", "C")], limit)
            .map_err(|source| Fault::Run { program: self.program.clone(), source })
    }

    fn order(&self, verb: &'static str, words: &[&str]) -> Result<(), Fault> {
        let answer = self.run(words, LIMIT)?;
        if answer.status.success() { Ok(()) } else { Err(Fault::Refused { verb, said: answer.complaint() }) }
    }

    /// Starts the notifier now and at each login; one that runs is started anew, with the unit as it is now.
    ///
    /// # Errors
    /// Where the manager refuses.
    pub fn start(&self, unit_file: &Path) -> Result<(), Fault> {
        let unit = self.kind.unit();
        match self.kind {
            Kind::Systemd => {
                self.order("load", &["--user", "daemon-reload"])?;
                self.order("enable", &["--user", "--quiet", "enable", unit])?;
                self.order("start", &["--user", "restart", unit])
            }
            Kind::Launchd => {
                // One that is not loaded is no fault.
                let _ = self.order("stop", &["bootout", &target(unit)]);
                self.order("start", &["bootstrap", &domain(), &unit_file.to_string_lossy()])
            }
        }
    }

    /// Starts it anew if it runs: its program was replaced.
    ///
    /// # Errors
    /// Where the manager refuses.
    pub fn restart(&self) -> Result<(), Fault> {
        let unit = self.kind.unit();
        match self.kind {
            Kind::Systemd => self.order("restart", &["--user", "try-restart", unit]),
            Kind::Launchd if self.state()?.is_running => {
                self.order("restart", &["kickstart", "-k", &target(unit)])
            }
            Kind::Launchd => Ok(()),
        }
    }

    /// Stops it, now and for good.
    ///
    /// # Errors
    /// Where the manager refuses.
    pub fn stop(&self) -> Result<(), Fault> {
        let unit = self.kind.unit();
        match self.kind {
            Kind::Systemd => {
                let done = self.order("stop", &["--user", "--quiet", "disable", "--now", unit]);
                // A unit that somebody removed cannot be disabled.
                let state = self.state()?;
                if state.is_running || state.is_enabled { done } else { Ok(()) }
            }
            Kind::Launchd if self.state()?.is_enabled => self.order("stop", &["bootout", &target(unit)]),
            Kind::Launchd => Ok(()),
        }
    }

    /// Lets it forget a unit whose file is gone.
    pub fn forget(&self) {
        if self.kind == Kind::Systemd {
            // It does so by itself at the next login.
            let _ = self.order("forget", &["--user", "daemon-reload"]);
            let _ = self.order("forget", &["--user", "reset-failed", self.kind.unit()]);
        }
    }

    /// How it is.
    ///
    /// # Errors
    /// Where the manager does not answer.
    pub fn state(&self) -> Result<State, Fault> {
        let unit = self.kind.unit();
        match self.kind {
            Kind::Systemd => {
                let words = ["--user", "show", "--property=ActiveState", "--property=UnitFileState", unit];
                let said = String::from_utf8_lossy(&self.run(&words, PATIENCE)?.output).into_owned();
                let has = |line: &str| said.lines().any(|found| found == line);
                let is_running = has("ActiveState=active") || has("ActiveState=reloading");
                Ok(State { is_enabled: has("UnitFileState=enabled"), is_running })
            }
            Kind::Launchd => {
                let answer = self.run(&["print", &target(unit)], PATIENCE)?;
                let said = String::from_utf8_lossy(&answer.output).into_owned();
                let is_running = said.lines().any(|line| line.trim() == "state = running");
                Ok(State { is_enabled: answer.status.success(), is_running })
            }
        }
    }
}

/// Whether systemctl's list of words has this one. A word with letters that a shell would take for something stands
/// between `"`, with `\` before those that mean something even there (systemd 252, 2026-11-25).
fn has_word(list: &str, word: &str) -> bool {
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        if "\"\\`$".contains(letter) {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    let list = format!(" {list} ");
    [word, &quoted].iter().any(|form| list.contains(&format!(" {form} ")))
}

/// The user's domain of launchd.
fn domain() -> String {
    format!("gui/{}", rustix::process::getuid().as_raw())
}

fn target(unit: &str) -> String {
    format!("{}/{unit}", domain())
}
