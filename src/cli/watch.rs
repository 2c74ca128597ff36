//! `watch`: messages as they land.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::Context as _;

use super::args::WatchArguments;
use super::delivery::take_all;
use super::{contexts, desk, output};
use crate::env::Env;
use crate::message::{Message, visible};
use crate::spool::{self, Filter, Watch, Whose};

/// How often one looks where the system tells nothing.
const SLOW: Duration = Duration::from_secs(1);
/// And where it does, against what it may lose: a network mount is silent on what other machines do.
const CAUTIOUS: Duration = Duration::from_secs(5);

pub(super) fn watch(arguments: &WatchArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let desk = desk(env)?;
    let contexts = contexts(&arguments.scope, env)?;
    let (ring, rings) = mpsc::sync_channel(1);
    // One waiting ring is enough: a look finds everything.
    let ring = Box::new(move || {
        let _ = ring.try_send(());
    });
    let whose = Whose::These(vec![desk.agent.clone()]);
    let mut watch = desk.spool.watch(whose, ring).context("could not watch the inbox")?;
    loop {
        let landed = next(&mut *watch, &rings).context("could not watch the inbox")?;
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

/// Waits for the next messages, oldest first.
fn next(watch: &mut dyn Watch, rings: &Receiver<()>) -> spool::Result<Vec<Message>> {
    let mut landed = Vec::new();
    loop {
        watch.look(&mut |found| landed.push(found.message))?;
        if !landed.is_empty() {
            landed.sort_by_key(|message| (message.ts, message.id));
            return Ok(landed);
        }
        if watch.is_told() {
            // A time-out means only that it is time for the cautious look.
            let _ = rings.recv_timeout(CAUTIOUS);
        } else {
            std::thread::sleep(SLOW);
        }
    }
}
