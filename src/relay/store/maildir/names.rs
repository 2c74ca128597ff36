//! Who is in a room: its agents by name, and who is subscribed to which channel.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::agents::Member;
use super::lock;
use crate::message::{AgentName, ChannelName};

/// Who is in a room.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) members: HashMap<AgentName, Arc<Member>>,
    /// Names that are nobody's and stay so: revoked ones, and those of damaged records.
    pub(super) taken: HashSet<AgentName>,
    channels: HashMap<ChannelName, HashMap<AgentName, Arc<Member>>>,
    /// Subscriptions of all of them.
    pub(super) subscriptions: usize,
}

impl Names {
    pub(super) fn subscribe(&mut self, channel: ChannelName, member: &Arc<Member>) {
        let before = self.channels.entry(channel).or_default().insert(member.name.clone(), member.clone());
        self.subscriptions += usize::from(before.is_none());
    }

    pub(super) fn unsubscribe(&mut self, channel: &ChannelName, name: &AgentName) {
        if let Some(subscribers) = self.channels.get_mut(channel) {
            self.subscriptions -= usize::from(subscribers.remove(name).is_some());
            if subscribers.is_empty() {
                self.channels.remove(channel);
            }
        }
    }

    pub(super) fn revoke(&mut self, member: &Member) {
        for channel in &lock(&member.record).agent.subscriptions {
            self.unsubscribe(channel, &member.name);
        }
        self.members.remove(&member.name);
        self.taken.insert(member.name.clone());
    }

    /// Who is subscribed, but for `but`; by name.
    pub(super) fn subscribers(&self, channel: &ChannelName, but: &AgentName) -> Vec<Arc<Member>> {
        let subscribers = self.channels.get(channel).into_iter().flatten();
        let mut members: Vec<_> =
            subscribers.filter(|(name, _)| *name != but).map(|(_, member)| member.clone()).collect();
        members.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        members
    }
}
