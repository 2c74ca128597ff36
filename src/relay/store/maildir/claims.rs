//! Claims: a rename moves a message under a lease. Its directory's name says until when it holds, so that a claim
//! survives the relay.

use std::fs;
use std::io;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::{Claim, Claimed, Error, Result, RoomId};
use super::agents::Member;
use super::mailbox::{Emptied, Entry, State};
use super::place::{Lies, Reading, mark, read_message, remove_directory};
use super::plan::{is_stray, plan};
use super::rooms::Room;
use super::{Engine, blocking, lock};
use crate::message::{AgentName, MessageId};
use crate::relay::wire::CONTEXT_BYTES;
use crate::spool::LeaseId;
use crate::spool::error::OnPath;
use crate::spool::local::files;

/// With so many unread messages at most, a look at all of them holds nobody up.
const FEW: usize = 200;

impl Engine {
    pub(super) async fn claim(
        self: Arc<Self>,
        room: &RoomId,
        agent: &AgentName,
        claim: Claim,
    ) -> Result<Claimed> {
        let (room, member) = self.member(room, agent)?;
        let contexts = claim.contexts.iter().flatten();
        if contexts.map(|context| context.as_str().len()).sum::<usize>() > CONTEXT_BYTES {
            return Err(Error::Invalid(format!("a claim's contexts have {CONTEXT_BYTES} bytes at most")));
        }
        // Most claims find nothing: they cost no file and no turn.
        let nothing = {
            let mut mailbox = lock(&member.mailbox);
            let plan = (mailbox.unread_count() <= FEW).then(|| plan(&mut mailbox, &claim, self.env.now()));
            plan.filter(|plan| plan.messages.is_empty())
        };
        if let Some(plan) = nothing {
            return Ok(Claimed { messages: Vec::new(), left: plan.left });
        }
        let turn = member.turn.clone().lock_owned().await;
        blocking(move || {
            let _turn = turn;
            self.claim_now(&room, &member, &claim)
        })
        .await
    }

    fn claim_now(&self, room: &Room, member: &Member, claim: &Claim) -> Result<Claimed> {
        let now = self.env.now();
        let span = SignedDuration::try_from(claim.span).unwrap_or(SignedDuration::MAX);
        let until = now.checked_add(span).unwrap_or(Timestamp::MAX);
        let plan = plan(&mut lock(&member.mailbox), claim, now);
        let messages = if plan.is_held {
            renew(member, &claim.lease, until)?;
            plan.messages
        } else if plan.messages.is_empty() {
            Vec::new()
        } else {
            self.move_under(room, member, &claim.lease, until, &plan.messages)?
        };
        let mut claimed = Claimed { messages: Vec::with_capacity(messages.len()), left: plan.left };
        let mut buffer = Vec::new();
        for id in messages {
            let Some((entry, lies)) = find(member, id) else { continue };
            let path = member.place.message(id, &lies);
            match read_message(&path, id, &mut buffer)? {
                Reading::Message(message) => {
                    if claim.bytes.is_some() {
                        lock(&member.mailbox).deliveries.count(&message.from, id, now);
                    }
                    let is_stray = is_stray(&entry, claim, now);
                    claimed.messages.push((*message, entry.returned, is_stray));
                }
                Reading::Gone => self.forget(room, member, id),
                Reading::Bad(reason) => {
                    member.place.set_aside(&path, &reason);
                    self.forget(room, member, id);
                }
            }
        }
        Ok(claimed)
    }

    /// Moves unread messages under the lease; those that were there.
    fn move_under(
        &self,
        room: &Room,
        member: &Member,
        lease: &LeaseId,
        until: Timestamp,
        messages: &[MessageId],
    ) -> Result<Vec<MessageId>> {
        let directory = member.place.lease(lease, until);
        // On a full disk mail can still be read, which makes room: such a claim does not survive the relay.
        let has_room = match files::make_directory(&directory).map_err(Error::from) {
            Ok(()) => true,
            Err(Error::Full) => false,
            Err(error) => return Err(error),
        };
        let mut moved = Vec::with_capacity(messages.len());
        for id in messages {
            let Some((entry, lies)) = find(member, *id) else { continue };
            if entry.returned {
                // Without room for the mark it is shown again unmarked after a restart, at worst.
                mark(&member.place.returned(*id)).or_else(full_is_fine)?;
            }
            let from = member.place.message(*id, &lies);
            let is_new = match fs::rename(&from, directory.join(format!("{id}.json"))) {
                Ok(()) => false,
                Err(error) if !has_room || error.kind() == io::ErrorKind::StorageFull => match lies {
                    Lies::New => true,
                    Lies::Under(..) => continue,
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => {
                    self.forget(room, member, *id);
                    continue;
                }
                Err(error) => return Ok(Err(error).on("claim", &from)?),
            };
            let emptied = lock(&member.mailbox).hold_under(lease, until, *id, is_new);
            remove_emptied(member, emptied);
            moved.push(*id);
        }
        if moved.is_empty() {
            remove_directory(&directory);
        }
        Ok(moved)
    }
}

/// What is known of a message, and where its file lies.
pub(super) fn find(member: &Member, id: MessageId) -> Option<(Entry, Lies)> {
    let mailbox = lock(&member.mailbox);
    Some((mailbox.entry(id)?.clone(), mailbox.lies(id)?))
}

/// Moves the end of a lease on the disk, then in memory.
fn renew(member: &Member, lease: &LeaseId, until: Timestamp) -> Result<()> {
    let Some(hold) = lock(&member.mailbox).hold(lease).cloned() else { return Ok(()) };
    for id in hold.ids {
        // That it had lapsed is seen in its end alone, which moves now.
        if find(member, id).is_some_and(|(entry, _)| entry.state == State::Lapsed) {
            mark(&member.place.returned(id)).or_else(full_is_fine)?;
        }
    }
    let from = member.place.lease(lease, hold.until);
    match fs::rename(&from, member.place.lease(lease, until)) {
        // It was claimed on a full disk, and has none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => result.on("renew", &from)?,
    }
    lock(&member.mailbox).renew(lease, until);
    Ok(())
}

pub(super) fn remove_emptied(member: &Member, emptied: Option<Emptied>) {
    if let Some((lease, until)) = emptied {
        remove_directory(&member.place.lease(&lease, until));
    }
}

/// For what is only noted: a full disk is in nobody's way.
pub(super) fn full_is_fine(error: Error) -> Result<()> {
    if matches!(error, Error::Full) { Ok(()) } else { Err(error) }
}
