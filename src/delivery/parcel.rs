//! What one delivery holds: claimed within a budget, fenced, and whether each message is whole.

use super::{Fence, Item, Means};
use crate::message::{AgentName, DeliveryId, LONGEST_BODY, Message};
use crate::spool::{self, Claim, Filter, Lease, Left, Quota, Spool, Take};

/// Bytes of one delivery: Claude Code cuts above 10,000 characters, Codex above 10,000 bytes.
const BUDGET: usize = 9500;
/// Bytes of a delivery that is one message, whole: each of its bytes may be an escape, and each line has its prefix.
const WHOLE: usize = 16 * LONGEST_BODY;

/// A delivery that is being packed.
pub struct Parcel {
    fence: Fence,
    angle_brackets: usize,
    means: Means,
    /// The messages in it, each with whether only its head is.
    pub messages: Vec<(Message, bool)>,
    /// Messages that are not in it and could not be given back.
    pub kept: Vec<Message>,
    /// What it leaves unread.
    pub left: Left,
}

impl Parcel {
    /// An empty one, for a reader that writes an angle bracket with `angle_brackets` bytes.
    #[must_use]
    pub fn new(angle_brackets: usize, means: Means) -> Self {
        Self::within(BUDGET, angle_brackets, means)
    }

    /// One message that a reader of tools asked for, all of it; `repeat` where it may have been shown before.
    #[must_use]
    pub fn whole(message: Message, repeat: bool) -> Self {
        let mut parcel = Self::within(WHOLE, 1, Means::Tools);
        if parcel.fence.add(Item::new(&message, repeat, false, WHOLE, Means::Tools)) {
            parcel.messages.push((message, false));
        }
        parcel
    }

    fn within(budget: usize, angle_brackets: usize, means: Means) -> Self {
        let fence = Fence::new(budget, angle_brackets, means);
        Self { fence, angle_brackets, means, messages: Vec::new(), kept: Vec::new(), left: Left::default() }
    }

    /// Bytes that are left for messages.
    #[must_use]
    pub fn room(&self) -> usize {
        self.fence.room()
    }

    /// Adds what was shown before without evidence, if it fits.
    pub fn add_again(&mut self, message: Message) {
        let item = Item::new(&message, true, false, self.room() / self.angle_brackets.min(2), self.means);
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
        let (room, brackets, means) = (self.room(), self.angle_brackets, self.means);
        let weigh = |message: &Message| Item::new(message, true, true, room, means).weight(brackets);
        let claim = spool.claim(agent, lease, filter, Take::Within { bytes: room, weigh: &weigh, quota })?;
        for message in self.pack(claim) {
            // What cannot be given back stays the lease's, and comes to its holder later.
            if spool.release(agent, &lease.id, &message).is_err() {
                self.kept.push(message);
            }
        }
        Ok(())
    }

    /// Packs what was claimed; what does not fit is returned, for its release.
    #[must_use]
    pub fn pack(&mut self, claim: Claim) -> Vec<Message> {
        self.left = claim.left;
        let mut unfit = Vec::new();
        for claimed in claim.messages {
            // A cut item may still be too heavy where the harness lengthens angle brackets.
            let room = self.room();
            let render = |room| Item::new(&claimed.message, claimed.repeat, claimed.stray, room, self.means);
            let mut item = render(room);
            if item.weight(self.angle_brackets) > room {
                item = render(room / self.angle_brackets.max(1));
            }
            let is_head = item.is_head;
            let is_worth_it = !is_head || self.fence.is_empty() || room >= BUDGET / 4;
            if is_worth_it && self.fence.add(item) {
                self.messages.push((claimed.message, is_head));
            } else {
                unfit.push(claimed.message);
                self.left.matching += 1;
            }
        }
        unfit
    }

    /// The messages that are whole in it, and those of which only the head is.
    #[must_use]
    pub fn parted(self) -> (Vec<Message>, Vec<Message>) {
        let (heads, whole): (Vec<_>, Vec<_>) = self.messages.into_iter().partition(|(_, is_head)| *is_head);
        let of = |messages: Vec<(Message, bool)>| messages.into_iter().map(|(message, _)| message).collect();
        (of(whole), of(heads))
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
