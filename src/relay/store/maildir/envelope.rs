//! A message without its body, as the index keeps it.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::remembered::Content;
use crate::message::{Address, AgentName, ChannelName, Context, Message, MessageId, Priority};

/// After this long a message goes to any reader, whatever its scope.
const STRAY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is known of a message without its body.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) id: MessageId,
    pub(super) ts: Timestamp,
    pub(super) from: AgentName,
    /// The channel that it was sent to, if it was.
    channel: Option<ChannelName>,
    pub(super) priority: Priority,
    /// In normal form; none for everybody.
    scope: Option<Context>,
    /// Bytes of the body.
    pub(super) size: usize,
    /// Bytes of all that its sender wrote: references may be most of them.
    pub(super) weight: usize,
    /// What it says: who sends it again sends the same.
    pub(super) content: Content,
}

/// Senders and channels that a claim leaves out; it may name as many as a hostile client likes.
pub(super) struct Excluded<'a> {
    agents: HashSet<&'a AgentName>,
    channels: HashSet<&'a ChannelName>,
}

impl<'a> Excluded<'a> {
    pub(super) fn new(addresses: &'a [Address]) -> Self {
        let (mut agents, mut channels) = (HashSet::new(), HashSet::new());
        for address in addresses {
            match address {
                Address::Agent(name) => drop(agents.insert(name)),
                Address::Channel(channel) => drop(channels.insert(channel)),
            }
        }
        Self { agents, channels }
    }
}

impl Envelope {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            id: message.id,
            ts: message.ts,
            from: message.from.clone(),
            channel: match &message.to {
                Address::Channel(channel) => Some(channel.clone()),
                Address::Agent(_) => None,
            },
            priority: message.priority,
            scope: message.scope.as_ref().and_then(|scope| Context::new(scope.as_str())),
            size: message.body.len(),
            weight: message.body.len() + message.refs.iter().map(String::len).sum::<usize>(),
            content: Content::of(message),
        }
    }

    /// As [`Message::matches`].
    pub(super) fn matches(&self, contexts: &[Context]) -> bool {
        self.scope.as_ref().is_none_or(|scope| contexts.iter().any(|context| context.has_run(scope)))
    }

    /// As [`Message::is_among`].
    pub(super) fn is_among(&self, excluded: &Excluded<'_>) -> bool {
        excluded.agents.contains(&self.from)
            || self.channel.as_ref().is_some_and(|channel| excluded.channels.contains(channel))
    }

    pub(super) fn is_stray(&self, now: Timestamp) -> bool {
        now.duration_since(self.ts) > STRAY
    }
}
