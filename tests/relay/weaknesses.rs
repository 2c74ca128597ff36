//! The weaknesses of the first version's relay, each by its number, and what ours does in its place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::http::PATIENCE;
use crate::support::relay::{ROOM, Relay, lease};

/// All files under a directory, with their bytes.
fn snapshot(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            files.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
    files.sort();
    files
}

#[test]
fn w1_no_path_comes_in_by_an_id_or_a_name() {
    let relay = Relay::start();
    let (mallory, victim) = (relay.peer("mallory"), relay.peer("victim"));
    let mail = mallory.send("@victim", "for the victim alone");
    let uuid = mail["id"].as_str().unwrap();
    fs::write(relay.data().join("../outside.json"), "{}").unwrap();
    fs::write(relay.data().join("config.json"), r#"{"token":"the relay's own"}"#).unwrap();
    let before = snapshot(&relay.data());
    let ids = [
        format!("../../victim/new/{uuid}"),
        "../../../config".to_owned(),
        "../../../agents/victim".to_owned(),
        "../../../../outside".to_owned(),
        format!("..%2f..%2fvictim%2fnew%2f{uuid}"),
        format!("{uuid}/../../../victim/new/{uuid}"),
        format!("{uuid}\0"),
        "/etc/passwd".to_owned(),
        String::new(),
    ];
    for id in &ids {
        for keep in [false, true] {
            mallory.api.post("/v1/take", &json!({ "id": id, "keep": keep })).error(400);
        }
        mallory.api.post("/v1/claim", &json!({ "lease": lease(1), "ids": [id] })).error(400);
        mallory.api.post("/v1/claim/ack", &json!({ "lease": lease(1), "ids": [id] })).error(400);
        mallory.api.post("/v1/send", &json!({ "id": id, "to": "@victim", "body": "x" })).error(400);
    }
    for name in ["../agents/mallory", "..", "a/b", "a\0b", "con", "", "x/../../outside"] {
        mallory.api.post("/v1/send", &json!({ "to": format!("@{name}"), "body": "x" })).error(400);
        mallory.api.post("/v1/send", &json!({ "to": format!("#{name}"), "body": "x" })).error(400);
        mallory.api.post("/v1/subscribe", &json!({ "channel": format!("#{name}") })).error(400);
        relay.api(Some(ROOM)).post("/v1/register", &json!({ "name": name })).error(400);
    }
    for room in ["../rooms", "..", "a/b", "a\0b", "", "x.y"] {
        relay.admin().post("/v1/rooms/rotate", &json!({ "room": room })).error(400);
        relay.admin().post("/v1/invites", &json!({ "room": room })).error(400);
    }
    for id in ["..%2f..%2fconfig", "%2e%2e", "a%00"] {
        relay.admin().delete(&format!("/v1/rooms/{id}")).error(400);
        relay.admin().delete(&format!("/v1/agents/{id}")).error(400);
        relay.admin().delete(&format!("/v1/invites/{id}")).error(400);
    }
    assert_eq!(snapshot(&relay.data()), before);
    // A body in the token's room reads as another's id, and is not there.
    assert_eq!(mallory.take(&mail["id"]), Value::Null);
    assert_eq!(victim.inbox(), [mail]);
}

#[test]
fn w2_an_empty_registration_bricks_nothing() {
    let mut relay = Relay::start();
    let alice = relay.peer("alice");
    for body in [json!({}), json!({ "name": null }), json!({ "name": 7 }), json!([]), json!({ "name": {} })] {
        relay.api(Some(ROOM)).post("/v1/register", &body).error(400);
    }
    assert_eq!(alice.inbox(), Vec::<Value>::new());
    relay.restart();
    let alice = alice.at(&relay);
    assert_eq!(alice.api.get("/v1/agents").ok().as_array().unwrap().len(), 1);
    let names: Vec<_> =
        fs::read_dir(relay.data().join("agents")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["alice.json"]);
}

#[test]
fn w3_a_damaged_record_stops_neither_the_relay_nor_the_others() {
    let mut relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let mut events = alice.events();
    // With an open stream: an emptied record, a strange file in the inbox, and what is no record at all.
    fs::write(relay.data().join("agents/alice.json"), "").unwrap();
    fs::write(relay.data().join("agents/zed.json"), r#"{"name":"zed""#).unwrap();
    fs::create_dir_all(relay.data().join("spool/alice/new")).unwrap();
    fs::write(relay.data().join("spool/alice/new/not-a-message.json"), "{").unwrap();
    let sent = bob.send("@alice", "still here");
    assert_eq!(events.next(), Some(sent.clone()));
    assert_eq!(alice.inbox(), [sent]);
    // After a restart the damage is set aside, and everybody else has what was theirs.
    fs::write(relay.data().join("agents/alice.json"), "").unwrap();
    relay.restart();
    let bob = bob.at(&relay);
    assert_eq!(bob.inbox(), Vec::<Value>::new());
    assert_eq!(relay.peer("carol").inbox(), Vec::<Value>::new());
    bob.send("@carol", "on we go");
}

#[test]
fn w4_a_poisonous_message_keeps_nobody_from_the_rest() {
    let mut relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    for poison in [
        json!({ "to": "@bob", "body": "x", "refs": "abc" }),
        json!({ "to": "@bob", "body": "x", "refs": [1] }),
        json!({ "to": "@bob", "body": 123 }),
        json!({ "to": "@bob" }),
        json!({ "to": "@bob", "body": "x", "scope": ["a"] }),
        json!({ "to": "@bob", "body": "x", "thread": 7 }),
    ] {
        alice.api.post("/v1/send", &poison).error(400);
    }
    // One that lies in the box already, from a relay of the first version, is set aside.
    let id = "6f1c1a52-3c5b-4a5e-9d3a-0d4f0f6f8a11";
    let poison = json!({ "id": id, "from": "alice", "to": "@bob", "body": "x", "refs": "abc", "ts": "2026-01-01T00:00:00.000Z" });
    fs::create_dir_all(relay.data().join("spool/bob/new")).unwrap();
    fs::write(relay.data().join(format!("spool/bob/new/{id}.json")), poison.to_string()).unwrap();
    relay.restart();
    let (alice, bob) = (alice.at(&relay), bob.at(&relay));
    let sent = alice.send("@bob", "an honest one");
    assert_eq!(bob.inbox(), std::slice::from_ref(&sent));
    assert_eq!(bob.events().next().as_ref(), Some(&sent));
    assert_eq!(bob.claim(&lease(1)), [sent]);
    bob.acknowledge(&lease(1));
}

#[test]
fn w7_no_subscription_is_lost_to_another_or_to_a_look() {
    let relay = Relay::start();
    let alice = relay.peer("alice");
    thread::scope(|scope| {
        for number in 0..50 {
            let alice = &alice;
            scope.spawn(move || {
                let channel = json!({ "channel": format!("#c{number}") });
                alice.api.post("/v1/subscribe", &channel).ok();
            });
            scope.spawn(move || alice.inbox());
        }
    });
    assert_eq!(alice.api.get("/v1/channels").ok().as_array().unwrap().len(), 50);
    let record: Value =
        serde_json::from_slice(&fs::read(relay.data().join("agents/alice.json")).unwrap()).unwrap();
    assert_eq!(record["subscriptions"].as_array().unwrap().len(), 50);
}

#[test]
fn w9_everything_has_a_limit() {
    let settings = "[limits]\nbody-bytes = 1000\nrefs = 2\nunread-per-agent = 3\nunread-per-room = 5\n\
                    agents-per-room = 3\nsubscriptions-per-agent = 2\nsubscriptions-per-room = 3\nrooms = 2\n\
                    streams-per-agent = 2\nunread-bytes-per-agent = 1500\nunread-bytes-per-room = 2000\n";
    let relay = Relay::with_settings(settings, &[], &[]);
    let (alice, bob, carol) = (relay.peer("alice"), relay.peer("bob"), relay.peer("carol"));
    let room = relay.api(Some(ROOM));
    room.post("/v1/register", &json!({ "name": "dave" })).error(507);
    relay.admin().post("/v1/rooms", &json!({})).ok();
    relay.admin().post("/v1/rooms", &json!({})).error(507);
    let subscribe = |channel: &str| alice.api.post("/v1/subscribe", &json!({ "channel": channel }));
    subscribe("#one").ok();
    subscribe("#two").ok();
    subscribe("#two").ok();
    assert!(subscribe("#three").error(507).contains("@alice"));
    alice.api.post("/v1/unsubscribe", &json!({ "channel": "#one" })).ok();
    subscribe("#three").ok();
    bob.api.post("/v1/subscribe", &json!({ "channel": "#one" })).ok();
    let told = carol.api.post("/v1/subscribe", &json!({ "channel": "#one" })).error(507);
    assert!(told.contains("the room"), "{told}");
    let send = |to: &str, body: &str| alice.api.post("/v1/send", &json!({ "to": to, "body": body }));
    assert!(send("@bob", &"x".repeat(1001)).error(413).contains("1000"));
    let refs = json!({ "to": "@bob", "body": "x", "refs": ["a", "b", "c"] });
    assert!(alice.api.post("/v1/send", &refs).error(413).contains('2'));
    for number in 0..3 {
        send("@bob", &number.to_string()).ok();
    }
    assert!(send("@bob", "one too many").error(507).contains("@bob"));
    send("@carol", "4").ok();
    send("@carol", "5").ok();
    send("@carol", "one too many in the room").error(507);
    // What was read makes room again; held under a lease it counts.
    bob.claim(&lease(1));
    send("@bob", "still too many").error(507);
    bob.acknowledge(&lease(1));
    send("@bob", "room again").ok();
    let contexts: Vec<_> = (0..100).map(|number| format!("{number}/{}", "c".repeat(200))).collect();
    let claim = json!({ "lease": lease(2), "contexts": contexts });
    assert!(bob.api.post("/v1/claim", &claim).error(400).contains("contexts"));
    // References weigh as much as a body.
    let long = json!({ "to": "@bob", "body": "x".repeat(1000), "refs": ["r".repeat(600)] });
    assert!(alice.api.post("/v1/send", &long).error(507).contains("@bob has too many bytes"));
    carol.claim(&lease(2));
    carol.acknowledge(&lease(2));
    send("@bob", &"x".repeat(1000)).ok();
    assert!(send("@carol", &"x".repeat(1000)).error(507).contains("the room has too many bytes"));
    let streams = [carol.events(), carol.events()];
    let refused = carol.api.get("/v1/events/carol");
    assert!(refused.error(429).contains("@carol") && refused.header("retry-after").is_some());
    drop(streams);
    let begun = Instant::now();
    while carol.events().status != 200 {
        assert!(begun.elapsed() < PATIENCE, "the place of a closed stream is not given back");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn w11_only_the_owner_reads() {
    let relay = Relay::upgraded(|data| {
        // As the first version leaves it under umask 022.
        fs::create_dir_all(data.join("spool/old/new")).unwrap();
        fs::create_dir_all(data.join("agents")).unwrap();
        fs::set_permissions(data, fs::Permissions::from_mode(0o755)).unwrap();
    });
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    alice.send("@bob", "between us");
    bob.claim(&lease(1));
    alice.send("@bob", "another");
    relay.admin().post("/v1/rooms", &json!({})).ok();
    assert_eq!(fs::metadata(relay.data()).unwrap().permissions().mode() & 0o777, 0o700);
    private(&relay.data());
}

/// Nobody but the owner has any right to what is in the directory, but for directories that were there before.
fn private(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o077;
        if path.is_dir() {
            private(&path);
        } else {
            assert_eq!(mode, 0, "{}: {mode:o}", path.display());
        }
    }
}

#[test]
fn w13_a_stream_resumes_and_a_restart_repeats_only_what_is_unread() {
    let mut relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let mut events = bob.events();
    let sent: Vec<_> = (0..5).map(|number| alice.send("@bob", &number.to_string())).collect();
    for message in &sent[..3] {
        assert_eq!(events.next().as_ref(), Some(message));
    }
    // A stream that broke off goes on where it was.
    let mut resumed = bob.clone();
    resumed.api = resumed.api.with("last-event-id", events.last_id.as_deref().unwrap());
    let mut events = resumed.events();
    assert_eq!(events.next().as_ref(), Some(&sent[3]));
    assert_eq!(events.next().as_ref(), Some(&sent[4]));
    // An id that is none, or of a later time, begins with all or with nothing, and never fails.
    for id in ["", "x", "0-0", "9999999999999999-1"] {
        let mut strange = bob.clone();
        strange.api = strange.api.with("last-event-id", id);
        assert_eq!(strange.events().next().as_ref(), Some(&sent[0]), "{id:?}");
    }
    bob.take(&sent[0]["id"]);
    relay.restart();
    // Another run: its numbers mean nothing, and all that is unread comes once.
    let mut bob = bob.at(&relay);
    bob.api = bob.api.with("last-event-id", events.last_id.as_deref().unwrap());
    let mut events = bob.events();
    let mut repeated: Vec<_> = (1..5).map(|_| events.next().unwrap()["body"].clone()).collect();
    repeated.sort_by_key(ToString::to_string);
    assert_eq!(repeated, ["1", "2", "3", "4"]);
    let last = alice.at(&relay).send("@bob", "after");
    assert_eq!(events.next(), Some(last));
}
