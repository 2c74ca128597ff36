//! `inbox`, `drain`, `read`: look; or claim, print, flush, acknowledge, message by message.

use std::io::{self, Write};

use anyhow::Context as _;

use super::args::ScopeArguments;
use super::{Desk, contexts, desk, mail, mistake, output};
use crate::env::Env;
use crate::message::{Message, visible};
use crate::spool::{Afterwards, Claimed, Filter, Found, Lease, Left, Take};

pub(super) fn inbox(recent: bool, scope: &ScopeArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let desk = desk(env)?;
    let attention = desk.attention()?;
    if recent {
        let recent = desk.spool.recent(&desk.agent).context("could not read what was printed lately")?;
        let messages: Vec<_> =
            recent.into_iter().filter(|message| !attention.is_blocked(&message.from)).collect();
        return print_list(&messages, json, "nothing was printed lately\n");
    }
    let contexts = contexts(scope, env)?;
    let mut inbox = desk.spool.inbox(&desk.agent).context("could not read the inbox")?;
    let unread = inbox.messages.len();
    inbox.messages.retain(|message| !attention.is_blocked(&message.from));
    let blocked = unread - inbox.messages.len();
    let (here, elsewhere): (Vec<_>, Vec<_>) = inbox
        .messages
        .into_iter()
        .partition(|message| contexts.as_ref().is_none_or(|contexts| message.matches(contexts)));
    print_list(&here, json, "no unread mail here\n")?;
    note_elsewhere(elsewhere.len());
    let mut notes = Vec::new();
    if attention.is_paused(env.now()) {
        notes.push("mail is paused: no agent is shown any until `bch resume`".to_owned());
    }
    if blocked > 0 {
        notes.push(format!("{blocked} of blocked senders are not shown: bch block"));
    }
    if inbox.claimed > 0 {
        notes.push(format!("{} are being read by running sessions", inbox.claimed));
    }
    for (file, reason) in inbox.bad {
        notes.push(format!("{file} is no message: {reason}"));
    }
    for note in notes {
        output::remark("note", &note);
    }
    Ok(mail::settle(&*desk.spool)?)
}

fn print_list(messages: &[Message], json: bool, nothing: &str) -> anyhow::Result<()> {
    if json {
        output::print_json(&messages)?;
    } else if messages.is_empty() {
        output::print(nothing)?;
    } else {
        let text: String = messages
            .iter()
            .map(|message| format!("{}  {}\n", output::summary(message), output::first_line(message)))
            .collect();
        output::print(&text)?;
    }
    Ok(())
}

pub(super) fn drain(scope: &ScopeArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let desk = desk(env)?;
    let except = desk.attention()?.blocked();
    let filter = Filter { contexts: contexts(scope, env)?, except, ..Filter::default() };
    let (count, left) = take_all(&desk, &filter, json, env)?;
    desk.spool.seen(&desk.agent, &filter.contexts.unwrap_or_default())?;
    if count == 0 && !json {
        output::print("no unread mail here\n")?;
    }
    note_elsewhere(left.other_scopes);
    if left.matching > 0 {
        output::remark("note", &format!("{} more wait: bch drain", left.matching));
    }
    Ok(mail::settle(&*desk.spool)?)
}

fn note_elsewhere(count: usize) {
    if count > 0 {
        output::remark("note", &format!("{count} wait for other scopes: bch inbox --all"));
    }
}

/// Claims what matches and hands it out; returns how many messages were printed, and what is left.
pub(super) fn take_all(desk: &Desk, filter: &Filter, json: bool, env: &Env) -> anyhow::Result<(usize, Left)> {
    let lease = Lease::of_command(env.now());
    let claim = desk.spool.claim(&desk.agent, &lease, filter, Take::All).context("could not claim mail")?;
    let messages = claim.messages;
    let mut out = io::stdout().lock();
    let mut printed = 0;
    let result = hand_out(desk, &lease, &messages, json, &mut out, &mut printed);
    if let Err(error) = result {
        // What was not printed is unread again, at once; should this fail too, the lease lapses with this process.
        for claimed in &messages[printed..] {
            let _ = desk.spool.release(&desk.agent, &lease.id, &claimed.message);
        }
        let left = messages.len() - printed;
        return Err(
            error.context(format!("could not print all mail: {printed} printed, {left} still unread"))
        );
    }
    Ok((printed, claim.left))
}

fn hand_out(
    desk: &Desk,
    lease: &Lease,
    messages: &[Claimed],
    json: bool,
    out: &mut impl Write,
    printed: &mut usize,
) -> anyhow::Result<()> {
    if json && messages.is_empty() {
        out.write_all(b"[]\n")?;
    }
    for (index, Claimed { message, repeat, .. }) in messages.iter().enumerate() {
        let text = if json {
            let open = if index == 0 { "[\n  " } else { "  " };
            let close = if index + 1 == messages.len() { "\n]\n" } else { ",\n" };
            format!("{open}{}{close}", visible::json(&message.to_json()))
        } else {
            let again = if *repeat { "  may have been shown before\n" } else { "" };
            output::message(message).replacen('\n', &format!("\n{again}"), 1)
        };
        out.write_all(text.as_bytes())?;
        out.flush()?;
        *printed = index + 1;
        desk.spool.acknowledge(&desk.agent, &lease.id, message, Afterwards::Recent)?;
    }
    out.flush()?;
    Ok(())
}

pub(super) fn read(id: &str, keep: bool, json: bool, env: &Env) -> anyhow::Result<()> {
    let desk = desk(env)?;
    let found = find_one(&desk, id)?;
    let sender = &found.record.from;
    if desk.attention()?.is_blocked(sender) {
        return Err(mistake(
            format!("could not read {}: @{sender} is blocked", found.record.id.short()),
            format!("bch unblock @{sender}"),
        ));
    }
    let lease = Lease::of_command(env.now());
    let taken = if found.open { desk.spool.take(&desk.agent, &lease, found.record.id)? } else { None };
    let Some(message) = taken.as_ref().or(found.message.as_ref()) else {
        return Err(mistake(
            format!("could not read {}: it was acknowledged, and its text is gone", found.record.id.short()),
            format!("bch send @{} 'please send {} again'", found.record.from, found.record.id.short()),
        ));
    };
    let text = if json { output::json(message) + "\n" } else { output::message(message) };
    if let Err(error) = output::print(&text) {
        if let Some(message) = &taken {
            desk.spool.release(&desk.agent, &lease.id, message)?;
        }
        return Err(error).context("could not print the message");
    }
    if let Some(message) = &taken {
        let after = if keep { Afterwards::Kept } else { Afterwards::Recent };
        desk.spool.acknowledge(&desk.agent, &lease.id, message, after)?;
    }
    Ok(mail::settle(&*desk.spool)?)
}

/// The one message or record whose id begins with `prefix`.
pub(super) fn find_one(desk: &Desk, prefix: &str) -> anyhow::Result<Found> {
    if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Err(mistake(format!("`{prefix}` is not the beginning of a message id"), "bch inbox --all"));
    }
    let mut found = desk.spool.find(&desk.agent, prefix).context("could not look for the message")?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(mistake(format!("there is no message {prefix}"), "bch inbox --all; bch inbox --recent")),
        count => {
            let ids: Vec<_> = found.iter().take(5).map(|found| found.record.id.to_string()).collect();
            Err(mistake(
                format!("{count} messages begin with {prefix}: {}", ids.join(", ")),
                format!("bch read {}", ids[0]),
            ))
        }
    }
}
