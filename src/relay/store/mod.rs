//! What a relay keeps, behind one contract, so that another engine can follow: rooms, agents, their tokens'
//! hashes, and mail.
//!
//! A store is the only owner of its data, and its answers are the truth: what it says was sent lies on the disk
//! (where the sender waits for that), and of any number of racing readers one is given a message. It knows nothing
//! of HTTP, of rates or of addresses.

mod error;
pub mod maildir;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

pub use error::Error;

use crate::message::{Address, AgentName, ChannelName, Context, Message, MessageId};
use crate::secret::{Secret, TokenHash};
use crate::spool::{Agent, LeaseId, Left, Sent};

/// What a store's calls return.
pub type Result<T> = std::result::Result<T, Error>;

/// A room's name on the disk and the wire: `default`, or what [`Store::make_room`] made: 8 characters of base64url.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(Box<str>);

/// A join token's name, by which it is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InviteId(Box<str>);

/// What a token says of who bears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// An agent.
    Agent(RoomId, AgentName),
    /// Somebody who may register new names in the room, and make join tokens.
    Room(RoomId),
    /// Somebody who may register a new name in the room, as often as the token has uses.
    Invited(RoomId, InviteId),
}

/// One room.
#[derive(Debug, Clone)]
pub struct Room {
    /// Its name.
    pub id: RoomId,
    /// What its maker called it.
    pub title: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// How many agents.
    pub agents: usize,
    /// Messages that are unread or claimed.
    pub waiting: usize,
}

/// What a register call came to.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The record, without the token's hash.
    pub agent: Agent,
    /// Whether it was made by this call.
    pub is_new: bool,
}

/// Which messages a claim is about, and how it is held.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its name, which the client made. One that holds something already gets the same again.
    pub lease: LeaseId,
    /// For how long, without renewal.
    pub span: Duration,
    /// Where the reader is; `None` takes every scope.
    pub contexts: Option<Vec<Context>>,
    /// Only urgent ones.
    pub urgent: bool,
    /// Only these.
    pub ids: Option<Vec<MessageId>>,
    /// None of these senders' and channels'.
    pub except: Vec<Address>,
    /// Bytes of bodies, chosen as for a prompt; `None` takes all.
    pub bytes: Option<usize>,
}

/// What a claim got.
#[derive(Debug, Default)]
pub struct Claimed {
    /// Urgent first, then oldest; each with whether it may have been shown before, and whether it is a stray.
    pub messages: Vec<(Message, bool, bool)>,
    /// What is still unread.
    pub left: Left,
}

/// Unread messages, in the order in which they landed, and the number of the last.
#[derive(Debug, Default)]
pub struct Landed {
    /// Each with its number, which grows within one run of the relay.
    pub messages: Vec<(u64, Message)>,
}

/// What the relay's figures say of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Rooms.
    pub rooms: usize,
    /// Agents in all rooms.
    pub agents: usize,
    /// Unread messages.
    pub unread: usize,
    /// Messages under a lease.
    pub claimed: usize,
}

/// How much a store takes in; each answer to more is [`Error::Full`] or [`Error::Many`].
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// References of a message.
    pub refs: usize,
    /// Unread and claimed messages of one agent.
    pub unread_per_agent: usize,
    /// Unread and claimed messages in one room.
    pub unread_per_room: usize,
    /// Bytes of an agent's unread and claimed messages: their bodies and references.
    pub unread_bytes_per_agent: usize,
    /// The same in one room.
    pub unread_bytes_per_room: usize,
    /// Agents in one room.
    pub agents_per_room: usize,
    /// Channels that one agent is subscribed to.
    pub subscriptions_per_agent: usize,
    /// Channels that all agents of one room are subscribed to, together.
    pub subscriptions_per_room: usize,
    /// Rooms, `default` among them.
    pub rooms: usize,
    /// After this long an unread message goes back to its sender, as a bounce.
    pub unread_age: Duration,
    /// Ids of sent messages that are remembered, so that sending again delivers once.
    pub remembered_sends: usize,
}

/// A message after which a look goes on, with its time as the store knows it.
pub type Last = (Timestamp, MessageId);

/// Some unread messages, as many as a piece of an answer may hold in memory.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// There are more after this one.
    pub more: Option<Last>,
}

/// A relay's rooms, agents and mail.
///
/// Every name is of the room that it is called with: no call reaches into another.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Whose token this is, as it is now. In memory: it is asked at every request, by strangers too.
    fn bearer(&self, token: &TokenHash) -> Option<Bearer>;

    /// All rooms, `default` first.
    async fn rooms(&self) -> Vec<Room>;
    /// Makes a room with its token.
    async fn make_room(&self, title: Option<String>) -> Result<(RoomId, Secret)>;
    /// Gives a room another token; the old one admits nobody from then on.
    async fn rotate_room(&self, room: &RoomId) -> Result<Secret>;
    /// Takes a room away, with its agents and mail. `default` stays, empty.
    async fn remove_room(&self, room: &RoomId) -> Result<()>;
    /// Makes a join token of the room.
    async fn invite(&self, room: &RoomId, expires: Timestamp, uses: u32) -> Result<(InviteId, Secret)>;
    /// Revokes a join token.
    async fn revoke_invite(&self, room: &RoomId, invite: &InviteId) -> Result<()>;

    /// Registers a name for the bearer of a room or join token, or finds an agent's own record. The same name and
    /// token again is the same registration, whatever admitted it, and costs an invite one use.
    async fn register(&self, by: &Bearer, name: &AgentName, token: &TokenHash) -> Result<Registered>;
    /// All agents of the room by name, without their tokens' hashes.
    async fn agents(&self, room: &RoomId) -> Result<Vec<Agent>>;
    /// Adds a subscription; twice is once.
    async fn subscribe(&self, room: &RoomId, agent: &AgentName, channel: &ChannelName) -> Result<()>;
    /// Takes a subscription away; whether there was one.
    async fn unsubscribe(&self, room: &RoomId, agent: &AgentName, channel: &ChannelName) -> Result<bool>;
    /// Revokes an agent: its token is nobody's at once, its name stays taken, its mail bounces to the senders.
    async fn revoke_agent(&self, room: &RoomId, agent: &AgentName) -> Result<()>;

    /// When a message of this agent is sent that it sends now: later than what it sent before, by a millisecond at least,
    /// for messages are read in the order of their times.
    fn stamp(&self, room: &RoomId, from: &AgentName) -> Result<Timestamp>;
    /// Delivers a message. The same sender, id and content again is delivered once; it was delivered, all of it or
    /// nothing, when this returns.
    async fn send(&self, room: &RoomId, message: Message, durable: bool) -> Result<Sent>;
    /// Counts unread messages, for a reader in any of these contexts or in all. In memory.
    fn unread(&self, room: &RoomId, agent: &AgentName, contexts: Option<&[Context]>) -> Result<Left>;
    /// The unread messages whose ids begin so; two at most, which is one too many.
    async fn find(&self, room: &RoomId, agent: &AgentName, prefix: &str) -> Result<Vec<Message>>;
    /// Unread messages after that one, oldest first; changes nothing.
    async fn inbox(&self, room: &RoomId, agent: &AgentName, after: Option<Last>) -> Result<Page>;
    /// Takes one unread message for good, or keeps it; `None` where it is gone.
    async fn take(
        &self,
        room: &RoomId,
        agent: &AgentName,
        id: MessageId,
        keep: bool,
    ) -> Result<Option<Message>>;
    /// Moves unread messages under a lease, and renews it.
    async fn claim(&self, room: &RoomId, agent: &AgentName, claim: Claim) -> Result<Claimed>;
    /// Ends messages of a lease for good; how many. What another reader has claimed since is left to it.
    async fn acknowledge(
        &self,
        room: &RoomId,
        agent: &AgentName,
        lease: &LeaseId,
        ids: Option<&[MessageId]>,
    ) -> Result<usize>;
    /// Makes messages of a lease unread again; `unseen` where nobody can have been shown them.
    async fn release(
        &self,
        room: &RoomId,
        agent: &AgentName,
        lease: &LeaseId,
        ids: Option<&[MessageId]>,
        unseen: bool,
    ) -> Result<usize>;

    /// Rings when a message becomes unread for the agent, by any way; the value is the number of the last.
    fn bell(&self, room: &RoomId, agent: &AgentName) -> Result<watch::Receiver<u64>>;
    /// Unread messages that landed after that number, or the first of them: who asks again after the last gets on.
    async fn landed(&self, room: &RoomId, agent: &AgentName, after: u64) -> Result<Landed>;

    /// Gives back what lapsed leases held, bounces what is too old, forgets what is old enough.
    async fn sweep(&self) -> Result<()>;
    /// For the relay's figures.
    fn figures(&self) -> Figures;
    /// Writes down what waits for it; called once, at the end.
    async fn close(&self);
}

impl RoomId {
    /// The room of a relay that is given one token at its start, and of clients that name none.
    #[must_use]
    pub fn default_room() -> Self {
        Self("default".into())
    }

    /// Reads a room's name; `None` for what none can have. Paths are built from it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Self(text.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RoomId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl InviteId {
    /// Reads a join token's name; `None` for what none can have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Self(text.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            body_bytes: crate::message::LONGEST_BODY,
            refs: 64,
            unread_per_agent: 100_000,
            unread_per_room: 1_000_000,
            unread_bytes_per_agent: 256 * 1024 * 1024,
            unread_bytes_per_room: 2 * 1024 * 1024 * 1024,
            agents_per_room: 10_000,
            subscriptions_per_agent: 256,
            subscriptions_per_room: 50_000,
            rooms: 10_000,
            unread_age: Duration::from_secs(30 * DAY),
            remembered_sends: 100_000,
        }
    }
}
