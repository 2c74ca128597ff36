//! What time brings: leases lapse, mail grows old, what was sent is forgotten.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::Result;
use super::agents::Member;
use super::mailbox::State;
use super::rooms::Room;
use super::{Engine, lock, read};

impl Engine {
    /// Waits for the disk.
    pub(super) fn sweep(&self) -> Result<()> {
        let now = self.env.now();
        let rooms: Vec<_> = read(&self.rooms).values().cloned().collect();
        // What one mailbox's disk refuses is not in the way of the others.
        let mut result = Ok(());
        for room in &rooms {
            for member in room.members() {
                result = result.and(self.sweep_mailbox(room, &member, now));
            }
            let _change = room.change.blocking_lock();
            result = result.and(self.sweep_invites(room));
        }
        result.and(self.remembered.sweep(now))
    }

    fn sweep_mailbox(&self, room: &Arc<Room>, member: &Member, now: Timestamp) -> Result<()> {
        let age = SignedDuration::try_from(self.limits.unread_age).unwrap_or(SignedDuration::MAX);
        let Ok(oldest) = now.checked_sub(age) else { return Ok(()) };
        let old = || {
            let mut mailbox = lock(&member.mailbox);
            mailbox.lapse(now);
            mailbox.deliveries.sweep(now);
            let old = mailbox.unread().take_while(|entry| entry.envelope.ts < oldest);
            old.filter(|entry| entry.state != State::Claimed)
                .map(|entry| entry.envelope.id)
                .collect::<Vec<_>>()
        };
        if old().is_empty() {
            return Ok(());
        }
        let _turn = member.turn.blocking_lock();
        let days = self.limits.unread_age.as_secs() / (24 * 3600);
        self.bounce(room, member, &old(), &format!("it lay unread for {days} days"), false)
    }
}
