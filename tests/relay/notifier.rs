//! The notifier at a relay: it says that nothing waits, so that a prompt asks nobody, and sends what waits.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::team::Team;
use crate::support::home::{BCH, Home, succeed};

/// A running notifier, without a desktop. It ends with its value.
struct Notifier(Child);

impl Notifier {
    fn start(home: &Home) -> Self {
        let mut command = home.command(BCH);
        command.args(["notify", "--home"]).arg(home.path()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a machine keeps what it has of its relay's mail.
fn desk_of(home: &Home) -> std::path::PathBuf {
    let mut desks = fs::read_dir(home.path().join("relay")).unwrap().map(|entry| entry.unwrap().path());
    desks.find(|path| path.is_dir()).unwrap()
}

#[test]
fn what_lies_here_is_shown_though_another_claim_waits_for_the_relay() {
    let team = Team::start();
    let bob = team.machine("bob");
    let desk = desk_of(&bob);
    let id = "00000001-0000-4000-8000-000000000000";
    let message = format!(
        r#"{{"id":"{id}","from":"ann","to":"@bob","body":"lies here","ts":"{}"}}"#,
        jiff::Timestamp::now()
    );
    fs::write(desk.join(format!("spool/bob/new/{id}.json")), message).unwrap();
    let lock = fs::File::create(desk.join("claim.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let event = bob.payload("UserPromptSubmit", "s", &bob.work());
    let shown = bob.hook("claude-code", "UserPromptSubmit", "bob", &event);
    assert!(shown.expect("it is shown").contains("lies here"));
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn while_nothing_waits_a_prompt_asks_nobody() {
    let team = Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    let event = bob.payload("UserPromptSubmit", "s", &bob.work());
    let prompt = || bob.hook("claude-code", "UserPromptSubmit", "bob", &event);
    let notifier = Notifier::start(&bob);
    let word = bob.path().join("relay/bob.quiet.json");
    until("the notifier says that nothing waits", || word.exists());
    // A relay that does not answer would be waited for, and told of in the log.
    team.relay.signal(Signal::STOP);
    assert!(prompt().is_none());
    assert!(!bob.path().join("hook.log").exists(), "it asked the relay");
    team.relay.signal(Signal::CONT);
    succeed(&ann.as_agent("ann", &["send", "@bob", "hello"]));
    until("the word is taken back", || !word.exists());
    assert!(prompt().expect("mail is shown").contains("hello"));
    let stop = bob.payload("Stop", "s", &bob.work());
    bob.hook("claude-code", "Stop", "bob", &stop);
    until("nothing waits again", || word.exists());
    assert!(prompt().is_none());
    // A claim whose answer was lost: what it got is unread nowhere.
    let desk = desk_of(&bob);
    fs::create_dir_all(desk.join("claims")).unwrap();
    let begun = desk.join("claims/0123456789abcdef0123456789abcdef.json");
    fs::write(&begun, "null").unwrap();
    assert!(prompt().is_none());
    assert!(!begun.exists(), "the relay was asked for it");
    // A word of another time, or of another start of the machine, is none.
    drop(notifier);
    let text = fs::read_to_string(&word).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let old = value["at"].as_u64().unwrap().saturating_sub(41);
    for stale in [
        text.replace(&format!("\"at\":{}", value["at"]), &format!("\"at\":{old}")),
        text.replace(value["boot"].as_str().unwrap(), "another"),
        text[..text.len() / 2].to_owned(),
    ] {
        succeed(&ann.as_agent("ann", &["send", "@bob", "seen all the same"]));
        fs::write(&word, stale).unwrap();
        assert!(prompt().expect("the relay is asked").contains("seen all the same"));
        bob.hook("claude-code", "Stop", "bob", &stop);
    }
}

#[test]
fn the_notifier_sends_what_waits_and_goes_on_after_a_restart_of_the_relay() {
    let mut team = Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    let address = team.relay.address;
    let _notifier = Notifier::start(&ann);
    until("it is connected", || ann.path().join("relay/ann.quiet.json").exists());
    team.relay.kill();
    let told = succeed(&ann.as_agent("ann", &["send", "@bob", "later"]));
    assert!(told.starts_with("queued"), "{told}");
    team.relay.restart_at(address);
    until("it is sent", || !bob.unread("bob").is_empty());
    assert_eq!(bob.unread("bob")[0]["body"], "later");
}

#[test]
fn a_watch_prints_what_lands_and_resumes() {
    use std::io::{BufRead, BufReader};
    let mut team = Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    let mut command = bob.command(BCH);
    command.args(["--json", "watch", "--all"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut watch = Notifier(command.spawn().unwrap());
    let (tell, lines) = std::sync::mpsc::channel();
    let out = BufReader::new(watch.0.stdout.take().unwrap());
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let next = || {
        let line = lines.recv_timeout(Duration::from_secs(30)).expect("a message lands");
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["body"].as_str().unwrap().to_owned()
    };
    succeed(&ann.as_agent("ann", &["send", "@bob", "one"]));
    assert_eq!(next(), "one");
    let address = team.relay.address;
    team.relay.kill();
    team.relay.restart_at(address);
    succeed(&ann.as_agent("ann", &["send", "@bob", "two"]));
    assert_eq!(next(), "two", "what was printed before the restart is not printed again");
}
