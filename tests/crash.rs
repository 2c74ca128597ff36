//! What is left after a crash: the programs are killed, and their system calls fail, at each point where
//! they change something; and many of them run at once. No message is lost, and none is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
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
const DRAIN: &[&str] = &["drain", "--all", "--json"];
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
            "id": id, "from": format!("sender-{number}"), "to": format!("@{agent}"),
            "body": format!("body {number} is whole"), "priority": "normal", "ts": "2026-01-01T00:00:00.000Z"
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

/// A program at whose system calls faults are planted.
struct Trial {
    command: fn(&Home) -> Command,
    stdin: fn(&Home) -> Vec<u8>,
    /// Checks a home after the program ran in it; the text tells where it was struck.
    check: fn(&Home, &Output, &str),
}

impl Trial {
    fn run(&self, home: &Home, options: &[&str]) -> (Output, String) {
        let trace = home.work().join("trace");
        let (program, mut command) = ((self.command)(home), home.command("strace"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.args(["-f", "-qq", "-s", "300", "-o"]).arg(&trace).args(options);
        command.arg(program.get_program()).args(program.get_args());
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
        command: |home| bob(home, DRAIN),
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

fn prompt(home: &Home, session: &str) -> Vec<u8> {
    home.payload("UserPromptSubmit", session, &home.work()).to_string().into_bytes()
}

/// What a prompt of this session shows.
fn shown(home: &Home, session: &str) -> String {
    let payload = home.payload("UserPromptSubmit", session, &home.work());
    home.hook("claude-code", "UserPromptSubmit", "bob", &payload).unwrap_or_default()
}

/// Checks that a text shows all that waited, and marks as repeated what was printed before.
fn shows_all(text: &str, printed: &BTreeSet<u32>, place: &str) {
    let mut all = bodies(text.as_bytes());
    all.sort_unstable();
    assert_eq!(all, WAITING.collect::<Vec<_>>(), "lost: {place}\n{text}");
    printed.iter().for_each(|number| shows_again(text, *number, place));
}

fn shows_again(text: &str, number: u32, place: &str) {
    let header = text.lines().find(|line| line.starts_with(&format!("message {number:08x} ")));
    assert!(header.is_some_and(|header| header.contains(REPEATED)), "no mark: {place}\n{text}");
}

fn hook() -> Trial {
    Trial {
        command: hook_command,
        stdin: |home| prompt(home, "one"),
        check: |home, output, place| {
            assert!(output.status.success() || output.status.signal() == Some(9), "{place}");
            let printed = set(bodies(&output.stdout));
            let is_whole = serde_json::from_slice::<Value>(&output.stdout).is_ok();
            assert!(output.stdout.is_empty() || is_whole, "half an answer: {place}");
            assert!(files(home, "bob").values().all(|count| *count == 1), "not one file: {place}");
            let other = twin(home);
            shows_all(&shown(home, "one"), &printed, &format!("the session goes on: {place}"));
            let end = other.payload("SessionEnd", "one", &other.work());
            assert_eq!(other.hook("claude-code", "SessionEnd", "bob", &end), None);
            assert_eq!(set(numbers(&other.unread("bob"))), set(WAITING), "{place}");
            shows_all(&shown(&other, "two"), &printed, &format!("the session ended: {place}"));
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

fn send() -> Trial {
    Trial {
        command: |home| bob(home, &["send", "@ann", "body 77 is whole"]),
        stdin: |_| Vec::new(),
        check: |home, output, place| {
            assert_ne!(output.status.code(), Some(101), "a panic: {place}");
            let inbox = home.path().join("spool/ann/new");
            let there = fs::read_dir(&inbox).unwrap().count();
            assert_eq!(numbers(&home.unread("ann")), vec![77; there], "not whole: {place}");
            assert!(there == 1 || (there == 0 && !output.status.success()), "{there} there: {place}");
            // What a crash leaves behind is in nobody's way.
            home.send("bob", "@ann", "body 78 is whole", &[]);
            assert_eq!(home.unread("ann").len(), there + 1, "{place}");
        },
    }
}

#[test]
fn a_send_that_is_killed_at_any_change_leaves_a_whole_message_or_none() {
    send().strike(KILL);
}

#[test]
fn a_send_of_which_any_call_fails_leaves_a_whole_message_or_none() {
    send().strike(ERRORS);
}

#[test]
fn a_drain_into_a_full_disk_fails_and_leaves_all_unread() {
    let home = Home::with(&["bob"]);
    fill(&home, "bob", 0..50);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = bob(&home, DRAIN).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(numbers(&home.unread("bob")), (0..50).collect::<Vec<_>>());
    assert_eq!(home.recent("bob").len(), 0);
}

#[test]
fn a_drain_whose_reader_leaves_keeps_the_rest_unread() {
    let home = Home::with(&["bob"]);
    // More than a pipe holds.
    fill(&home, "bob", 0..1000);
    let mut command = home.command("/bin/sh");
    command.env("BACKCHANNEL_AGENT", "bob").args(["-c", "\"$1\" drain --all | head -n 1", "sh", BCH]);
    assert_eq!(succeed(&command.output().unwrap()).lines().count(), 1);
    let mut all = numbers(&home.recent("bob"));
    let unread = numbers(&home.unread("bob"));
    assert!(!unread.is_empty());
    all.extend(unread);
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
}

fn start(mut command: Command, stdin: Vec<u8>) -> std::thread::JoinHandle<Output> {
    std::thread::spawn(move || feed(&mut command, &stdin))
}

/// Checks that each of 1,000 messages was printed or is unread, and once.
fn each_once(home: &Home, programs: Vec<std::thread::JoinHandle<Output>>) {
    let outputs: Vec<Output> = programs.into_iter().map(|program| program.join().unwrap()).collect();
    let mut all: Vec<u32> = outputs.iter().flat_map(|output| bodies(succeed(output).as_bytes())).collect();
    all.extend(numbers(&home.unread("bob")));
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
}

#[test]
fn of_twenty_drains_at_once_each_message_is_printed_by_one() {
    let home = Home::with(&["bob"]);
    fill(&home, "bob", 0..1000);
    let programs = (0..20).map(|_| start(bob(&home, DRAIN), Vec::new())).collect();
    each_once(&home, programs);
    assert_eq!(home.unread("bob").len(), 0);
}

#[test]
fn of_twenty_sessions_and_five_drains_at_once_each_message_is_shown_by_one() {
    let home = Home::with(&["bob"]);
    fill(&home, "bob", 0..1000);
    let hooks = (0..20).map(|session| start(hook_command(&home), prompt(&home, &format!("s{session}"))));
    let drains = (0..5).map(|_| start(bob(&home, DRAIN), Vec::new()));
    each_once(&home, hooks.chain(drains).collect());
}

/// Random numbers that `CRASH_SEED` brings back.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) * 7919 + 1);
        println!("CRASH_SEED={seed}");
        Self(seed)
    }

    /// A moment within the first eight milliseconds (xorshift).
    fn moment(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_micros(self.0 % 8000)
    }
}

/// Runs a program and kills it after a while; returns what it printed.
fn killed_after(mut command: Command, stdin: &[u8], moment: Duration) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut out, &mut bytes).unwrap();
        bytes
    });
    let _ = child.stdin.take().unwrap().write_all(stdin);
    std::thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn a_drain_that_is_killed_at_random_moments_loses_nothing() {
    let (home, mut random) = (Home::with(&["bob"]), Random::new());
    let (mut sent, mut printed) = (0, BTreeSet::new());
    for _ in 0..60 {
        let next = sent + 200 - u32::try_from(home.unread("bob").len()).unwrap();
        fill(&home, "bob", sent..next);
        sent = next;
        printed.extend(bodies(&killed_after(bob(&home, DRAIN), b"", random.moment())));
        let counts = files(&home, "bob");
        assert_eq!(set(counts.keys().copied()), set(0..sent), "lost");
        assert!(counts.values().all(|count| *count == 1), "not one file");
    }
    let unread = set(numbers(&home.unread("bob")));
    assert!(set(numbers(&home.recent("bob"))).is_subset(&printed), "acknowledged, not printed");
    assert_eq!(&printed | &unread, set(0..sent));
}

#[test]
fn a_hook_that_is_killed_at_random_moments_loses_nothing() {
    let (home, mut random) = (Home::with(&["bob"]), Random::new());
    fill(&home, "bob", 0..200);
    let mut seen = BTreeSet::new();
    for round in 0..60 {
        let session = format!("session-{round}");
        let moment = random.moment();
        let printed = bodies(&killed_after(hook_command(&home), &prompt(&home, &session), moment));
        let text = shown(&home, &session);
        printed.iter().for_each(|number| shows_again(&text, *number, &format!("{moment:?}")));
        // Half the turns end, which is evidence; the others are broken off, which is none.
        let event = if round % 2 == 0 { "Stop" } else { "SessionEnd" };
        if round % 2 == 0 {
            seen.extend(bodies(text.as_bytes()));
        }
        assert_eq!(
            home.hook("claude-code", event, "bob", &home.payload(event, &session, &home.work())),
            None
        );
        let there = files(&home, "bob");
        assert!(there.values().all(|count| *count == 1), "not one file");
        assert_eq!(&seen | &set(there.keys().copied()), set(0..200), "lost after {moment:?}");
    }
}
