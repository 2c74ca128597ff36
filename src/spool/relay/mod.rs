//! Mail that a relay keeps, and lends by leases of its own. What this machine keeps of it lies in `relay/<key>/`, and is that
//! of every [`Remote`], with
//!
//! ```text
//! relay/<key>/taking/         what a relay of the first version is asked for
//! relay/<key>/relay.json      what the relay can do, as it said last
//! relay/<agent>.quiet.json    the notifier's word that nothing waits
//! ```

mod claims;
mod earlier;
mod events;
mod features;
mod newcomer;
mod outbox;
pub mod quiet;
mod watch;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::local::files;
use super::remote::{Here, Landing, Remote, Ring};
use super::{Agent, Claim, Error, Filter, Inbox, Lease, LeaseId, Result, Sent, Take};
pub use crate::client::{Deadline, PATIENCE};
use crate::env::Env;
use crate::message::{AgentName, ChannelName, Message, MessageId};
pub use crate::relay::calls::Refusal;
use crate::relay::calls::{Again, Calls};
use crate::relay::url::RelayUrl;
use crate::relay::wire::{Done, Register, Registered, Subscription};
use crate::secret::Secret;
pub use newcomer::Newcomer;

/// Who one is at a relay.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Where.
    pub url: RelayUrl,
    /// In which room, where the invite named one.
    pub room: Option<String>,
    /// Who.
    pub agent: AgentName,
    /// The agent's token.
    pub token: Secret,
}

/// One agent's mail at a relay.
#[derive(Debug, Clone)]
pub struct RelaySpool {
    here: Here,
    calls: Arc<Calls>,
}

impl RelaySpool {
    /// Opens an agent's mail; `root` is what this machine keeps of it. Nothing is asked yet.
    ///
    /// # Errors
    /// Where no client can be made.
    pub fn open(
        root: &Path,
        identity: Identity,
        deadline: Deadline,
        recent_minutes: u32,
        env: &Env,
    ) -> Result<Self> {
        let Identity { url, room, agent, token } = identity;
        let calls = Arc::new(Calls::new(url, room, token, deadline)?);
        Ok(Self { here: Here::new(root, agent, recent_minutes, env), calls })
    }

    /// The same, where what cannot be sent now is not to wait.
    #[must_use]
    pub fn without_queue(self) -> Self {
        Self { here: Here { is_queueing: false, ..self.here }, ..self }
    }

    /// Where the relay is.
    #[must_use]
    pub fn url(&self) -> &RelayUrl {
        &self.calls.url
    }

    /// How many messages wait to be sent.
    ///
    /// # Errors
    /// Where the outbox cannot be read.
    pub fn queued(&self) -> Result<usize> {
        Ok(self.here.outbox.waiting()?.len())
    }
}

impl Remote for RelaySpool {
    type Look = claims::Look;
    type Listener = tokio::sync::watch::Sender<()>;

    const SELDOM: Duration = Duration::from_secs(5);

    fn here(&self) -> &Here {
        &self.here
    }

    fn deadline(&self) -> Deadline {
        self.calls.deadline()
    }

    fn register_there(&self, name: &AgentName) -> Result<Agent> {
        let register = Register { name: name.clone(), token: Some(self.calls.token.clone()) };
        let registered: Registered = self.calls.post("/v1/register", &register, Again::Always)?;
        Ok(registered.agent)
    }

    fn unregister_everywhere(&self, name: &AgentName, _force: bool) -> Result<()> {
        Err(Error::Operators(name.clone()))
    }

    fn agents_there(&self) -> Result<Vec<Agent>> {
        let mut agents: Vec<Agent> = self.calls.get("/v1/agents")?;
        agents.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        Ok(agents)
    }

    fn agent_there(&self, name: &AgentName) -> Result<Option<Agent>> {
        Ok(self.agents_there()?.into_iter().find(|agent| agent.name == *name))
    }

    fn own_agent(&self) -> Result<Option<Agent>> {
        // Whose token we have is registered.
        self.here.own_record().map(Some)
    }

    fn subscribe_there(&self, channel: &ChannelName) -> Result<()> {
        let subscription = Subscription { channel: channel.clone() };
        let Done { .. } = self.calls.post("/v1/subscribe", &subscription, Again::Always)?;
        Ok(())
    }

    fn unsubscribe_there(&self, channel: &ChannelName) -> Result<bool> {
        let subscription = Subscription { channel: channel.clone() };
        let done: Done = self.calls.post("/v1/unsubscribe", &subscription, Again::Always)?;
        // A relay of the first version does not say.
        Ok(done.changed.unwrap_or(true))
    }

    fn channels_there(&self) -> Result<Vec<ChannelName>> {
        Ok(self.calls.get("/v1/channels")?)
    }

    fn seen_there(&self) {
        // The relay notes for itself who called.
    }

    fn post(&self, message: &Message, durable: bool) -> Result<Sent> {
        self.send_in_order(message, durable)
    }

    fn unread_there(&self) -> Result<Inbox> {
        let mut messages: Vec<Message> = self.calls.get(&format!("/v1/inbox/{}", self.here.agent))?;
        let mut here = HashSet::new();
        for message in &messages {
            if self.here.journal.was_read(message.id)
                || self.here.desk.lies(&self.here.agent, message.id)?.is_some()
            {
                here.insert(message.id);
            }
        }
        messages.retain(|message| !here.contains(&message.id));
        Ok(Inbox { messages, ..Inbox::default() })
    }

    fn lying_there(&self) -> Result<HashSet<MessageId>> {
        Ok(self.unread_there()?.messages.iter().map(|message| message.id).collect())
    }

    fn look_before(&self, filter: &Filter) -> Result<Self::Look> {
        self.take_in_begun(filter)
    }

    fn claim_there(
        &self,
        lease: &Lease,
        filter: &Filter,
        take: Take<'_>,
        look: Self::Look,
        claim: &mut Claim,
    ) -> Result<()> {
        self.claim_beside(lease, filter, take, look, claim)
    }

    fn renew_there(&self, lease: &LeaseId) {
        self.renew_loans(lease);
    }

    fn tell(&self) -> Result<()> {
        self.tell_endings()
    }

    fn settle_there(&self) -> Result<()> {
        self.tell()?;
        self.empty_outbox().map(drop)
    }

    fn listen(&self, landing: &Landing, ring: Ring) -> Result<Self::Listener> {
        watch::listen(self.clone(), landing.clone(), ring)
    }
}
