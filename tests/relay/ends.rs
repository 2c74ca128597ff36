//! An end that was asked for: running requests finish, streams end as HTTP says, and what was promised is kept.

use std::io::{BufReader, Write};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::http::read_answer;
use crate::support::relay::Relay;

#[test]
fn a_relay_that_is_asked_to_end_finishes_what_it_does() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut relay = Relay::start();
        let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
        let mut events = bob.events();
        let sent = alice.send("@bob", "before");
        assert_eq!(events.next(), Some(sent));
        // A request of which the body is on its way.
        let body = br#"{"to":"@bob","body":"in time"}"#;
        let mut stream = alice.api.connect().unwrap();
        stream
            .write_all(alice.api.head("POST", "/v1/send", Some(body.len()), "keep-alive").as_bytes())
            .unwrap();
        stream.write_all(&body[..10]).unwrap();
        // It is being read once another one, which came later, was answered.
        assert_eq!(bob.bodies(), ["before"]);
        let begun = Instant::now();
        relay.signal(signal);
        assert!(events.ends_cleanly(), "the stream ends with its last chunk");
        stream.write_all(&body[10..]).unwrap();
        let answer = read_answer(&mut BufReader::new(stream)).unwrap();
        assert_eq!(answer.ok()["body"], "in time");
        assert!(relay.wait().success());
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert!(alice.api.try_call("GET", "/v1/health", None).is_err(), "nobody listens any more");
        relay.restart_ended();
        assert_eq!(bob.at(&relay).bodies(), ["before", "in time"]);
    }
}

#[test]
fn a_client_that_does_not_finish_holds_the_end_up_for_a_bounded_time() {
    let mut relay = Relay::start();
    let alice = relay.peer("alice");
    let mut stream = alice.api.connect().unwrap();
    stream.write_all(alice.api.head("POST", "/v1/send", Some(100), "keep-alive").as_bytes()).unwrap();
    assert!(alice.bodies().is_empty());
    let begun = Instant::now();
    relay.signal(Signal::TERM);
    assert!(relay.wait().success());
    assert!(begun.elapsed() >= Duration::from_secs(5), "the request was given time");
    // At the second signal it ends at once.
    let mut relay = Relay::start();
    let alice = relay.peer("alice");
    let mut stream = alice.api.connect().unwrap();
    stream.write_all(alice.api.head("POST", "/v1/send", Some(100), "keep-alive").as_bytes()).unwrap();
    assert!(alice.bodies().is_empty());
    let begun = Instant::now();
    relay.signal(Signal::TERM);
    while alice.api.connect().is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still listens");
    }
    relay.signal(Signal::TERM);
    assert!(relay.wait().success());
    assert!(begun.elapsed() < Duration::from_secs(8));
}
