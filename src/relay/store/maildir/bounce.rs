//! Mail that nobody will read goes back to its sender: as word of it, without a byte of its body.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::super::{Error, Result};
use super::agents::Member;
use super::commit::Delivery;
use super::place::{Reading, read_message, remove};
use super::remembered::Answer;
use super::rooms::{Room, remove_all};
use super::send::Prepared;
use super::{Engine, lock};
use crate::message::{Address, AgentName, Message, MessageId};

/// A message that is to go, its file, and what became of its bounce, if it has one.
type Done = (MessageId, PathBuf, Option<oneshot::Receiver<Answer>>);

/// Bounces that are delivered at once.
const MOST: usize = 256;

impl Engine {
    /// Takes these messages of an agent away, and tells each sender why; call with the mailbox's turn. One whose
    /// sender cannot be told now stays, unless `whatever`.
    pub(super) fn bounce(
        &self,
        room: &Arc<Room>,
        member: &Member,
        ids: &[MessageId],
        why: &str,
        whatever: bool,
    ) -> Result<()> {
        let mut buffer = Vec::new();
        for ids in ids.chunks(MOST) {
            let (mut bounces, mut done) = (Vec::new(), Vec::<Done>::new());
            for id in ids {
                let Some(lies) = lock(&member.mailbox).lies(*id) else { continue };
                let path = member.place.message(*id, &lies);
                match read_message(&path, *id, &mut buffer)? {
                    Reading::Message(message) => match self.word_of(room, &member.name, &message, why) {
                        Ok(Some((bounce, answer))) => {
                            bounces.push(bounce);
                            done.push((*id, path, Some(answer)));
                        }
                        Ok(None) => done.push((*id, path, None)),
                        Err(error) => {
                            tracing::warn!(%id, %error, "the sender cannot be told that this was not read");
                            if whatever {
                                done.push((*id, path, None));
                            }
                        }
                    },
                    Reading::Gone => done.push((*id, path, None)),
                    Reading::Bad(reason) => {
                        member.place.set_aside(&path, &reason);
                        done.push((*id, path, None));
                    }
                }
            }
            self.commit(bounces, true);
            for (id, path, answer) in done {
                // What the disk did not take was told to nobody: the message stays, to be told of later.
                if let Some(mut answer) = answer
                    && let Err(error) = answer.try_recv().unwrap_or(Err(Error::Full))
                {
                    tracing::warn!(%id, %error, "the sender cannot be told that this was not read");
                    if whatever {
                        return Err(error);
                    }
                    continue;
                }
                remove("bounce", &path)?;
                self.forget(room, member, id);
            }
        }
        Ok(())
    }

    /// The bounce of a message; none where there is nobody to tell, or it was told before.
    fn word_of(
        &self,
        room: &Arc<Room>,
        reader: &AgentName,
        message: &Message,
        why: &str,
    ) -> Result<Option<(Delivery, oneshot::Receiver<Answer>)>> {
        let is_bounce = message
            .thread
            .as_ref()
            .and_then(|thread| thread.parse().ok())
            .is_some_and(|of| id_of(of, &message.from) == message.id);
        if is_bounce || message.from == *reader {
            return Ok(None);
        }
        let (to, target) = (Address::Agent(message.from.clone()), &message.to);
        let body = format!("@{reader} did not read your message {} to {target}: {why}", message.id.short());
        let mut bounce = Message::new(reader.clone(), to, body, self.env.now());
        bounce.id = id_of(message.id, reader);
        bounce.thread = Some(message.id.to_string());
        match self.prepare(room, &bounce) {
            Ok(Prepared::New(delivery, answer)) => Ok(Some((delivery, answer))),
            Ok(Prepared::Delivered(_) | Prepared::Underway(_)) | Err(Error::UnknownAgent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bounces all that an agent has, and takes its mailbox away; call with the mailbox's turn. It is nobody's any
    /// more: what the disk refuses is done at the next start.
    pub(super) fn bounce_all(&self, room: &Arc<Room>, member: &Member) {
        let ids = {
            let mut mailbox = lock(&member.mailbox);
            mailbox.close();
            mailbox.ids()
        };
        match self.bounce(room, member, &ids, "it was revoked", true) {
            Ok(()) => remove_all(member.place.root()),
            Err(error) => tracing::warn!(agent = %member.name, %error, "a revoked agent's mail stays"),
        }
    }
}

/// The bounce's id: of one message and reader always the same, so that it is told once.
fn id_of(message: MessageId, reader: &AgentName) -> MessageId {
    let reader = reader.as_str().to_ascii_lowercase();
    let digest = Sha256::new().chain_update("bounce").chain_update(message.to_string()).chain_update(reader);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    // A UUID's own text is an id.
    id.to_string().parse().unwrap_or(message)
}
