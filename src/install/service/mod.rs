//! The user's service manager, which runs the notifier: systemd's, or launchd.
//!
//! Whether there is one is asked, not guessed: containers, WSL and servers often have the programs and no manager
//! that answers. It is told of our unit alone, with words that never change.

mod manager;

use std::io;
use std::path::PathBuf;

use crate::env::Env;
pub use manager::Manager;

/// The kinds of managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `systemd --user`.
    Systemd,
    /// macOS's.
    Launchd,
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
