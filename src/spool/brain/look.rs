//! A look at an inbox: one request, whatever lies there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::document::Document;
use super::front::{self, Notes};
use super::{BrainSpool, Deadline, Refusal, Result, each, place};
use crate::message::{Message, MessageId};
use crate::spool::Filter;
use crate::spool::claim::Fit;

/// What a hook keeps of its time for what it is to show.
const HALF: Duration = Duration::from_millis(750);
/// What an id begins with.
const ID: &str = "0123456789abcdef";
/// What a name begins with; the first version takes capitals.
pub(super) const NAME: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A message in an inbox.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// With its whole body.
    pub(super) message: Message,
    pub(super) notes: Notes,
    /// The first of its documents, with its text.
    pub(super) document: Document,
}

/// What lies in an inbox and is no message.
#[derive(Debug, Clone)]
pub(super) struct Bad {
    pub(super) name: String,
    pub(super) reason: String,
    /// To be set aside; what never looked like a message stays where somebody put it.
    pub(super) document: Option<Document>,
}

#[derive(Debug, Clone, Default)]
pub(in crate::spool) struct Look {
    /// Oldest first.
    pub(super) letters: Vec<Letter>,
    pub(super) bad: Vec<Bad>,
    /// Further parts of messages that are gone.
    pub(super) orphans: Vec<Document>,
    /// There may be more.
    pub(super) is_cut: bool,
}

impl Look {
    /// What of it is no mail.
    pub(super) fn aside(&self) -> Self {
        Self { bad: self.bad.clone(), orphans: self.orphans.clone(), ..Self::default() }
    }
}

impl Letter {
    /// Whether somebody holds it.
    pub(super) fn is_held(&self, now: jiff::Timestamp) -> bool {
        self.notes.mark.as_ref().is_some_and(|mark| mark.holds(now))
    }
}

impl BrainSpool {
    /// Looks at the own inbox.
    pub(super) fn look(&self) -> Result<Look> {
        let prefix = self.room.inbox(&self.here.agent);
        let (documents, mut is_cut) = self.list_all(&prefix, ID)?;
        let mut look = Look { is_cut, ..Look::default() };
        let (mut first, mut parts) = (Vec::new(), HashMap::new());
        let (documents, missing) = self.with_texts(documents);
        if let Some(refusal) = missing {
            if documents.is_empty() {
                return Err(refusal.into());
            }
            is_cut = true;
        }
        look.is_cut |= is_cut;
        for document in documents {
            let name = document.path.strip_prefix(&prefix).unwrap_or(&document.path).to_owned();
            match place::parse_name(&name) {
                Some((id, 1)) => first.push((id, name, document)),
                Some((id, part)) => drop(parts.insert((id, part), document)),
                None => look.bad.push(Bad {
                    name,
                    reason: "its name is not `<uuid>.md`".to_owned(),
                    document: None,
                }),
            }
        }
        for (id, name, document) in first {
            let read = front::read(document.body_md.as_deref().unwrap_or_default());
            let (message, notes) = match read {
                Ok((message, notes)) if message.id == id => (message, notes),
                Ok((message, _)) => {
                    let reason = format!("it says that its id is {}", message.id);
                    look.bad.push(Bad { name, reason, document: Some(document) });
                    continue;
                }
                Err(damage) => {
                    look.bad.push(Bad { name, reason: damage.to_string(), document: Some(document) });
                    continue;
                }
            };
            match whole(message, notes.parts, &mut parts) {
                Some(message) => look.letters.push(Letter { message, notes, document }),
                // It may be on its way out: what is left of it goes with the next claim.
                None => {
                    let reason = format!("of its {} documents one is missing", notes.parts);
                    look.bad.push(Bad { name, reason, document: None });
                }
            }
        }
        look.orphans = if is_cut { Vec::new() } else { parts.into_values().collect() };
        look.letters.sort_by_key(|letter| (letter.message.ts, letter.message.id));
        Ok(look)
    }

    /// All documents under a prefix, whose names go on with one of these letters, and whether there may be more: a service
    /// gives no more than so many, and does not say how many.
    pub(super) fn list_all(&self, prefix: &str, letters: &str) -> Result<(Vec<Document>, bool)> {
        let documents = self.calls.list(prefix)?;
        if !is_perhaps_cut(documents.len()) {
            return Ok((documents, false));
        }
        let parts: Vec<_> = letters.chars().map(|letter| format!("{prefix}{letter}")).collect();
        let mut all: HashMap<_, _> =
            documents.into_iter().map(|document| (document.path.clone(), document)).collect();
        let mut is_cut = false;
        for listed in each(&parts, |prefix| self.calls.list(prefix)) {
            // What cannot be had now is there the next time.
            let listed = listed.inspect_err(|_| is_cut = true).unwrap_or_default();
            is_cut |= is_perhaps_cut(listed.len());
            all.extend(listed.into_iter().map(|document| (document.path.clone(), document)));
        }
        Ok((all.into_values().collect(), is_cut))
    }

    /// The same documents with their texts, where the list came without; those that are gone meanwhile are left out, and
    /// those that cannot be read now keep nobody from the others: why, where there are such.
    pub(super) fn with_texts(&self, documents: Vec<Document>) -> (Vec<Document>, Option<Refusal>) {
        let (mut whole, bare): (Vec<_>, Vec<_>) =
            documents.into_iter().partition(|document| document.body_md.is_some());
        let is_over = AtomicBool::new(false);
        let reads = each(&bare, |document| {
            // A prompt keeps time for what it is to show; and where the service is away, it is away for all.
            let is_late = matches!(self.calls.deadline(), Deadline::At(_)) && self.calls.left() < HALF;
            if is_late || is_over.load(Ordering::Relaxed) {
                return Err(self.calls.no_time());
            }
            let read = self.calls.read(&document.path);
            if matches!(&read, Err(refusal) if refusal.is_everybodys() && refusal.status().is_none()) {
                is_over.store(true, Ordering::Relaxed);
            }
            read
        });
        let mut missing = None;
        for read in reads {
            match read {
                Ok(read) => whole.extend(read.filter(|document| document.body_md.is_some())),
                Err(refusal) => missing = missing.or(Some(refusal)),
            }
        }
        (whole, missing)
    }

    /// What is unread in the brain and not here, and how many others hold.
    pub(super) fn unread_of<'a>(&self, look: &'a Look) -> Result<(Vec<&'a Letter>, usize)> {
        let (here, now) = (self.here.desk.all_that_lies(&self.here.agent)?, self.here.env.now());
        let (mut unread, mut held) = (Vec::new(), 0);
        for letter in &look.letters {
            let id = letter.message.id;
            if here.contains_key(&id) || self.here.journal.was_read(id) {
                continue;
            }
            if letter.is_held(now) { held += 1 } else { unread.push(letter) }
        }
        Ok((unread, held))
    }

    /// What of it the reader asks for, each with whether it is a stray; the rest that waits for other scopes is counted.
    pub(super) fn asked_for<'a>(
        &self,
        unread: Vec<&'a Letter>,
        filter: &Filter,
        other_scopes: &mut usize,
    ) -> Vec<(&'a Letter, bool)> {
        let mut asked = Vec::with_capacity(unread.len());
        for letter in unread {
            match filter.fit(&letter.message, self.here.env.now()) {
                Fit::Here => asked.push((letter, false)),
                Fit::Stray => asked.push((letter, true)),
                Fit::Elsewhere => *other_scopes += 1,
                Fit::Unasked => {}
            }
        }
        asked
    }
}

/// Services cut their lists at round numbers.
fn is_perhaps_cut(count: usize) -> bool {
    count >= 50 && count.is_multiple_of(50)
}

/// The message with what its further parts hold; `None` where one is missing.
fn whole(
    mut message: Message,
    count: usize,
    parts: &mut HashMap<(MessageId, usize), Document>,
) -> Option<Message> {
    for part in 2..=count {
        let document = parts.remove(&(message.id, part))?;
        message.body.push_str(&front::read_part(document.body_md.as_deref()?)?);
    }
    Some(message)
}
