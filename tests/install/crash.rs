//! Setup and uninstall, killed at each call that changes something, and with each of them refused: every file
//! of the user's is whole, old or new, and the next setup and uninstall end right.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use super::{Snapshot, UserHome, assert_same};

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
    let was_struck = text.contains("(INJECTED)") || text.contains("killed by SIGKILL");
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

fn every_call(vehicle: &str, fault: &str) {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        eprintln!("LEFT OUT: strace is missing, so setup was struck by nothing");
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
