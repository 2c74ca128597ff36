//! Mail that is kept elsewhere, at a relay or in a brain: what the two do alike. What one of them does by itself is a
//! [`Remote`]; every one of those is a [`Spool`](super::Spool) by what is said of it in `contract`.
//!
//! What is claimed there lies [here](Here), in a *desk*, a local spool of its own, until it is known there what became of
//! it: claims are held, shown and acknowledged here, and the remote is told later.
//!
//! ```text
//! agents/ spool/              the desk; what is unread in it is unread mail as well
//! claims/ wire/ back/ ends/   the journal
//! outbox/ refused/            what waits to be sent, and what nobody takes
//! asked                       when a session asked last
//! ```
//!
//! If the process dies anywhere here, a message is unread there, or lent to this machine until that lapses.

mod contract;
mod here;
mod journal;
mod outbox;
mod watch;

use std::collections::HashSet;
use std::time::Duration;

pub(super) use here::Here;
pub(super) use journal::{End, Ended, Endings, Loan, What};
pub(super) use outbox::Outbox;
pub(super) use watch::{Landing, Ring};

use super::{Agent, Claim, Filter, Inbox, Lease, LeaseId, Result, Sent, Take};
pub(super) use crate::client::Deadline;
use crate::message::{AgentName, ChannelName, Message, MessageId};

/// For how long mail is lent to this machine: a session's longest quiet turn.
pub(super) const LOAN: jiff::SignedDuration = jiff::SignedDuration::from_hours(2);
/// A loan that lasts no longer than this is renewed with its session.
pub(super) const SHORT: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// One agent's mail somewhere else. The errors are those of the [`Spool`](super::Spool)'s calls that need it.
pub(super) trait Remote: Clone {
    /// What is known there before a claim.
    type Look;
    /// Listens until it is dropped.
    type Listener: Send + 'static;

    /// Between two tool calls within this time it is asked once.
    const SELDOM: Duration;

    /// What of it is here.
    fn here(&self) -> &Here;
    /// Until when its calls may take.
    fn deadline(&self) -> Deadline;

    /// Makes the agent there, or finds it.
    fn register_there(&self, name: &AgentName) -> Result<Agent>;
    /// Takes the agent and its mail away there, and here.
    fn unregister_everywhere(&self, name: &AgentName, force: bool) -> Result<()>;
    /// All agents, by name.
    fn agents_there(&self) -> Result<Vec<Agent>>;
    /// Another agent of that name.
    fn agent_there(&self, name: &AgentName) -> Result<Option<Agent>>;
    /// The own agent. Commands ask this each time: where it is known here, nobody is asked.
    fn own_agent(&self) -> Result<Option<Agent>>;
    /// Adds a subscription of the own agent.
    fn subscribe_there(&self, channel: &ChannelName) -> Result<()>;
    /// Takes one away; whether there was one.
    fn unsubscribe_there(&self, channel: &ChannelName) -> Result<bool>;
    /// Channels that somebody is subscribed to.
    fn channels_there(&self) -> Result<Vec<ChannelName>>;
    /// The own agent takes part now.
    fn seen_there(&self);

    /// Sends a message, after those that wait; where that cannot be done now, it waits as well.
    fn post(&self, message: &Message, durable: bool) -> Result<Sent>;
    /// What is unread there and not here, and what others hold.
    fn unread_there(&self) -> Result<Inbox>;
    /// The ids of all that lies there, as far as it tells.
    fn lying_there(&self) -> Result<HashSet<MessageId>>;

    /// Looks before a claim, and takes in what earlier claims of this machine were given without knowing it. One process
    /// of this machine does so at a time.
    fn look_before(&self, filter: &Filter) -> Result<Self::Look>;
    /// Claims there what there is still room for beside what was claimed here.
    fn claim_there(
        &self,
        lease: &Lease,
        filter: &Filter,
        take: Take<'_>,
        look: Self::Look,
        claim: &mut Claim,
    ) -> Result<()>;
    /// Renews what the session was lent, where it would not outlast the session. Where nobody can be reached now, the
    /// next event of the session does it.
    fn renew_there(&self, lease: &LeaseId);
    /// Tells what became of mail.
    fn tell(&self) -> Result<()>;
    /// The same, and sends what waits.
    fn settle_there(&self) -> Result<()>;

    /// Listens for what lands there, on a thread of its own, and rings.
    fn listen(&self, landing: &Landing, ring: Ring) -> Result<Self::Listener>;
}
