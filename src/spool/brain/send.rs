//! Sending: the archive first and once, then each recipient's inbox. A failure for some says which, and whoever goes on
//! with the message delivers to those alone.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::calls::Put;
use super::journey::{self, Journey};
use super::{BrainSpool, Result, each, files, front};
use crate::message::{Address, AgentName, Message};
use crate::spool::error::{OnPath, names};
use crate::spool::{Agent, Error, Sent};

/// Recipients in a row whom the message could not be written to, after which no more are tried now.
const MOST_FAILURES: usize = 4;

impl BrainSpool {
    /// Sends a message, after those that wait; where that cannot be done now, it waits as well.
    pub(super) fn send_in_order(&self, message: &Message) -> Result<Sent> {
        let (archived, redacted) = self.archived(message)?;
        let sent = self.post_copies(message, &archived)?;
        Ok(Sent { redacted, ..sent })
    }

    fn post_copies(&self, message: &Message, archived: &Message) -> Result<Sent> {
        // Whoever finds a message that waits is the only one who goes on with it.
        let _lock = self.here.outbox.lock()?;
        let earlier = self.earlier(message.id)?;
        if let Some((_, journey)) = &earlier
            && journey.message.to_json() != message.to_json()
        {
            return Err(Error::Duplicate(message.id));
        }
        let refused = self.here.outbox.refused(message.id);
        let waiting = self.here.outbox.place(message.id, self.here.env.now());
        let (path, mut journey) = match earlier {
            // What was refused is tried again, and waits where others wait.
            Some((path, journey)) if path == refused => {
                files::make_directory(&self.here.root.join("outbox"))?;
                fs::rename(&path, &waiting).on("move", &path)?;
                (waiting, Journey { is_tried: true, ..journey })
            }
            Some((path, journey)) => (path, Journey { is_tried: true, ..journey }),
            None => (waiting, Journey::new(message)),
        };
        let waiting: Vec<_> =
            self.here.outbox.waiting()?.into_iter().filter(|other| *other != path).collect();
        if !waiting.is_empty()
            && let Some(refusal) = self.send_all_waiting(waiting)?
        {
            return self.keep(&path, &journey, refusal.into());
        }
        let agents = match self.recipients(&mut journey) {
            Ok(agents) => agents,
            Err(error) if error.is_temporary() => return self.keep(&path, &journey, error),
            Err(error) => return Err(error),
        };
        match self.carry(&path, &mut journey, archived) {
            Ok(()) => {
                self.here.note("sent");
                Ok(Sent { to: agents, ..Sent::default() })
            }
            Err(error) => {
                let sent = self.keep(&path, &journey, error)?;
                let has_it = |agent: &Agent| !journey.left.contains(&agent.name);
                let to = if journey.has_begun() {
                    agents.into_iter().filter(has_it).collect()
                } else {
                    Vec::new()
                };
                Ok(Sent { to, ..sent })
            }
        }
    }

    /// Keeps what could not be delivered for the next command, or says that it could not be delivered.
    fn keep(&self, path: &Path, journey: &Journey, error: Error) -> Result<Sent> {
        let error = whom(journey, error);
        if error.is_temporary() && self.here.is_queueing {
            journey::save(path, journey)?;
            return Ok(Sent { queued: Some(reason(&error)), ..Sent::default() });
        }
        if journey.has_begun() && journey.left.len() < journey.all() {
            // The same message again goes to the rest alone.
            journey::save(&self.here.outbox.refused(journey.message.id), journey)?;
        }
        journey::remove(path)?;
        Err(error)
    }

    /// Whom the message goes to, where that is not known yet.
    pub(super) fn recipients(&self, journey: &mut Journey) -> Result<Vec<Agent>> {
        if journey.to.is_some() {
            return Ok(Vec::new());
        }
        let agents = match &journey.message.to {
            Address::Agent(name) => match self.one_agent(name)? {
                Some(agent) => vec![agent],
                None => return Err(Error::UnknownAgent(name.clone())),
            },
            Address::Channel(channel) => {
                let mut agents = self.all_agents()?;
                agents.retain(|agent| {
                    agent.subscriptions.contains(channel) && agent.name != journey.message.from
                });
                if agents.is_empty() {
                    return Err(Error::NoSubscribers(channel.clone()));
                }
                agents
            }
        };
        journey.left = agents.iter().map(|agent| agent.name.clone()).collect();
        journey.to = Some(journey.left.clone());
        Ok(agents)
    }

    /// Writes what is missing of it, and forgets it once all have it.
    pub(super) fn carry(&self, path: &Path, journey: &mut Journey, archived: &Message) -> Result<()> {
        let title = front::title_of(&journey.message);
        if !journey.is_archived {
            if self.here.is_queueing {
                journey::save(path, journey)?;
            }
            let id = journey.message.id;
            let log = |part| self.room.log(id, part);
            self.write_all(&front::documents(archived), &title, &log, journey.is_tried)?;
            journey.is_archived = true;
        }
        let was_tried = std::mem::replace(&mut journey.is_tried, true);
        if self.here.is_queueing {
            journey::save(path, journey)?;
        }
        let mut documents = front::documents(&journey.message);
        if was_tried && let Some(first) = documents.first_mut() {
            // Whoever got an earlier try may have read it.
            *first = front::perhaps_shown(first);
        }
        let (in_a_row, saved) = (AtomicUsize::new(0), Mutex::new(journey.clone()));
        let outcomes = each(&journey.left, |agent| {
            // So many failures and nothing else: the service is away.
            if in_a_row.load(Ordering::Relaxed) >= MOST_FAILURES {
                return None;
            }
            let unread = |part| self.room.unread(agent, journey.message.id, part);
            let written = self.write_all(&documents, &title, &unread, was_tried);
            if written.is_ok() && self.here.is_queueing {
                // It is known who has it before the next one gets it. Where it cannot be saved, a repeat says so.
                let mut saved = saved.lock().unwrap_or_else(PoisonError::into_inner);
                saved.left.retain(|left| left != agent);
                let _ = journey::save(path, &saved);
            }
            match &written {
                Err(error) if error.is_temporary() => drop(in_a_row.fetch_add(1, Ordering::Relaxed)),
                _ => in_a_row.store(0, Ordering::Relaxed),
            }
            Some(written)
        });
        let (mut left, mut failed) = (Vec::new(), None);
        for (agent, outcome) in journey.left.drain(..).zip(outcomes) {
            let Some(outcome) = outcome else {
                left.push(agent);
                continue;
            };
            if let Err(error) = outcome {
                left.push(agent);
                // What may succeed later decides: the rest is refused then.
                failed = match failed {
                    Some(first @ Error::Brain(_)) if Error::is_temporary(&first) => Some(first),
                    _ => Some(error),
                };
            }
        }
        journey.left = left;
        match failed {
            Some(error) => Err(error),
            None => journey::remove(path),
        }
    }

    /// Writes a message's documents, the first last: what is found is whole.
    fn write_all(
        &self,
        documents: &[String],
        title: &str,
        path: &dyn Fn(usize) -> String,
        was_tried: bool,
    ) -> Result<()> {
        // One that is there may be somebody's by now: it is not written over.
        if was_tried && self.calls.read(&path(1))?.is_some() {
            return Ok(());
        }
        for (index, text) in documents.iter().enumerate().rev() {
            self.write_once(&path(index + 1), text, title)?;
        }
        Ok(())
    }

    fn write_once(&self, path: &str, text: &str, title: &str) -> Result<()> {
        let put = Put { path, body: text, title, expected: None };
        let until = self.calls.until();
        for number in 0.. {
            let refusal = match self.calls.write(put) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => self.calls.says_nothing(),
                Err(refusal) => refusal,
            };
            // It may be there, and be read already.
            if refusal.is_unsure() && self.calls.read(path).is_ok_and(|there| there.is_some()) {
                return Ok(());
            }
            if !self.calls.may_try_again(&refusal, number, until) {
                return Err(refusal.into());
            }
        }
        Ok(())
    }
}

/// The error with those who did not get the message, where others did.
pub(super) fn whom(journey: &Journey, error: Error) -> Error {
    let left: Vec<AgentName> = journey.left.clone();
    if journey.is_archived && journey.all() > 1 && !left.is_empty() {
        return Error::Undelivered { to: left, all: journey.all(), source: Box::new(error) };
    }
    error
}

/// What an error says, with its cause.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Undelivered { to, all, source } => {
            format!("{} of {all} have it, {} not yet: {source}", all - to.len(), names(to))
        }
        error => error.to_string(),
    }
}
