//! Sending: what a message must be, whom it goes to, and whether it was sent before. The disk's part is
//! [`super::commit`]'s.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::{Error, Result, RoomId};
use super::agents::Member;
use super::amount::Amount;
use super::commit::{Committer, Delivery};
use super::envelope::Envelope;
use super::remembered::{Answer, Begin, Content, Key};
use super::rooms::Room;
use super::{Engine, lock, read};
use crate::message::{Address, Message};
use crate::spool::Sent;

/// What became of a send before the disk was touched.
pub(super) enum Prepared {
    /// It was delivered before.
    Delivered(Sent),
    /// The same is on its way.
    Underway(oneshot::Receiver<Answer>),
    /// It is to be delivered.
    New(Delivery, oneshot::Receiver<Answer>),
}

impl Engine {
    pub(super) async fn send(
        self: Arc<Self>,
        room: &RoomId,
        message: Message,
        durable: bool,
        committer: &Committer,
    ) -> Result<Sent> {
        let (room, _) = self.member(room, &message.from)?;
        let answer = match self.prepare(&room, &message)? {
            Prepared::Delivered(sent) => return Ok(sent),
            Prepared::Underway(answer) => answer,
            Prepared::New(delivery, answer) => {
                if durable {
                    committer.hand_in(delivery, &self);
                } else {
                    // It runs to its end even where the caller is gone.
                    tokio::task::spawn_blocking(move || self.commit(vec![delivery], false));
                }
                answer
            }
        };
        answer.await.unwrap_or(Err(Error::System { verb: "write", kind: std::io::ErrorKind::Interrupted }))
    }

    /// Checks a message, finds its recipients, and keeps a place for it with each.
    pub(super) fn prepare(&self, room: &Arc<Room>, message: &Message) -> Result<Prepared> {
        message.check().map_err(|error| Error::Invalid(error.to_string()))?;
        let (body, most) = (message.body.len(), self.limits.body_bytes);
        if body > most {
            return Err(Error::Invalid(format!("the body has {body} bytes; {most} is the limit")));
        }
        if message.refs.len() > self.limits.refs {
            return Err(Error::Invalid(format!("a message has {} references at most", self.limits.refs)));
        }
        let now = self.env.now();
        let (key, content) = (Key::of(&room.id, message.id), Content::of(message));
        let to = match recipients(room, message) {
            Ok(to) => to,
            // Who sends again need not find the same subscribers.
            Err(error) => {
                return match self.remembered.is_delivered(key, content, now) {
                    Some(true) => Ok(Prepared::Delivered(Sent::default())),
                    Some(false) => Err(Error::Duplicate(message.id)),
                    None => Err(error),
                };
            }
        };
        match self.remembered.begin(key, content, now) {
            Begin::Delivered => Ok(Prepared::Delivered(sent(&to))),
            Begin::Other => Err(Error::Duplicate(message.id)),
            Begin::Underway(answer) => Ok(Prepared::Underway(answer)),
            Begin::New(answer) => {
                let envelope = Envelope::of(message);
                if self.lies_with(&envelope, &to) {
                    self.remembered.finish(key, &Ok(sent(&to)), now);
                    return Ok(Prepared::Delivered(sent(&to)));
                }
                if let Err(error) = self.reserve(room, &envelope, &to) {
                    self.remembered.finish(key, &Err(error.clone()), now);
                    return Err(error);
                }
                let delivery =
                    Delivery { room: room.clone(), key, content, envelope, text: message.to_json(), to };
                Ok(Prepared::New(delivery, answer))
            }
        }
    }

    /// Whether a recipient has this very message: it was delivered, longer ago than sends are remembered.
    fn lies_with(&self, envelope: &Envelope, to: &[Arc<Member>]) -> bool {
        to.iter().any(|member| {
            let mailbox = lock(&member.mailbox);
            mailbox.entry(envelope.id).is_some_and(|entry| entry.envelope.content == envelope.content)
        })
    }

    /// Keeps a place for one more message with each recipient, or with none.
    fn reserve(&self, room: &Room, envelope: &Envelope, to: &[Arc<Member>]) -> Result<()> {
        let (more, limits) = (Amount::of(to.len(), envelope), &self.limits);
        let most = Amount { messages: limits.unread_per_room, bytes: limits.unread_bytes_per_room };
        let mut waiting = lock(&room.waiting);
        (*waiting + more).within(most, || "the room has".into())?;
        *waiting += more;
        drop(waiting);
        for (reserved, member) in to.iter().enumerate() {
            if let Err(error) = self.reserve_one(envelope, member) {
                to[..reserved].iter().for_each(|member| lock(&member.mailbox).unreserve(envelope));
                *lock(&room.waiting) -= more;
                return Err(error);
            }
        }
        Ok(())
    }

    fn reserve_one(&self, envelope: &Envelope, member: &Member) -> Result<()> {
        let mut mailbox = lock(&member.mailbox);
        if mailbox.is_closed() {
            return Err(Error::UnknownAgent(member.name.clone()));
        }
        if mailbox.entry(envelope.id).is_some() {
            return Err(Error::Duplicate(envelope.id));
        }
        let limits = &self.limits;
        let most = Amount { messages: limits.unread_per_agent, bytes: limits.unread_bytes_per_agent };
        mailbox.reserve(envelope, most, || format!("@{} has", member.name))
    }
}

/// Whom a message goes to.
fn recipients(room: &Room, message: &Message) -> Result<Vec<Arc<Member>>> {
    match &message.to {
        Address::Agent(name) => Ok(vec![room.member(name)?]),
        Address::Channel(channel) => {
            let members = read(&room.names).subscribers(channel, &message.from);
            if members.is_empty() { Err(Error::NoSubscribers(channel.clone())) } else { Ok(members) }
        }
    }
}

/// The answer to a send.
pub(super) fn sent(to: &[Arc<Member>]) -> Sent {
    Sent { to: to.iter().map(|member| member.agent()).collect(), ..Sent::default() }
}
