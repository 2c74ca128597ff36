//! What a spool does, done elsewhere and in the desk that is here.

use super::watch::RemoteWatch;
use super::{Deadline, Remote};
use crate::message::{AgentName, ChannelName, Context, Message, MessageId};
use crate::spool::{
    Afterwards, Agent, Claim, Filter, Found, Held, Holdings, Inbox, Lease, LeaseId, Quota, Record, Result,
    Sent, Shown, Spool, Take, Watch, Whose,
};

/// How long the beginning of an id is that hardly anything else begins with.
const LONG_PREFIX: usize = 8;

impl<R: Remote + Send + 'static> Spool for R {
    fn register(&self, name: &AgentName) -> Result<Agent> {
        self.here().check_own(name)?;
        let agent = self.register_there(name)?;
        self.here().desk.adopt_agent(&agent.name)?;
        Ok(agent)
    }

    fn unregister(&self, name: &AgentName, force: bool) -> Result<()> {
        self.unregister_everywhere(name, force)
    }

    fn agents(&self) -> Result<Vec<Agent>> {
        self.agents_there()
    }

    fn agent(&self, name: &AgentName) -> Result<Option<Agent>> {
        if *name == self.here().agent { self.own_agent() } else { self.agent_there(name) }
    }

    fn subscribe(&self, agent: &AgentName, channel: &ChannelName) -> Result<()> {
        self.here().check_own(agent)?;
        self.subscribe_there(channel)
    }

    fn unsubscribe(&self, agent: &AgentName, channel: &ChannelName) -> Result<bool> {
        self.here().check_own(agent)?;
        self.unsubscribe_there(channel)
    }

    fn channels(&self) -> Result<Vec<ChannelName>> {
        self.channels_there()
    }

    fn seen(&self, agent: &AgentName, contexts: &[Context]) -> Result<()> {
        self.here().own_record()?;
        self.here().desk.seen(agent, contexts)?;
        self.seen_there();
        Ok(())
    }

    fn was_in_scope(&self, agent: &AgentName, message: &Message) -> bool {
        *agent != self.here().agent || self.here().desk.was_in_scope(agent, message)
    }

    fn send(&self, message: &Message, durable: bool) -> Result<Sent> {
        message.check()?;
        self.here().check_own(&message.from)?;
        self.post(message, durable)
    }

    fn inbox(&self, agent: &AgentName) -> Result<Inbox> {
        self.here().check_own(agent)?;
        tell_if_possible(self);
        let there = self.unread_there()?;
        let mut inbox = self.here().desk.inbox(agent)?;
        inbox.claimed += there.claimed;
        inbox.bad.extend(there.bad);
        inbox.messages.retain(|message| !there.messages.iter().any(|other| other.id == message.id));
        inbox.messages.extend(there.messages);
        inbox.messages.sort_by_key(|message| (message.ts, message.id));
        Ok(inbox)
    }

    fn holdings(&self, agent: &AgentName) -> Result<Holdings> {
        self.here().desk.holdings(agent)
    }

    fn claim(&self, agent: &AgentName, lease: &Lease, filter: &Filter, take: Take<'_>) -> Result<Claim> {
        let (here, is_hook) = (self.here(), matches!(self.deadline(), Deadline::At(_)));
        here.check_own(agent)?;
        here.own_record()?;
        let Some(_turn) = here.journal.turn(self.deadline())? else {
            // Another claim of this machine waits for an answer: what is here is shown meanwhile.
            let _lock = here.journal.lock()?;
            return here.desk.claim(&here.agent, lease, filter, take);
        };
        {
            let _lock = here.journal.lock()?;
            here.journal.recover(&here.desk, &here.agent)?;
            here.journal.give_back_lapsed(&here.desk, &here.agent, here.env.now())?;
        }
        // Tool calls come by the dozen, and urgent mail can wait for so long.
        if filter.urgent && is_hook && here.happened_within("asked", R::SELDOM) {
            return here.desk.claim(&here.agent, lease, filter, take);
        }
        // What an earlier claim was given lies here after it, and is found with the rest.
        let looked = self.look_before(filter);
        let mut claim = here.desk.claim(&here.agent, lease, filter, take)?;
        let claimed = looked.and_then(|look| self.claim_there(lease, filter, take, look, &mut claim));
        claim.sort();
        match claimed {
            // What is here is shown all the same; the next claim meets the same error.
            Err(error) if claim.messages.is_empty() => Err(error),
            _ => Ok(claim),
        }
    }

    fn held(&self, agent: &AgentName, lease: &LeaseId) -> Result<Vec<Held>> {
        self.here().desk.held(agent, lease)
    }

    fn renew(&self, agent: &AgentName, lease: &Lease) -> Result<()> {
        self.here().desk.renew(agent, lease)?;
        self.renew_there(&lease.id);
        Ok(())
    }

    fn mark_shown(&self, agent: &AgentName, lease: &LeaseId, message: &Message, shown: Shown) -> Result<()> {
        self.here().desk.mark_shown(agent, lease, message, shown)
    }

    fn acknowledge(
        &self,
        agent: &AgentName,
        lease: &LeaseId,
        message: &Message,
        after: Afterwards,
    ) -> Result<bool> {
        self.here().journal.acknowledge(&self.here().desk, agent, lease, message, after)
    }

    fn release(&self, agent: &AgentName, lease: &LeaseId, message: &Message) -> Result<()> {
        self.here().journal.release(&self.here().desk, agent, lease, message)
    }

    fn recent(&self, agent: &AgentName) -> Result<Vec<Message>> {
        self.here().desk.recent(agent)
    }

    fn find(&self, agent: &AgentName, prefix: &str) -> Result<Vec<Found>> {
        self.here().check_own(agent)?;
        let mut found = self.here().desk.find(agent, prefix)?;
        if !found.is_empty() && prefix.len() >= LONG_PREFIX {
            return Ok(found);
        }
        tell_if_possible(self);
        let there = match self.unread_there() {
            Err(error) if found.is_empty() => return Err(error),
            there => there.unwrap_or_default().messages,
        };
        for message in there.into_iter().filter(|message| message.id.starts_with(prefix)) {
            found.retain(|other| other.record.id != message.id);
            found.push(Found { record: Record::of(&message), message: Some(message), open: true });
        }
        Ok(found)
    }

    fn take(&self, agent: &AgentName, lease: &Lease, id: MessageId) -> Result<Option<Message>> {
        self.here().check_own(agent)?;
        let here = {
            let _lock = self.here().journal.lock()?;
            self.here().desk.take(agent, lease, id)?
        };
        if here.is_some() {
            return Ok(here);
        }
        let filter = Filter { ids: Some(vec![id]), ..Filter::default() };
        let claim = self.claim(agent, lease, &filter, Take::All)?;
        Ok(claim.messages.into_iter().next().map(|claimed| claimed.message))
    }

    fn quota(&self, agent: &AgentName) -> Result<Quota> {
        self.here().desk.quota(agent)
    }

    fn watch(&self, whose: Whose, ring: Box<dyn FnMut() + Send>) -> Result<Box<dyn Watch>> {
        if let Whose::These(these) = &whose {
            these.iter().try_for_each(|agent| self.here().check_own(agent))?;
        }
        self.here().own_record()?;
        Ok(Box::new(RemoteWatch::start(self.clone(), ring)?))
    }

    fn settle(&self) -> Result<()> {
        self.settle_there()
    }
}

/// What was released here is unread there once that is known; where it cannot be told now, it waits.
fn tell_if_possible(remote: &impl Remote) {
    let _ = remote.tell();
}
