//! `pause`, `mute`, `block`, and their ends.
//!
//! An agent may hold mail back, but not let it in again: what a person put a stop to, a message must not talk a model
//! into lifting.

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{mistake, output};
use crate::attention::{Attention, Pause};
use crate::config::Config;
use crate::env::Env;
use crate::harness::Manifest;
use crate::message::{Address, AgentName};
use crate::repository;

/// The longest pause with an end.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

pub(super) fn pause(
    span: Option<SignedDuration>,
    is_here: bool,
    json: bool,
    env: &Env,
) -> anyhow::Result<()> {
    if is_here {
        let directory = here(env)?;
        change(env, |attention| add(&mut attention.off, &directory))?;
        let text = format!("no agent in {} is shown mail until `bch resume --here`", directory.display());
        return told(&text, json, &json!({ "off": directory }));
    }
    if let Some(span) = span
        && span > LONGEST
    {
        return Err(mistake("a pause lasts a year at most", "bch pause   # until `bch resume`"));
    }
    let until = span.map(|span| env.now().checked_add(span)).transpose().context("could not pause")?;
    let is_agent = Manifest::around(env).is_some();
    let pause = |attention: &mut Attention| match attention.paused {
        // An agent may hold mail back for longer than its user does, and for no less.
        Some(Pause { until: present }) if is_agent && !is_later(until, present) => {}
        _ => attention.paused = Some(Pause { until }),
    };
    let until = change(env, pause)?.paused.and_then(|pause| pause.until);
    let end = until.map_or_else(|| "`bch resume`".to_owned(), |until| format!("{until:.0}"));
    told(&format!("no agent is shown mail until {end}; it waits"), json, &json!({ "until": until }))
}

/// Whether a pause until then ends later than the other; one without an end ends last.
fn is_later(until: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    match (until, other) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(until), Some(other)) => until > other,
    }
}

pub(super) fn resume(is_here: bool, json: bool, env: &Env) -> anyhow::Result<()> {
    let mut is_off = false;
    let (directory, paused) = (here(env)?, "mail is shown again");
    let attention = lift(env, "resume", |attention| {
        if is_here {
            attention.off.retain(|off| !directory.starts_with(off));
        } else {
            attention.paused = None;
        }
        is_off = attention.is_off(&directory);
    })?;
    let now = json!({ "paused": attention.is_paused(env.now()), "off": is_off });
    if is_here {
        let rest = if attention.is_paused(env.now()) { "; the pause everywhere goes on" } else { "" };
        return told(&format!("{paused} in {}{rest}", directory.display()), json, &now);
    }
    let rest = if is_off { ", but not in this directory: bch resume --here" } else { "" };
    told(&format!("{paused}{rest}"), json, &now)
}

pub(super) fn mute(whom: &[Address], json: bool, env: &Env) -> anyhow::Result<()> {
    if whom.is_empty() {
        return list("muted", &load(env)?.muted, json);
    }
    let attention = change(env, |attention| whom.iter().for_each(|one| add(&mut attention.muted, one)))?;
    list("muted", &attention.muted, json)
}

pub(super) fn unmute(whom: &[Address], json: bool, env: &Env) -> anyhow::Result<()> {
    let attention = lift(env, "unmute", |attention| attention.muted.retain(|muted| !whom.contains(muted)))?;
    list("muted", &attention.muted, json)
}

pub(super) fn block(whom: &[AgentName], json: bool, env: &Env) -> anyhow::Result<()> {
    if whom.is_empty() {
        return list("blocked", &load(env)?.blocked(), json);
    }
    let attention = change(env, |attention| whom.iter().for_each(|one| add(&mut attention.blocked, one)))?;
    list("blocked", &attention.blocked(), json)
}

pub(super) fn unblock(whom: &[AgentName], json: bool, env: &Env) -> anyhow::Result<()> {
    let attention =
        lift(env, "unblock", |attention| attention.blocked.retain(|blocked| !whom.contains(blocked)))?;
    list("blocked", &attention.blocked(), json)
}

fn load(env: &Env) -> anyhow::Result<Attention> {
    Ok(Attention::load(&Config::load(env)?.home)?)
}

fn change(env: &Env, change: impl FnOnce(&mut Attention)) -> anyhow::Result<Attention> {
    let home = Config::load(env)?.home;
    Attention::change(&home, change).context("could not note that")
}

/// A change that lets mail in again.
fn lift(env: &Env, word: &str, lifting: impl FnOnce(&mut Attention)) -> anyhow::Result<Attention> {
    if let Some(manifest) = Manifest::around(env) {
        return Err(mistake(
            format!(
                "could not {word}: {} runs this, and an agent must not do it for its user",
                manifest.title
            ),
            format!("bch {word} …   # at a terminal of your own"),
        ));
    }
    change(env, lifting)
}

/// The repository of the working directory; the directory itself where there is none.
fn here(env: &Env) -> anyhow::Result<PathBuf> {
    let directory = env.directory().context("could not find the working directory")?;
    repository::directories(&directory).pop().context("could not find the working directory")
}

fn add<T: Clone + PartialEq>(list: &mut Vec<T>, one: &T) {
    if !list.contains(one) {
        list.push(one.clone());
    }
}

fn list(word: &str, addresses: &[Address], is_json: bool) -> anyhow::Result<()> {
    if is_json {
        output::print_json(&json!({ word: addresses }))?;
        return Ok(());
    }
    let names: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    said(&format!("{word}: {}", if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }))
}

/// Says it, or the same as JSON.
fn told(text: &str, is_json: bool, json: &Value) -> anyhow::Result<()> {
    if is_json { output::print_json(json).context("could not print") } else { said(text) }
}

fn said(text: &str) -> anyhow::Result<()> {
    output::print(&output::plain(&format!("{text}\n"))).context("could not print")
}
