//! Who this machine's agent is (`config.json`, shared with the first version) and our own settings
//! (`bch.toml`, which the first version does not rewrite).

mod network;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::env::Env;
use crate::message::AgentName;
use crate::notify::quiet::QuietHours;
use crate::redaction::Redaction;
use crate::shell::word;
use crate::spool::local::files;
pub use network::NETWORK;

/// The home directory with its configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `~/.backchannel`, or what `BACKCHANNEL_HOME` names.
    pub home: PathBuf,
    /// Everything in `config.json`, fields of other versions included.
    fields: Map<String, Value>,
}

/// `bch.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// For how many minutes `inbox --recent` has what a command printed; 0 turns it off.
    pub recent_minutes: u32,
}

/// The table `[notify]` in `bch.toml`. It is read apart: a mistake in it keeps nobody from mail.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct NotifySettings {
    /// When nothing is shown, in local time.
    pub quiet_hours: Option<QuietHours>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { recent_minutes: 60 }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `BACKCHANNEL_HOME` nor `HOME` is set.
    #[error("there is no home directory: neither BACKCHANNEL_HOME nor HOME is set")]
    NoHome,
    /// A file that cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that does not parse.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// Settings that do not parse, or mean nothing.
    #[error("could not use the settings in {}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// No agent yet.
    #[error("this machine has no agent yet")]
    NoAgent,
}

impl Error {
    /// A command that mends it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoHome => Some("export HOME=/your/home".into()),
            Self::NoAgent => Some("bch init NAME".into()),
            Self::Damaged { path, .. } => {
                Some(format!("mv {0} {0}.damaged && bch init NAME", path.display()))
            }
            Self::Settings { path, .. } => Some(format!("${{EDITOR:-vi}} {}", word(path))),
            Self::Read { path, source } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                let home = path.parent().unwrap_or(path);
                Some(format!("chmod u+rwX {} {}", home.display(), path.display()))
            }
            Self::Read { path, .. } => Some(format!("ls -l {}", path.display())),
        }
    }
}

impl Config {
    /// Loads the home that `BACKCHANNEL_HOME` or `HOME` names; a home that is not there is empty.
    ///
    /// # Errors
    /// Where no home is named, or `config.json` cannot be read.
    pub fn load(env: &Env) -> Result<Self, Error> {
        let named = env.variable("BACKCHANNEL_HOME").map(PathBuf::from);
        Self::load_from(&named.or_else(|| env.default_home()).ok_or(Error::NoHome)?)
    }

    /// Loads this home.
    ///
    /// # Errors
    /// Where `config.json` cannot be read.
    pub fn load_from(home: &Path) -> Result<Self, Error> {
        let path = home.join("config.json");
        let fields = match files::read(&path) {
            Ok(Some(bytes)) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::Damaged { path, reason: error.to_string() })?,
            Ok(None) => Map::new(),
            Err(source) => return Err(Error::Read { path, source }),
        };
        Ok(Self { home: home.to_owned(), fields })
    }

    /// The agent that `config.json` names.
    ///
    /// # Errors
    /// Where it names none, or what it names is no name.
    pub fn agent(&self) -> Result<AgentName, Error> {
        let name = match self.fields.get("agent") {
            None | Some(Value::Null) => return Err(Error::NoAgent),
            Some(Value::String(name)) => name,
            Some(_) => {
                let reason = "`agent` is no name".to_owned();
                return Err(Error::Damaged { path: self.home.join("config.json"), reason });
            }
        };
        name.parse().map_err(|error: crate::message::InvalidName| Error::Damaged {
            path: self.home.join("config.json"),
            reason: error.to_string(),
        })
    }

    /// The backend that this home uses, where it is not the local spool.
    #[must_use]
    pub fn remote(&self) -> Option<&'static str> {
        let is_set =
            |name| self.fields.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        match self.fields.get("backend").and_then(Value::as_str) {
            Some("brain") => Some("brain"),
            Some("local") => None,
            _ => is_set("url").then_some("relay"),
        }
    }

    /// A field of `config.json` that is a text and not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Makes a relay this home's backend, with its agent and token [v1], and writes `config.json` whole.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn set_relay(
        &mut self,
        agent: &AgentName,
        url: &str,
        token: &str,
    ) -> Result<(), crate::spool::Error> {
        self.fields.insert("url".into(), url.into());
        self.fields.insert("token".into(), token.into());
        if self.fields.get("backend").and_then(Value::as_str).is_some_and(|backend| backend != "relay") {
            self.fields.insert("backend".into(), "relay".into());
        }
        self.set_agent(Some(agent))
    }

    /// Makes a brain this home's backend, with its agent [v1], and writes `config.json` whole. The token is kept
    /// elsewhere.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn set_brain(
        &mut self,
        agent: &AgentName,
        url: Option<&str>,
        room: &str,
    ) -> Result<(), crate::spool::Error> {
        self.fields.insert("backend".into(), "brain".into());
        self.fields.insert("brainRoom".into(), room.into());
        match url {
            Some(url) => self.fields.insert("brainUrl".into(), url.into()),
            None => self.fields.remove("brainUrl"),
        };
        self.set_agent(Some(agent))
    }

    /// Names this machine's agent, or none, and writes `config.json` whole.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn set_agent(&mut self, agent: Option<&AgentName>) -> Result<(), crate::spool::Error> {
        match agent {
            Some(name) => self.fields.insert("agent".into(), name.as_str().into()),
            None => self.fields.remove("agent"),
        };
        let mut text = serde_json::to_string_pretty(&self.fields).unwrap_or_default();
        text.push('\n');
        files::replace(&self.home.join("config.json"), text.as_bytes())
    }

    /// `bch.toml`; the defaults where there is none.
    ///
    /// # Errors
    /// Where it cannot be read or does not parse.
    pub fn settings(&self) -> Result<Settings, Error> {
        self.read_settings()
    }

    /// The settings of notifications; the defaults where there are none.
    ///
    /// # Errors
    /// Where `bch.toml` cannot be read or does not parse.
    pub fn notify_settings(&self) -> Result<NotifySettings, Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Tables {
            notify: NotifySettings,
        }
        Ok(self.read_settings::<Tables>()?.notify)
    }

    /// What is replaced in the copies of messages that are kept for good; all known forms where nothing is set.
    ///
    /// # Errors
    /// Where `bch.toml` cannot be read or does not parse.
    pub fn redaction(&self) -> Result<Redaction, Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Tables {
            redaction: Redaction,
        }
        Ok(self.read_settings::<Tables>()?.redaction)
    }

    fn read_settings<T: Default + DeserializeOwned>(&self) -> Result<T, Error> {
        let path = self.home.join("bch.toml");
        match files::read(&path) {
            Ok(Some(bytes)) => toml::from_slice(&bytes)
                .map_err(|error| Error::Settings { path, reason: error.message().to_owned() }),
            Ok(None) => Ok(T::default()),
            Err(source) => Err(Error::Read { path, source }),
        }
    }
}
