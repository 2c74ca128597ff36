//! One event of a session: what it proves of earlier mail, and what it shows.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

use super::hook::Error;
use super::payload::Payload;
use super::witness::Witness;
use super::{Means, Parcel};
use crate::attention::Attention;
use crate::harness::{Event, Gives, Manifest, Proves};
use crate::message::{AgentName, Context, DeliveryId, Message};
use crate::repository;
use crate::spool::{Afterwards, Filter, Held, Lease, Left, Moment, Shown, Spool};

/// A session of an agent, at an event.
pub(super) struct Session<'a> {
    pub(super) spool: &'a dyn Spool,
    pub(super) agent: &'a AgentName,
    pub(super) lease: Lease,
    pub(super) manifest: &'a Manifest,
    pub(super) event: &'a Event,
    pub(super) payload: &'a Payload,
    pub(super) attention: &'a Attention,
    pub(super) now: Timestamp,
    pub(super) deadline: Instant,
}

impl Session<'_> {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let held = self.spool.held(self.agent, &self.lease.id)?;
        match self.event.proves {
            Proves::Nothing => {}
            Proves::Prompt => self.acknowledge(&held, &[Moment::Prompt])?,
            Proves::Turn => self.acknowledge(&held, &[Moment::Prompt, Moment::Tool])?,
        }
        match self.event.gives {
            Gives::All | Gives::Urgent | Gives::Reminder if !self.is_welcome() => {}
            Gives::Nothing => {}
            Gives::All if self.payload.text("prompt") == Some("") => return self.deliver(Moment::Tool, out),
            Gives::All => return self.deliver(Moment::Prompt, out),
            Gives::Urgent => return self.deliver(Moment::Tool, out),
            Gives::Reminder => return self.start(out),
            Gives::Back => {
                for held in &held {
                    self.give_back(&held.message, held.shown.is_some())?;
                }
                return Ok(());
            }
        }
        self.renew_if_holding()
    }

    /// Acknowledges what was shown at these moments, as far as the harness's transcript bears it out.
    fn acknowledge(&self, held: &[Held], moments: &[Moment]) -> Result<(), Error> {
        let mut witness = Witness::new(self.manifest, self.event, self.payload, self.deadline);
        for held in held {
            let Some(shown) = held.shown else { continue };
            let is_head = shown.by == Moment::Head && moments.contains(&Moment::Tool);
            if !(is_head || moments.contains(&shown.by)) || !witness.confirms(shown.delivery) {
                continue;
            }
            if is_head {
                self.mark(&held.message, Moment::Noted, shown.delivery)?;
            } else {
                self.spool.acknowledge(self.agent, &self.lease.id, &held.message, Afterwards::Gone)?;
            }
        }
        Ok(())
    }

    fn mark(&self, message: &Message, by: Moment, delivery: Option<DeliveryId>) -> Result<(), Error> {
        Ok(self.spool.mark_shown(self.agent, &self.lease.id, message, Shown { by, delivery })?)
    }

    /// Makes a message unread again that the model may have been shown: it says so the next time.
    fn give_back(&self, message: &Message, is_marked: bool) -> Result<(), Error> {
        // An earlier hook may have printed it, and ended before it could mark it.
        if !is_marked {
            self.mark(message, Moment::Noted, None)?;
        }
        Ok(self.spool.release(self.agent, &self.lease.id, message)?)
    }

    fn renew_if_holding(&self) -> Result<(), Error> {
        if !self.spool.held(self.agent, &self.lease.id)?.is_empty() {
            self.spool.renew(self.agent, &self.lease)?;
        }
        Ok(())
    }

    /// Whether mail may come by itself, now and here.
    fn is_welcome(&self) -> bool {
        let is_off = |directory| self.attention.is_off(Path::new(directory));
        !self.attention.is_paused(self.now) && !self.payload.text("cwd").is_some_and(is_off)
    }

    fn contexts(&self) -> Vec<Context> {
        self.payload
            .text("cwd")
            .map(|directory| repository::contexts(Path::new(directory)))
            .unwrap_or_default()
    }

    /// A new or cleared session: the agent is noted as present, and told where its context lost that.
    fn start(&self, out: &mut dyn Write) -> Result<(), Error> {
        self.spool.seen(self.agent, &self.contexts())?;
        if !matches!(self.payload.text("source"), Some("clear" | "resume" | "compact")) {
            return Ok(());
        }
        let except = self.attention.unasked();
        let unread = self.spool.inbox(self.agent)?.messages;
        let waiting = unread.iter().filter(|message| !message.is_among(&except)).count();
        if waiting == 0 {
            return Ok(());
        }
        let text = format!(
            "backchannel: you are @{}; {waiting} unread, shown with the next prompt where they concern this place.",
            self.agent
        );
        self.print(&text, out)
    }

    /// Shows mail. What the session holds without evidence comes first at a prompt.
    fn deliver(&self, moment: Moment, out: &mut dyn Write) -> Result<(), Error> {
        let mut parcel = Parcel::new(self.manifest.angle_brackets, Means::Commands);
        let except = self.attention.unasked();
        if moment == Moment::Prompt {
            let held = self.spool.held(self.agent, &self.lease.id)?;
            let unproven = held.into_iter().filter(|held| {
                !held.message.is_among(&except) && held.shown.is_none_or(|shown| shown.by != Moment::Noted)
            });
            unproven.for_each(|held| parcel.add_again(held.message));
        }
        let urgent = moment == Moment::Tool;
        let filter = Filter { contexts: Some(self.contexts()), urgent, except, ..Filter::default() };
        let quota = self.spool.quota(self.agent)?;
        parcel.claim(self.spool, self.agent, &self.lease, &filter, &quota)?;
        if moment == Moment::Tool {
            // Between tool calls only urgent mail is spoken of; what waits is told at the prompt.
            parcel.left = Left::default();
        }
        let Some(text) = parcel.text(self.agent) else { return self.renew_if_holding() };
        if Instant::now() >= self.deadline {
            for (message, _) in &parcel.messages {
                self.spool.release(self.agent, &self.lease.id, message)?;
            }
            return Ok(());
        }
        if let Err(error) = self.print(&text, out) {
            for (message, _) in &parcel.messages {
                self.give_back(message, false)?;
            }
            return Err(error);
        }
        for (message, is_head) in &parcel.messages {
            let by = if *is_head { Moment::Head } else { moment };
            self.mark(message, by, Some(parcel.delivery()))?;
        }
        if parcel.messages.is_empty() {
            return Ok(());
        }
        self.spool.renew(self.agent, &self.lease)?;
        self.spool.seen(self.agent, &filter.contexts.unwrap_or_default())?;
        Ok(())
    }

    /// Prints exactly one JSON object of the harness's schema, in one write, and flushes it.
    fn print(&self, text: &str, out: &mut dyn Write) -> Result<(), Error> {
        let answer = self.manifest.answer(self.event, text);
        out.write_all(answer.as_bytes()).and_then(|()| out.flush()).map_err(Error::Print)
    }
}
