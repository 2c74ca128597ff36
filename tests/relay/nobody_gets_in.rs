//! A table of attempts, each with its answer.

use std::io::{BufReader, Write};

use serde_json::{Value, json};

use crate::support::http::{Api, read_answer};
use crate::support::relay::{Peer, ROOM, Relay, lease};

/// Two rooms: mallory and alice in one, victim in the other, and victim has mail.
struct Town {
    relay: Relay,
    mallory: Peer,
    alice: Peer,
    victim: Peer,
    mail: Value,
    room_id: String,
    room_token: String,
}

fn town() -> Town {
    let relay = Relay::start();
    let room = relay.admin().post("/v1/rooms", &json!({ "name": "theirs" })).ok();
    let text = |name: &str| room[name].as_str().unwrap().to_owned();
    let (room_id, room_token) = (text("roomId"), text("roomToken"));
    let (mallory, alice) = (relay.peer("mallory"), relay.peer("alice"));
    let victim = relay.peer_of(&room_token, "victim");
    let friend = relay.peer_of(&room_token, "friend");
    let mail = friend.send("@victim", "a secret of theirs");
    Town { relay, mallory, alice, victim, mail, room_id, room_token }
}

impl Town {
    /// Nothing that was tried changed anything for the victim.
    fn is_untouched(&self) {
        assert_eq!(self.victim.inbox(), std::slice::from_ref(&self.mail));
        let names = self.victim.api.get("/v1/agents").ok();
        let names: Vec<_> = names.as_array().unwrap().iter().map(|agent| agent["name"].clone()).collect();
        assert_eq!(names, ["friend", "victim"]);
    }
}

#[test]
fn no_token_opens_what_is_anothers() {
    let town = town();
    let id = &town.mail["id"];
    let nobody = town.relay.api(None);
    let stranger = town.relay.api(Some("a-token-that-nobody-has"));
    let room = town.relay.api(Some(ROOM));
    let (mallory, admin) = (&town.mallory.api, town.relay.admin());
    type Attempt<'a> = (&'a Api, &'a str, &'a str, Value, u16);
    let attempts: [Attempt; 41] = [
        // Without a token, or with one that nobody has.
        (&nobody, "GET", "/v1/agents", json!(null), 401),
        (&nobody, "GET", "/v1/channels", json!(null), 401),
        (&nobody, "GET", "/v1/inbox/victim", json!(null), 401),
        (&nobody, "GET", "/v1/events/victim", json!(null), 401),
        (&nobody, "POST", "/v1/register", json!({ "name": "eve" }), 401),
        (&nobody, "POST", "/v1/send", json!({ "to": "@alice", "body": "x" }), 401),
        (&nobody, "POST", "/v1/take", json!({ "id": id }), 401),
        (&nobody, "POST", "/v1/claim", json!({ "lease": lease(1) }), 401),
        (&nobody, "POST", "/v1/rooms", json!({}), 401),
        (&nobody, "GET", "/v1/rooms", json!(null), 401),
        (&nobody, "POST", "/v1/invites", json!({}), 401),
        (&nobody, "DELETE", "/v1/agents/victim", json!(null), 401),
        (&stranger, "GET", "/v1/inbox/victim", json!(null), 401),
        (&stranger, "POST", "/v1/register", json!({ "name": "eve" }), 401),
        (&stranger, "POST", "/v1/rooms", json!({}), 401),
        // A room's token registers, and nothing else.
        (&room, "GET", "/v1/agents", json!(null), 401),
        (&room, "GET", "/v1/inbox/alice", json!(null), 401),
        (&room, "POST", "/v1/send", json!({ "to": "@alice", "body": "x" }), 401),
        (&room, "POST", "/v1/claim", json!({ "lease": lease(1) }), 401),
        (&room, "POST", "/v1/register", json!({ "name": "alice" }), 409),
        (&room, "POST", "/v1/register", json!({ "name": "ALICE" }), 409),
        (&room, "POST", "/v1/rooms", json!({}), 403),
        (&room, "POST", "/v1/rooms/rotate", json!({ "room": "default" }), 403),
        (&room, "DELETE", "/v1/agents/alice", json!(null), 403),
        (&room, "POST", "/v1/invites", json!({ "room": town.room_id }), 403),
        // An agent is itself, in its room.
        (mallory, "GET", "/v1/inbox/alice", json!(null), 403),
        (mallory, "GET", "/v1/events/alice", json!(null), 403),
        (mallory, "GET", "/v1/inbox/victim", json!(null), 403),
        (mallory, "POST", "/v1/register", json!({ "name": "eve" }), 403),
        (mallory, "POST", "/v1/register", json!({ "name": "alice" }), 403),
        (mallory, "POST", "/v1/send", json!({ "to": "@victim", "body": "x" }), 404),
        (mallory, "POST", "/v1/rooms", json!({}), 403),
        (mallory, "GET", "/v1/rooms", json!(null), 403),
        (mallory, "POST", "/v1/rooms/rotate", json!({ "room": town.room_id }), 403),
        (mallory, "POST", "/v1/invites", json!({}), 403),
        (mallory, "DELETE", "/v1/agents/alice", json!(null), 403),
        (mallory, "DELETE", "/v1/rooms/default", json!(null), 403),
        // The admin administers, and reads nobody's mail.
        (&admin, "GET", "/v1/inbox/victim", json!(null), 401),
        (&admin, "GET", "/v1/events/victim", json!(null), 401),
        (&admin, "POST", "/v1/take", json!({ "id": id }), 401),
        (&admin, "POST", "/v1/send", json!({ "to": "@victim", "body": "x" }), 401),
    ];
    for (api, method, path, body, status) in attempts {
        let bytes = body.to_string();
        let body = (!body.is_null()).then_some(bytes.as_bytes());
        let answer = api.try_call(method, path, body).unwrap();
        assert_eq!(
            answer.status,
            status,
            "{method} {path} {bytes}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        answer.error(status);
    }
    // Taking by id finds nothing in another's box, whatever the id.
    assert_eq!(town.mallory.take(id), Value::Null);
    let claim = json!({ "lease": lease(2), "ids": [id] });
    assert_eq!(mallory.post("/v1/claim", &claim).ok()["messages"], json!([]));
    town.is_untouched();
}

#[test]
fn no_room_reaches_into_another() {
    let town = town();
    // The header of another room contradicts the token; nothing is made for a room that is not there.
    for room in [town.room_id.as_str(), "nowhere", "..", "default/", ""] {
        let api = town.mallory.api.with("x-backchannel-room", room);
        api.get("/v1/inbox/mallory").error(403);
        let api = town.relay.api(Some(ROOM)).with("x-backchannel-room", room);
        api.post("/v1/register", &json!({ "name": "eve" })).error(403);
    }
    let api = town.mallory.api.with("x-backchannel-room", "default");
    assert_eq!(api.get("/v1/inbox/mallory").ok(), json!([]));
    let api = town.victim.api.with("x-backchannel-room", &town.room_id);
    assert_eq!(api.get("/v1/inbox/victim").ok(), json!([town.mail]));
    assert!(!town.relay.data().join("rooms/nowhere").exists());
    // The same name in two rooms is two agents.
    let namesake = town.relay.peer("victim");
    assert_eq!(namesake.inbox(), Vec::<Value>::new());
    town.alice.send("@victim", "to the namesake");
    assert_eq!(namesake.bodies(), ["to the namesake"]);
    let channel = json!({ "channel": "#proj" });
    town.victim.api.post("/v1/subscribe", &channel).ok();
    town.alice.api.post("/v1/send", &json!({ "to": "#proj", "body": "x" })).error(404);
    assert_eq!(town.alice.api.get("/v1/channels").ok(), json!([]));
    town.is_untouched();
}

#[test]
fn a_revoked_token_is_nobodys_at_once() {
    let town = town();
    let mut events = town.victim.events();
    assert_eq!(events.next().as_ref(), Some(&town.mail));
    let path = format!("/v1/agents/victim?room={}", town.room_id);
    let revoked = town.relay.admin().delete(&path).ok();
    assert!(events.ends_cleanly(), "an open stream of a revoked agent ends");
    town.victim.api.get("/v1/inbox/victim").error(401);
    town.victim.api.post("/v1/register", &json!({ "name": "victim" })).error(401);
    // The room's token was changed with it, and the name stays taken.
    town.relay.api(Some(&town.room_token)).post("/v1/register", &json!({ "name": "eve" })).error(401);
    let room = town.relay.api(revoked["roomToken"].as_str());
    room.post("/v1/register", &json!({ "name": "victim" })).error(409);
    room.post("/v1/register", &json!({ "name": "eve" })).ok();
}

#[test]
fn a_lease_is_its_makers() {
    let town = town();
    town.mallory.send("@alice", "for alice");
    let claimed = town.alice.claim(&lease(7));
    assert_eq!(claimed.len(), 1);
    // Another's lease by the same name holds nothing.
    assert_eq!(town.mallory.claim(&lease(7)), Vec::<Value>::new());
    town.mallory.acknowledge(&lease(7));
    let ended = json!({ "lease": lease(7), "ids": [claimed[0]["id"]] });
    town.mallory.api.post("/v1/claim/release", &ended).ok();
    assert_eq!(town.alice.inbox(), Vec::<Value>::new());
    assert_eq!(town.alice.claim(&lease(7)), claimed, "the same lease gets the same again");
    // One that lapsed is anybody's of the agent's readers, and its late acknowledgement takes nothing from them.
    town.alice.api.post("/v1/claim/release", &json!({ "lease": lease(7) })).ok();
    let short = json!({ "lease": lease(8), "lease_s": 1 });
    assert_eq!(town.alice.api.post("/v1/claim", &short).ok()["messages"], json!(claimed));
    let begun = std::time::Instant::now();
    while town.alice.claim(&lease(9)) != claimed {
        assert!(begun.elapsed() < crate::support::http::PATIENCE, "a lease of a second does not lapse");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    town.alice.acknowledge(&lease(8));
    assert_eq!(town.alice.claim(&lease(9)), claimed);
    // What is no lease's name is refused.
    for name in ["", "..", "../../x", "0123", &"A".repeat(32), &"0".repeat(33)] {
        town.alice.api.post("/v1/claim", &json!({ "lease": name })).error(400);
        town.alice.api.post("/v1/claim/ack", &json!({ "lease": name })).error(400);
    }
}

#[test]
fn what_is_no_request_is_answered_and_does_no_harm() {
    let town = town();
    let long = "x".repeat(300 * 1024);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let huge = format!(r#"{{"to":"@alice","body":"{}"}}"#, "x".repeat(8 * 1024 * 1024));
    let malformed: [(&[u8], u16); 19] = [
        (b"", 400),
        (b"null", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (deep.as_bytes(), 400),
        (br#"{"to":"@alice"}"#, 400),
        (br#"{"body":"x"}"#, 400),
        (br#"{"to":"@alice","body":""}"#, 400),
        (br#"{"to":"@alice","body":" \n"}"#, 400),
        (br#"{"to":"@alice","body":123}"#, 400),
        (br#"{"to":"@alice","body":"x","refs":"abc"}"#, 400),
        (br#"{"to":"@alice","body":"x","priority":7}"#, 400),
        (br#"{"to":"alice","body":"x"}"#, 400),
        (br#"{"to":"@../agents/mallory","body":"x"}"#, 400),
        (br#"{"to":"@alice","body":"x","id":"not-a-uuid"}"#, 400),
        (br#"{"to":"@alice","body":"x","thread":{}}"#, 400),
        (huge.as_bytes(), 413),
        (&[b' '; 4 * 1024 * 1024], 413),
    ];
    for (body, status) in malformed {
        let answer = town.mallory.api.try_call("POST", "/v1/send", Some(body)).unwrap();
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert_eq!(answer.status, status, "{shown}: {}", String::from_utf8_lossy(&answer.body));
        answer.error(status);
    }
    let send = |fields: Value| town.mallory.api.post("/v1/send", &fields);
    assert!(send(json!({ "to": "@alice", "body": long })).error(413).contains("262144"));
    let refs: Vec<_> = (0..65).map(|number| number.to_string()).collect();
    send(json!({ "to": "@alice", "body": "x", "refs": refs })).error(413);
    send(json!({ "to": "@alice", "body": "x", "refs": ["x".repeat(3000)] })).error(400);
    send(json!({ "to": "@alice", "body": "x", "scope": "x".repeat(600) })).error(400);
    send(json!({ "to": "@alice", "body": "x", "thread": "x".repeat(600) })).error(400);
    assert_eq!(town.alice.inbox(), Vec::<Value>::new());
    // Paths and methods that are none.
    let api = &town.mallory.api;
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/inbox/", 404),
        ("GET", "/v1/inbox/..%2f..%2fvictim", 400),
        ("GET", "/v1/events/..%2fmallory", 400),
        ("GET", "/v1/inbox/%ff", 400),
        ("PUT", "/v1/send", 405),
        ("GET", "/v1/send", 405),
        ("BREW", "/v1/send", 405),
    ] {
        let answer = api.try_call(method, path, None).unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
    }
    // What is not HTTP at all, and headers without end.
    let endless = format!("GET /v1/health HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(1024 * 1024));
    for (bytes, statuses) in [
        (b"\x16\x03\x01\x02\x00\x01\x00".as_slice(), [400, 400]),
        (b"GET\r\n\r\n".as_slice(), [400, 400]),
        (endless.as_bytes(), [431, 400]),
    ] {
        let mut stream = api.connect().unwrap();
        let _ = stream.write_all(bytes);
        // A connection that is closed with bytes unread may lose the answer.
        if let Ok(answer) = read_answer(&mut BufReader::new(stream)) {
            assert!(statuses.contains(&answer.status), "{}", answer.status);
        }
    }
    town.is_untouched();
    let log = town.relay.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn who_guesses_has_to_wait_and_an_agent_has_not() {
    let relay = Relay::start();
    let alice = relay.peer("alice");
    let mut statuses = Vec::new();
    for number in 0..40 {
        let guess = relay.api(Some(&format!("a-guess-{number}")));
        let answer = guess.post("/v1/register", &json!({ "name": "eve" }));
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
        }
        statuses.push(answer.status);
    }
    assert_eq!((statuses[0], statuses[39]), (401, 429), "{statuses:?}");
    // From that address the room's and the admin token are not even looked at; an agent's own is heard.
    relay.api(Some(ROOM)).post("/v1/register", &json!({ "name": "bob" })).error(429);
    relay.admin().get("/v1/rooms").error(429);
    assert_eq!(alice.inbox(), Vec::<Value>::new());
    relay.api(None).get("/v1/health").ok();
}
