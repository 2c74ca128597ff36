//! `watch`: messages as they land.

use std::time::Duration;

use anyhow::Context as _;

use super::args::WatchArguments;
use super::delivery::take_all;
use super::{contexts, desk, output};
use crate::env::Env;
use crate::message::visible;
use crate::spool::{Filter, Spool};

/// How long one look waits; then the next begins.
const PATIENCE: Duration = Duration::from_secs(3600);

pub(super) fn watch(arguments: &WatchArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let desk = desk(env)?;
    let contexts = contexts(&arguments.scope, env)?;
    let mut watch = desk.spool.watch(&desk.agent).context("could not watch the inbox")?;
    loop {
        let landed = watch.next(PATIENCE).context("could not watch the inbox")?;
        let attention = desk.attention()?;
        let mut here = landed
            .into_iter()
            .filter(|message| !attention.is_blocked(&message.from))
            .filter(|message| contexts.as_ref().is_none_or(|contexts| message.matches(contexts)))
            .peekable();
        if arguments.take {
            if here.peek().is_some() {
                let except = attention.blocked();
                let filter = Filter { contexts: contexts.clone(), except, ..Filter::default() };
                take_all(&desk, &filter, json, env)?;
            }
            continue;
        }
        // One JSON object a line, as a stream wants it.
        let text: String = here
            .map(|message| match json {
                true => format!("{}\n", visible::json(&message.to_json())),
                false => output::message(&message),
            })
            .collect();
        output::print(&text).context("could not print")?;
    }
}
