//! The operator's side of a relay: its rooms, over HTTP with the admin token.

use std::time::Duration;

use super::calls::{Again, Calls, Refusal};
use super::store::RoomId;
use super::url::{NotSecure, RelayUrl};
use super::wire::{Done, NewRoom, Revoked, RoomInfo, RoomToken, Rotate};
use crate::client::Deadline;
use crate::message::AgentName;
use crate::secret::Secret;

/// For how long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody with the admin token of one relay.
pub struct Administrator {
    calls: Calls,
}

/// Why the relay did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Others could read the token.
    #[error(transparent)]
    NotSecure(#[from] NotSecure),
    /// The relay, or the way to it.
    #[error(transparent)]
    Relay(#[from] Refusal),
}

impl Error {
    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotSecure(NotSecure(url)) => Some(format!(
                "bch room --url https://{}   # or --insecure, where nobody reads along",
                url.host()
            )),
            Self::Relay(Refusal::Unknown { .. } | Refusal::Refused { status: 403, .. }) => Some(
                "BACKCHANNEL_ADMIN_TOKEN=… bch room list   # the relay's own, as it was started with".into(),
            ),
            Self::Relay(Refusal::Refused { status: 404, .. }) => Some("bch room list".into()),
            Self::Relay(refusal) => refusal.hint(),
        }
    }

    /// Whether the same may succeed later without anybody mending anything here.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Relay(refusal) if refusal.is_temporary())
    }
}

impl Administrator {
    /// Somebody with this token; nothing is asked yet.
    ///
    /// # Errors
    /// For a URL on which others read along, unless that is allowed.
    pub fn new(url: RelayUrl, token: Secret, is_insecure_allowed: bool) -> Result<Self, Error> {
        url.check_secure(is_insecure_allowed)?;
        Ok(Self { calls: Calls::new(url, None, token, Deadline::Each(PATIENCE))? })
    }

    /// Makes a room.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn make_room(&self, name: Option<String>) -> Result<RoomToken, Error> {
        Ok(self.calls.post("/v1/rooms", &NewRoom { name }, Again::Unheard)?)
    }

    /// All rooms.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn rooms(&self) -> Result<Vec<RoomInfo>, Error> {
        Ok(self.calls.get("/v1/rooms")?)
    }

    /// Gives a room another token.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn rotate(&self, room: &RoomId) -> Result<RoomToken, Error> {
        Ok(self.calls.post("/v1/rooms/rotate", &Rotate { room: room.to_string() }, Again::Unheard)?)
    }

    /// Takes a room away, with its mail.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn remove_room(&self, room: &RoomId) -> Result<Done, Error> {
        Ok(self.calls.delete(&format!("/v1/rooms/{room}"))?)
    }

    /// Revokes an agent; the room gets another token unless its own is kept.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn revoke_agent(&self, room: &RoomId, agent: &AgentName, keep_token: bool) -> Result<Revoked, Error> {
        // Names and ids have no letter that a URL would have to escape.
        let path = format!("/v1/agents/{agent}?room={room}&keep_token={keep_token}");
        Ok(self.calls.delete(&path)?)
    }
}
