//! The relay's HTTP API in types, for the server and for the client; what each route does is in `docs/protocol.md`.
//!
//! What the first version has is marked [v1]. The rest is ours, and a relay that has it says so in
//! [`Health::features`]: a client never guesses. Unknown fields are passed over on both sides.

mod administration;

use serde::{Deserialize, Serialize};

pub use administration::{InRoom, Invited, NewInvite, NewRoom, Revoke, Revoked, RoomInfo, RoomToken, Rotate};

use crate::message::{AgentName, ChannelName, Message, MessageId, Priority};
use crate::secret::Secret;
use crate::spool::{Agent, LeaseId};

/// What `service` says in [`Health`] [v1].
pub const SERVICE: &str = "backchannel-relay";

/// The header in which a client names its room [v1, later]: it must not contradict the token.
pub const ROOM_HEADER: &str = "x-backchannel-room";

/// What a relay has beyond the first version, as [`Health::features`] names it.
pub mod feature {
    /// `POST /v1/claim`, `/v1/claim/ack`, `/v1/claim/release`.
    pub const CLAIM: &str = "claim";
    /// `POST /v1/send` takes `id`: sent again, delivered once.
    pub const IDEMPOTENT_SEND: &str = "idempotent-send";
    /// `POST /v1/register` takes `token`: called again, registered once.
    pub const REGISTER_TOKEN: &str = "register-token";
    /// `POST /v1/rooms` and the header of a room.
    pub const ROOMS: &str = "rooms";
    /// `POST /v1/invites`: join tokens.
    pub const JOIN_TOKENS: &str = "join-tokens";
    /// Events have ids to resume from.
    pub const RESUME: &str = "resume";
    /// All of them.
    pub const ALL: [&str; 6] = [CLAIM, IDEMPOTENT_SEND, REGISTER_TOKEN, ROOMS, JOIN_TOKENS, RESUME];
}

/// The answer to `GET /v1/health`, which needs no token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Health {
    /// Whether it serves [v1].
    pub ok: bool,
    /// [`SERVICE`] [v1].
    pub service: String,
    /// The relay's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it has beyond the first version; none at a relay of the first version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// Every error's body [v1].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// What failed, for a person.
    pub error: String,
}

/// `POST /v1/register`, by a room or join token (a new name) or the agent's own (again).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Register {
    /// The name [v1].
    pub name: AgentName,
    /// The token that the client made for it, and saved before: the same pair again succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// The answer to [`Register`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registered {
    /// The record, without the token's hash [v1].
    #[serde(flatten)]
    pub agent: Agent,
    /// The agent's token, the first time [v1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// `POST /v1/subscribe` and `/v1/unsubscribe` [v1].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subscription {
    /// With its `#`.
    pub channel: ChannelName,
}

/// An answer that only says that it was done [v1].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Done {
    /// Always `true`.
    pub ok: bool,
    /// Of an unsubscription: whether there was a subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}

/// `POST /v1/send`; `from` and `ts` are the relay's to say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Send {
    /// The message's id, made by the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// `@agent` or `#channel` [v1].
    pub to: String,
    /// [v1]
    pub body: String,
    /// [v1]
    #[serde(default)]
    pub priority: Priority,
    /// [v1]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// [v1]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// [v1]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refs: Option<Vec<String>>,
    /// `false` where the sender does not wait for the relay's disk.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub durable: bool,
}

fn yes() -> bool {
    true
}

/// `POST /v1/take` [v1].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Take {
    /// Which.
    pub id: MessageId,
    /// Whether the reader keeps it (`cur/`).
    #[serde(default)]
    pub keep: bool,
}

/// The answer to [`Take`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Taken {
    /// `null` when it is gone.
    pub message: Option<Message>,
}

/// Bytes of all contexts in one claim: each unread scope is looked for in each of them.
pub const CONTEXT_BYTES: usize = 4 * 1024;

/// `POST /v1/claim`: one round trip for a delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    /// Made by the client; the same again gets the same messages, and renews them.
    pub lease: LeaseId,
    /// For how many seconds it holds; 7,200 where it is not given, and at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_s: Option<u32>,
    /// Where the reader is, in normal form; every scope where it is not given. [`CONTEXT_BYTES`] at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contexts: Option<Vec<String>>,
    /// Only these messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<MessageId>>,
    /// `urgent`: only urgent ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// None of these senders' and channels' (`@a`, `#c`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Bytes of bodies; chosen as for a prompt (urgent first, a third for the oldest, at most 20 of one
    /// sender within 10 minutes). Everything where it is not given, a page of about 256 KiB in each answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u32>,
    /// Messages of earlier leases that were read: gone for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ack: Vec<Ending>,
    /// Messages of earlier leases that go back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<Ending>,
}

/// The end of a lease, or of some of its messages; the body of `/v1/claim/ack` and `/v1/claim/release` too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ending {
    /// Which.
    pub lease: LeaseId,
    /// Only these of its messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<MessageId>>,
    /// Of a release: nobody can have been shown them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
}

/// The answer to [`Claim`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Claimed {
    /// Urgent first, then oldest.
    pub messages: Vec<Message>,
    /// Those of them that may have been shown before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<MessageId>,
    /// Those of them that waited 7 days for a reader in their scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<MessageId>,
    /// What is still unread.
    #[serde(default)]
    pub left: Left,
}

/// What a claim left unread.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Left {
    /// Match, and wait for the next delivery.
    pub matching: usize,
    /// Wait for readers in other scopes.
    pub other_scopes: usize,
    /// Over their sender's quota.
    pub held_back: Vec<HeldBack>,
}

/// How many messages of one sender are held back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeldBack {
    /// The sender.
    pub from: AgentName,
    /// How many.
    pub count: usize,
}
