//! The mailbox of a desk: a spool, and what the person at it decided. Every call that waits for a disk or a relay runs
//! on a thread of its own, so that the client's other requests are answered.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::bell::Bell;
use super::mailbox::{Answer, Delivery, Draft, Mailbox, PAUSED, Place, Posted, Waiting, not_one};
use crate::attention::Attention;
use crate::delivery::{Means, Parcel};
use crate::env::Env;
use crate::message::{AgentName, ChannelName, Context, Message, MessageId};
use crate::repository;
use crate::spool::{self, Afterwards, Agent, Filter, Lease, Moment, Quota, Record, Shown, Spool, Take};

/// An agent's mail, opened.
#[derive(Clone)]
pub struct Opened {
    /// Where it is.
    pub spool: Arc<dyn Spool + Send + Sync>,
    /// Whose it is.
    pub agent: AgentName,
    /// The mail's home.
    pub home: PathBuf,
}

type Open = dyn Fn() -> Answer<Opened> + Send + Sync;

/// A mailbox that is opened at the first call which needs it: until then, and where it cannot be opened, the server
/// lives, and a call says what is wrong.
#[derive(Clone)]
pub struct Desk {
    open: Arc<Open>,
    opened: Arc<Mutex<Option<Opened>>>,
    bell: Arc<Bell>,
    env: Env,
}

impl Desk {
    /// A desk whose mail `open` opens; it is asked again where that failed.
    #[must_use]
    pub fn new(open: impl Fn() -> Answer<Opened> + Send + Sync + 'static, env: Env) -> Self {
        Self { open: Arc::new(open), opened: Arc::default(), bell: Arc::default(), env }
    }

    /// Does what waits on another thread.
    async fn with<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Opened, &Env) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let desk = self.clone();
        let done = spawn_blocking(move || what(&desk.opened()?, &desk.env)).await;
        done.unwrap_or_else(|_| Err("the call failed within backchannel; try: bch doctor".to_owned()))
    }

    fn opened(&self) -> Answer<Opened> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opened {
            Some(opened) => Ok(opened.clone()),
            None => Ok(opened.insert((self.open)()?).clone()),
        }
    }
}

/// An error of the mail with the command that mends it.
fn with_hint(error: &spool::Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; try: {hint}"),
        None => error.to_string(),
    }
}

impl Opened {
    fn attention(&self) -> Answer<Attention> {
        // A person's pause is no fault of what is installed.
        if self.agent.is_canary() {
            return Ok(Attention::default());
        }
        Attention::load(&self.home).map_err(|error| with_hint(&error))
    }

    /// What a claim from that place is about; `None` where the person wants no mail there now.
    fn filter(&self, place: Place, env: &Env) -> Answer<Option<Filter>> {
        let attention = self.attention()?;
        let mut directories = place.roots;
        if directories.is_empty() {
            directories.extend(env.directory());
        }
        let somewhere = !directories.is_empty();
        directories.retain(|directory| !attention.is_off(directory));
        if attention.is_paused(env.now()) || somewhere && directories.is_empty() {
            return Ok(None);
        }
        let contexts: Vec<_> = match place.matching {
            Some(text) => Context::new(&text).into_iter().collect(),
            None => directories.iter().flat_map(|directory| repository::contexts(directory)).collect(),
        };
        Ok(Some(Filter { contexts: Some(contexts), except: attention.unasked(), ..Filter::default() }))
    }

    /// Sends what waits here for its relay or brain, which has just answered; what does not go out waits for the next call.
    fn settle(&self) {
        let _ = self.spool.settle();
    }

    /// A delivery of what is in the parcel.
    fn delivery(&self, mut parcel: Parcel, lease: &Lease, none: &str) -> Delivery {
        let text = parcel.text(&self.agent).unwrap_or_else(|| none.to_owned());
        let kept = std::mem::take(&mut parcel.kept);
        let (messages, mut heads) = parcel.parted();
        heads.extend(kept);
        Delivery { text, lease: lease.clone(), messages, heads }
    }

    /// Claims one message, if it is unread; with whether it may have been shown before.
    fn unread(&self, lease: &Lease, id: MessageId) -> Answer<Option<(Message, bool)>> {
        let filter = Filter { ids: Some(vec![id]), ..Filter::default() };
        let claim = self.spool.claim(&self.agent, lease, &filter, Take::All);
        let claimed = claim.map_err(|error| with_hint(&error))?.messages.pop();
        Ok(claimed.map(|claimed| (claimed.message, claimed.repeat)))
    }

    /// The one message, or record of one, whose id begins so.
    fn found(&self, id: &str) -> Answer<spool::Found> {
        let mut found = self.spool.find(&self.agent, id).map_err(|error| with_hint(&error))?;
        match (found.len(), found.pop()) {
            (1, Some(one)) => Ok(one),
            (count, _) => Err(not_one(count, id)),
        }
    }
}

#[async_trait]
impl Mailbox for Desk {
    async fn agent(&self) -> Answer<AgentName> {
        self.with(|desk, _| Ok(desk.agent.clone())).await
    }

    async fn look(&self, place: Place) -> Answer<Option<Waiting>> {
        self.with(|desk, env| {
            let Some(filter) = desk.filter(place, env)? else { return Ok(None) };
            let mut unread = desk.spool.inbox(&desk.agent).map_err(|error| with_hint(&error))?.messages;
            unread.retain(|message| !message.is_among(&filter.except));
            let contexts = filter.contexts.unwrap_or_default();
            let here = unread.iter().filter(|message| message.matches(&contexts)).count();
            desk.settle();
            Ok(Some(Waiting { here, elsewhere: unread.len() - here }))
        })
        .await
    }

    async fn claim(&self, place: Place) -> Answer<Delivery> {
        self.with(|desk, env| {
            let Some(filter) = desk.filter(place, env)? else { return Ok(Delivery::of_nothing(PAUSED)) };
            let lease = Lease::of_command(env.now());
            let mut parcel = Parcel::new(1, Means::Tools);
            let claimed = parcel.claim(&*desk.spool, &desk.agent, &lease, &filter, &Quota::default());
            claimed.map_err(|error| with_hint(&error))?;
            // Who looks takes part; where that cannot be noted the mail is no worse.
            let _ = desk.spool.seen(&desk.agent, &filter.contexts.unwrap_or_default());
            desk.settle();
            Ok(desk.delivery(parcel, &lease, "no unread mail here"))
        })
        .await
    }

    async fn take(&self, id: String) -> Answer<Delivery> {
        self.with(move |desk, env| {
            let found = desk.found(&id)?;
            let sender = &found.record.from;
            if desk.attention()?.is_blocked(sender) {
                return Err(format!("@{sender} is blocked; try: bch unblock @{sender}"));
            }
            let lease = Lease::of_command(env.now());
            let (id, is_open) = (found.record.id, found.open);
            let gone = || format!("message {} was read, and is gone", id.short());
            if !is_open {
                // It was acknowledged within the hour: it is shown once more, and is not ours to end.
                let again = Parcel::whole(found.message.ok_or_else(gone)?, true);
                return Ok(Delivery::of_nothing(again.text(&desk.agent).unwrap_or_default()));
            }
            let (message, is_repeat) = match desk.unread(&lease, id)? {
                Some(unread) => unread,
                // Another reader holds it, or we do: it was shown, by its head at least.
                None => {
                    let taken = desk.spool.take(&desk.agent, &lease, id);
                    (taken.map_err(|error| with_hint(&error))?.ok_or_else(gone)?, true)
                }
            };
            Ok(desk.delivery(Parcel::whole(message, is_repeat), &lease, ""))
        })
        .await
    }

    async fn acknowledge(&self, delivery: Delivery) {
        let ended = self.with(move |desk, _| {
            for message in &delivery.messages {
                let _ = desk.spool.acknowledge(&desk.agent, &delivery.lease.id, message, Afterwards::Recent);
            }
            Ok(())
        });
        // What fails stays claimed, until the lease lapses.
        let _ = ended.await;
    }

    async fn renew(&self, delivery: Delivery) {
        let renewed = self.with(move |desk, env| {
            let _ = desk.spool.renew(&desk.agent, &delivery.lease.renewed(env.now()));
            Ok(())
        });
        // Where it cannot be renewed it lapses, and the mail comes again.
        let _ = renewed.await;
    }

    async fn release(&self, delivery: Delivery) {
        let ended = self.with(move |desk, _| {
            for message in delivery.held() {
                // The client may have had it.
                let shown = Shown { by: Moment::Tool, delivery: None };
                let _ = desk.spool.mark_shown(&desk.agent, &delivery.lease.id, message, shown);
                let _ = desk.spool.release(&desk.agent, &delivery.lease.id, message);
            }
            Ok(())
        });
        let _ = ended.await;
    }

    async fn send(&self, draft: Draft) -> Answer<Posted> {
        self.with(move |desk, env| {
            let message = draft.message(desk.agent.clone(), env.now());
            message.check().map_err(|error| error.to_string())?;
            let sent = desk.spool.send(&message, true).map_err(|error| with_hint(&error))?;
            let to = sent.to.into_iter().map(|agent| agent.name).collect();
            let remark = (!sent.redacted.is_empty()).then(|| format!("archived without: {}", sent.redacted));
            Ok(Posted { id: message.id, to, queued: sent.queued, remark })
        })
        .await
    }

    async fn envelope(&self, id: String) -> Answer<Record> {
        self.with(move |desk, _| Ok(desk.found(&id)?.record)).await
    }

    async fn agents(&self) -> Answer<Vec<Agent>> {
        self.with(|desk, _| {
            let mut agents = desk.spool.agents().map_err(|error| with_hint(&error))?;
            agents.retain(|agent| !agent.name.is_canary());
            desk.settle();
            Ok(agents)
        })
        .await
    }

    async fn subscribe(&self, channel: ChannelName) -> Answer<()> {
        self.with(move |desk, _| {
            desk.spool.subscribe(&desk.agent, &channel).map_err(|error| with_hint(&error))
        })
        .await
    }

    async fn unsubscribe(&self, channel: ChannelName) -> Answer<bool> {
        self.with(move |desk, _| {
            desk.spool.unsubscribe(&desk.agent, &channel).map_err(|error| with_hint(&error))
        })
        .await
    }

    async fn bell(&self) -> Answer<watch::Receiver<u64>> {
        let bell = Arc::clone(&self.bell);
        self.with(move |opened, _| bell.of(opened)).await
    }
}
