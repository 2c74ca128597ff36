//! What is left after a crash: the programs are killed, and the system refuses them things, at each point
//! where they change something; and many of them run at once. No message is lost, and none is there twice.

mod each_call;
mod output;
mod races;
mod random_moments;
mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::home::{BCH, HOOK, Home, marks};

const DRAIN: &[&str] = &["drain", "--all", "--json"];
const REPEATED: &str = "may have been shown before";

fn set(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
    numbers.into_iter().collect()
}

/// Puts messages into an inbox as the first version did, which is quicker than to send them. Their ids
/// begin with their numbers; each has a sender of its own, for no sender may send many at a time.
fn fill(home: &Home, agent: &str, numbers: impl IntoIterator<Item = u32>) {
    let mailbox = home.path().join("spool").join(agent);
    for number in numbers {
        let name = format!("{number:08x}-0000-4000-8000-000000000000");
        let message = json!({
            "id": name, "from": format!("sender-{number}"), "to": format!("@{agent}"),
            "body": format!("body {number} is whole"), "priority": "normal", "ts": "2026-01-01T00:00:00.000Z"
        });
        let name = format!("{name}.json");
        let draft = mailbox.join("tmp").join(&name);
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&draft).unwrap();
        file.write_all(message.to_string().as_bytes()).unwrap();
        home.give(&draft);
        fs::rename(draft, mailbox.join("new").join(name)).unwrap();
    }
}

/// The numbers of the messages that stand whole in an output, as often as they do.
fn bodies(output: &[u8]) -> Vec<u32> {
    let text = String::from_utf8_lossy(output);
    let rests = text.split("body ").skip(1).filter_map(|rest| rest.split_once(" is whole"));
    rests.map(|(number, _)| number.parse().unwrap()).collect()
}

fn numbers(messages: &[Value]) -> Vec<u32> {
    bodies(Value::from(messages).to_string().as_bytes())
}

/// How many files each message has in a mailbox, in flight not counted.
fn files(home: &Home, agent: &str) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    let mut directories = vec![home.path().join("spool").join(agent)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if name != "tmp" {
                    directories.push(path);
                }
                continue;
            }
            // `<id>.json`, `<id>.<moment>.json`, `<milliseconds>-<id>.json`
            let stem = name.split('.').next().unwrap();
            if let Some(id) = stem.len().checked_sub(36).map(|start| &stem[start..]) {
                *counts.entry(u32::from_str_radix(&id[..8], 16).unwrap()).or_default() += 1;
            }
        }
    }
    counts
}

fn copy(from: &Path, to: &Path) {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Another home of the same user with the same in it.
fn twin(home: &Home) -> Home {
    let twin = home.another();
    copy(&home.path(), &twin.path());
    twin.give(&twin.path());
    twin
}

fn bob(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.command(BCH);
    command.env("BACKCHANNEL_AGENT", "bob").args(arguments);
    command
}

fn hook_command(home: &Home) -> Command {
    let mut command = home.command(HOOK);
    command.args(["claude-code", "UserPromptSubmit", "--agent", "bob", "--home"]).arg(home.path());
    marks(&mut command, "claude-code");
    command
}

fn prompt(home: &Home, session: &str) -> Vec<u8> {
    home.payload("UserPromptSubmit", session, &home.work()).to_string().into_bytes()
}

/// What a prompt of this session shows.
fn shown(home: &Home, session: &str) -> String {
    let payload = home.payload("UserPromptSubmit", session, &home.work());
    home.hook("claude-code", "UserPromptSubmit", "bob", &payload).unwrap_or_default()
}

/// Checks that a text shows all that waited, once, and marks as repeated what was printed before.
fn shows_all(text: &str, waiting: std::ops::Range<u32>, printed: &BTreeSet<u32>, place: &str) {
    let mut all = bodies(text.as_bytes());
    all.sort_unstable();
    assert_eq!(all, waiting.collect::<Vec<_>>(), "lost: {place}\n{text}");
    printed.iter().for_each(|number| shows_again(text, *number, place));
}

fn shows_again(text: &str, number: u32, place: &str) {
    let header = text.lines().find(|line| line.starts_with(&format!("message {number:08x} ")));
    assert!(header.is_some_and(|header| header.contains(REPEATED)), "no mark: {place}\n{text}");
}
