//! A client of the first version lives a whole life on our relay: its calls alone, as `docs/protocol.md` has them.

use serde_json::{Value, json};

use crate::support::relay::{ROOM, Relay};

#[test]
fn a_client_of_the_first_version_lives_a_whole_life() {
    let relay = Relay::start();
    let health = relay.api(None).get("/v1/health").ok();
    assert_eq!((&health["ok"], &health["service"]), (&json!(true), &json!("backchannel-relay")));

    // The room's token admits a name, and the answer is its record with its own token, this once.
    let room = relay.api(Some(ROOM));
    let record = room.post("/v1/register", &json!({ "name": "alice" })).ok();
    assert_eq!((&record["name"], &record["subscriptions"]), (&json!("alice"), &json!([])));
    assert!(record["createdAt"].is_string() && record.get("tokenHash").is_none(), "{record}");
    let alice = relay.api(record["token"].as_str());
    let again = alice.post("/v1/register", &json!({ "name": "alice" })).ok();
    assert_eq!((&again["name"], again.get("token")), (&json!("alice"), None));
    assert!(room.post("/v1/register", &json!({ "name": "alice" })).error(409).contains("alice"));
    let bob = relay.peer("bob");

    let agents = alice.get("/v1/agents").ok();
    let names: Vec<_> = agents.as_array().unwrap().iter().map(|agent| agent["name"].clone()).collect();
    assert_eq!(names, ["alice", "bob"]);
    assert!(!agents.to_string().contains("tokenHash"), "{agents}");

    assert_eq!(alice.post("/v1/subscribe", &json!({ "channel": "#proj" })).ok()["ok"], true);
    assert_eq!(bob.api.post("/v1/subscribe", &json!({ "channel": "#proj" })).ok()["ok"], true);
    assert_eq!(alice.get("/v1/channels").ok(), json!(["#proj"]));
    let record = alice.post("/v1/register", &json!({ "name": "alice" })).ok();
    assert_eq!(record["subscriptions"], json!(["#proj"]));

    // `from` and `ts` are the relay's to say.
    let mut events = bob.events();
    let sent = alice.post(
        "/v1/send",
        &json!({
            "to": "@bob", "body": "hällo\n", "priority": "urgent", "scope": "github.com/org/proj",
            "thread": "6f1c1a52-3c5b-4a5e-9d3a-0d4f0f6f8a11", "refs": ["src/main.rs"],
            "from": "mallory", "ts": "1999-01-01T00:00:00.000Z"
        }),
    );
    let sent = sent.ok();
    let expected = [
        ("from", json!("alice")),
        ("to", json!("@bob")),
        ("body", json!("hällo\n")),
        ("priority", json!("urgent")),
        ("scope", json!("github.com/org/proj")),
        ("thread", json!("6f1c1a52-3c5b-4a5e-9d3a-0d4f0f6f8a11")),
        ("refs", json!(["src/main.rs"])),
    ];
    for (name, value) in expected {
        assert_eq!(sent[name], value, "{sent}");
    }
    let ts = sent["ts"].as_str().unwrap();
    assert!(ts.starts_with("20") && !ts.starts_with("1999") && ts.len() == 24 && ts.ends_with('Z'), "{ts}");
    assert_eq!(sent["id"].as_str().unwrap().len(), 36);
    assert_eq!(events.next().as_ref(), Some(&sent));

    let to_all = alice.post("/v1/send", &json!({ "to": "#proj", "body": "all" })).ok();
    assert_eq!((&to_all["priority"], &to_all["to"]), (&json!("normal"), &json!("#proj")));
    assert_eq!(events.next().as_ref(), Some(&to_all));
    assert_eq!(bob.inbox(), [sent.clone(), to_all.clone()]);
    assert_eq!(alice.get("/v1/inbox/alice").ok(), json!([]), "who sends to a channel gets no copy");

    // A stream claims nothing; taking does, once.
    assert_eq!(bob.take(&sent["id"]), sent);
    assert_eq!(bob.take(&sent["id"]), Value::Null);
    let kept = bob.api.post("/v1/take", &json!({ "id": to_all["id"], "keep": true })).ok();
    assert_eq!(kept["message"], to_all);
    assert_eq!(bob.inbox(), Vec::<Value>::new());
    let kept = relay.data().join(format!("spool/bob/cur/{}.json", to_all["id"].as_str().unwrap()));
    assert!(kept.exists(), "`--keep` is on the relay's disk, as in the first version");

    // A new stream begins with what is unread.
    let waiting = alice.post("/v1/send", &json!({ "to": "@bob", "body": "waiting" })).ok();
    assert_eq!(bob.events().next(), Some(waiting));

    assert_eq!(bob.api.post("/v1/unsubscribe", &json!({ "channel": "#proj" })).ok()["ok"], true);
    let nobody = alice.post("/v1/send", &json!({ "to": "#proj", "body": "anybody?" })).error(404);
    assert!(nobody.contains("#proj"), "{nobody}");
    assert!(alice.post("/v1/send", &json!({ "to": "@carol", "body": "x" })).error(404).contains("@carol"));
}

#[test]
fn what_the_first_version_writes_is_understood() {
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    // `JSON.stringify` escapes a lone surrogate, and leaves out what is undefined.
    let body = br#"{"to":"@bob","body":"a\ud83d!"}"#;
    let sent = alice.api.try_call("POST", "/v1/send", Some(body)).unwrap().ok();
    assert_eq!(sent["body"], "a\u{fffd}!");
    // The scheme's word in any case, and a name with its `@`.
    let mut shouting = bob.api.clone();
    shouting.headers.push(("authorization".into(), format!("BEARER {}", bob.token())));
    shouting.token = None;
    assert_eq!(shouting.get("/v1/inbox/bob").ok()[0]["id"], sent["id"]);
    assert_eq!(shouting.get("/v1/inbox/%62ob").ok()[0]["id"], sent["id"]);
    // An unknown priority reads as normal; another type is refused.
    let whenever = json!({ "to": "@bob", "body": "x", "priority": "whenever" });
    assert_eq!(alice.api.post("/v1/send", &whenever).ok()["priority"], "normal");
}

#[test]
fn a_relay_of_the_first_version_is_upgraded_where_it_lies() {
    let token = "a-token-that-the-first-version-made";
    let hash = backchannel::secret::Secret::parse(token).unwrap().hash().to_string();
    let id = "6f1c1a52-3c5b-4a5e-9d3a-0d4f0f6f8a11";
    let relay = Relay::upgraded(|data| {
        let new = data.join("spool/Bob/new");
        std::fs::create_dir_all(&new).unwrap();
        std::fs::create_dir_all(data.join("spool/Bob/tmp")).unwrap();
        std::fs::create_dir(data.join("agents")).unwrap();
        let record = json!({
            "name": "Bob", "subscriptions": ["#proj"], "createdAt": "2026-01-01T00:00:00.000Z",
            "lastSeen": "2026-01-02T00:00:00.000Z", "tokenHash": hash
        });
        std::fs::write(data.join("agents/Bob.json"), record.to_string()).unwrap();
        let message = json!({
            "id": id, "from": "alice", "to": "@Bob", "body": "from before", "priority": "normal",
            "ts": format!("{:.3}", jiff::Timestamp::now())
        });
        std::fs::write(new.join(format!("{id}.json")), message.to_string()).unwrap();
        std::fs::write(data.join("config.json"), r#"{"agent":"Bob"}"#).unwrap();
    });
    let bob = relay.api(Some(token));
    assert_eq!(bob.get("/v1/inbox/Bob").ok()[0]["body"], "from before");
    assert_eq!(bob.get("/v1/inbox/bob").ok()[0]["id"], id, "case tells no two agents apart");
    assert!(relay.api(Some(ROOM)).post("/v1/register", &json!({ "name": "bob" })).error(409).contains("ob"));
    let alice = relay.peer("alice");
    alice.send("#proj", "to its channel");
    assert_eq!(bob.post("/v1/take", &json!({ "id": id })).ok()["message"]["body"], "from before");
    assert_eq!(bob.get("/v1/inbox/Bob").ok()[0]["body"], "to its channel");
}

#[test]
fn an_idle_stream_says_that_it_lives() {
    let relay = Relay::start();
    let mut events = relay.peer("alice").events();
    let begun = std::time::Instant::now();
    assert_eq!(events.line().as_deref(), Some(": keepalive"));
    assert!(begun.elapsed() > std::time::Duration::from_secs(20), "it says so each 25 seconds");
}
