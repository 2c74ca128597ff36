//! What a reader asks for, what it gets, and what becomes of that: claimed, shown, acknowledged.

use jiff::{SignedDuration, Timestamp};

use super::Quota;
use crate::message::{Address, AgentName, Context, DeliveryId, Message, MessageId, Priority};

/// After this long a message goes to any reader, whatever its scope.
const STRAY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Which unread messages a reader asks for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Where the reader is; `None` takes every scope.
    pub contexts: Option<Vec<Context>>,
    /// Only urgent ones.
    pub urgent: bool,
    /// Only these.
    pub ids: Option<Vec<MessageId>>,
    /// None of these senders' and channels' mail; it counts as if it were not there.
    pub except: Vec<Address>,
}

/// What an unread message is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Meant for it.
    Here,
    /// Meant for another scope, where nobody came for 7 days.
    Stray,
    /// Meant for another scope.
    Elsewhere,
    /// Not asked for.
    Unasked,
}

impl Filter {
    /// What the message is to this reader.
    pub(crate) fn fit(&self, message: &Message, now: Timestamp) -> Fit {
        if self.urgent && message.priority != Priority::Urgent
            || message.is_among(&self.except)
            || self.ids.as_ref().is_some_and(|ids| !ids.contains(&message.id))
        {
            return Fit::Unasked;
        }
        if self.contexts.as_ref().is_none_or(|contexts| message.matches(contexts)) {
            return Fit::Here;
        }
        if now.duration_since(message.ts) > STRAY { Fit::Stray } else { Fit::Elsewhere }
    }
}

/// How much of what matches a claim takes.
#[derive(Clone, Copy)]
pub enum Take<'a> {
    /// All of it.
    All,
    /// Urgent first, then oldest, as fits into `bytes`, a third of which is the oldest normal mail's.
    Within {
        /// The size of the delivery.
        bytes: usize,
        /// What one message takes of it; a remote backend may count the body alone.
        weigh: &'a dyn Fn(&Message) -> usize,
        /// How many more a sender may have delivered now.
        quota: &'a Quota,
    },
}

/// One message that the claim took.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The message.
    pub message: Message,
    /// It may have been shown before: a reader died, was interrupted, or gave it back.
    pub repeat: bool,
    /// It waited for another scope for 7 days, and now goes to any reader.
    pub stray: bool,
}

/// What a claim took, and what it left.
#[derive(Debug, Default)]
pub struct Claim {
    /// Urgent first, then oldest.
    pub messages: Vec<Claimed>,
    /// What is still unread.
    pub left: Left,
}

/// Unread messages that a claim did not take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Match, and wait for the next delivery.
    pub matching: usize,
    /// Wait for readers in other scopes.
    pub other_scopes: usize,
    /// Over their sender's quota, with how many.
    pub held_back: Vec<(AgentName, usize)>,
}

impl Claim {
    /// Puts what was claimed in two places into the order of one.
    pub(super) fn sort(&mut self) {
        self.messages.sort_by_key(|Claimed { message, .. }| {
            (message.priority != Priority::Urgent, message.ts, message.id)
        });
    }
}

impl Left {
    /// So many more of this sender are over its quota.
    pub(super) fn hold_back(&mut self, from: AgentName, more: usize) {
        match self.held_back.iter_mut().find(|(other, _)| *other == from) {
            Some((_, count)) => *count += more,
            None => self.held_back.push((from, more)),
        }
    }
}

/// By what kind of event a claimed message was shown, and so what proves that the model saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// At a prompt: a tool call or the end of the turn proves it.
    Prompt,
    /// Between tool calls: only the end of the turn proves it.
    Tool,
    /// By its head alone, being longer than the budget: only reading it whole acknowledges it.
    Head,
    /// By its head, and the turn ended: not shown again by this session.
    Noted,
}

/// How a message was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// At what kind of event.
    pub by: Moment,
    /// In which delivery, where its mark is known: a harness's transcript can tell what became of it.
    pub delivery: Option<DeliveryId>,
}

/// A message that a lease holds.
#[derive(Debug, Clone)]
pub struct Held {
    /// The message.
    pub message: Message,
    /// How it was shown; `None` if it never was.
    pub shown: Option<Shown>,
}

/// What acknowledging leaves for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// Nothing but a record without body.
    Gone,
    /// The message itself for a while (`inbox --recent`): output that was flushed need not have been read.
    Recent,
    /// The message, kept by the reader's wish [v1: `cur/`].
    Kept,
}
