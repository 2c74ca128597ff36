//! Output that takes nothing, or whose reader leaves.

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{DRAIN, bob, bodies, fill, hook_command, numbers, prompt, set, shown, shows_all};
use crate::support::home::{BCH, Home, succeed};

/// Runs a command whose output goes onto a full disk.
fn into_full(mut command: Command) -> Output {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    command.stdout(full).stderr(Stdio::piped()).output().unwrap()
}

/// Runs a command whose output goes into a pipe that nobody reads any more.
fn into_closed(mut command: Command) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer).stderr(Stdio::piped()).output().unwrap()
}

#[test]
fn w6_a_drain_into_a_full_disk_or_a_closed_pipe_fails_and_leaves_all_unread() {
    for run in [into_full, into_closed] {
        let home = Home::with(&["bob"]);
        fill(&home, "bob", 0..200);
        for options in [DRAIN, &["drain", "--all"], &["read", "00000007"], &["read", "00000008", "--keep"]] {
            let output = run(bob(&home, options));
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert_eq!(numbers(&home.unread("bob")), (0..200).collect::<Vec<_>>(), "{options:?}");
            assert_eq!(home.recent("bob").len(), 0);
        }
    }
}

#[test]
fn w6_a_drain_whose_reader_leaves_keeps_the_rest_unread() {
    let home = Home::with(&["bob"]);
    // More than a pipe holds.
    fill(&home, "bob", 0..1000);
    let mut command = home.command("/bin/sh");
    command.env("BACKCHANNEL_AGENT", "bob").args(["-c", "\"$1\" drain --all | head -n 1", "sh", BCH]);
    assert_eq!(succeed(&command.output().unwrap()).lines().count(), 1);
    let mut all = numbers(&home.recent("bob"));
    let unread = numbers(&home.unread("bob"));
    assert!(!unread.is_empty() && !all.is_empty());
    all.extend(unread);
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_hook_that_cannot_print_leaves_all_unread() {
    for run in [into_full, into_closed] {
        let home = Home::with(&["bob"]);
        fill(&home, "bob", 0..3);
        let payload = home.work().join("payload");
        fs::write(&payload, prompt(&home, "one")).unwrap();
        let mut command = hook_command(&home);
        command.stdin(fs::File::open(payload).unwrap());
        let output = run(command);
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
        assert_eq!(numbers(&home.unread("bob")), [0, 1, 2]);
        assert!(fs::read_to_string(home.path().join("hook.log")).unwrap().contains("could not print"));
        // It cannot be known how much of it a model was given.
        shows_all(&shown(&home, "two"), 0..3, &set(0..3), "another session");
    }
}

#[test]
fn a_send_that_cannot_print_was_sent_and_says_so() {
    for run in [into_full, into_closed] {
        for options in
            [&["send", "@ann", "body 7 is whole"][..], &["--json", "send", "@ann", "body 7 is whole"]]
        {
            let home = Home::with(&["bob", "ann"]);
            let output = run(bob(&home, options));
            // A script that tries again after a failure would send it twice.
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let warning = String::from_utf8(output.stderr).unwrap();
            let there: Vec<Value> = home.unread("ann");
            assert_eq!(bodies(Value::from(there.clone()).to_string().as_bytes()), [7]);
            let id = &there[0]["id"].as_str().unwrap()[..8];
            assert!(warning.contains(&format!("warning: sent {id}, but could not print so")), "{warning}");
        }
    }
}
