//! Slow clients, many connections, many requests: what each is answered, and that others are served all the while.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::support::http::{Api, PATIENCE, read_answer};
use crate::support::relay::{ROOM, Relay};

/// Reads until the other side closes; how long that took.
fn closed(mut stream: TcpStream) -> Duration {
    let begun = Instant::now();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}: the connection stays open"),
    }
    begun.elapsed()
}

#[test]
fn w12_who_is_slow_loses_the_connection_and_holds_nobody_up() {
    let settings = "[limits]\nheader-seconds = 1\nbody-seconds = 1\nidle-seconds = 2\n";
    let relay = Relay::with_settings(settings, &[], &[]);
    let alice = relay.peer("alice");
    let api = &alice.api;
    // Nothing is said; a header without end; a second request that does not come.
    let silent = api.connect().unwrap();
    let mut half = api.connect().unwrap();
    half.write_all(b"GET /v1/health HTTP/1.1\r\nhost: re").unwrap();
    let mut kept = api.connect().unwrap();
    kept.write_all(api.head("GET", "/v1/inbox/alice", None, "keep-alive").as_bytes()).unwrap();
    let mut reader = BufReader::new(kept);
    assert_eq!(read_answer(&mut reader).unwrap().status, 200);
    // A body that does not come, and one that comes in drops.
    let mut bodiless = api.connect().unwrap();
    bodiless.write_all(api.head("POST", "/v1/send", Some(50), "keep-alive").as_bytes()).unwrap();
    let mut dripping = api.connect().unwrap();
    dripping.write_all(api.head("POST", "/v1/send", Some(5000), "keep-alive").as_bytes()).unwrap();
    let mut drip = dripping.try_clone().unwrap();
    let drops = std::thread::spawn(move || {
        let begun = Instant::now();
        while drip.write_all(b" ").is_ok() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert_eq!(alice.inbox(), Vec::<serde_json::Value>::new(), "others are served meanwhile");
    for stream in [bodiless, dripping] {
        let answer = read_answer(&mut BufReader::new(stream)).unwrap();
        answer.error(408);
    }
    drops.join().unwrap();
    for stream in [silent, half, reader.into_inner()] {
        closed(stream);
    }
}

#[test]
fn thousands_of_connections_keep_nobody_out_for_long() {
    const MANY: usize = 10_000;
    // This process holds the other ends.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let many = if files < MANY as u64 + 1000 {
        let fewer = usize::try_from(files / 2).unwrap();
        crate::support::is_left_out(Err(format!(
            "no more than {files} open files: {fewer} connections are tried"
        )));
        fewer
    } else {
        MANY
    };
    let settings = "[limits]\nconnections = 2000\nheader-seconds = 3\n";
    let relay = Relay::with_settings(settings, &[], &[]);
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let mut events = bob.events();
    let idle = memory(relay.pid());
    let mut streams = Vec::new();
    for _ in 0..many {
        streams.push(alice.api.connect().unwrap());
    }
    // A stream that was there before goes on; one connection too many is told so, and closed.
    let told = turned_away(&alice.api);
    assert!(told.is_none_or(|status| status == 503), "{told:?}");
    let peak = memory(relay.pid());
    // The silent ones time out, with nobody's help.
    let begun = Instant::now();
    let sent = loop {
        match alice.api.try_call("POST", "/v1/send", Some(br#"{"to":"@bob","body":"through"}"#)) {
            Ok(answer) if answer.status == 200 => break answer.json(),
            _ => assert!(begun.elapsed() < PATIENCE, "nobody is let in again"),
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(events.next(), Some(sent));
    drop(streams);
    assert!(peak < idle + 100 * 1024, "{idle} KiB became {peak} KiB");
    relay.api(Some(ROOM)).post("/v1/register", &json!({ "name": "carol" })).ok();
}

/// What a connection beyond the limit is told; `None` where it is closed before that can be read.
fn turned_away(api: &Api) -> Option<u16> {
    api.try_call("GET", "/v1/health", None).ok().map(|answer| answer.status)
}

/// KiB that the process has in memory.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    let settings = "[limits]\nrequests-per-agent = 5\nrequests-per-address = 1000\n";
    let relay = Relay::with_settings(settings, &[], &[]);
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let answers: Vec<_> = (0..8).map(|_| alice.api.get("/v1/inbox/alice")).collect();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(refused.len(), 3);
    let wait: u64 = refused[0].header("retry-after").unwrap().parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    refused[0].error(429);
    assert_eq!(bob.inbox(), Vec::<serde_json::Value>::new(), "it is alice's limit");

    let relay = Relay::with_settings("[limits]\nrequests-per-address = 5\n", &[], &[]);
    let health: Vec<_> = (0..8).map(|_| relay.api(None).get("/v1/health").status).collect();
    assert_eq!(health, [200, 200, 200, 200, 200, 429, 429, 429]);
}

#[test]
fn the_address_behind_a_proxy_is_the_last_that_it_saw() {
    let settings = "[limits]\nrequests-per-address = 3\n";
    let relay = Relay::with_settings(settings, &["--behind-proxy"], &[]);
    let from = |addresses: &str| relay.api(None).with("x-forwarded-for", addresses).get("/v1/health").status;
    // What stands before the last is the client's own invention.
    for number in 0..3 {
        assert_eq!(from(&format!("203.0.113.{number}, 198.51.100.1")), 200);
    }
    assert_eq!(from("203.0.113.9, 198.51.100.1"), 429);
    assert_eq!(from("203.0.113.9,198.51.100.2"), 200);
    let figures = relay.api(None).with("x-forwarded-for", "198.51.100.3");
    figures.get("/metrics").error(403);
    // Without the flag the header says nothing.
    let relay = Relay::with_settings(settings, &[], &[]);
    let from = |address: &str| relay.api(None).with("x-forwarded-for", address).get("/v1/health").status;
    assert_eq!([from("203.0.113.1"), from("203.0.113.2"), from("203.0.113.3")], [200; 3]);
    assert_eq!(from("203.0.113.4"), 429);
}
