//! Who this machine's agents are in a brain: the settings and variables of the first version, and our own file first.

use super::{Credentials, Error};
use crate::config::Config;
use crate::env::Env;
use crate::message::AgentName;
use crate::relay::url::{InvalidUrl, NotSecure, RelayUrl};
use crate::secret::Secret;
use crate::shell::word;
use crate::spool::brain::{Identity, InvalidRoom, Room, URL};

impl Credentials {
    /// Who the agent is in the brain that the environment names, else the home; an installed hook gives no environment.
    pub(super) fn in_brain(config: &Config, agent: &AgentName, env: Option<&Env>) -> Result<Self, Error> {
        let variable = |name: &str| env.and_then(|env| env.text(name));
        let (url, is_kept) = brain_url(config, variable("UNISON_API_URL"))?;
        let room = brain_room(config, variable("BACKCHANNEL_ROOM"))?;
        let agent = agent.clone();
        let made = |token: &str, place: &str, insecure: bool| -> Result<Self, Error> {
            let token = Secret::parse(token)
                .map_err(|reason| Error::Brain { place: place.to_owned(), reason: reason.to_string() })?;
            url.check_secure(insecure).map_err(|NotSecure(url)| Error::Brain {
                place: url.to_string(),
                reason: NotSecure(url).to_string(),
            })?;
            let (room, url) = (Some(room.to_string()), url.clone());
            Ok(Self { url, room, agent: agent.clone(), token, insecure, pending: false, brain: true })
        };
        if let Some(token) = variable("UNISON_TOKEN") {
            return made(&token, "UNISON_TOKEN", false);
        }
        let (all, damage) = Self::all(&config.home)?;
        let mut ours = all.into_iter().filter(|one| one.is_of_brain(&url, &room) && one.agent == agent);
        if let Some(found) = ours.next() {
            return made(found.token.expose(), "its credentials", found.insecure);
        }
        if !is_kept {
            return Err(Error::NoBrainTokenInEnvironment);
        }
        match config.text("brainToken") {
            Some(token) => made(token, &word(&config.home.join("config.json")), false),
            None => Err(damage.unwrap_or(Error::NoBrainToken { agent, url })),
        }
    }

    /// Whether they are of this room of this brain.
    #[must_use]
    pub fn is_of_brain(&self, url: &RelayUrl, room: &Room) -> bool {
        self.brain && self.url == *url && self.room.as_deref() == Some(room.as_str())
    }

    /// Who that is in the brain.
    ///
    /// # Errors
    /// Where the room's name is none.
    pub fn identity_in_brain(self) -> Result<Identity, Error> {
        let room = self.room.as_deref().unwrap_or(Room::DEFAULT).parse();
        let room = room.map_err(|reason: InvalidRoom| Error::Brain {
            place: "its credentials".to_owned(),
            reason: reason.to_string(),
        })?;
        Ok(Identity { url: self.url, room, agent: self.agent, token: self.token })
    }
}

/// The URL of the brain that is meant, and whether the home knows it.
///
/// # Errors
/// Where it is none.
pub fn brain_url(config: &Config, given: Option<String>) -> Result<(RelayUrl, bool), Error> {
    let parsed = |text: &str, place: String| {
        let url: Result<RelayUrl, InvalidUrl> = text.trim_end_matches('/').parse();
        url.map_err(|reason| Error::Brain { place, reason: reason.to_string() })
    };
    let kept = match config.text("brainUrl") {
        Some(text) => parsed(text, word(&config.home.join("config.json")))?,
        None => parsed(URL, URL.to_owned())?,
    };
    match given {
        Some(text) => {
            let url = parsed(&text, "UNISON_API_URL".to_owned())?;
            let is_kept = url == kept;
            Ok((url, is_kept))
        }
        None => Ok((kept, true)),
    }
}

/// The room that is meant.
///
/// # Errors
/// Where it is none.
pub fn brain_room(config: &Config, given: Option<String>) -> Result<Room, Error> {
    let (text, place) = match (given, config.text("brainRoom")) {
        (Some(text), _) => (text, "BACKCHANNEL_ROOM".to_owned()),
        (None, Some(text)) => (text.to_owned(), word(&config.home.join("config.json"))),
        (None, None) => (Room::DEFAULT.to_owned(), String::new()),
    };
    text.parse().map_err(|reason: InvalidRoom| Error::Brain { place, reason: reason.to_string() })
}
