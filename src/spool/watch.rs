//! Mail as it lands, for whoever only looks on.

use std::collections::HashSet;

use super::Result;
use crate::message::{AgentName, Message, MessageId};

/// Whose mail is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// That of every agent, of those too that are made later.
    All,
    /// That of these.
    These(Vec<AgentName>),
}

/// A message in a mailbox that it landed in.
#[derive(Debug, Clone)]
pub struct Landed {
    /// Whose mailbox.
    pub agent: AgentName,
    /// The message.
    pub message: Message,
}

/// Unread mail as it lands, of one agent or of several; it claims nothing.
pub trait Watch {
    /// Hands out each message that became unread since the last look, in no order, and does not wait. What was
    /// claimed and is unread again is handed out again.
    ///
    /// # Errors
    /// The first mailbox that cannot be read, after the others were looked at.
    fn look(&mut self, hand_out: &mut dyn FnMut(Landed)) -> Result<()>;
    /// Finds what is unread by now, where a look waits until it is told of it, and sends what waits here for that place.
    ///
    /// # Errors
    /// Where nobody can be asked.
    fn catch_up(&mut self) -> Result<()> {
        Ok(())
    }
    /// Whether the system tells of changes. Where it does not, one must look every second; where it does, now and
    /// then: a network mount is silent on what other machines do, and a lease lapses without a sign.
    fn is_told(&self) -> bool;
    /// Whether the message is unread still.
    ///
    /// # Errors
    /// Where the mailbox cannot be read.
    fn is_unread(&self, agent: &AgentName, id: MessageId) -> Result<bool>;
    /// Which of these are unread still.
    ///
    /// # Errors
    /// Where a mailbox cannot be read.
    fn unread_of(&self, these: &[(AgentName, MessageId)]) -> Result<HashSet<MessageId>> {
        let mut unread = HashSet::new();
        for (agent, id) in these {
            if self.is_unread(agent, *id)? {
                unread.insert(*id);
            }
        }
        Ok(unread)
    }
    /// The ids of all that lies in any mailbox, unread or claimed, watched or not.
    ///
    /// # Errors
    /// Where a mailbox cannot be read.
    fn waiting(&self) -> Result<HashSet<MessageId>>;
}

/// Several watches as one, each of one agent's mail.
pub struct Several(Vec<(AgentName, Box<dyn Watch>)>);

impl Several {
    /// These watches.
    #[must_use]
    pub fn new(watches: Vec<(AgentName, Box<dyn Watch>)>) -> Self {
        Self(watches)
    }
}

impl Watch for Several {
    fn look(&mut self, hand_out: &mut dyn FnMut(Landed)) -> Result<()> {
        let mut result = Ok(());
        for (_, watch) in &mut self.0 {
            // One that cannot be looked at keeps nobody from the others.
            result = watch.look(hand_out).and(result);
        }
        result
    }

    fn catch_up(&mut self) -> Result<()> {
        let mut result = Ok(());
        for (_, watch) in &mut self.0 {
            result = watch.catch_up().and(result);
        }
        result
    }

    fn unread_of(&self, these: &[(AgentName, MessageId)]) -> Result<HashSet<MessageId>> {
        let mut unread = HashSet::new();
        for (name, watch) in &self.0 {
            let own: Vec<_> = these.iter().filter(|(agent, _)| agent == name).cloned().collect();
            unread.extend(watch.unread_of(&own)?);
        }
        Ok(unread)
    }

    fn is_told(&self) -> bool {
        self.0.iter().all(|(_, watch)| watch.is_told())
    }

    fn is_unread(&self, agent: &AgentName, id: MessageId) -> Result<bool> {
        self.0
            .iter()
            .find(|(name, _)| name == agent)
            .map_or(Ok(false), |(_, watch)| watch.is_unread(agent, id))
    }

    fn waiting(&self) -> Result<HashSet<MessageId>> {
        let mut all = HashSet::new();
        for (_, watch) in &self.0 {
            all.extend(watch.waiting()?);
        }
        Ok(all)
    }
}
