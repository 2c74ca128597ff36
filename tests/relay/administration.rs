//! Rooms, invites and revocation, as an operator has them over HTTP; what the log and the figures say.

use serde_json::{Value, json};

use crate::support::relay::{ADMIN, ROOM, Relay, lease};

#[test]
fn an_operator_makes_rotates_and_removes_rooms() {
    let mut relay = Relay::start();
    let admin = relay.admin();
    let room = admin.post("/v1/rooms", &json!({ "name": "project" })).ok();
    let (id, old) = (room["roomId"].as_str().unwrap(), room["roomToken"].as_str().unwrap());
    let alice = relay.peer_of(old, "alice");
    let bob = relay.peer_of(old, "bob");
    alice.send("@bob", "hi");
    let rooms = admin.get("/v1/rooms").ok();
    assert_eq!(rooms[0]["roomId"], "default");
    assert_eq!(
        (&rooms[1]["roomId"], &rooms[1]["name"], &rooms[1]["agents"], &rooms[1]["waiting"]),
        (&json!(id), &json!("project"), &json!(2), &json!(1))
    );
    assert!(!rooms.to_string().contains(old), "a token is said once");

    let new = admin.post("/v1/rooms/rotate", &json!({ "room": id })).ok();
    relay.api(Some(old)).post("/v1/register", &json!({ "name": "carol" })).error(401);
    relay.peer_of(new["roomToken"].as_str().unwrap(), "carol");
    assert_eq!(bob.bodies(), ["hi"], "who is in stays in");
    // So it is after a restart, with room `default` as well, whose token is given at each start.
    let default = admin.post("/v1/rooms/rotate", &json!({ "room": "default" })).ok();
    relay.restart();
    relay.api(Some(old)).post("/v1/register", &json!({ "name": "dave" })).error(401);
    relay.api(Some(ROOM)).post("/v1/register", &json!({ "name": "dave" })).error(401);
    relay.peer_of(default["roomToken"].as_str().unwrap(), "dave");

    let bob = bob.at(&relay);
    let mut events = bob.events();
    assert!(events.next().is_some());
    assert_eq!(relay.admin().delete(&format!("/v1/rooms/{id}")).ok()["ok"], true);
    assert!(events.ends_cleanly());
    bob.api.get("/v1/inbox/bob").error(401);
    assert!(!relay.data().join("rooms").join(id).exists());
    relay.admin().delete(&format!("/v1/rooms/{id}")).error(404);
    relay.admin().post("/v1/rooms/rotate", &json!({ "room": "nowhere" })).error(404);
}

#[test]
fn rooms_are_open_only_where_the_operator_says_so() {
    let relay = Relay::with(&["--open-rooms"], &[]);
    let made: Vec<_> = (0..12).map(|_| relay.api(None).post("/v1/rooms", &json!({})).status).collect();
    assert_eq!(made[..10], [200; 10], "{made:?}");
    assert_eq!(made[10..], [429; 2], "one address makes ten in a row");
    relay.admin().post("/v1/rooms", &json!({})).ok();
    relay.api(None).get("/v1/rooms").error(401);
}

#[test]
fn an_invite_admits_so_many_until_it_is_spent_or_revoked() {
    let relay = Relay::start();
    let room = relay.api(Some(ROOM));
    let invite = room.post("/v1/invites", &json!({ "uses": 2 })).ok();
    assert_eq!(invite["roomId"], "default");
    let token = invite["token"].as_str().unwrap();
    let guest = relay.api(Some(token));
    let own = "a-token-that-the-client-made-before";
    let carol = json!({ "name": "carol", "token": own });
    assert_eq!(guest.post("/v1/register", &carol).ok()["token"], own);
    // The same pair again succeeds, and costs no use; another token does not get the name.
    assert_eq!(guest.post("/v1/register", &carol).ok().get("token"), None);
    guest.post("/v1/register", &json!({ "name": "carol", "token": "x".repeat(30) })).error(409);
    relay.api(Some(own)).get("/v1/inbox/carol").ok();
    relay.peer_of(token, "dave");
    assert!(guest.post("/v1/register", &json!({ "name": "eve" })).error(401).contains("no uses left"));
    // A token that could be guessed is none.
    room.post("/v1/register", &json!({ "name": "eve", "token": "short" })).error(400);

    let invite = relay.admin().post("/v1/invites", &json!({ "expires_s": 1, "uses": 5 })).ok();
    let guest = relay.api(invite["token"].as_str());
    let begun = std::time::Instant::now();
    while guest
        .post("/v1/register", &json!({ "name": format!("guest-{}", begun.elapsed().as_micros()) }))
        .status
        == 200
    {
        assert!(begun.elapsed() < crate::support::http::PATIENCE, "an invite of a second does not expire");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let invite = room.post("/v1/invites", &json!({})).ok();
    let path = format!("/v1/invites/{}", invite["id"].as_str().unwrap());
    relay.api(invite["token"].as_str()).delete(&path).error(403);
    room.delete(&path).ok();
    relay.api(invite["token"].as_str()).post("/v1/register", &json!({ "name": "eve" })).error(401);
    for wrong in
        [json!({ "uses": 0 }), json!({ "expires_s": 0 }), json!({ "uses": -1 }), json!({ "uses": 1_000_000 })]
    {
        room.post("/v1/invites", &wrong).error(400);
    }
}

#[test]
fn a_revoked_agents_mail_goes_back_to_its_senders() {
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let sent = alice.send("@bob", "you will not read this");
    let revoked = relay.admin().delete("/v1/agents/bob?keep_token=true").ok();
    assert_eq!(revoked, json!({ "ok": true }));
    bob.api.get("/v1/inbox/bob").error(401);
    let bounce = &alice.inbox()[0];
    assert_eq!((&bounce["from"], &bounce["thread"]), (&json!("bob"), &sent["id"]));
    let body = bounce["body"].as_str().unwrap();
    assert!(body.contains(&sent["id"].as_str().unwrap()[..8]) && !body.contains("will not"), "{body}");
    alice.api.post("/v1/send", &json!({ "to": "@bob", "body": "x" })).error(404);
    relay.api(Some(ROOM)).post("/v1/register", &json!({ "name": "bob" })).error(409);
    relay.peer("carol");
    relay.admin().delete("/v1/agents/nobody").error(404);
}

#[test]
fn what_is_sent_or_claimed_again_is_done_once() {
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let id = "6f1c1a52-3c5b-4a5e-9d3a-0d4f0f6f8a11";
    let message = json!({ "id": id, "to": "@bob", "body": "once", "priority": "urgent" });
    let first = alice.api.post("/v1/send", &message).ok();
    assert_eq!(first["id"], id);
    assert_eq!(alice.api.post("/v1/send", &message).ok()["id"], id);
    assert_eq!(bob.bodies(), ["once"]);
    let other = json!({ "id": id, "to": "@bob", "body": "another", "priority": "urgent" });
    alice.api.post("/v1/send", &other).error(409);
    bob.api.post("/v1/send", &message).error(409);

    // A lost answer is had again by the same lease, and acknowledgements ride on the next claim.
    let claimed = bob.claim(&lease(1));
    assert_eq!(claimed, [first]);
    assert_eq!(bob.claim(&lease(1)), claimed);
    alice.send("@bob", "second");
    alice
        .api
        .post("/v1/send", &json!({ "to": "@bob", "body": "else", "scope": "github.com/else/where" }))
        .ok();
    let asked = json!({
        "lease": lease(2), "ack": [{ "lease": lease(1) }], "contexts": ["github.com/org/proj"], "max_bytes": 9500
    });
    let answer = bob.api.post("/v1/claim", &asked).ok();
    assert_eq!(answer["messages"][0]["body"], "second");
    assert_eq!(answer["messages"].as_array().unwrap().len(), 1);
    assert_eq!(answer["left"]["other_scopes"], 1);
    assert_eq!(bob.claim(&lease(1)).len(), 1, "the acknowledged one is gone: what is new is the rest");
    bob.api.post("/v1/claim/release", &json!({ "lease": lease(2) })).ok();
    let again = bob.api.post("/v1/claim", &json!({ "lease": lease(3) })).ok();
    assert_eq!(again["messages"][0]["body"], "second");
    assert_eq!(again["repeats"], json!([again["messages"][0]["id"]]));
    assert_eq!(alice.api.post("/v1/send", &message).ok()["id"], id, "remembered though it is gone");
    assert_eq!(bob.inbox(), Vec::<Value>::new());
}

#[test]
fn the_log_and_the_figures_say_how_much_and_nothing_of_what() {
    let relay = Relay::with_settings("log = \"json\"\nlog-level = \"debug\"\n", &[], &[]);
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let sent = alice.send("@bob", "MARKED-BODY");
    let _events = bob.events();
    bob.api.get("/v1/inbox/bob?token=MARKED-QUERY").ok();
    relay.api(Some("MARKED-TOKEN")).get("/v1/inbox/MARKED-NAME").error(401);
    relay.api(None).get("/MARKED-PATH").error(404);
    relay.api(None).try_call("MARKEDMETHOD", "/v1/send", None).unwrap().error(405);
    let figures = relay.api(None).get("/metrics");
    assert_eq!(figures.status, 200);
    let figures = String::from_utf8(figures.body).unwrap();
    for line in [
        "backchannel_messages_sent_total 1\n",
        "backchannel_messages_unread 1\n",
        "backchannel_agents 2\n",
        "backchannel_event_streams 1\n",
        "backchannel_requests_total{route=\"/v1/send\",status=\"200\"} 1\n",
        "backchannel_requests_total{route=\"/v1/inbox/{agent}\",status=\"401\"} 1\n",
        "backchannel_request_duration_seconds_count{route=\"/v1/send\"} 2\n",
    ] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
    let log = relay.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let send = lines.iter().find(|line| line["route"] == "/v1/send" && line["status"] == 200).unwrap();
    assert_eq!(
        (&send["method"], &send["agent"], &send["room"]),
        (&json!("POST"), &json!("alice"), &json!("default"))
    );
    assert!(send["ms"].is_number() && send["level"] == "INFO", "{send}");
    for secret in [alice.token(), bob.token(), ROOM, ADMIN, sent["id"].as_str().unwrap(), "MARKED"] {
        assert!(!log.contains(secret) && !figures.contains(secret), "{secret}");
    }
}
