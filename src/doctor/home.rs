//! The mail's home: the agent, its inbox, who holds claims, the clock, and what the hook wrote into its log.
//!
//! Message texts are never shown here, nor passed on to any process.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::{Sheet, age, counted, span, word};
use crate::install::wishes::Ground;
use crate::message::{AgentName, MessageId};
use crate::spool::{Error, Holding, Holdings, Inbox, Spool};

/// What a clock may differ from another one.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// No clock that goes right shows an earlier time than the one at which this was written.
const WRITTEN: &str = "2026-11-01T00:00:00Z";
/// An error of the hook that is older than this is no news.
const NEWS: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) fn look(sheet: &mut Sheet<'_>, ground: &Ground<'_>, mail: &dyn Spool, agent: Option<&AgentName>) {
    let now = ground.env.now();
    let (mut inbox, mut holdings) = (Inbox::default(), Holdings::default());
    if let Some(agent) = registered(sheet, mail, agent) {
        let mailbox = ground.home.join("spool").join(agent.as_str());
        let looked = mail.inbox(&agent).and_then(|inbox| Ok((inbox, mail.holdings(&agent)?)));
        match looked {
            Err(error) => {
                let hint = error.hint().unwrap_or_else(|| format!("ls -la {}", word(&mailbox)));
                sheet.fail("mail", error.to_string(), hint);
            }
            Ok(looked) => {
                (inbox, holdings) = looked;
                let unread = inbox.messages.len();
                sheet.ok("mail", format!("@{agent}: {unread} unread, {} being read", inbox.claimed));
                bad(sheet, &inbox, &mailbox);
                claims(sheet, &holdings, &mailbox, now);
            }
        }
    }
    clock(sheet, &inbox, &holdings, now);
    log(sheet, &ground.home.join("hook.log"), now);
}

/// The agent as its record spells it.
fn registered(sheet: &mut Sheet<'_>, mail: &dyn Spool, agent: Option<&AgentName>) -> Option<AgentName> {
    let Some(agent) = agent else {
        sheet.fail("agent", "this machine has no agent yet", "bch init NAME");
        return None;
    };
    match mail.agent(agent) {
        Ok(Some(record)) => return Some(record.name),
        Ok(None) => {
            let detail = format!("@{agent} has no record: nobody can write to it");
            sheet.fail("agent", detail, format!("bch init {agent}"));
        }
        Err(error) => {
            let hint = match &error {
                Error::Damaged { path, .. } => {
                    let path = word(path);
                    format!("mv {path} {path}.damaged && bch init {agent}")
                }
                error => error.hint().unwrap_or_else(|| "bch agents".to_owned()),
            };
            sheet.fail("agent", error.to_string(), hint);
        }
    }
    None
}

/// The agent that a harness has of its own.
pub(super) fn identity(sheet: &mut Sheet<'_>, mail: &dyn Spool, agent: &AgentName) {
    let make = || format!("BACKCHANNEL_AGENT={agent} bch init {agent}");
    match mail.agent(agent).and_then(|record| Ok((record.is_some(), mail.inbox(agent)?.messages.len()))) {
        Ok((true, unread)) => sheet.ok("agent", format!("@{agent}, its own: {unread} unread")),
        Ok((false, _)) => {
            sheet.fail("agent", format!("@{agent} has no record: nobody can write to it"), make())
        }
        Err(error) => sheet.fail("agent", error.to_string(), error.hint().unwrap_or_else(make)),
    }
}

fn bad(sheet: &mut Sheet<'_>, inbox: &Inbox, mailbox: &Path) {
    for (file, reason) in &inbox.bad {
        sheet.warn("bad message", format!("{file}: {reason}"), format!("ls -lR {}", word(mailbox)));
    }
}

/// Claims of readers that are gone come back by themselves: only what does not is a fault.
fn claims(sheet: &mut Sheet<'_>, holdings: &Holdings, mailbox: &Path, now: Timestamp) {
    for Holding { lease, messages, damage, .. } in &holdings.readers {
        let Some(damage) = damage else { continue };
        let path = mailbox.join("claimed").join(lease.to_string()).join("lease.json");
        let detail = format!(
            "{} cannot be read, so that {} never come back: {damage}",
            path.display(),
            counted(*messages, "message")
        );
        sheet.warn("claims", detail, format!("rm {}", word(&path)));
    }
    for path in &holdings.strays {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let id = name.get(..36).and_then(|id| MessageId::from_file_name(id, ""));
        let hint = match id {
            Some(id) => {
                format!("mv {} {}", word(path), word(&mailbox.join("new").join(format!("{id}.json"))))
            }
            None => format!("ls -ld {}", word(path)),
        };
        sheet.warn("claims", format!("no reader ever looks at {}", path.display()), hint);
    }
    let stale = || holdings.readers.iter().filter(|reader| reader.has_lapsed && reader.messages > 0);
    let messages: usize = stale().map(|reader| reader.messages).sum();
    let oldest = stale().filter_map(|reader| reader.seen).min();
    sheet.ok(
        "claims",
        match (messages, oldest) {
            (0, _) => "none is stale".to_owned(),
            (_, None) => format!("{} to be claimed anew", counted(messages, "message")),
            (_, Some(oldest)) => format!(
                "{} of readers that are gone, the longest for {}: the next reader gets them",
                counted(messages, "message"),
                age(now, oldest)
            ),
        },
    );
}

/// Mail and leases bear times: a clock that was wrong, here or at a sender, shows in them.
fn clock(sheet: &mut Sheet<'_>, inbox: &Inbox, holdings: &Holdings, now: Timestamp) {
    const HINT: &str = "timedatectl status";
    if WRITTEN.parse::<Timestamp>().is_ok_and(|written| now < written) {
        sheet.warn("clock", format!("it is {now:.0} by this machine, before this version was made"), HINT);
        return;
    }
    let messages = inbox.messages.iter().map(|message| message.ts);
    let leases = holdings.readers.iter().filter_map(|reader| reader.seen);
    let ahead: Vec<_> = messages
        .chain(leases)
        .map(|time| time.duration_since(now))
        .filter(|ahead| *ahead > TOLERANCE)
        .collect();
    match ahead.iter().max() {
        None => sheet.ok("clock", format!("{now:.0}")),
        Some(most) => {
            let what = counted(ahead.len(), "time");
            sheet.warn("clock", format!("{what} in the mail, up to {} in the future", span(*most)), HINT);
        }
    }
}

/// The hook has nobody to tell what went wrong, so it writes that down.
fn log(sheet: &mut Sheet<'_>, path: &Path, now: Timestamp) {
    let Some((time, problem)) = last_error(path) else { return };
    let when = time.map_or_else(|| "at an unknown time".to_owned(), |time| format!("{} ago", age(now, time)));
    let detail = format!("the hook's last error, {when}: {problem}");
    if time.is_some_and(|time| now.duration_since(time) > NEWS) {
        sheet.ok("hook.log", detail);
    } else {
        let path = word(path);
        sheet.warn("hook.log", detail, format!("tail {path}   # and once that is mended: rm {path}"));
    }
}

/// The last line of the hook's log: when it was written, and what went wrong.
pub(super) fn last_error(path: &Path) -> Option<(Option<Timestamp>, String)> {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let last = text.lines().rfind(|line| !line.trim().is_empty())?;
    let (time, problem) = last.split_once(' ').unwrap_or(("", last));
    Some((time.parse().ok(), problem.to_owned()))
}
