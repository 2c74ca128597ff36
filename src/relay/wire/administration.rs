//! Rooms, invites, and who has to go.

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// `POST /v1/rooms` [v1, later], by the admin token, or by anyone where the relay is set so.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NewRoom {
    /// For people; not unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The answer to [`NewRoom`] and to `POST /v1/rooms/rotate` [v1, later].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomToken {
    /// The room.
    pub room_id: String,
    /// Its new token; said this once.
    pub room_token: Secret,
}

/// `POST /v1/rooms/rotate`, by the admin token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rotate {
    /// Which room.
    pub room: String,
}

/// One room in the answer to `GET /v1/rooms`, by the admin token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomInfo {
    /// The room.
    pub room_id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// How many agents.
    pub agents: usize,
    /// Messages that are unread or claimed.
    pub waiting: usize,
}

/// `POST /v1/invites`, by the room's or the admin token: a join token.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NewInvite {
    /// Of which room, where an admin asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// For how many seconds it holds; 7 days where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<u64>,
    /// How many agents may join by it; 10 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
}

/// The answer to [`NewInvite`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invited {
    /// For revoking it: `DELETE /v1/invites/:id`.
    pub id: String,
    /// The join token; said this once.
    pub token: Secret,
    /// The room.
    pub room_id: String,
    /// RFC 3339.
    pub expires_at: String,
}

/// The query of a call about one room, by the admin token; `default` where none is named.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct InRoom {
    /// Which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
}

/// The query of `DELETE /v1/agents/:name`, by the admin token.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Revoke {
    /// Of which room; `default` where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Whether the room's token stays: whoever knows it can come back by another name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_token: bool,
}

/// The answer to [`Revoke`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// Always `true`.
    pub ok: bool,
    /// The room's new token, said this once; none where it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_token: Option<Secret>,
}
