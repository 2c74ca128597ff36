//! When nothing is shown, and what is made up for later. The clock is made; the mailboxes, the bus and dunst are real.

use std::time::Duration;

use backchannel::config::Config;
use backchannel::env::Env;
use backchannel::notify::{self, Notifier, Rings, Wait, Waiting, Wake, desktop};
use backchannel::spool::local::LocalSpool;
use backchannel::spool::{Spool as _, Whose};
use jiff::Timestamp;

use super::shown::plant;
use crate::support::desktop::{self as support, Session};
use crate::support::home::{BCH, Home, succeed};
use crate::support::is_left_out;

/// Surroundings in Central Europe at this time, with this bus.
fn env(address: &str, now: &str) -> Env {
    let now: Timestamp = now.parse().unwrap();
    let rule = "CET-1CEST,M3.5.0,M10.5.0/3";
    Env::made(&[("DBUS_SESSION_BUS_ADDRESS", address), ("TZ", rule)], "/", now)
}

fn notifier(home: &Home, env: &Env, bell: notify::Bell) -> Notifier {
    let config = Config::load_from(&home.path()).unwrap();
    let spool = LocalSpool::open(&home.path(), env, 60);
    let watch = spool.watch(Whose::All, Box::new(move || bell.ring())).unwrap();
    Notifier::new(config, env, watch, desktop::of_session(env)).unwrap()
}

fn minutes(env: &Env, minutes: i64) {
    env.pass(minutes * 60_000);
}

#[test]
fn what_doctor_sends_to_itself_is_announced_to_nobody() {
    if is_left_out(support::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice"]);
    let canary = format!("canary-{:032x}", 7);
    succeed(&home.as_agent(&canary, &["init", &canary]));
    let session = Session::start();
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let env = env(&session.address, "2026-11-24T12:00:00Z");
    let mut notifier = notifier(&home, &env, Rings::new().bell());
    home.send("alice", &format!("@{canary}"), "a proof", &["--urgent"]);
    let pass = notifier.pass();
    assert_eq!((pass.announced, pass.waiting), (0, None));
    home.send("alice", "@bob", "for bob", &["--urgent"]);
    assert_eq!((notifier.pass().announced, &*monitor.next().body), (1, "for bob"));
}

#[test]
fn quiet_hours_are_summed_up_at_their_end() {
    if is_left_out(support::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice", "carol"]);
    std::fs::write(home.path().join("bch.toml"), "[notify]\nquiet-hours = \"22:00-07:00\"\n").unwrap();
    let session = Session::start();
    let (screen, monitor) = (session.desktop(""), session.monitor());
    // A minute before ten in the evening.
    let env = env(&session.address, "2026-11-24T20:59:00Z");
    let mut notifier = notifier(&home, &env, Rings::new().bell());
    plant(&home, "alice", "in time", "urgent");
    assert_eq!((notifier.pass().announced, &*monitor.next().body), (1, "in time"));
    minutes(&env, 1);
    for body in ["one", "two", "three"] {
        plant(&home, "alice", body, "urgent");
    }
    plant(&home, "carol", "The <certificate> expires at eight", "urgent");
    let read = plant(&home, "carol", "read in the night", "urgent");
    let pass = notifier.pass();
    assert_eq!((pass.announced, pass.waiting), (0, Some((5, Waiting::Quiet))));
    minutes(&env, 9 * 60 - 1);
    let pass = notifier.pass();
    assert_eq!((pass.announced, pass.patience), (0, Duration::from_secs(60)));
    succeed(&home.as_agent("bob", &["read", &read]));
    minutes(&env, 1);
    assert_eq!(notifier.pass().announced, 4);
    let sum = monitor.next();
    assert_eq!(sum.title, "4 urgent messages");
    // They bear the same time, so that either sender may be the first.
    let mut lines: Vec<_> = sum.body.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["@alice: 3 messages", "@carol → @bob: The &lt;certificate&gt; expires at eight"]);
    screen.picture("after-quiet-hours");
    assert_eq!(notifier.pass().announced, 0);
    assert!(monitor.rest().is_empty());
}

#[test]
fn what_one_sender_sends_too_much_is_summed_up_after_a_minute() {
    if is_left_out(support::check()) {
        return;
    }
    let home = Home::with(&["bob", "eve", "alice"]);
    let session = Session::start();
    let (screen, monitor) = (session.desktop(""), session.monitor());
    let env = env(&session.address, "2026-11-24T12:00:00Z");
    let mut notifier = notifier(&home, &env, Rings::new().bell());
    assert_eq!(notifier.pass().announced, 0);
    for number in 0..8 {
        plant(&home, "eve", &format!("look at me {number}"), "urgent");
    }
    plant(&home, "alice", "The tests are green again", "urgent");
    let pass = notifier.pass();
    assert_eq!((pass.announced, pass.waiting), (4, Some((5, Waiting::Limited))));
    assert_eq!(pass.patience, Duration::from_secs(60));
    env.pass(59_999);
    assert_eq!(notifier.pass().announced, 0);
    env.pass(1);
    let pass = notifier.pass();
    assert_eq!((pass.announced, pass.waiting), (5, None));
    let mut titles: Vec<_> = monitor.take(5).into_iter().map(|sent| sent.title).collect();
    assert_eq!(titles.pop().unwrap(), "5 more urgent messages from @eve");
    titles.sort();
    assert_eq!(titles, ["@alice → @bob", "@eve → @bob", "@eve → @bob", "@eve → @bob"]);
    screen.picture("summed-up");
    // A flood is ten notifications a minute, whoever sends it, and then a sum.
    minutes(&env, 5);
    for number in 0..25 {
        plant(&home, &format!("s{number}"), "flood", "urgent");
    }
    assert_eq!(notifier.pass().announced, 10);
    env.pass(59_999);
    assert_eq!(notifier.pass().announced, 0);
    env.pass(1);
    assert_eq!(notifier.pass().announced, 15);
    assert_eq!(monitor.take(11).pop().unwrap().title, "15 urgent messages");
    screen.picture("flood");
}

#[test]
fn nothing_is_shown_of_the_muted_and_in_a_pause() {
    if is_left_out(support::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice", "eve", "mallory"]);
    succeed(&home.as_agent("bob", &["sub", "#noise"]));
    let session = Session::start();
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let running = super::Notifier::start(&home, &session, &[]);
    let told = |arguments: &[&str]| succeed(&home.command(BCH).args(arguments).output().unwrap());
    told(&["mute", "@eve", "#noise"]);
    told(&["block", "@mallory"]);
    for (from, to) in [("eve", "@bob"), ("mallory", "@bob"), ("alice", "#noise")] {
        home.send(from, to, "not wanted", &["--urgent"]);
    }
    home.send("alice", "@bob", "before the pause", &["--urgent"]);
    assert_eq!(monitor.next().body, "before the pause");
    told(&["pause"]);
    home.send("alice", "@bob", "read in the pause", &["--urgent"]);
    let read = home.unread("bob").pop().unwrap()["id"].as_str().unwrap().to_owned();
    succeed(&home.as_agent("bob", &["read", &read]));
    home.send("alice", "@bob", "in the pause", &["--urgent"]);
    told(&["resume"]);
    assert_eq!(monitor.next().body, "in the pause");
    told(&["unmute", "@eve"]);
    let sent = monitor.next();
    assert_eq!((&*sent.title, &*sent.body), ("@eve → @bob", "not wanted"));
    assert_eq!(running.end(), Some(0));
    assert!(monitor.rest().is_empty());
}

#[test]
fn what_a_session_holds_is_announced_when_it_is_gone() {
    if is_left_out(support::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice"]);
    let session = Session::start();
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let env = env(&session.address, &Env::system().now().to_string());
    let mut notifier = notifier(&home, &env, Rings::new().bell());
    home.send("alice", "@bob", "read at once", &["--urgent"]);
    let payload = home.payload("UserPromptSubmit", "s", &home.work());
    assert!(home.hook("claude-code", "UserPromptSubmit", "bob", &payload).is_some());
    let pass = notifier.pass();
    assert_eq!((pass.announced, pass.waiting), (0, None));
    // The session never says that it read it: a day later its lease has lapsed, and the message is unread.
    minutes(&env, 24 * 60);
    assert_eq!((notifier.pass().announced, &*monitor.next().body), (1, "read at once"));
    minutes(&env, 24 * 60);
    assert_eq!(notifier.pass().announced, 0);
}

/// Lets the time pass that it is told to wait, and counts how often.
struct Hours<'a> {
    env: &'a Env,
    end: Timestamp,
    waits: usize,
}

impl Wait for Hours<'_> {
    fn wait(&mut self, longest: Duration) -> Wake {
        self.waits += 1;
        self.env.pass(i64::try_from(longest.as_millis()).unwrap().max(1));
        if self.env.now() < self.end { Wake::Look } else { Wake::End }
    }
}

#[test]
fn an_idle_hour_is_sixty_looks_and_shows_nothing() {
    if is_left_out(support::check()) {
        return;
    }
    let home = Home::with(&["bob", "alice", "carol"]);
    home.send("alice", "@bob", "no hurry", &[]);
    let session = Session::start();
    let (_screen, monitor) = (session.desktop(""), session.monitor());
    let env = env(&session.address, "2026-11-24T12:00:00Z");
    let written = || std::fs::metadata(home.path().join("notify/status.json")).unwrap().modified().unwrap();
    let mut notifier = notifier(&home, &env, Rings::new().bell());
    let mut hours = Hours { env: &env, end: "2026-11-24T13:00:00Z".parse().unwrap(), waits: 0 };
    let mut told = Vec::new();
    notifier.run(&mut hours, &mut |trouble| told.push(trouble.to_owned()));
    let before = written();
    assert_eq!((hours.waits, &told[..]), (60, &[][..]));
    // With one that waits for its minute to be over, and one that nobody can be shown: no more often than needed.
    for _ in 0..4 {
        plant(&home, "alice", "four", "urgent");
    }
    hours = Hours { env: &env, end: "2026-11-24T14:00:00Z".parse().unwrap(), waits: 0 };
    notifier.run(&mut hours, &mut |trouble| told.push(trouble.to_owned()));
    assert_eq!((hours.waits, &told[..]), (60, &[][..]));
    assert!(written() > before);
    let mut titles: Vec<_> = monitor.take(4).into_iter().map(|sent| sent.title).collect();
    titles.dedup();
    assert_eq!(titles, ["@alice → @bob"]);
    // A desktop that is gone for an hour: a second, two, and in the end a minute.
    drop(session);
    plant(&home, "alice", "nobody sees it", "urgent");
    hours = Hours { env: &env, end: "2026-11-24T15:00:00Z".parse().unwrap(), waits: 0 };
    notifier.run(&mut hours, &mut |trouble| told.push(trouble.to_owned()));
    assert_eq!((hours.waits, told.len()), (65, 1), "{told:?}");
    assert!(told[0].starts_with("could not reach a desktop session at unix:path="), "{told:?}");
}
