//! A manager that answers: asked how the notifier is, and told to start and to stop it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Fault, Kind, State};
use crate::env::Env;
use crate::install::run::{Answer, run};

/// How long a manager may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take to start or stop something.
const LIMIT: Duration = Duration::from_secs(30);

/// A manager that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    kind: Kind,
    program: PathBuf,
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

    /// Makes it what it was before it was stopped.
    ///
    /// # Errors
    /// Where the manager refuses.
    pub fn restore(&self, unit_file: &Path, before: State) -> Result<(), Fault> {
        let unit = self.kind.unit();
        match (self.kind, before) {
            (_, State { is_enabled: true, is_running: true }) => self.start(unit_file),
            (Kind::Systemd, State { is_enabled: true, .. }) => {
                self.order("enable", &["--user", "--quiet", "enable", unit])
            }
            (Kind::Systemd, State { is_running: true, .. }) => {
                self.order("start", &["--user", "restart", unit])
            }
            (Kind::Launchd, State { is_enabled: true, .. }) => self.start(unit_file),
            (_, _) => Ok(()),
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
