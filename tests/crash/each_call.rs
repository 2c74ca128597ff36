//! A fault at each step: the programs are killed at each system call that changes something, and each call
//! in turn is refused. The steps have the names of the calls, with their numbers, as strace writes them.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use serde_json::Value;

use super::{DRAIN, bob, bodies, files, fill, hook_command, numbers, prompt, set, shown, shows_all, twin};
use crate::support::home::{Home, feed, succeed};

/// The system calls that change a file, a directory or a pipe; `?` passes over what a machine has not.
const CHANGES: &str = "?rename,?renameat,?renameat2,?link,?linkat,?unlink,?unlinkat,?rmdir,?mkdir,?mkdirat,\
                       openat,write,?writev,?pwrite64,fsync,?fdatasync,?ftruncate,?chmod,?fchmodat";
const ERRORS: &[&str] = &["error=ENOSPC", "error=EIO", "error=EMFILE", "error=EACCES"];
const KILL: &[&str] = &["signal=SIGKILL"];
/// A file system without hard links, on which a move cannot be told to replace nothing (FAT, some mounts).
const POOR: &[&str] = &["?link,?linkat:error=EPERM", "?renameat2:error=EINVAL"];
/// The numbers of the messages that wait where a fault is planted.
pub(super) const WAITING: Range<u32> = 0..3;

/// A program at whose system calls faults are planted, as a user whom the system may refuse something.
pub(super) struct Trial {
    pub(super) command: fn(&Home) -> Command,
    pub(super) stdin: fn(&Home) -> Vec<u8>,
    /// What the system refuses all the while.
    always: &'static [&'static str],
    /// Checks a home after the program ran in it; the text tells where it was struck.
    pub(super) check: fn(&Home, &Output, &str),
}

impl Trial {
    fn run(&self, home: &Home, traced: &str, faults: &[&str]) -> (Output, String) {
        let trace = home.work().join("trace");
        let (program, mut command) = ((self.command)(home), home.command("strace"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.args(["-f", "-qq", "-s", "300", "-o"]).arg(&trace);
        // What is not traced is not refused either.
        let calls = self.always.iter().filter_map(|refused| refused.split_once(':')).map(|(calls, _)| calls);
        command.args(["-e", &format!("trace={}", calls.chain([traced]).collect::<Vec<_>>().join(","))]);
        for fault in self.always.iter().chain(faults) {
            command.args(["-e", &format!("inject={fault}")]);
        }
        command.arg(program.get_program()).args(program.get_args());
        let output = feed(&mut command, &(self.stdin)(home));
        let trace = fs::read_to_string(trace).expect("these tests need strace");
        (output, trace)
    }

    /// Runs the program once for each fault and each call, in a fresh home.
    fn strike(&self, faults: &[&str]) {
        let template = Home::unprivileged(&["bob", "ann", "cid", "dan"]);
        for agent in ["bob", "ann", "cid", "dan"] {
            succeed(&template.as_agent(agent, &["sub", "#team"]));
        }
        fill(&template, "bob", WAITING);
        let home = twin(&template);
        let (output, trace) = self.run(&home, CHANGES, &[]);
        (self.check)(&home, &output, "not at all");
        succeed(&output);
        let mut calls = calls(&trace, &home.path().display().to_string(), faults == KILL);
        // What is refused anyhow changes nothing.
        calls.retain(|(_, _, line)| !line.contains("(INJECTED)"));
        assert!(calls.len() > 5, "{trace}");
        for fault in faults {
            for (name, number, line) in &calls {
                let home = twin(&template);
                let (output, trace) = self.run(&home, name, &[&format!("{name}:{fault}:when={number}")]);
                let place = format!("{fault} at {name} {number}, which is {line}\n{output:?}");
                if fault.starts_with("signal") {
                    assert_eq!(output.status.signal(), Some(9), "not struck: {place}");
                } else {
                    let is_struck = |line: &str| line.contains(name) && line.contains("(INJECTED)");
                    assert!(trace.lines().any(is_struck), "not struck: {place}");
                }
                (self.check)(&home, &output, &place);
            }
        }
        println!("{} runs: {} calls, {} faults", calls.len() * faults.len(), calls.len(), faults.len());
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

pub(super) fn drain() -> Trial {
    Trial {
        command: |home| bob(home, DRAIN),
        stdin: |_| Vec::new(),
        always: &[],
        check: |home, output, place| {
            let printed = set(bodies(&output.stdout));
            let recent = numbers(&home.recent("bob"));
            let unread = numbers(&home.unread("bob"));
            assert!(set(recent.clone()).is_subset(&printed), "acknowledged, not printed: {place}");
            assert_eq!(&printed | &set(unread.clone()), set(WAITING), "lost: {place}");
            assert_eq!(recent.len() + unread.len(), WAITING.len(), "not once: {place}");
            assert!(files(home, "bob").values().all(|count| *count == 1), "not one file: {place}");
            assert!(!output.status.success() || printed.len() == WAITING.len(), "no error: {place}");
            assert_ne!(output.status.code(), Some(101), "a panic: {place}");
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

pub(super) fn hook() -> Trial {
    Trial {
        command: hook_command,
        stdin: |home| prompt(home, "one"),
        always: &[],
        check: |home, output, place| {
            assert!(output.status.success() || output.status.signal() == Some(9), "{place}");
            let printed = set(bodies(&output.stdout));
            let is_whole = serde_json::from_slice::<Value>(&output.stdout).is_ok();
            assert!(output.stdout.is_empty() || is_whole, "half an answer: {place}");
            assert!(files(home, "bob").values().all(|count| *count == 1), "not one file: {place}");
            let other = twin(home);
            let place_then = format!("the session goes on: {place}");
            shows_all(&shown(home, "one"), WAITING, &printed, &place_then);
            let end = other.payload("SessionEnd", "one", &other.work());
            assert_eq!(other.hook("claude-code", "SessionEnd", "bob", &end), None);
            assert_eq!(set(numbers(&other.unread("bob"))), set(WAITING), "{place}");
            shows_all(&shown(&other, "two"), WAITING, &printed, &format!("the session ended: {place}"));
        },
    }
}

#[test]
fn a_hook_that_is_killed_at_any_change_loses_nothing() {
    hook().strike(KILL);
}

#[test]
fn a_hook_of_which_any_call_fails_loses_nothing() {
    hook().strike(ERRORS);
}

pub(super) fn send() -> Trial {
    Trial {
        command: |home| bob(home, &["send", "@ann", "body 77 is whole"]),
        stdin: |_| Vec::new(),
        always: &[],
        check: |home, output, place| {
            let there = there_whole(home, "ann", place);
            // Who is told of a failure may send again, and must not send twice.
            let is_told = output.status.signal().is_some() || output.status.success() == (there == 1);
            assert!(is_told, "{there} there: {place}");
            // What a crash leaves behind is in nobody's way.
            home.send("bob", "@ann", "body 78 is whole", &[]);
            assert_eq!(home.unread("ann").len(), there + 1, "{place}");
        },
    }
}

/// How many of what was sent are in an inbox, each of them whole.
fn there_whole(home: &Home, agent: &str, place: &str) -> usize {
    let there = fs::read_dir(home.path().join("spool").join(agent).join("new")).unwrap().count();
    assert_eq!(numbers(&home.unread(agent)), vec![77; there], "not whole: {place}");
    assert!(there <= 1, "{there} there: {place}");
    there
}

#[test]
fn a_send_that_is_killed_at_any_change_leaves_a_whole_message_or_none() {
    send().strike(KILL);
}

#[test]
fn a_send_of_which_any_call_fails_leaves_a_whole_message_or_says_that_there_is_none() {
    send().strike(ERRORS);
}

fn send_to_channel() -> Trial {
    Trial {
        command: |home| bob(home, &["send", "#team", "body 77 is whole"]),
        check: |home, output, place| {
            let there: usize =
                ["ann", "cid", "dan"].map(|agent| there_whole(home, agent, place)).iter().sum();
            let is_told = output.status.signal().is_some() || output.status.success() == (there == 3);
            assert!(is_told, "{there} there: {place}");
            home.send("bob", "#team", "body 78 is whole", &[]);
            let there_now: usize = ["ann", "cid", "dan"].map(|agent| home.unread(agent).len()).iter().sum();
            assert_eq!(there_now, there + 3, "{place}");
        },
        ..send()
    }
}

#[test]
fn a_channel_message_that_any_fault_strikes_is_whole_wherever_it_is() {
    send_to_channel().strike(&[KILL, ERRORS].concat());
}

#[test]
fn where_there_are_no_hard_links_any_fault_leaves_a_whole_message_or_none() {
    Trial { always: POOR, ..send_to_channel() }.strike(KILL);
    Trial { always: POOR, ..send_to_channel() }.strike(ERRORS);
}

#[test]
fn where_there_are_no_hard_links_a_drain_and_a_hook_lose_nothing() {
    Trial { always: POOR, ..drain() }.strike(KILL);
    Trial { always: POOR, ..hook() }.strike(KILL);
}

#[test]
fn w3_an_agent_record_is_whole_wherever_a_change_of_it_is_struck() {
    let trial = Trial {
        command: |home| bob(home, &["sub", "#new"]),
        stdin: |_| Vec::new(),
        always: &[],
        check: |home, output, place| {
            let record = fs::read(home.path().join("agents/bob.json")).unwrap();
            let record: Value = serde_json::from_slice(&record).expect(place);
            let subscriptions = record["subscriptions"].as_array().unwrap();
            let is_there = subscriptions.iter().any(|channel| channel == "#new");
            assert!(subscriptions.iter().any(|channel| channel == "#team"), "{place}");
            assert!(is_there || !output.status.success(), "{place}");
            succeed(&home.as_agent("bob", &["sub", "#new"]));
        },
    };
    trial.strike(KILL);
    trial.strike(ERRORS);
}
