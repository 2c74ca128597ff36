//! Sending, and what waits in the outbox until it can be sent.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{RelaySpool, Result, files};
use crate::message::{Address, Message};
use crate::relay::calls::{Again, Refusal};
use crate::relay::wire;
use crate::spool::error::OnPath;
use crate::spool::remote::Outbox;
use crate::spool::{Error, Sent};

/// Where a message may have been sent to a relay that would deliver it twice.
const TRIED: &str = "tried";

impl RelaySpool {
    /// Sends a message, after those that wait; where that cannot be done now, it waits as well.
    pub(super) fn send_in_order(&self, message: &Message, durable: bool) -> Result<Sent> {
        // While somebody empties the outbox nobody sends past it.
        let lock = self.here.outbox.lock()?;
        if let Some(refusal) = self.send_all_waiting(self.here.outbox.waiting()?)? {
            return self.queue(message, refusal);
        }
        // What is in order is in order: two commands at once are in none.
        drop(lock);
        match self.send_now(message, durable) {
            Ok(stamped) => Ok(Sent { stamped: Some(stamped), ..Sent::default() }),
            Err(Error::Relay(refusal)) if refusal.is_temporary() => {
                let _lock = self.here.outbox.lock()?;
                self.queue(message, refusal)
            }
            Err(error) => Err(error),
        }
    }

    fn queue(&self, message: &Message, why: Refusal) -> Result<Sent> {
        let is_lost = matches!(why, Refusal::Unreachable { is_heard: true, .. });
        if !self.here.is_queueing {
            return Err(why.into());
        }
        if is_lost && !self.features().is_ok_and(|features| features.knows_sends()) {
            // Sent again it would perhaps come twice: the sender decides.
            return Err(why.into());
        }
        files::replace(
            &self.here.outbox.place(message.id, self.here.env.now()),
            message.to_json().as_bytes(),
        )?;
        Ok(Sent { queued: Some(why.to_string()), ..Sent::default() })
    }

    /// Sends one message, and returns it as the relay stamped it.
    fn send_now(&self, message: &Message, durable: bool) -> Result<Message> {
        let again = if self.features()?.knows_sends() { Again::Always } else { Again::Unheard };
        let send = wire::Send {
            id: Some(message.id),
            to: message.to.to_string(),
            body: message.body.clone(),
            priority: message.priority,
            scope: message.scope.as_ref().map(ToString::to_string),
            thread: message.thread.clone(),
            refs: (!message.refs.is_empty()).then(|| message.refs.clone()),
            durable,
        };
        match self.calls.post("/v1/send", &send, again) {
            Err(Refusal::Refused { status: 404, reason, url }) => match &message.to {
                // A relay of the first version answers 404 for both, ours too.
                Address::Agent(name) if reason.contains("agent") => Err(Error::UnknownAgent(name.clone())),
                Address::Channel(channel) if reason.contains("subscribed") => {
                    Err(Error::NoSubscribers(channel.clone()))
                }
                _ => Err(Refusal::Refused { status: 404, reason, url }.into()),
            },
            Err(Refusal::Refused { status: 409, .. }) => Err(Error::Duplicate(message.id)),
            sent => Ok(sent?),
        }
    }

    /// Sends what waits; how many messages wait still.
    pub(super) fn empty_outbox(&self) -> Result<usize> {
        self.here.outbox.empty(self.calls.deadline(), |waiting| self.send_all_waiting(waiting))
    }

    /// Sends these; why it had to stop, if it had.
    fn send_all_waiting(&self, waiting: Vec<PathBuf>) -> Result<Option<Refusal>> {
        let mut blocked: HashSet<String> = HashSet::new();
        let mut stopped = None;
        for path in waiting {
            let Some(message) = self.read_waiting(&path)? else { continue };
            if blocked.contains(&message.to.to_string()) {
                continue;
            }
            if let Some(reason) = self.hopeless(&path, &message)? {
                self.bounce(&path, &message, reason)?;
                continue;
            }
            match self.send_waiting(&path, &message) {
                Ok(()) => {
                    // The message first: what says that it was tried would else be missing where it was sent.
                    fs::remove_file(&path).on("remove", &path)?;
                    let _ = fs::remove_file(path.with_extension(TRIED));
                }
                Err(Error::Relay(refusal @ (Refusal::Unreachable { .. } | Refusal::Unknown { .. }))) => {
                    return Ok(Some(refusal));
                }
                // A full mailbox is one recipient's: the others' mail goes on.
                Err(Error::Relay(refusal)) if refusal.is_temporary() => {
                    blocked.insert(message.to.to_string());
                    stopped = Some(refusal);
                }
                Err(error @ (Error::Io { .. } | Error::Damaged { .. })) => return Err(error),
                Err(error) => self.bounce(&path, &message, &error.to_string())?,
            }
        }
        Ok(stopped)
    }

    /// Why a message is not to be sent any more: it might come twice.
    fn hopeless(&self, path: &Path, message: &Message) -> Result<Option<&'static str>> {
        if Outbox::is_too_old(message.ts, self.here.env.now()) {
            return Ok(Some("the relay could not be reached for 29 days"));
        }
        Ok(path.with_extension(TRIED).exists().then_some(
            "the connection was cut while it was sent, and this relay would deliver it twice: ask whether it came",
        ))
    }

    fn send_waiting(&self, path: &Path, message: &Message) -> Result<()> {
        match self.features() {
            Ok(features) if !features.knows_sends() => {}
            Ok(_) => return self.send_now(message, true).map(drop),
            Err(error) => return Err(error),
        }
        let tried = path.with_extension(TRIED);
        files::replace(&tried, b"")?;
        let sent = self.send_now(message, true);
        if !matches!(sent, Ok(_) | Err(Error::Relay(Refusal::Unreachable { is_heard: true, .. }))) {
            let _ = fs::remove_file(&tried);
        }
        sent.map(drop)
    }

    fn bounce(&self, path: &Path, message: &Message, reason: &str) -> Result<()> {
        self.here.bounce(path, message, reason)?;
        let _ = fs::remove_file(path.with_extension(TRIED));
        Ok(())
    }

    /// Reads a message that waits; one that cannot be read is set aside.
    fn read_waiting(&self, path: &Path) -> Result<Option<Message>> {
        let Some(bytes) = files::read(path).on("read", path)? else { return Ok(None) };
        match Message::from_json(&bytes) {
            Ok(message) => Ok(Some(message)),
            Err(_) => self.here.outbox.set_aside(path).map(|()| None),
        }
    }
}
