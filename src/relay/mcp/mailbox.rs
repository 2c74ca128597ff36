//! An agent's mail in its room, as the tools see it.
//!
//! A client here is in no directory that we could look into: it gets the mail of every scope, unless it names one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::open::lock;
use crate::delivery::{Means, Parcel};
use crate::mcp::{Answer, Delivery, Draft, Mailbox, Place, Posted, Waiting, not_one};
use crate::message::{AgentName, ChannelName, Context, Message, MessageId};
use crate::relay::caller::ByAgent;
use crate::relay::routes::within_limits;
use crate::relay::state::{Shared, State};
use crate::relay::store::{self, Claim, RoomId};
use crate::spool::{self, Agent, Lease, LeaseId, Record};

/// For how long a delivery is held without a renewal, which comes every minute: after a restart of the relay, so long.
const HELD: Duration = Duration::from_secs(5 * 60);
/// Envelopes of what came that a session remembers, for replies.
const MOST_ENVELOPES: usize = 1000;

/// One agent's, in one session.
pub(super) struct RoomMailbox {
    /// The relay's state has the sessions: it must not be kept by them.
    state: Weak<State>,
    room: RoomId,
    agent: AgentName,
    came: Mutex<VecDeque<Record>>,
    /// What was shown by its head, and under which lease it is.
    heads: Mutex<HashMap<MessageId, LeaseId>>,
}

/// What is told of an error, with what mends it.
fn told(error: store::Error) -> String {
    match error {
        store::Error::UnknownAgent(_) => format!("{error}; try: bch_agents"),
        store::Error::NoSubscribers(_) => format!("{error}; try: bch_agents, which lists the channels"),
        _ => error.to_string(),
    }
}

fn contexts(place: Place) -> Option<Vec<Context>> {
    place.matching.map(|text| Context::new(&text).into_iter().collect())
}

impl RoomMailbox {
    pub(super) fn new(state: &Shared, by: &ByAgent) -> Self {
        let (room, agent) = (by.room.clone(), by.name.clone());
        Self { state: Arc::downgrade(state), room, agent, came: Mutex::default(), heads: Mutex::default() }
    }

    fn state(&self) -> Answer<Shared> {
        self.state.upgrade().ok_or_else(|| "the relay ends".to_owned())
    }

    async fn claimed(&self, claim: Claim) -> Answer<spool::Claim> {
        let state = self.state()?;
        let claimed = state.store.claim(&self.room, &self.agent, claim).await.map_err(told)?;
        state.metrics.claimed.inc_by(claimed.messages.len() as u64);
        let messages = claimed.messages.into_iter();
        let messages = messages.map(|(message, repeat, stray)| spool::Claimed { message, repeat, stray });
        Ok(spool::Claim { messages: messages.collect(), left: claimed.left })
    }

    async fn back(&self, lease: &LeaseId, messages: &[Message], unseen: bool) -> Answer<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
        let store = &self.state()?.store;
        store.release(&self.room, &self.agent, lease, Some(&ids), unseen).await.map_err(told)?;
        Ok(())
    }

    /// A delivery of what is in the parcel; what did not fit goes back.
    async fn delivery(&self, parcel: Parcel, lease: Lease, unfit: Vec<Message>) -> Delivery {
        let text = parcel.text(&self.agent).unwrap_or_else(|| "no unread mail".to_owned());
        let (messages, mut heads) = parcel.parted();
        self.remember(heads.iter().chain(&messages));
        lock(&self.heads).extend(heads.iter().map(|message| (message.id, lease.id.clone())));
        if self.back(&lease.id, &unfit, true).await.is_err() {
            heads.extend(unfit);
        }
        // For what becomes of them their ids are enough: the bodies are on the disk.
        let bare = |message: Message| Message { body: String::new(), refs: Vec::new(), ..message };
        let [messages, heads] = [messages, heads].map(|all| all.into_iter().map(bare).collect());
        Delivery { text, lease, messages, heads }
    }

    fn remember<'a>(&self, messages: impl Iterator<Item = &'a Message>) {
        let mut came = lock(&self.came);
        for message in messages {
            came.retain(|record| record.id != message.id);
            came.push_back(Record::of(message));
        }
        let surplus = came.len().saturating_sub(MOST_ENVELOPES);
        came.drain(..surplus);
    }

    /// The one envelope whose id begins so: of what this session was given, or of what is unread.
    async fn found(&self, id: &str) -> Answer<Record> {
        let mut found: Vec<Record> = {
            let came = lock(&self.came);
            came.iter().filter(|record| record.id.to_string().starts_with(id)).cloned().collect()
        };
        let unread = self.state()?.store.find(&self.room, &self.agent, id).await.map_err(told)?;
        for message in &unread {
            if found.iter().all(|record| record.id != message.id) {
                found.push(Record::of(message));
            }
        }
        match (found.len(), found.pop()) {
            (1, Some(record)) => Ok(record),
            (count, _) => Err(not_one(count, id)),
        }
    }
}

fn everything(lease: &LeaseId) -> Claim {
    Claim {
        lease: lease.clone(),
        span: HELD,
        contexts: None,
        urgent: false,
        ids: None,
        except: Vec::new(),
        bytes: None,
    }
}

#[async_trait]
impl Mailbox for RoomMailbox {
    async fn agent(&self) -> Answer<AgentName> {
        Ok(self.agent.clone())
    }

    async fn look(&self, place: Place) -> Answer<Option<Waiting>> {
        let contexts = contexts(place);
        let count = self.state()?.store.unread(&self.room, &self.agent, contexts.as_deref());
        let left = count.map_err(told)?;
        Ok(Some(Waiting { here: left.matching, elsewhere: left.other_scopes }))
    }

    async fn claim(&self, place: Place) -> Answer<Delivery> {
        let lease = Lease::of_command(self.state()?.env.now());
        let mut parcel = Parcel::new(1, Means::Tools);
        let claim = Claim { contexts: contexts(place), bytes: Some(parcel.room()), ..everything(&lease.id) };
        let unfit = parcel.pack(self.claimed(claim).await?);
        Ok(self.delivery(parcel, lease, unfit).await)
    }

    async fn take(&self, id: String) -> Answer<Delivery> {
        let id: MessageId = self.found(&id).await?.id;
        let lease = Lease::of_command(self.state()?.env.now());
        let claim = Claim { ids: Some(vec![id]), ..everything(&lease.id) };
        // One whose head was shown here is ours: it is unread again for a moment.
        let head = lock(&self.heads).remove(&id);
        if let Some(head) = &head {
            let store = &self.state()?.store;
            store.release(&self.room, &self.agent, head, Some(&[id]), false).await.map_err(told)?;
        }
        let Some(claimed) = self.claimed(claim).await?.messages.pop() else {
            return Err(format!("message {} is no longer unread", id.short()));
        };
        let parcel = Parcel::whole(claimed.message, claimed.repeat || head.is_some());
        Ok(self.delivery(parcel, lease, Vec::new()).await)
    }

    async fn acknowledge(&self, delivery: Delivery) {
        if delivery.messages.is_empty() {
            return;
        }
        let ids: Vec<_> = delivery.messages.iter().map(|message| message.id).collect();
        let Ok(state) = self.state() else { return };
        // What fails stays claimed, until the lease lapses.
        let ended = state.store.acknowledge(&self.room, &self.agent, &delivery.lease.id, Some(&ids)).await;
        state.metrics.acknowledged.inc_by(ended.unwrap_or(0) as u64);
    }

    async fn renew(&self, delivery: Delivery) {
        // A lease that holds something is renewed by claiming under it again.
        // Where it holds nothing any more, such a claim takes nothing.
        let Ok(state) = self.state() else { return };
        let claim = Claim { ids: Some(Vec::new()), ..everything(&delivery.lease.id) };
        let _ = state.store.claim(&self.room, &self.agent, claim).await;
    }

    async fn release(&self, delivery: Delivery) {
        let held: Vec<_> = delivery.held().cloned().collect();
        let _ = self.back(&delivery.lease.id, &held, false).await;
    }

    async fn send(&self, draft: Draft) -> Answer<Posted> {
        let state = self.state()?;
        let now = state.store.stamp(&self.room, &self.agent).map_err(told)?;
        let message = draft.message(self.agent.clone(), now);
        within_limits(&message, &state.limits).map_err(|refusal| refusal.to_string())?;
        let id = message.id;
        let sent = state.store.send(&self.room, message, true).await.map_err(told)?;
        state.metrics.sent.inc();
        Ok(Posted {
            id,
            to: sent.to.into_iter().map(|agent| agent.name).collect(),
            queued: None,
            remark: None,
        })
    }

    async fn envelope(&self, id: String) -> Answer<Record> {
        self.found(&id).await
    }

    async fn agents(&self) -> Answer<Vec<Agent>> {
        self.state()?.store.agents(&self.room).await.map_err(told)
    }

    async fn subscribe(&self, channel: ChannelName) -> Answer<()> {
        self.state()?.store.subscribe(&self.room, &self.agent, &channel).await.map_err(told)
    }

    async fn unsubscribe(&self, channel: ChannelName) -> Answer<bool> {
        self.state()?.store.unsubscribe(&self.room, &self.agent, &channel).await.map_err(told)
    }

    async fn bell(&self) -> Answer<watch::Receiver<u64>> {
        self.state()?.store.bell(&self.room, &self.agent).map_err(told)
    }
}
