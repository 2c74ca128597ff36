//! Many readers, and readers that die: each message exactly once, and none lost.

use std::collections::HashSet;
use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::commands::{bch, machine};
use crate::support::brain::{Brain, Gone, Shape};
use crate::support::home::{BCH, succeed};

const INBOX: &str = "/private/backchannel/team/inbox/bob/";

fn put(brain: &Brain, count: usize) -> HashSet<String> {
    let id = || backchannel::message::MessageId::random().to_string();
    let ids: HashSet<String> = (0..count).map(|_| id()).collect();
    for id in &ids {
        let text = format!(
            "---\nid: \"{id}\"\nfrom: \"ann\"\nto: \"@bob\"\npriority: \"normal\"\nts: \"2026-01-02T03:04:05.678Z\"\nbody: \"race\"\n---\n"
        );
        brain.put(&format!("{INBOX}{id}.md"), &text);
    }
    ids
}

/// 20 processes of bob's on five machines, four on each.
fn race(brain: &Brain) {
    let homes: Vec<_> = (0..5).map(|_| machine(brain, "bob")).collect();
    let ids = put(brain, 500);
    let mut children: Vec<_> = (0..20)
        .map(|number| {
            let mut command = homes[number % homes.len()].command(BCH);
            command.args(["drain", "--all", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let mut read: Vec<String> = Vec::new();
    for child in children.drain(..) {
        let output = child.wait_with_output().unwrap();
        let messages: Vec<Value> = serde_json::from_str(&succeed(&output)).unwrap();
        read.extend(messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!((read.len(), read.iter().cloned().collect::<HashSet<_>>()), (ids.len(), ids));
    assert_eq!(brain.paths(INBOX), Vec::<String>::new());
}

#[test]
fn of_500_messages_20_processes_get_each_once() {
    race(&Brain::with(Shape { gone: Gone::Written, ..Shape::default() }));
}

#[test]
fn and_where_the_service_gives_no_hashes() {
    let hashes = crate::support::brain::Hashes::Absent;
    race(&Brain::with(Shape { hashes, ..Shape::default() }));
}

#[test]
fn a_reader_that_is_killed_between_claim_and_acknowledgement_loses_nothing() {
    let brain = Brain::start();
    let (ann, bob) = (machine(&brain, "ann"), machine(&brain, "bob"));
    let body = "x".repeat(90_000);
    for _ in 0..3 {
        succeed(&bch(&ann, &["send", "@bob", &body]));
    }
    // Nobody reads the pipe: the reader stops while it prints the first.
    let mut child = bob.command(BCH).args(["drain", "--all"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).unwrap();
    let marked = brain
        .documents()
        .iter()
        .filter(|one| one.path.starts_with(INBOX) && one.body.contains("\nclaim: "))
        .count();
    assert_eq!(marked, 3, "they are claimed, and none is acknowledged");
    child.kill().unwrap();
    child.wait().unwrap();
    let read: Vec<Value> = serde_json::from_str(&succeed(&bch(&bob, &["drain", "--all", "--json"]))).unwrap();
    assert_eq!(read.len(), 3);
    assert_eq!(brain.paths(INBOX), Vec::<String>::new());
}

#[test]
fn readers_that_are_killed_at_any_moment_lose_nothing() {
    let brain = Brain::start();
    let bob = machine(&brain, "bob");
    let ids = put(&brain, 41);
    let (mut read, begun) = (HashSet::new(), Instant::now());
    let mut take_in = |bytes: &[u8]| {
        for line in String::from_utf8_lossy(bytes).lines() {
            read.extend(ids.iter().filter(|id| line.contains(id.as_str())).cloned());
        }
    };
    for round in 0..25u32 {
        let mut child =
            bob.command(BCH).args(["drain", "--all", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(u64::from(round) * 6));
        let _ = child.kill();
        take_in(&child.wait_with_output().unwrap().stdout);
        assert!(begun.elapsed() < Duration::from_secs(120));
    }
    take_in(&bch(&bob, &["drain", "--all", "--json"]).stdout);
    take_in(&bch(&bob, &["inbox", "--recent", "--json"]).stdout);
    assert_eq!(read, ids);
    assert_eq!(brain.paths(INBOX), Vec::<String>::new());
}
