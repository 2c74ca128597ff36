//! Mail in a directory of this machine: the Maildir of `docs/protocol.md`, shared with the first version.
//!
//! ```text
//! agents/<name>.json                  the directory
//! spool/<agent>/tmp new cur           in flight, unread, kept                     [v1]
//! spool/<agent>/claimed/<lease>/      lease.json, <id>.json, <id>.<moment>[-<delivery>].json
//! spool/<agent>/records/<day>.jsonl   envelopes of what was shown, 30 days
//! spool/<agent>/recent/<ms>-<id>.json what a command printed, one hour
//! spool/<agent>/bad/                  what is no message, with the reason
//! spool/<agent>/contexts.json         where its sessions were
//! ```
//!
//! What lies under a lease that lapsed is unread: any reader may claim it from there.

mod claims;
pub(crate) mod desk;
mod directory;
pub mod files;
mod holdings;
mod mailbox;
mod records;
mod send;
mod watch;

use std::path::{Path, PathBuf};

use super::{
    Afterwards, Agent, Claim, Error, Filter, Found, Held, Holdings, Inbox, Lease, LeaseId, Moment, Quota,
    Result, Sent, Shown, Spool, Take, Watch, Whose,
};
use crate::env::Env;
use crate::message::{AgentName, ChannelName, Context, Message, MessageId};
use mailbox::Mailbox;

/// The spool in one home directory.
#[derive(Debug, Clone)]
pub struct LocalSpool {
    home: PathBuf,
    env: Env,
    recent_minutes: u32,
}

impl LocalSpool {
    /// Opens the spool of this home; nothing is made before it is needed.
    #[must_use]
    pub fn open(home: &Path, env: &Env, recent_minutes: u32) -> Self {
        files::make_private(home);
        Self::open_for_a_look(home, env, recent_minutes)
    }

    /// The same, and leaves even the home's mode as it is.
    #[must_use]
    pub fn open_for_a_look(home: &Path, env: &Env, recent_minutes: u32) -> Self {
        Self { home: home.to_owned(), env: env.clone(), recent_minutes }
    }

    /// Whether the agent has neither unread nor claimed mail: two looks at directories, and the reason
    /// why a prompt with an empty inbox costs nothing.
    #[must_use]
    pub fn is_quiet(&self, agent: &AgentName) -> bool {
        self.mailbox(agent).is_quiet()
    }

    fn mailbox(&self, agent: &AgentName) -> Mailbox {
        self.mailbox_at(&self.spelling(agent))
    }

    fn mailbox_of(&self, agent: &Agent) -> Mailbox {
        self.mailbox_at(&agent.name)
    }

    fn mailbox_at(&self, spelling: &AgentName) -> Mailbox {
        Mailbox::new(self.home.join("spool").join(spelling.as_str()), &self.env)
    }

    fn agents_directory(&self) -> PathBuf {
        self.home.join("agents")
    }
}

impl Spool for LocalSpool {
    fn register(&self, name: &AgentName) -> Result<Agent> {
        self.register_agent(name)
    }

    fn unregister(&self, name: &AgentName, force: bool) -> Result<()> {
        self.unregister_agent(name, force)
    }

    fn agents(&self) -> Result<Vec<Agent>> {
        self.all_agents()
    }

    fn agent(&self, name: &AgentName) -> Result<Option<Agent>> {
        self.one_agent(name)
    }

    fn subscribe(&self, agent: &AgentName, channel: &ChannelName) -> Result<()> {
        self.change_agent(agent, |record| {
            if !record.subscriptions.contains(channel) {
                record.subscriptions.push(channel.clone());
            }
        })
    }

    fn unsubscribe(&self, agent: &AgentName, channel: &ChannelName) -> Result<bool> {
        let mut was_there = false;
        self.change_agent(agent, |record| {
            let before = record.subscriptions.len();
            record.subscriptions.retain(|other| other != channel);
            was_there = record.subscriptions.len() < before;
        })?;
        Ok(was_there)
    }

    fn seen(&self, agent: &AgentName, contexts: &[Context]) -> Result<()> {
        self.note_seen(agent, contexts)
    }

    fn was_in_scope(&self, agent: &AgentName, message: &Message) -> bool {
        let contexts = self.mailbox(agent).known_contexts();
        contexts.is_empty() || message.matches(&contexts)
    }

    fn send(&self, message: &Message, durable: bool) -> Result<Sent> {
        self.deliver(message, durable)
    }

    fn inbox(&self, agent: &AgentName) -> Result<Inbox> {
        self.mailbox(agent).look()
    }

    fn holdings(&self, agent: &AgentName) -> Result<Holdings> {
        self.mailbox(agent).holdings()
    }

    fn claim(&self, agent: &AgentName, lease: &Lease, filter: &Filter, take: Take<'_>) -> Result<Claim> {
        self.mailbox(agent).claim(lease, filter, take)
    }

    fn held(&self, agent: &AgentName, lease: &LeaseId) -> Result<Vec<Held>> {
        self.mailbox(agent).held(lease)
    }

    fn renew(&self, agent: &AgentName, lease: &Lease) -> Result<()> {
        self.mailbox(agent).write_lease(&lease.renewed(self.env.now()))
    }

    fn mark_shown(&self, agent: &AgentName, lease: &LeaseId, message: &Message, shown: Shown) -> Result<()> {
        self.mailbox(agent).mark_shown(lease, message, shown)
    }

    fn acknowledge(
        &self,
        agent: &AgentName,
        lease: &LeaseId,
        message: &Message,
        after: Afterwards,
    ) -> Result<bool> {
        let after =
            if self.recent_minutes == 0 && after == Afterwards::Recent { Afterwards::Gone } else { after };
        self.mailbox(agent).acknowledge(lease, message, after)
    }

    fn release(&self, agent: &AgentName, lease: &LeaseId, message: &Message) -> Result<()> {
        self.mailbox(agent).release(lease, message)
    }

    fn recent(&self, agent: &AgentName) -> Result<Vec<Message>> {
        self.mailbox(agent).recent(self.recent_minutes)
    }

    fn find(&self, agent: &AgentName, prefix: &str) -> Result<Vec<Found>> {
        self.mailbox(agent).find(prefix, self.recent_minutes)
    }

    fn take(&self, agent: &AgentName, lease: &Lease, id: MessageId) -> Result<Option<Message>> {
        self.mailbox(agent).take(lease, id)
    }

    fn quota(&self, agent: &AgentName) -> Result<Quota> {
        self.mailbox(agent).quota()
    }

    fn watch(&self, whose: Whose, ring: Box<dyn FnMut() + Send>) -> Result<Box<dyn Watch>> {
        Ok(Box::new(watch::LocalWatch::start(self.clone(), whose, ring)?))
    }
}
