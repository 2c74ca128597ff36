//! `send` and `reply`.

use std::io::{self, Read};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use super::args::{MessageOptions, ReplyArguments, SendArguments};
use super::delivery::find_one;
use super::{Desk, desk, desk_without_queue, mistake, output};
use crate::env::Env;
use crate::message::{Address, LONGEST_BODY, Message, Priority, Scope};
use crate::repository;
use crate::spool::Sent;

/// After this long without a sign of life the sender is told.
const LONG_AGO: SignedDuration = SignedDuration::from_hours(3 * 24);

pub(super) fn send(arguments: SendArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let to: Address =
        arguments.to.parse().with_context(|| format!("could not send to `{}`", arguments.to))?;
    let desk = desk_for_sending(&arguments.options, env)?;
    let mut message = Message::new(desk.agent.clone(), to, body(&arguments.body)?, env.now());
    message.thread = arguments.thread;
    message.scope = match arguments.scope.as_deref() {
        None => None,
        Some(".") => {
            let remote = env.directory().and_then(|directory| repository::first_remote(&directory));
            let Some(remote) = remote else {
                return Err(mistake(
                    "could not use `--scope .`: this directory is in no repository with a remote",
                    "bch send TO BODY --scope NAME",
                ));
            };
            Some(Scope::parse(&remote).context("could not use the scope")?)
        }
        Some(scope) => Some(Scope::parse(scope).context("could not use the scope")?),
    };
    post(&desk, message, &arguments.options, json, env)
}

pub(super) fn reply(arguments: ReplyArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let desk = desk_for_sending(&arguments.options, env)?;
    let answered = find_one(&desk, &arguments.id)?.record;
    let to = Address::Agent(answered.from);
    let mut message = Message::new(desk.agent.clone(), to, body(&arguments.body)?, env.now());
    message.thread = Some(answered.id.to_string());
    message.scope = answered.scope.map(Scope::from);
    post(&desk, message, &arguments.options, json, env)
}

fn desk_for_sending(options: &MessageOptions, env: &Env) -> anyhow::Result<Desk> {
    if options.no_queue { desk_without_queue(env) } else { desk(env) }
}

fn post(
    desk: &Desk,
    mut message: Message,
    options: &MessageOptions,
    json: bool,
    env: &Env,
) -> anyhow::Result<()> {
    if options.urgent {
        message.priority = Priority::Urgent;
    }
    message.refs.clone_from(&options.refs);
    let sent = desk
        .spool
        .send(&message, !options.no_sync)
        .with_context(|| format!("could not send to {}", message.to))?;
    let message = sent.stamped.clone().unwrap_or(message);
    let (short, to) = (message.id.short(), &message.to);
    let told = match &sent.queued {
        queued if json => {
            let mut value = serde_json::to_value(&message).context("could not print the message")?;
            if let Some(why) = queued {
                value["queued"] = why.as_str().into();
            }
            output::print_json(&value)
        }
        Some(_) => output::print(&format!("queued {short} to {to}\n")),
        None => output::print(&format!("sent {short} to {to}\n")),
    };
    if let Err(error) = told {
        // It was sent: a script that took a failure for the contrary would send it twice.
        output::remark("warning", &format!("sent {short}, but could not print so: {error}"));
    }
    if let Some(why) = &sent.queued {
        output::remark("note", &format!("it waits here, and goes out with the next command: {why}"));
    }
    if !sent.redacted.is_empty() {
        output::remark(
            "note",
            &format!("the archive keeps it without what looks like a secret: {}", sent.redacted),
        );
    }
    for warning in warnings(desk, &message, &sent, env) {
        output::remark("warning", &warning);
    }
    Ok(())
}

/// What the sender should know: nobody may come to read it.
fn warnings(desk: &Desk, message: &Message, sent: &Sent, env: &Env) -> Vec<String> {
    let mut warnings = Vec::new();
    let seen = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Timestamp>().ok());
    if sent.to.is_empty() {
        // A relay does not say whom it reached.
        return warnings;
    }
    let latest = sent.to.iter().filter_map(|agent| seen(&agent.last_seen)).max();
    match latest.map(|latest| env.now().duration_since(latest)) {
        None => warnings.push(format!("{} was never seen: the message waits", message.to)),
        Some(ago) if ago > LONG_AGO => {
            warnings.push(format!(
                "{} was last seen {} days ago: the message waits",
                message.to,
                ago.as_hours() / 24
            ));
        }
        Some(_) => {}
    }
    if let Some(scope) = &message.scope
        && !sent.to.iter().any(|agent| desk.spool.was_in_scope(&agent.name, message))
    {
        warnings.push(format!("no session of {} was ever in `{scope}`: the message waits", message.to));
    }
    warnings
}

/// The arguments joined by spaces, or standard input for a lone `-`.
fn body(words: &[String]) -> anyhow::Result<String> {
    if words != ["-"] {
        return Ok(words.join(" "));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to know that it is too long.
    io::stdin()
        .take(LONGEST_BODY as u64 + 1)
        .read_to_end(&mut bytes)
        .context("could not read the body from standard input")?;
    if bytes.len() > LONGEST_BODY {
        return Err(mistake(
            format!("the body on standard input has more than {LONGEST_BODY} bytes"),
            "bch send TO - --ref FILE   # with the file's name, and what it is, in the body",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        mistake(
            format!("could not read the body from standard input: no UTF-8 at byte {at}"),
            "iconv -t utf-8 FILE | bch send TO -",
        )
    })
}
