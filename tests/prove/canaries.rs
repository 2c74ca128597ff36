//! The mailbox of a proof: who serves it, who sees it, and that it goes however the proof ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::{canaries, change_line, prove, waiting};
use crate::install::doctor::{CLAUDE, Diagnosis, UserHome, well_by};
use crate::support::home::{HOOK, Home, feed, marks, succeed};
use crate::support::is_left_out;
use crate::support::mount::with_read_only;

const NAME: &str = "canary-0123456789abcdef0123456789abcdef";

/// What a hook shows where the variable names this agent.
fn shown(home: &Home, canary: &str) -> String {
    let payload = home.payload("UserPromptSubmit", "s", &home.work());
    let mut command = home.command(HOOK);
    command.args(["claude-code", "UserPromptSubmit", "--agent", "bob", "--home"]).arg(home.path());
    marks(&mut command, "claude-code");
    succeed(&feed(command.env("BACKCHANNEL_CANARY", canary), payload.to_string().as_bytes()))
}

#[test]
fn only_a_canary_that_is_there_is_served_in_an_agents_place() {
    for asked in ["alice", NAME, "canary-alice", "../bob", ""] {
        let home = Home::with(&["bob", "alice", "canary-alice"]);
        home.send("alice", "@bob", "for bob", &[]);
        home.send("bob", "@alice", "for alice", &[]);
        home.send("bob", "@canary-alice", "for another", &[]);
        let text = shown(&home, asked);
        assert!(text.contains("for bob") && !text.contains("for a"), "{asked}: {text}");
    }
    let home = Home::with(&["bob", "alice", NAME]);
    home.send("alice", "@bob", "for bob", &[]);
    assert_eq!(shown(&home, NAME), "");
    home.send("alice", &format!("@{NAME}"), "for the canary", &[]);
    let text = shown(&home, NAME);
    assert!(text.contains("for the canary") && !text.contains("for bob"), "{text}");
    assert_eq!(home.unread("bob").len(), 1, "kept waiting, and not lost");
}

#[test]
fn nobody_is_told_of_canaries() {
    let home = Home::with(&["bob", "alice", NAME]);
    for words in [&["agents"][..], &["agents", "--json"]] {
        let text = succeed(&home.as_agent("bob", words));
        assert!(text.contains("alice") && !text.contains("canary"), "{text}");
    }
}

#[test]
fn a_canary_of_a_killed_doctor_goes_and_one_at_work_stays() {
    let home = well_by("settings");
    let make = |name: &str| {
        let output = home.command(&["init", name]).env("BACKCHANNEL_AGENT", name).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let busy = format!("canary-{}", "b".repeat(32));
    make(NAME);
    make(&busy);
    make("canary-bird");
    let lock = fs::File::create(home.file(".backchannel/spool").join(&busy).join(".lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let found = prove(&home);
    assert_eq!(found.find("canary", "took 1 mailbox of a killed doctor away")["status"], "ok");
    let names: Vec<_> = canaries(&home).iter().map(|path| path.file_stem().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 4, "a record and a mailbox of two: {names:?}");
    assert!(names.iter().all(|name| *name == *busy || name == "canary-bird"), "{names:?}");
    drop(lock);
    prove(&home);
    assert_eq!(canaries(&home).len(), 2, "a person's agent is none of doctor's");
}

#[test]
fn ctrl_c_ends_what_runs_and_takes_the_canary_away() {
    let home = well_by("settings");
    let (begun, mark) = (home.file("begun"), home.file("lives-on"));
    change_line(&home, CLAUDE, "UserPromptSubmit", |line| {
        format!("echo x >{}; (/bin/sleep 4; echo x >{}) & wait; {line}", begun.display(), mark.display())
    });
    let mut command = home.command(&["doctor", "--prove"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !begun.exists() {
        assert!(start.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(canaries(&home).len(), 2);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let asked = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(3), "it waited for what it should have ended");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("doctor was stopped") && told.contains("hint: bch doctor --prove"), "{told}");
    assert!(canaries(&home).is_empty() && !home.file(".backchannel/proven.json").exists());
    thread::sleep(Duration::from_secs(5).saturating_sub(asked.elapsed()));
    assert!(!mark.exists());
}

#[test]
fn a_home_that_takes_no_mailbox_is_a_finding() {
    let home = UserHome::unprivileged();
    home.write(".claude/settings.json", "{}");
    home.give();
    assert!(home.bch(&["init", "bob"]).status.success());
    assert!(home.run(&["setup"]).0);
    let spool = home.file(".backchannel/spool");
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o500)).unwrap();
    let found = prove(&home);
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o700)).unwrap();
    found.expect("canary", "could not make a mailbox to try it with", "fail", "ls -ld ");
    assert!(canaries(&home).is_empty());

    let home = well_by("settings");
    let command = home.command(&["doctor", "--prove", "--json"]);
    let output = with_read_only(&home.file(".backchannel"), &command);
    if is_left_out(output.as_ref().map(drop).map_err(Clone::clone)) {
        return;
    }
    let found = Diagnosis::of(&output.unwrap());
    found.expect("canary", "Read-only file system", "fail", "ls -ld ");
    found.expect("proven", "Read-only file system", "warn", "");
    assert_eq!(waiting(&home), (Vec::new(), 0));
}
