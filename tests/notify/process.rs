//! The notifier as a process: one a home, what it starts (nothing), what it costs while nothing happens, how it ends.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::shown::plant;
use super::{Notifier, command, signal, wait_for_status};
use crate::nothing_runs::{STARTS, started};
use crate::support::desktop::{self, Session, wait_until};
use crate::support::home::{BCH, Home, succeed};
use crate::support::is_left_out;

fn check() -> Result<(), String> {
    desktop::check()?;
    let strace = Command::new("strace").arg("-V").output();
    strace.map(drop).map_err(|_| "strace is missing: nobody saw what the notifier does".to_owned())
}

/// A program of ours in this session under strace, which writes what it sees to a file.
fn traced(home: &Home, session: &Session, what: &str, arguments: &[&str]) -> Command {
    let mut command = home.command("strace");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("DBUS_SESSION_BUS_ADDRESS", &session.address);
    command.args(["-f", "-qq", "-s", "1000", "-e", what, "-o"]).arg(home.work().join("trace"));
    command.arg(BCH).args(arguments);
    command
}

/// The traced program's own process.
fn tracee(strace: u32) -> u32 {
    let path = format!("/proc/{strace}/task/{strace}/children");
    fs::read_to_string(path).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn w5_a_notification_starts_no_process() {
    if is_left_out(check()) {
        return;
    }
    let home = Home::with(&["bob", "eve"]);
    let session = Session::start();
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let running = Notifier::start_as(&mut traced(&home, &session, STARTS, &["notify"]));
    let evil = "hi $(touch PWNED) `touch PWNED`; touch PWNED\n' \" | sh <img src=/bin/true>";
    for scope in ["$(touch PWNED)", "`touch PWNED`", "; touch PWNED"] {
        home.send("eve", "@bob", evil, &["--urgent", "--scope", scope, "--ref=--exec=touch PWNED"]);
        assert!(monitor.next().body.ends_with("touch PWNED"));
    }
    signal(tracee(running.0.id()), Signal::TERM);
    assert_eq!(running.ended(), Some(0));
    assert_eq!(started(&home.work().join("trace"), BCH), Vec::<String>::new());
    // An address that starts a program is none.
    for address in
        ["unixexec:path=touch,argv1=PWNED", "autolaunch:", "unix:path=/nowhere;unixexec:path=touch"]
    {
        let mut test = traced(&home, &session, STARTS, &["notify", "--test"]);
        let output = test.env("DBUS_SESSION_BUS_ADDRESS", address).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            told.starts_with("error: could not show a test: could not reach a desktop session"),
            "{told}"
        );
        assert!(told.contains("\nhint: export DBUS_SESSION_BUS_ADDRESS="), "{told}");
        assert_eq!((output.status.code(), started(&home.work().join("trace"), BCH)), (Some(1), vec![]));
    }
    assert!(!home.work().join("PWNED").exists());
}

#[test]
fn where_nothing_happens_nothing_is_done() {
    if is_left_out(check()) {
        return;
    }
    let home = Home::with(&["bob", "alice"]);
    let session = Session::start();
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let trace = home.work().join("trace");
    let size = || fs::metadata(&trace).unwrap().len();
    // A watch that rang at its own looks would never come to rest; that of `bch watch` is the same.
    for arguments in [&["notify"][..], &["watch", "--all"]] {
        let mut command = traced(&home, &session, "trace=all", arguments);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("the watch begins", || {
            fs::read_to_string(&trace).is_ok_and(|text| text.contains("inotify_add_watch"))
        });
        home.send("alice", "@bob", "one", &["--urgent"]);
        if arguments == ["notify"] {
            monitor.next();
            let process = tracee(running.id());
            wait_for_status(&home, "it is written down", |status| status["announced"] == 1);
            let memory = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            let field = |name: &str| -> u64 {
                let line = memory.lines().find(|line| line.starts_with(name)).unwrap();
                line.split_whitespace().nth(1).unwrap().parse().unwrap()
            };
            println!("after a notification: VmHWM {} kB, VmRSS {} kB", field("VmHWM"), field("VmRSS"));
            println!("RssAnon {} kB, threads {}", field("RssAnon"), field("Threads"));
            // A program with debugging help has 8 MB more of its own file in memory than a release, which has 6.5 MB.
            let most = if cfg!(debug_assertions) { 18 } else { 10 };
            assert!(field("VmHWM") < most * 1024 && field("RssAnon") < 2 * 1024, "{memory}");
        }
        let mut before = 0;
        wait_until("it comes to rest", || {
            thread::sleep(Duration::from_millis(500));
            std::mem::replace(&mut before, size()) == size()
        });
        // The shortest wait, that of `bch watch`, is five seconds.
        thread::sleep(Duration::from_secs(3));
        assert_eq!(size(), before, "{}", fs::read_to_string(&trace).unwrap());
        signal(tracee(running.id()), Signal::TERM);
        running.wait().unwrap();
        fs::remove_file(&trace).unwrap();
    }
}

#[test]
fn one_notifier_serves_a_home_and_says_what_it_did() {
    if is_left_out(desktop::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice"]);
    let session = Session::start();
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let run = |arguments: &[&str]| command(&home, &session.address, arguments).output().unwrap();
    let none = run(&["--status"]);
    assert_eq!(String::from_utf8_lossy(&none.stdout), "not running\nannounced: 0\nquiet hours: none\n");
    assert_eq!(none.status.code(), Some(1));
    assert!(!home.path().join("notify").exists(), "a look makes nothing");
    let running = Notifier::start(&home, &session, &[]);
    let process = running.0.id();
    let second = run(&[]);
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    let home_path = home.path().display().to_string();
    assert_eq!(
        told,
        format!(
            "error: process {process} notifies of this home's mail already: {home_path}\nhint: bch notify --status\n"
        )
    );
    assert_eq!(second.status.code(), Some(1));
    home.send("alice", "@bob", "one", &["--urgent"]);
    monitor.next();
    let once = succeed(&run(&["--once"]));
    assert_eq!(once, format!("process {process} notifies of this home's mail already\n"));
    wait_for_status(&home, "it is written down", |status| status["announced"] == 1);
    let status = succeed(&run(&["--status"]));
    assert!(status.starts_with(&format!("running as process {process} since 2")), "{status}");
    assert!(status.contains("\nannounced: 1, the last at 2"), "{status}");
    // The environment of a unit or a crontab names no other home than its argument.
    let mut other = command(&home, &session.address, &["--status", "--json", "--home"]);
    let other = other.arg(home.path()).env("BACKCHANNEL_HOME", "/nowhere").output().unwrap();
    let other: serde_json::Value = serde_json::from_str(&succeed(&other)).unwrap();
    assert_eq!((&other["running"], &other["announced"]), (&process.into(), &1.into()), "{other}");
    assert_eq!(running.end(), Some(0));
    assert_eq!(run(&["--status"]).status.code(), Some(1));
    assert!(monitor.rest().is_empty());
}

#[test]
fn agents_that_are_made_later_are_watched_and_others_can_be_left_out() {
    if is_left_out(desktop::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice"]);
    let session = Session::start();
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let running = Notifier::start(&home, &session, &[]);
    for name in ["carol", "dan"] {
        succeed(&home.as_agent(name, &["init", name]));
        home.send("alice", &format!("@{name}"), "welcome", &["--urgent"]);
        assert_eq!(monitor.next().title, format!("@alice → @{name}"));
    }
    // A mailbox that is taken away and made again is another directory.
    succeed(&home.as_agent("carol", &["unregister", "carol", "--force"]));
    succeed(&home.as_agent("carol", &["init", "carol"]));
    home.send("bob", "@carol", "welcome back", &["--urgent"]);
    assert_eq!(monitor.next().body, "welcome back");
    assert_eq!(running.end(), Some(0));
    let running = Notifier::start(&home, &session, &["--agent", "dan"]);
    home.send("bob", "@carol", "not for dan", &["--urgent"]);
    home.send("bob", "@dan", "for dan", &["--urgent"]);
    assert_eq!(monitor.next().body, "for dan");
    assert_eq!(running.end(), Some(0));
    let unknown = command(&home, &session.address, &["--agent", "zed"]).output().unwrap();
    let told = String::from_utf8_lossy(&unknown.stderr);
    assert!(told.contains("there is no agent @zed") && told.contains("hint: bch agents"), "{told}");
    assert!(monitor.rest().is_empty());
}

#[test]
fn a_mistake_in_the_settings_names_the_file_and_keeps_nobody_from_mail() {
    let home = Home::with(&["bob", "alice"]);
    let file = home.path().join("bch.toml");
    for (text, reason) in [
        ("[notify]\nquiet-hours = \"22-7\"\n", "`22-7` are no quiet hours: write \"22:00-07:00\""),
        ("[notify]\nquiet_hours = \"22:00-07:00\"\n", "unknown field `quiet_hours`"),
        ("[notify]\nquiet-hours = 22\n", "invalid type"),
    ] {
        fs::write(&file, text).unwrap();
        for arguments in [&[][..], &["--once"], &["--status"]] {
            let output = command(&home, "unix:path=/nowhere", arguments).output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            let start = format!("error: could not use the settings in {}: {reason}", file.display());
            assert!(told.starts_with(&start), "{told}");
            assert!(told.ends_with(&format!("hint: ${{EDITOR:-vi}} {}\n", file.display())), "{told}");
            assert_eq!(output.status.code(), Some(1));
        }
        home.send("alice", "@bob", "hi", &[]);
    }
    plant(&home, "alice", "hi", "urgent");
    assert_eq!(home.unread("bob").len(), 4);
}
