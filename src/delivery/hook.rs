//! What one hook does: claim, show, mark — and acknowledge only on evidence that the model saw it.
//!
//! The rules are in `docs/delivery.md`; what differs between harnesses is in their manifests.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::payload::Payload;
use super::witness::Witness;
use super::{Invocation, Parcel, canary};
use crate::attention::Attention;
use crate::config::{self, Config};
use crate::env::Env;
use crate::harness::{Event, Gives, Manifest, Proves};
use crate::message::{AgentName, DeliveryId, Message};
use crate::repository;
use crate::spool::local::LocalSpool;
use crate::spool::{self, Afterwards, Filter, Lease, Left, Moment, Shown, Spool};

/// A hook that has not printed by then gives its mail back and prints nothing.
pub const DEADLINE: Duration = Duration::from_millis(1500);

/// What a hook could not do; it goes to the log that `doctor` reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The mail.
    #[error(transparent)]
    Spool(#[from] spool::Error),
    /// The harness's pipe.
    #[error("could not print to the harness: {0}")]
    Print(io::Error),
    /// A home that another backend serves.
    #[error("this home uses the {0} backend, which this version does not have")]
    Backend(&'static str),
}

struct Session<'a> {
    spool: &'a dyn Spool,
    agent: &'a AgentName,
    lease: Lease,
    manifest: &'a Manifest,
    event: &'a Event,
    payload: &'a Payload,
    attention: &'a Attention,
    now: Timestamp,
    deadline: Instant,
}

/// Runs one hook. `is_busy` is called where there is mail, before anything that may wait.
///
/// # Errors
/// Where mail could not be read, written or printed; nothing of it is lost then.
pub fn run(
    invocation: &Invocation,
    is_busy: impl FnOnce(),
    read_payload: impl FnOnce() -> Vec<u8>,
    out: &mut dyn Write,
    env: &Env,
    deadline: Instant,
) -> Result<(), Error> {
    let Some(home) = invocation.home.clone().or_else(|| env.default_home()) else { return Ok(()) };
    let config = Config::load_from(&home)?;
    let agent = match &invocation.agent {
        Some(agent) => agent.clone(),
        None => match config.agent() {
            Err(config::Error::NoAgent) => {
                drop(read_payload());
                return Ok(());
            }
            agent => agent?,
        },
    };
    if let Some(backend) = config.remote() {
        drop(read_payload());
        return Err(Error::Backend(backend));
    }
    let spool = LocalSpool::open(&home, env, 0);
    let agent = canary::asked_for(&spool, env).unwrap_or(agent);
    let is_quiet = spool.is_quiet(&agent);
    if !is_quiet {
        is_busy();
    }
    // The payload is read to its end even where it does not matter: a harness may not expect its pipe to break.
    let bytes = read_payload();
    if is_quiet && !Manifest::may_start_a_session(&invocation.event) {
        return Ok(());
    }
    let Some(manifest) = Manifest::find(&invocation.harness) else { return Ok(()) };
    let (Some(event), Some(payload)) = (manifest.event(&invocation.event), Payload::parse(&bytes)) else {
        return Ok(());
    };
    let is_allowed = invocation.unattended || env.text("BACKCHANNEL_UNATTENDED").as_deref() == Some("1");
    if !manifest.is_genuine(event, |name| payload.text(name), |name| payload.has(name), env)
        || (!is_allowed && manifest.is_unattended(env, |name| payload.text(name)))
    {
        return Ok(());
    }
    // Where it cannot be read nothing is shown: a blocked sender must not profit from a damaged file.
    let attention = Attention::load(&home)?;
    // A person's pause is no fault of what is installed.
    let attention = if agent.is_canary() { Attention::default() } else { attention };
    let Some(session) = payload.text("session_id").filter(|id| !id.is_empty()) else { return Ok(()) };
    let process = manifest.process(env);
    let lease = Lease::of_session(&manifest.id, session, process, env.now());
    Session {
        spool: &spool,
        agent: &agent,
        lease,
        manifest: &manifest,
        event,
        payload: &payload,
        attention: &attention,
        now: env.now(),
        deadline,
    }
    .run(out)
}

impl Session<'_> {
    fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
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
    fn acknowledge(&self, held: &[spool::Held], moments: &[Moment]) -> Result<(), Error> {
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

    fn contexts(&self) -> Vec<crate::message::Context> {
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
        let mut parcel = Parcel::new(self.manifest.angle_brackets);
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
