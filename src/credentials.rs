//! Who this machine's agents are at relays and in brains: one token for each URL, room and agent.
//!
//! ```text
//! config.json               { agent, url, token }: the machine's own agent [v1]
//! credentials/<key>.json    0600 { url, room?, agent, token, insecure?, brain? }: any agent; comes first
//! relay/<key>/ brain/<key>/ what this machine keeps of its mail
//! ```
//!
//! A token goes to the URL that it was issued for and nowhere else: a URL from the environment needs a token from there.

mod aside;
mod brain;
mod error;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::env::Env;
use crate::message::AgentName;
use crate::relay::store::RoomId;
use crate::relay::url::RelayUrl;
use crate::secret::Secret;
use crate::shell::word;
use crate::spool::local::files;
use crate::spool::relay::Identity;
pub use brain::{brain_room, brain_url};
pub use error::Error;

/// The directory of the files.
const DIRECTORY: &str = "credentials";

/// One agent at one relay, or in one brain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Credentials {
    /// Where.
    pub url: RelayUrl,
    /// In which room, where the invite named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Who.
    pub agent: AgentName,
    /// The agent's token.
    pub token: Secret,
    /// Others on the way may read along: its person said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// Made, and not known to be registered yet: joining again goes on with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// What is there is a brain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brain: bool,
}

/// The name of credentials, and of the directory of their mail: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

impl Credentials {
    /// What a command uses: the environment's relay and token, else what is kept. `None` where the home's mail is on
    /// this machine.
    ///
    /// # Errors
    /// Where a relay is named and no token of the agent is there.
    pub fn find(config: &Config, agent: &AgentName, env: &Env) -> Result<Option<Self>, Error> {
        match env.text("BACKCHANNEL_BACKEND").as_deref() {
            // `fs` is the first version's word.
            Some("local" | "fs") => return Ok(None),
            Some("brain") => return Self::in_brain(config, agent, Some(env)).map(Some),
            None if config.remote() == Some("brain") => {
                return Self::in_brain(config, agent, Some(env)).map(Some);
            }
            _ => {}
        }
        let Some(url) = env.text("BACKCHANNEL_URL") else { return Self::kept(config, agent) };
        let place = || "BACKCHANNEL_URL".to_owned();
        let url: RelayUrl = url.parse().map_err(|reason| Error::Url { place: place(), reason })?;
        let token = env.text("BACKCHANNEL_TOKEN").ok_or(Error::NoTokenInEnvironment)?;
        let token = Secret::parse(&token)
            .map_err(|reason| Error::Token { place: "BACKCHANNEL_TOKEN".into(), reason })?;
        let room = env.text("BACKCHANNEL_ROOM");
        let agent = agent.clone();
        let found = Self { url, room, agent, token, insecure: false, pending: false, brain: false };
        found.url.check_secure(false)?;
        Ok(Some(found))
    }

    /// What is kept in the home: an installed hook uses nothing else.
    ///
    /// # Errors
    /// Where a relay is named and no token of the agent is there.
    pub fn kept(config: &Config, agent: &AgentName) -> Result<Option<Self>, Error> {
        match config.remote() {
            Some("brain") => return Self::in_brain(config, agent, None).map(Some),
            Some("relay") => {}
            _ => return Ok(None),
        }
        let place = || word(&config.home.join("config.json"));
        let url = config.text("url").unwrap_or_default();
        let url: RelayUrl = url.parse().map_err(|reason| Error::Url { place: place(), reason })?;
        let (all, damage) = Self::all(&config.home)?;
        let mut ours =
            all.into_iter().filter(|one| !one.brain && one.url == url && one.agent == *agent && !one.pending);
        if let Some(found) = ours.next() {
            found.url.check_secure(found.insecure)?;
            return Ok(Some(found));
        }
        let own = config.agent().is_ok_and(|own| own == *agent);
        let Some(token) = config.text("token").filter(|_| own) else {
            return Err(damage.unwrap_or(Error::NoToken { agent: agent.clone(), url }));
        };
        let token = Secret::parse(token).map_err(|reason| Error::Token { place: place(), reason })?;
        url.check_secure(false)?;
        let agent = agent.clone();
        Ok(Some(Self { url, room: None, agent, token, insecure: false, pending: false, brain: false }))
    }

    /// Every agent that the home has at its relay or in its brain; none where its mail is on this machine.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn all_kept(config: &Config) -> Result<Vec<Self>, Error> {
        if config.remote().is_none() {
            return Ok(Vec::new());
        }
        let mut names: Vec<AgentName> = Self::all(&config.home)?.0.into_iter().map(|one| one.agent).collect();
        names.extend(config.agent());
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        let mut found = Vec::new();
        for name in names {
            match Self::kept(config, &name) {
                Ok(one) => found.extend(one),
                // Of another relay, or not registered yet, or damaged, which its own commands say.
                Err(Error::NoToken { .. } | Error::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// All that are kept in files of their own, and what is wrong with the first file that is damaged: it keeps no other
    /// agent from its mail.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn all(home: &Path) -> Result<(Vec<Self>, Option<Error>), Error> {
        let directory = home.join(DIRECTORY);
        let (mut all, mut damage) = (Vec::new(), None);
        for name in files::names(&directory)? {
            if name.starts_with('.') || !name.ends_with(".json") {
                continue;
            }
            match Self::read(&directory.join(name)) {
                Ok(one) => all.extend(one),
                Err(error @ Error::Damaged { .. }) => damage = damage.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Ok((all, damage))
    }

    fn read(path: &Path) -> Result<Option<Self>, Error> {
        let read = files::read(path);
        let Some(bytes) = crate::spool::error::OnPath::on(read, "read", path)? else { return Ok(None) };
        // What the parser says may repeat what it read.
        let parsed = serde_json::from_slice(&bytes).map_err(|error| Error::Damaged {
            path: path.to_owned(),
            reason: format!("line {}, column {}", error.line(), error.column()),
        });
        parsed.map(Some)
    }

    /// Keeps them where none of their name are kept, else finds those; whether they are new. Of two that begin at the
    /// same time both go on with one token.
    ///
    /// # Errors
    /// Where they cannot be written, or what is there cannot be read.
    pub fn begin(self, home: &Path) -> Result<(Self, bool), Error> {
        let path = self.path(home);
        if let Some(kept) = Self::read(&path)? {
            return Ok((kept, false));
        }
        files::make_directory(&home.join(DIRECTORY))?;
        let beside = home.join(DIRECTORY).join(format!(".{}.tmp", uuid::Uuid::new_v4().as_simple()));
        files::write_new(&beside, self.text().as_bytes(), true)?;
        let moved = files::move_new(&beside, &path);
        if let Err(error) = moved {
            let _ = std::fs::remove_file(&beside);
            return Self::read(&path)?.map(|kept| (kept, false)).ok_or(Error::File(error));
        }
        files::sync_directory(&home.join(DIRECTORY))?;
        Ok((self, true))
    }

    /// Keeps them, in a file of mode 0600 that is replaced whole.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep(&self, home: &Path) -> Result<(), Error> {
        Ok(files::replace(&self.path(home), self.text().as_bytes())?)
    }

    /// Keeps them no more, unless they are known to be registered by now.
    pub fn forget(&self, home: &Path) {
        let path = self.path(home);
        if Self::read(&path).is_ok_and(|kept| kept.is_some_and(|kept| kept.pending)) {
            let _ = std::fs::remove_file(&path);
            // Another's keep it.
            let _ = std::fs::remove_dir(home.join(DIRECTORY));
        }
    }

    /// Keeps them no more: the agent is gone. What stays is used by nobody.
    pub fn remove(&self, home: &Path) {
        let _ = std::fs::remove_file(self.path(home));
        let _ = std::fs::remove_dir(home.join(DIRECTORY));
    }

    fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    fn path(&self, home: &Path) -> PathBuf {
        home.join(DIRECTORY).join(format!("{}.json", self.key()))
    }

    /// Their name.
    #[must_use]
    pub fn key(&self) -> Key {
        let room = self.room.as_deref().unwrap_or(RoomId::default_room().as_str()).to_owned();
        // A name with capitals is the same name.
        let kind = if self.brain { "brain " } else { "" };
        let text = format!("{kind}{} {room} {}", self.url.as_str(), self.agent.to_lower_case());
        Key(Sha256::digest(text.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Where this machine keeps what it has of the mail.
    #[must_use]
    pub fn root(&self, home: &Path) -> PathBuf {
        home.join(if self.brain { "brain" } else { "relay" }).join(self.key().0)
    }

    /// Who that is to the relay.
    #[must_use]
    pub fn identity(self) -> Identity {
        Identity { url: self.url, room: self.room, agent: self.agent, token: self.token }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
