//! The loop: look, hold back or announce, wait.
//!
//! What waits to be announced is looked at again just before it is shown: what somebody read or claimed in the
//! meantime is not. Whatever fails, fails for now: the message waits, and the next pass tries again.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::announced::Announced;
use super::announcement::Notice;
use super::bell::{Wait, Wake};
use super::desktop::{self, Desktop};
use super::directory;
use super::limits::{Limits, Showing};
use super::status::{Status, Trouble};
use crate::attention::Attention;
use crate::config::{self, Config};
use crate::env::Env;
use crate::message::{MessageId, Priority};
use crate::spool::local::files;
use crate::spool::{self, Watch};

/// How long the loop waits where nothing rings: a lease may lapse, a quiet hour begin, a network mount be silent.
const CAUTIOUS: Duration = Duration::from_secs(60);
/// And where the system tells of no changes at all.
const SLOW: Duration = Duration::from_secs(1);

/// Announces the urgent mail of a home.
pub struct Notifier {
    config: Config,
    env: Env,
    watch: Box<dyn Watch>,
    desktop: Box<dyn Desktop>,
    announced: Announced,
    limits: Limits,
    status: Status,
    /// Read, and not announced yet.
    waiting: HashMap<MessageId, Notice>,
    /// What waits was held back: it comes late, and is summed up if it is much.
    is_late: bool,
    /// Why the last pass failed.
    failure: Option<Failure>,
    /// How long to wait after failures.
    retry: Duration,
}

/// Why messages wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// A person paused all mail.
    Paused,
    /// It is a quiet hour.
    Quiet,
    /// Too many came within a minute.
    Limited,
    /// Something failed; the status says what.
    Failed,
}

/// What one pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// How many messages were announced.
    pub announced: usize,
    /// How many wait, muted ones not counted, and why.
    pub waiting: Option<(usize, Waiting)>,
    /// How long the next pass may wait.
    pub patience: Duration,
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Mail, or what is written down of it.
    #[error(transparent)]
    Spool(#[from] spool::Error),
    /// The settings.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// Whoever is to show it.
    #[error(transparent)]
    Desktop(#[from] desktop::Error),
}

impl Failure {
    /// A command that mends it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Spool(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Desktop(error) => error.hint(),
        }
    }
}

impl Notifier {
    /// A notifier that has announced nothing yet; the only one of this home at a time.
    ///
    /// # Errors
    /// Where what was announced cannot be read.
    pub fn new(
        config: Config,
        env: &Env,
        watch: Box<dyn Watch>,
        desktop: Box<dyn Desktop>,
    ) -> spool::Result<Self> {
        sweep(&directory(&config.home));
        let announced = Announced::load(&directory(&config.home))?;
        let status = Status { since: Some(env.now()), ..Status::load(&config.home)? };
        Ok(Self {
            config,
            env: env.clone(),
            watch,
            desktop,
            announced,
            limits: Limits::default(),
            status,
            waiting: HashMap::new(),
            is_late: true,
            failure: None,
            retry: SLOW,
        })
    }

    /// Announces until the end is asked for; tells each new failure.
    pub fn run(&mut self, wait: &mut dyn Wait, tell: &mut dyn FnMut(&str)) {
        let mut told = None;
        self.save_status();
        loop {
            let pass = self.pass();
            let trouble = self.failure.as_ref().map(ToString::to_string);
            if let Some(trouble) = trouble.as_ref().filter(|_| told != trouble) {
                tell(trouble);
            }
            told = trouble;
            if wait.wait(pass.patience) == Wake::End {
                return;
            }
        }
    }

    /// Finds what is unread by now; a loop is told of it, one pass alone is not.
    ///
    /// # Errors
    /// Where nobody can be asked.
    pub fn catch_up(&mut self) -> spool::Result<()> {
        self.watch.catch_up()
    }

    /// Looks once, and announces what may be announced now.
    pub fn pass(&mut self) -> Pass {
        let now = self.env.now();
        let cautious = if self.watch.is_told() { CAUTIOUS } else { SLOW };
        let mut pass = Pass { announced: 0, waiting: None, patience: cautious };
        self.failure = self.try_pass(now, &mut pass).err();
        if let Some(failure) = &self.failure {
            pass.waiting = Some((self.waiting.len(), Waiting::Failed));
            // What rings is a new try at once.
            pass.patience = self.retry;
            self.is_late = true;
            self.retry = (self.retry * 2).min(CAUTIOUS);
            let what = failure.to_string();
            if self.status.last_error.as_ref().is_none_or(|trouble| trouble.what != what) {
                self.status.last_error = Some(Trouble { at: now, what });
                self.save_status();
            }
        } else {
            self.retry = SLOW;
        }
        pass
    }

    /// Why the last pass failed, if it did.
    #[must_use]
    pub fn into_failure(self) -> Option<Failure> {
        self.failure
    }

    fn try_pass(&mut self, now: Timestamp, pass: &mut Pass) -> Result<(), Failure> {
        let looked = self.look();
        let attention = Attention::load(&self.config.home)?;
        let quiet = self.config.notify_settings()?.quiet_hours;
        let quiet = quiet.and_then(|hours| hours.end(&now.to_zoned_datetime(self.env.time_zone())));
        let pause = attention.paused.as_ref().filter(|_| attention.is_paused(now));
        let (until, why) = match (pause, quiet) {
            (Some(pause), _) => (pause.until, Waiting::Paused),
            (None, Some(end)) => (Some(end), Waiting::Quiet),
            (None, None) => {
                self.announce(&attention, now, pass)?;
                self.is_late = false;
                return Ok(looked?);
            }
        };
        self.is_late = true;
        if let Some(until) = until {
            pass.patience = pass.patience.min(until.duration_since(now).try_into().unwrap_or_default());
        }
        let held = self.wanted(&attention).len();
        pass.waiting = (held > 0).then_some((held, why));
        Ok(looked?)
    }

    /// Takes in what landed.
    fn look(&mut self) -> spool::Result<()> {
        let (announced, waiting) = (&self.announced, &mut self.waiting);
        self.watch.look(&mut |landed| {
            let id = landed.message.id;
            // What doctor sends to prove delivery is nobody's mail.
            let is_meant = landed.message.priority == Priority::Urgent && !landed.agent.is_canary();
            if is_meant && !announced.has(id) {
                // Mail by a channel lies in several mailboxes; it is announced once.
                waiting.entry(id).or_insert_with(|| Notice::of(landed));
            }
        })
    }

    /// What a person wants to be told of, oldest first.
    fn wanted(&self, attention: &Attention) -> Vec<Notice> {
        let is_wanted = |notice: &&Notice| {
            !attention.is_muted(&notice.message) && !attention.is_blocked(&notice.message.from)
        };
        let mut wanted: Vec<_> = self.waiting.values().filter(is_wanted).cloned().collect();
        wanted.sort_by_key(|notice| (notice.message.ts, notice.message.id));
        wanted
    }

    fn announce(&mut self, attention: &Attention, now: Timestamp, pass: &mut Pass) -> Result<(), Failure> {
        let (candidates, mut wanted) = (self.wanted(attention), Vec::new());
        let asked: Vec<_> =
            candidates.iter().map(|notice| (notice.agent.clone(), notice.message.id)).collect();
        let unread = self.watch.unread_of(&asked)?;
        for notice in candidates {
            // What is unread again one day is handed out again.
            match unread.contains(&notice.message.id) {
                true => wanted.push(notice),
                false => drop(self.waiting.remove(&notice.message.id)),
            }
        }
        let showings = self.limits.plan(&wanted, self.is_late, now);
        let result = if showings.is_empty() { Ok(()) } else { self.show(&wanted, &showings, now, pass) };
        self.desktop.leave();
        result?;
        let left = wanted.len() - pass.announced;
        if let Some(next) = self.limits.next(now).filter(|_| left > 0) {
            pass.patience = pass.patience.min(next);
        }
        pass.waiting = (left > 0).then_some((left, Waiting::Limited));
        Ok(())
    }

    fn show(
        &mut self,
        wanted: &[Notice],
        showings: &[Showing],
        now: Timestamp,
        pass: &mut Pass,
    ) -> Result<(), Failure> {
        self.desktop.greet()?;
        let ids = |showing: &Showing| {
            let notices = showing.about.iter().filter_map(|index| wanted.get(*index));
            notices.map(|notice| notice.message.id).collect::<Vec<_>>()
        };
        let tried: Vec<_> = showings.iter().flat_map(ids).collect();
        self.announced.begin(&tried, &self.watch.waiting()?)?;
        let (mut shown, mut result) = (Vec::new(), Ok(()));
        for showing in showings {
            result = self.desktop.show(&showing.announcement);
            if result.is_err() {
                break;
            }
            self.limits.count(showing, now);
            shown.extend(ids(showing));
        }
        shown.iter().for_each(|id| drop(self.waiting.remove(id)));
        pass.announced = shown.len();
        let finished = self.announced.finish(&tried, &shown);
        if !shown.is_empty() {
            self.status.announced += shown.len() as u64;
            self.status.last_announcement = Some(now);
            self.save_status();
        }
        finished?;
        Ok(result?)
    }

    /// A status that cannot be written is missed by nobody: what it would tell of is told on standard error, too.
    fn save_status(&self) {
        let _ = self.status.save(&self.config.home);
    }
}

/// Removes the drafts of a notifier that was killed.
fn sweep(directory: &Path) {
    for name in files::names(directory).unwrap_or_default() {
        if name.starts_with('.') && name.ends_with(".tmp") {
            let _ = fs::remove_file(directory.join(name));
        }
    }
}
