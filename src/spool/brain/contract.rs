//! What every backend that keeps mail elsewhere does, done in a brain.

use std::collections::HashSet;
use std::sync::mpsc;
use std::time::Duration;

use super::look::Look;
use super::{BrainSpool, watch};
use crate::message::{AgentName, ChannelName, Message, MessageId};
use crate::spool::remote::{Deadline, Here, Landing, Remote, Ring};
use crate::spool::{Agent, Claim, Filter, Inbox, Lease, LeaseId, Result, Sent, Spool as _, Take};

impl Remote for BrainSpool {
    type Look = Look;
    type Listener = mpsc::Sender<()>;

    const SELDOM: Duration = Duration::from_secs(15);

    fn here(&self) -> &Here {
        &self.here
    }

    fn deadline(&self) -> Deadline {
        self.calls.deadline()
    }

    fn register_there(&self, name: &AgentName) -> Result<Agent> {
        self.make_agent(name)
    }

    fn unregister_everywhere(&self, name: &AgentName, force: bool) -> Result<()> {
        self.here.check_own(name)?;
        self.take_agent_away(name, force)
    }

    fn agents_there(&self) -> Result<Vec<Agent>> {
        self.all_agents()
    }

    fn agent_there(&self, name: &AgentName) -> Result<Option<Agent>> {
        self.one_agent(name)
    }

    fn own_agent(&self) -> Result<Option<Agent>> {
        // Who has a desk here is registered.
        match self.here.desk.agent(&self.here.agent)? {
            Some(agent) => Ok(Some(agent)),
            None => {
                let there = self.one_agent(&self.here.agent)?;
                there.map(|agent| self.here.desk.adopt_agent(&agent.name)).transpose()
            }
        }
    }

    fn subscribe_there(&self, channel: &ChannelName) -> Result<()> {
        self.change_subscriptions(|subscriptions| {
            if !subscriptions.contains(channel) {
                subscriptions.push(channel.clone());
            }
        })
        .map(drop)
    }

    fn unsubscribe_there(&self, channel: &ChannelName) -> Result<bool> {
        self.change_subscriptions(|subscriptions| subscriptions.retain(|other| other != channel))
    }

    fn channels_there(&self) -> Result<Vec<ChannelName>> {
        Ok(Agent::channels(self.all_agents()?))
    }

    fn seen_there(&self) {
        // A prompt waits for no such thing: the end of its turn does it.
        if !self.is_of_a_hook() {
            self.touch();
        }
    }

    fn post(&self, message: &Message, _durable: bool) -> Result<Sent> {
        let sent = self.send_in_order(message)?;
        self.touch();
        Ok(sent)
    }

    fn unread_there(&self) -> Result<Inbox> {
        let look = self.look()?;
        let (unread, claimed) = self.unread_of(&look)?;
        let messages = unread.into_iter().map(|letter| letter.message.clone()).collect();
        let bad = look.bad.iter().map(|bad| (bad.name.clone(), bad.reason.clone())).collect();
        Ok(Inbox { messages, claimed, bad })
    }

    fn lying_there(&self) -> Result<HashSet<MessageId>> {
        Ok(self.look()?.letters.iter().map(|letter| letter.message.id).collect())
    }

    fn look_before(&self, _filter: &Filter) -> Result<Look> {
        self.look_and_take_in()
    }

    fn claim_there(
        &self,
        lease: &Lease,
        filter: &Filter,
        take: Take<'_>,
        look: Look,
        claim: &mut Claim,
    ) -> Result<()> {
        let claimed = self.claim_beside(lease, filter, take, look, claim);
        if !claim.messages.is_empty() {
            self.here.note("got");
        }
        claimed
    }

    fn renew_there(&self, lease: &LeaseId) {
        self.renew_marks(lease);
    }

    fn tell(&self) -> Result<()> {
        self.tell_ends(|_| true)
    }

    fn settle_there(&self) -> Result<()> {
        self.tell()?;
        self.empty_outbox()?;
        if self.is_of_a_hook() {
            self.touch();
        }
        Ok(())
    }

    fn listen(&self, landing: &Landing, ring: Ring) -> Result<Self::Listener> {
        watch::listen(self.clone(), landing.clone(), ring)
    }
}
