//! What one delivery holds: claimed within a budget, fenced, and whether each message is whole.

use super::{Fence, Item};
use crate::message::{AgentName, DeliveryId, Message};
use crate::spool::{self, Filter, Lease, Left, Quota, Spool, Take};

/// Bytes of one delivery: Claude Code cuts above 10,000 characters, Codex above 10,000 bytes.
const BUDGET: usize = 9500;

/// A delivery that is being packed.
pub struct Parcel {
    fence: Fence,
    angle_brackets: usize,
    /// The messages in it, each with whether only its head is.
    pub messages: Vec<(Message, bool)>,
    /// What it leaves unread.
    pub left: Left,
}

impl Parcel {
    /// An empty one, for a reader that writes an angle bracket with `angle_brackets` bytes.
    #[must_use]
    pub fn new(angle_brackets: usize) -> Self {
        let fence = Fence::new(BUDGET, angle_brackets);
        Self { fence, angle_brackets, messages: Vec::new(), left: Left::default() }
    }

    /// Adds what was shown before without evidence, if it fits.
    pub fn add_again(&mut self, message: Message) {
        let item = Item::new(&message, true, false, self.fence.room() / self.angle_brackets.min(2));
        let is_head = item.is_head;
        if self.fence.add(item) {
            self.messages.push((message, is_head));
        }
    }

    /// Claims what matches and fits.
    ///
    /// # Errors
    /// Where mail cannot be claimed; what was claimed until then is the lease's.
    pub fn claim(
        &mut self,
        spool: &dyn Spool,
        agent: &AgentName,
        lease: &Lease,
        filter: &Filter,
        quota: &Quota,
    ) -> spool::Result<()> {
        let (room, brackets) = (self.fence.room(), self.angle_brackets);
        let weigh = |message: &Message| Item::new(message, true, true, room).weight(brackets);
        let claim = spool.claim(agent, lease, filter, Take::Within { bytes: room, weigh: &weigh, quota })?;
        self.left = claim.left;
        for claimed in claim.messages {
            // A cut item may still be too heavy where the harness lengthens angle brackets.
            let room = self.fence.room();
            let item = Item::new(&claimed.message, claimed.repeat, claimed.stray, room);
            let item = if item.weight(brackets) > room {
                Item::new(&claimed.message, claimed.repeat, claimed.stray, room / brackets.max(1))
            } else {
                item
            };
            let is_head = item.is_head;
            let is_worth_it = !is_head || self.fence.is_empty() || room >= BUDGET / 4;
            if is_worth_it && self.fence.add(item) {
                self.messages.push((claimed.message, is_head));
            } else {
                spool.release(agent, &lease.id, &claimed.message)?;
                self.left.matching += 1;
            }
        }
        Ok(())
    }

    /// The text for the model; `None` where there is nothing to say.
    #[must_use]
    pub fn text(&self, agent: &AgentName) -> Option<String> {
        self.fence.text(agent, &self.left)
    }

    /// The mark on its lines.
    #[must_use]
    pub fn delivery(&self) -> DeliveryId {
        self.fence.delivery()
    }
}
