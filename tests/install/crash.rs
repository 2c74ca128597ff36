//! Setup and uninstall, killed at each call that changes something, and with each of them refused: every file
//! of the user's is whole, old or new, and the next setup and uninstall end right. Stopped by Ctrl-C at any of
//! them, they take everything back.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use super::{Snapshot, UserHome, assert_same};
use crate::support::is_left_out;

const CALLS: [&str; 9] =
    ["rename", "unlink", "unlinkat", "mkdir", "rmdir", "openat", "write", "fsync", "fchmod"];
const FILES: [&str; 5] = [
    ".claude/settings.json",
    ".codex/config.toml",
    ".codex/AGENTS.md",
    ".gemini/settings.json",
    ".claude.json",
];
/// The programs stay as they are: they are large, and not the user's.
const HARNESSES: [&str; 2] = ["--only", "claude-code,codex,gemini-cli"];

fn home() -> UserHome {
    let home = UserHome::new();
    home.write(FILES[0], "{\"a\": 1.0}\n");
    home.write(FILES[1], "model = \"m\"\n");
    home.write(FILES[2], "# Mine\n");
    home.write(FILES[3], "{\n  // mine\n  \"a\": 1\n}\n");
    home.write(FILES[4], "{\"numStartups\": 1}");
    home
}

/// Runs a command of ours with a fault at the n-th of these calls; `None` where there are fewer.
fn strike(home: &UserHome, words: &[&str], call: &str, fault: &str, number: usize) -> Option<Output> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let ours = home.command(&[words, &["--yes", "--json"]].concat());
    let mut command = Command::new("strace");
    command.env_clear().env("HOME", home.path()).current_dir("/");
    command.args(["-f", "-qq", "-o"]).arg(trace.path()).args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:{fault}:when={number}")]);
    let output = command.arg(ours.get_program()).args(ours.get_args()).output().unwrap();
    let text = fs::read_to_string(trace.path()).unwrap();
    let was_struck = ["(INJECTED)", "killed by SIGKILL", "--- SIGINT"].iter().any(|mark| text.contains(mark));
    was_struck.then_some(output)
}

/// Each file is what it was before or what it was to become.
#[track_caller]
fn is_whole(home: &UserHome, before: &Snapshot, after: &Snapshot, place: &str) {
    let now = home.snapshot();
    for (path, text) in &now {
        let name = path.to_string_lossy();
        let is_known = before.get(path) == Some(text) || after.get(path) == Some(text);
        let is_ours = text.contains("directory") || (name.contains(".bch-") && name.ends_with(".tmp"));
        assert!(is_known || is_ours, "{place}: {name} is {text}");
    }
    for file in FILES {
        assert!(now.contains_key(std::path::Path::new(file)), "{place}: {file} is gone");
    }
}

fn is_strace_missing() -> bool {
    let version = Command::new("strace").arg("-V").output();
    is_left_out(version.map(drop).map_err(|_| "strace is missing, so setup was struck by nothing".into()))
}

fn every_call(vehicle: &str, fault: &str) {
    if is_strace_missing() {
        return;
    }
    let home = home();
    let setup = [&["setup", "--vehicle", vehicle], &HARNESSES[..]].concat();
    let uninstall = [&["uninstall"], &HARNESSES[..]].concat();
    assert!(home.run(&setup).0);
    let set_up = home.snapshot();
    assert!(home.run(&uninstall).0);
    let before = home.snapshot();
    let mut count = 0;
    for call in CALLS {
        for number in 1.. {
            let place = format!("{fault} at {call} {number}");
            let Some(output) = strike(&home, &setup, call, fault, number) else { break };
            count += 1;
            is_whole(&home, &before, &set_up, &place);
            if output.status.signal().is_none() && !output.status.success() {
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(error.contains("error: "), "{place}: {error}");
            }
            assert!(home.run(&setup).0, "{place}");
            assert_same(&home.snapshot(), &set_up, &place);
            strike(&home, &uninstall, call, fault, number);
            is_whole(&home, &before, &set_up, &place);
            assert!(home.run(&uninstall).0, "{place}");
            assert_same(&home.snapshot(), &before, &place);
        }
    }
    println!("{vehicle}, {fault}: {count} places");
    assert!(count > 100, "{count}: too little was struck");
    assert!(home.run(&["uninstall"]).0);
    assert!(
        !home.file(".local").exists(),
        "a trace is left: {:?}",
        fs::read_dir(home.file(".local/share/backchannel"))
    );
}

#[test]
fn setup_that_is_killed_at_any_call_leaves_every_file_whole() {
    every_call("settings", "signal=SIGKILL");
}

#[test]
fn setup_of_folders_that_is_killed_at_any_call_leaves_every_file_whole() {
    every_call("folder", "signal=SIGKILL");
}

#[test]
fn setup_on_a_full_disk_leaves_every_file_whole() {
    every_call("settings", "error=ENOSPC");
}

#[test]
fn setup_on_a_failing_disk_leaves_every_file_whole() {
    every_call("settings", "error=EIO");
}

/// Sends Ctrl-C's signal at each of these calls of a command: either everything is as it was and it says so, or
/// the signal came too late and the command is done. Returns how often each happened.
fn stop_at_every_call(home: &UserHome, word: &str, opposite: &str) -> (usize, usize) {
    let before = home.everything();
    let (mut stopped, mut done) = (0, 0);
    // One of them or more for each file: setup looks for the signal between two files.
    for call in ["rename", "unlink", "rmdir"] {
        for number in 1.. {
            let place = format!("{word}: SIGINT at {call} {number}");
            let output = strike(home, &[word], call, "signal=SIGINT", number);
            if output.as_ref().is_none_or(|output| output.status.success()) {
                done += usize::from(output.is_some());
                assert_ne!(home.everything(), before, "{place}");
                assert!(home.run(&[opposite]).0, "{place}");
            } else if let Some(output) = &output {
                stopped += 1;
                assert_eq!(output.status.code(), Some(1), "{place}");
                let error = String::from_utf8_lossy(&output.stderr);
                let wanted = format!("error: stopped; everything is as it was\nhint: bch {word}\n");
                assert_eq!(error, wanted, "{place}");
            }
            assert_same(&home.everything(), &before, &place);
            // There are fewer such calls.
            if output.is_none() {
                break;
            }
        }
    }
    (stopped, done)
}

#[test]
fn ctrl_c_while_files_are_written_takes_everything_back() {
    if is_strace_missing() {
        return;
    }
    let home = home();
    let before = home.everything();
    for (word, opposite) in [("setup", "uninstall"), ("uninstall", "setup")] {
        let (stopped, done) = stop_at_every_call(&home, word, opposite);
        println!("{word}: stopped at {stopped} calls, too late at {done}");
        // Setup and uninstall write a dozen files each.
        assert!(stopped > 12, "{word}: {stopped}");
        assert!(home.run(&[word]).0);
    }
    assert_same(&home.everything(), &before, "after all");
}
