//! How claims end: acknowledged, released, or taken at once as in the first version.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::sync::Arc;

use super::super::{Result, RoomId};
use super::agents::Member;
use super::amount::Amount;
use super::claims::{find, full_is_fine, remove_emptied};
use super::mailbox::State;
use super::place::{Lies, Reading, mark, read_message, remove};
use super::rooms::Room;
use super::{Engine, blocking, lock};
use crate::message::{AgentName, Message, MessageId};
use crate::spool::error::OnPath;
use crate::spool::local::files;
use crate::spool::{self, LeaseId};

impl Engine {
    pub(super) async fn acknowledge(
        self: Arc<Self>,
        room: &RoomId,
        agent: &AgentName,
        lease: &LeaseId,
        ids: Option<&[MessageId]>,
    ) -> Result<usize> {
        let (room, member) = self.member(room, agent)?;
        if held(&member, lease, ids).is_empty() {
            return Ok(0);
        }
        let (lease, ids) = (lease.clone(), ids.map(<[_]>::to_vec));
        let turn = member.turn.clone().lock_owned().await;
        blocking(move || {
            let _turn = turn;
            let held = held(&member, &lease, ids.as_deref());
            for id in &held {
                if let Some((_, lies)) = find(&member, *id) {
                    remove("acknowledge", &member.place.message(*id, &lies))?;
                    self.forget(&room, &member, *id);
                }
            }
            Ok(held.len())
        })
        .await
    }

    pub(super) async fn release(
        self: Arc<Self>,
        room: &RoomId,
        agent: &AgentName,
        lease: &LeaseId,
        ids: Option<&[MessageId]>,
        unseen: bool,
    ) -> Result<usize> {
        let (_, member) = self.member(room, agent)?;
        if held(&member, lease, ids).is_empty() {
            return Ok(0);
        }
        let (lease, ids) = (lease.clone(), ids.map(<[_]>::to_vec));
        let turn = member.turn.clone().lock_owned().await;
        blocking(move || {
            let _turn = turn;
            let held = held(&member, &lease, ids.as_deref());
            held.iter().try_for_each(|id| give_back(&member, *id, unseen))?;
            Ok(held.len())
        })
        .await
    }

    pub(super) async fn take(
        self: Arc<Self>,
        room: &RoomId,
        agent: &AgentName,
        id: MessageId,
        keep: bool,
    ) -> Result<Option<Message>> {
        let (room, member) = self.member(room, agent)?;
        let is_unread = |member: &Member| {
            let mut mailbox = lock(&member.mailbox);
            mailbox.lapse(self.env.now());
            mailbox.entry(id).is_some_and(|entry| entry.state != State::Claimed)
        };
        if !is_unread(&member) {
            return Ok(None);
        }
        let turn = member.turn.clone().lock_owned().await;
        if !is_unread(&member) {
            return Ok(None);
        }
        blocking(move || {
            let _turn = turn;
            self.take_now(&room, &member, id, keep)
        })
        .await
    }

    fn take_now(&self, room: &Room, member: &Member, id: MessageId, keep: bool) -> Result<Option<Message>> {
        let Some((_, lies)) = find(member, id) else { return Ok(None) };
        let path = member.place.message(id, &lies);
        let taken = match read_message(&path, id, &mut Vec::new())? {
            Reading::Gone => None,
            Reading::Bad(reason) => {
                member.place.set_aside(&path, &reason);
                None
            }
            Reading::Message(message) => {
                if keep {
                    let kept = member.place.kept(id);
                    files::make_directory(kept.parent().unwrap_or(&kept))?;
                    fs::rename(&path, &kept).on("keep", &path)?;
                } else {
                    remove("take", &path)?;
                }
                Some(*message)
            }
        };
        self.forget(room, member, id);
        Ok(taken)
    }

    /// Forgets a message whose file is gone, and what was noted of it.
    pub(super) fn forget(&self, room: &Room, member: &Member, id: MessageId) {
        let Some((entry, _)) = find(member, id) else { return };
        let emptied = lock(&member.mailbox).remove(id);
        *lock(&room.waiting) -= Amount::of(1, &entry.envelope);
        if entry.returned {
            let _ = remove("acknowledge", &member.place.returned(id));
        }
        remove_emptied(member, emptied);
    }
}

/// What the lease holds, lapsed or not, of these.
fn held(member: &Member, lease: &LeaseId, ids: Option<&[MessageId]>) -> Vec<MessageId> {
    let mailbox = lock(&member.mailbox);
    let Some(hold) = mailbox.hold(lease) else { return Vec::new() };
    match ids {
        None => hold.ids.iter().copied().collect(),
        Some(ids) => {
            let unique: HashSet<_> = ids.iter().copied().collect();
            unique.into_iter().filter(|id| hold.ids.contains(id)).collect()
        }
    }
}

/// Makes a claimed message unread again.
fn give_back(member: &Member, id: MessageId, unseen: bool) -> Result<()> {
    let Some((entry, lies)) = find(member, id) else { return Ok(()) };
    let returned = entry.returned || !unseen;
    if returned {
        mark(&member.place.returned(id)).or_else(full_is_fine)?;
    }
    if lies != Lies::New {
        let (from, to) = (member.place.message(id, &lies), member.place.unread(id));
        match files::move_new(&from, &to) {
            // The same message is there already, from a back-up perhaps: one is enough.
            Err(spool::Error::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                remove("release", &from)?;
            }
            result => result?,
        }
    }
    let mut mailbox = lock(&member.mailbox);
    if unseen {
        mailbox.deliveries.forget(&entry.envelope.from, id);
    }
    let emptied = mailbox.release(id, returned);
    drop(mailbox);
    remove_emptied(member, emptied);
    Ok(())
}
