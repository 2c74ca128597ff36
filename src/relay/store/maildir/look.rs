//! Looks at unread mail, which change nothing.

use std::sync::Arc;

use super::super::{Landed, Last, Page, Result, RoomId};
use super::agents::Member;
use super::mailbox::State;
use super::place::{Reading, read_message};
use super::{Engine, blocking, lock};
use crate::message::{AgentName, Context, Message, MessageId};
use crate::spool::Left;

/// How often a file is looked for that moves while we look.
const TRIES: usize = 4;
/// Bytes of messages after which a look ends: whoever has a full mailbox, and reads slowly, is not to take the relay's
/// memory.
const MOST: usize = 128 * 1024;

impl Engine {
    pub(super) fn unread(
        &self,
        room: &RoomId,
        agent: &AgentName,
        contexts: Option<&[Context]>,
    ) -> Result<Left> {
        let (_, member) = self.member(room, agent)?;
        let now = self.env.now();
        let mut mailbox = lock(&member.mailbox);
        mailbox.lapse(now);
        let mut left = Left::default();
        for entry in mailbox.unread() {
            let matches = contexts.is_none_or(|contexts| entry.envelope.matches(contexts));
            if matches || entry.envelope.is_stray(now) { left.matching += 1 } else { left.other_scopes += 1 }
        }
        Ok(left)
    }

    pub(super) async fn find_unread(
        &self,
        room: &RoomId,
        agent: &AgentName,
        prefix: &str,
    ) -> Result<Vec<Message>> {
        let (_, member) = self.member(room, agent)?;
        let found: Vec<_> = {
            let mut mailbox = lock(&member.mailbox);
            mailbox.lapse(self.env.now());
            let ids = mailbox.unread().map(|entry| entry.envelope.id);
            ids.filter(|id| id.to_string().starts_with(prefix)).take(2).map(|id| ((), id)).collect()
        };
        Ok(bodies(member, found).await?.0.into_iter().map(|(_, message)| message).collect())
    }

    pub(super) async fn inbox(&self, room: &RoomId, agent: &AgentName, after: Option<Last>) -> Result<Page> {
        let (_, member) = self.member(room, agent)?;
        let unread: Vec<_> = {
            let mut mailbox = lock(&member.mailbox);
            mailbox.lapse(self.env.now());
            mailbox.unread_after(after).map(|entry| (entry.envelope.ts, entry.envelope.id)).collect()
        };
        let (messages, is_cut) = bodies(member, unread).await?;
        let last = messages.last().map(|(ts, message)| (*ts, message.id));
        let messages = messages.into_iter().map(|(_, message)| message).collect();
        Ok(Page { messages, more: last.filter(|_| is_cut) })
    }

    pub(super) async fn landed(&self, room: &RoomId, agent: &AgentName, after: u64) -> Result<Landed> {
        let (_, member) = self.member(room, agent)?;
        let landed = {
            let mut mailbox = lock(&member.mailbox);
            mailbox.lapse(self.env.now());
            mailbox.landed(after)
        };
        Ok(Landed { messages: bodies(member, landed).await?.0 })
    }
}

/// Reads these messages, but for those that are no longer unread, and for what is beyond [`MOST`]: whether that is
/// something.
async fn bodies<K: Send + 'static>(
    member: Arc<Member>,
    ids: Vec<(K, MessageId)>,
) -> Result<(Vec<(K, Message)>, bool)> {
    if ids.is_empty() {
        return Ok((Vec::new(), false));
    }
    blocking(move || {
        let (mut messages, mut bytes, mut buffer) = (Vec::new(), 0, Vec::new());
        for (key, id) in ids {
            if bytes > MOST {
                return Ok((messages, true));
            }
            if let Some(message) = body(&member, id, &mut buffer)? {
                bytes += buffer.len();
                messages.push((key, message));
            }
        }
        Ok((messages, false))
    })
    .await
}

fn body(member: &Member, id: MessageId, buffer: &mut Vec<u8>) -> Result<Option<Message>> {
    for _ in 0..TRIES {
        let lies = {
            let mailbox = lock(&member.mailbox);
            let is_unread = mailbox.entry(id).is_some_and(|entry| entry.state != State::Claimed);
            if is_unread { mailbox.lies(id) } else { None }
        };
        let Some(lies) = lies else { return Ok(None) };
        match read_message(&member.place.message(id, &lies), id, buffer)? {
            Reading::Message(message) => return Ok(Some(*message)),
            // A claim moves it just now.
            Reading::Gone => {}
            // The next claim sets it aside.
            Reading::Bad(_) => return Ok(None),
        }
    }
    Ok(None)
}
