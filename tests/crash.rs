//! What is left after a crash: the programs are killed, and their system calls fail, at each point where
//! they change something; and many of them run at once. No message is lost, and none is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::home::{BCH, HOOK, Home, feed, marks, succeed};

/// The system calls that change a file, a directory or a pipe; `?` passes over what a machine has not.
const CHANGES: &str = "?rename,?renameat,?renameat2,?link,?linkat,?unlink,?unlinkat,?rmdir,?mkdir,?mkdirat,\
                       openat,write,?writev,?pwrite64,fsync,?fdatasync,?ftruncate,?chmod,?fchmodat";
const ERRORS: &[&str] = &["error=ENOSPC", "error=EIO", "error=EMFILE", "error=EACCES"];
const KILL: &[&str] = &["signal=SIGKILL"];
/// The numbers of the messages that wait where a fault is planted.
const WAITING: std::ops::Range<u32> = 0..3;
const REPEATED: &str = "may have been shown before";

fn set(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
    numbers.into_iter().collect()
}

/// Puts messages into an inbox as the first version did, which is quicker than to send them. Their ids
/// begin with their numbers; each has a sender of its own, for no sender may send many at a time.
fn fill(home: &Home, agent: &str, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        let id = format!("{number:08x}-0000-4000-8000-000000000000");
        let message = json!({
            "id": id, "from": format!("sender-{number}"), "to": agent, "body": format!("body {number} is whole"),
            "priority": "normal", "ts": "2026-01-01T00:00:00.000Z"
        });
        let path = home.path().join("spool").join(agent).join("new").join(format!("{id}.json"));
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path).unwrap();
        file.write_all(message.to_string().as_bytes()).unwrap();
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

/// Another home with the same in it.
fn twin(home: &Home) -> Home {
    let twin = Home::with(&[]);
    copy(&home.path(), &twin.path());
    twin
}

/// A program at whose system calls faults are planted.
struct Trial {
    command: fn(&Home, &mut Command),
    stdin: fn(&Home) -> Vec<u8>,
    /// Checks a home after the program ran in it; the text tells where it was struck.
    check: fn(&Home, &Output, &str),
}

impl Trial {
    fn run(&self, home: &Home, options: &[&str]) -> (Output, String) {
        let trace = home.work().join("trace");
        let mut command = home.command("strace");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(["-f", "-qq", "-s", "300", "-o"]).arg(&trace).args(options);
        (self.command)(home, &mut command);
        let output = feed(&mut command, &(self.stdin)(home));
        let trace = fs::read_to_string(trace).expect("these tests need strace");
        (output, trace)
    }

    /// Runs the program once for each fault and each call, in a fresh home.
    fn strike(&self, faults: &[&str]) {
        let template = Home::with(&["bob", "ann"]);
        fill(&template, "bob", WAITING);
        let home = twin(&template);
        let (output, trace) = self.run(&home, &["-e", &format!("trace={CHANGES}")]);
        (self.check)(&home, &output, "not at all");
        succeed(&output);
        let calls = calls(&trace, &home.path().display().to_string(), faults == KILL);
        assert!(calls.len() > 5, "{trace}");
        for fault in faults {
            for (name, number, line) in &calls {
                let home = twin(&template);
                let inject = format!("inject={name}:{fault}:when={number}");
                let (output, trace) = self.run(&home, &["-e", &format!("trace={name}"), "-e", &inject]);
                let place = format!("{fault} at {name} {number}, which is {line}\n{output:?}");
                if fault.starts_with("signal") {
                    assert_eq!(output.status.signal(), Some(9), "not struck: {place}");
                } else {
                    assert!(trace.contains("(INJECTED)"), "not struck: {place}");
                }
                (self.check)(&home, &output, &place);
            }
        }
    }
}

/// The calls in a trace that touch this home or an open file: name, how manieth of that name, the line.
/// A file that is only read changes nothing, yet reading may fail.
fn calls(trace: &str, home: &str, only_changes: bool) -> Vec<(String, usize, String)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let call = line.trim_start_matches(|character: char| character.is_ascii_digit() || character == ' ');
        let Some((name, arguments)) = call.split_once('(') else { continue };
        let number = counts.entry(name.to_owned()).or_default();
        *number += 1;
        let opens = name == "openat";
        if !opens || arguments.contains("O_CREAT") || (!only_changes && arguments.contains(home)) {
            calls.push((name.to_owned(), *number, call.to_owned()));
        }
    }
    calls
}

fn drain() -> Trial {
    Trial {
        command: |_, command| {
            command.env("BACKCHANNEL_AGENT", "bob").args([BCH, "drain", "--all", "--json"]);
        },
        stdin: |_| Vec::new(),
        check: |home, output, place| {
            let printed = set(bodies(&output.stdout));
            let recent = numbers(&home.recent("bob"));
            let unread = numbers(&home.unread("bob"));
            assert!(set(recent.clone()).is_subset(&printed), "acknowledged, not printed: {place}");
            assert_eq!(&printed | &set(unread.clone()), set(WAITING), "lost: {place}");
            assert_eq!(recent.len() + unread.len(), WAITING.len(), "not once: {place}");
            assert!(files(home, "bob").values().all(|count| *count == 1), "not one file: {place}");
            assert!(!output.status.success() || printed.len() == WAITING.len(), "no error: {place}");
            assert!(output.status.success() || output.status.code() != Some(101), "a panic: {place}");
        },
    }
}

#[test]
fn a_drain_that_is_killed_at_any_change_loses_nothing() {
    drain().strike(KILL);
}

#[test]
fn a_drain_of_which_any_call_fails_loses_nothing() {
    drain().strike(ERRORS);
}
