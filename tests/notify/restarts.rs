//! Each message once: across restarts, deaths at any moment, and a desktop that comes and goes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

use rustix::process::Signal;

use super::shown::plant;
use super::{Notifier, command, signal, wait_for_status};
use crate::support::desktop::{self, Monitor, Session};
use crate::support::home::{BCH, Home, succeed};
use crate::support::is_left_out;

#[test]
fn what_was_announced_is_not_announced_again() {
    if is_left_out(desktop::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice"]);
    let session = Session::start();
    let (screen, monitor) = (session.desktop(""), session.monitor());
    // What waits before the first start is announced then, and summed up where it is much.
    (0..4).for_each(|_| drop(plant(&home, "alice", "before the start", "urgent")));
    let running = Notifier::start(&home, &session, &[]);
    assert_eq!(monitor.next().title, "4 urgent messages from @alice");
    wait_for_status(&home, "it is written down", |status| status["announced"] == 4);
    running.kill();
    screen.picture("at-the-start");
    let running = Notifier::start(&home, &session, &[]);
    home.send("alice", "@bob", "the fifth", &["--urgent"]);
    assert_eq!(monitor.next().body, "the fifth");
    assert_eq!(running.end(), Some(0));
    assert_eq!(succeed(&command(&home, &session.address, &["--once"]).output().unwrap()), "0 announced\n");
    let record = || fs::read_to_string(home.path().join("notify/announced.json")).unwrap();
    assert_eq!(record().matches('-').count(), 5 * 4, "five ids: {}", record());
    // What was read is forgotten.
    succeed(&home.as_agent("bob", &["drain", "--all"]));
    plant(&home, "alice", "the sixth", "urgent");
    assert_eq!(succeed(&command(&home, &session.address, &["--once"]).output().unwrap()), "1 announced\n");
    assert_eq!(record().matches('-').count(), 4, "one id: {}", record());
    assert_eq!(monitor.next().body, "the sixth");
    assert!(monitor.rest().is_empty());
}

/// Announces once, and is killed at the call of this number.
fn killed_at(home: &Home, session: &Session, calls: &str, number: usize) -> Output {
    let mut command = home.command("strace");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("DBUS_SESSION_BUS_ADDRESS", &session.address);
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={calls}:signal=KILL:when={number}"), BCH, "notify", "--once"]);
    command.output().unwrap()
}

fn bodies(monitor: &Monitor, bus: &Session) -> Vec<String> {
    // The bus hands on what it took before it answers this.
    let connection = bus.connect();
    let name = "org.freedesktop.DBus";
    let call = connection.call_method(Some(name), "/org/freedesktop/DBus", Some(name), "GetId", &());
    zbus::block_on(call).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    monitor.rest().into_iter().map(|sent| sent.body).collect()
}

#[test]
fn whoever_dies_at_any_moment_loses_nothing_and_says_nothing_thrice() {
    if is_left_out(desktop::check().and_then(|()| {
        let strace = Command::new("strace").arg("-V").output();
        strace.map(drop).map_err(|_| "strace is missing: nobody saw a notifier die".to_owned())
    })) {
        return;
    }
    let session = Session::start();
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for calls in ["?rename,?renameat,?renameat2", "sendmsg", "fsync"] {
        let mut number = 0;
        loop {
            number += 1;
            let home = Home::with(&["bob"]);
            plant(&home, "ann", "one", "urgent");
            plant(&home, "cid", "two", "urgent");
            let output = killed_at(&home, &session, calls, number);
            let was_killed = output.status.signal() == Some(9) || output.status.code() == Some(137);
            let again = || command(&home, &session.address, &["--once"]).output().unwrap();
            succeed(&again());
            let shown = bodies(&monitor, &session);
            for body in ["one", "two"] {
                let times = shown.iter().filter(|shown| *shown == body).count();
                assert!((1..=2).contains(&times), "{calls} {number}: {shown:?}");
                *counts.entry(times).or_default() += 1;
            }
            assert_eq!(succeed(&again()), "0 announced\n", "{calls} {number}");
            assert!(monitor.rest().is_empty(), "{calls} {number}");
            let mut files = fs::read_dir(home.path().join("notify")).unwrap();
            let is_draft = |file: std::fs::DirEntry| file.file_name().to_string_lossy().starts_with('.');
            assert!(!files.any(|file| is_draft(file.unwrap())), "{calls} {number}: a draft stays");
            if !was_killed {
                assert!(number > 3, "{calls}: {}", String::from_utf8_lossy(&output.stderr));
                break;
            }
        }
        println!("{calls}: killed at {} calls", number - 1);
    }
    println!("messages by how often they were announced: {counts:?}");
    assert!(counts.contains_key(&2), "nobody died between showing and writing down");
}

#[test]
fn a_desktop_may_come_go_and_hang() {
    if is_left_out(desktop::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice"]);
    let socket = home.work().join("bus");
    let address = format!("unix:path={}", socket.display());
    let once = |address: &str| command(&home, address, &["--once"]).output().unwrap();
    home.send("alice", "@bob", "before there is a session", &["--urgent"]);
    let told = String::from_utf8_lossy(&once(&address).stderr).into_owned();
    assert!(
        told.starts_with("error: could not notify: could not reach a desktop session at unix:path="),
        "{told}"
    );
    assert!(told.contains("\nhint: export DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/"), "{told}");
    let running = Notifier::start_as(&mut command(&home, &address, &[]));
    wait_for_status(&home, "it failed", |status| status["lastError"]["what"].is_string());
    let session = Session::at(Some(&socket));
    let told =
        String::from_utf8_lossy(&command(&home, &address, &["--test"]).output().unwrap().stderr).into_owned();
    assert!(told.contains("nobody in this session shows notifications: "), "{told}");
    assert!(told.contains("\nhint: dunst &"), "{told}");
    let monitor = session.monitor();
    let screen = session.desktop("");
    assert_eq!(monitor.next().body, "before there is a session");
    // Who is killed before he answers is asked again: twice is better than never.
    let announced = |count: u64| wait_for_status(&home, "it is taken", |status| status["announced"] == count);
    announced(1);
    drop(screen);
    home.send("alice", "@bob", "while nobody shows it", &["--urgent"]);
    wait_for_status(&home, "it failed", |status| {
        status["lastError"]["what"].as_str().is_some_and(|what| what.contains("nobody in this session"))
    });
    let screen = session.desktop("");
    assert_eq!(monitor.next().body, "while nobody shows it");
    announced(2);
    // Stopped, it takes what is sent and does not answer; nothing is sent to it before it has.
    signal(screen.process(), Signal::STOP);
    home.send("alice", "@bob", "while it hangs", &["--urgent"]);
    wait_for_status(&home, "it failed", |status| {
        status["lastError"]["what"].as_str().is_some_and(|what| what.contains("did not answer"))
    });
    signal(screen.process(), Signal::CONT);
    assert_eq!(monitor.next().body, "while it hangs");
    announced(3);
    // A bus that hangs holds up the end no longer than an answer may take.
    signal(session.process(), Signal::STOP);
    home.send("alice", "@bob", "while the bus hangs", &["--urgent"]);
    assert_eq!(running.end(), Some(0));
    signal(session.process(), Signal::CONT);
    assert!(monitor.rest().is_empty());
    assert_eq!(succeed(&once(&address)), "1 announced\n");
    assert_eq!(monitor.next().body, "while the bus hangs");
    assert_eq!(screen.history().len(), 3);
}

#[test]
fn a_cron_job_finds_the_session_of_its_user() {
    if is_left_out(desktop::check()) {
        return;
    }
    let home = Home::with(&["bob"]);
    plant(&home, "alice", "from cron", "urgent");
    let session = Session::at(Some(&home.work().join("bus")));
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let mut once = home.command(BCH);
    once.args(["notify", "--once", "--json"]).env("XDG_RUNTIME_DIR", home.work());
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&succeed(&once.output().unwrap())).unwrap(),
        serde_json::json!({ "announced": 1, "waiting": 0 })
    );
    assert_eq!(monitor.next().body, "from cron");
    // Without either variable it is the place that systemd gives a user's bus.
    let told = home.command(BCH).args(["notify", "--test"]).output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    let user = rustix::process::geteuid().as_raw();
    let place = format!("unix:path=/run/user/{user}/bus");
    assert!(told.contains(&place) || std::path::Path::new(&place[10..]).exists(), "{told}");
}
