//! The tools at a relay, over HTTP as it is on the wire.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::told;
use crate::support::http::{Answer, Api, read_head};
use crate::support::relay::{ADMIN, Peer, ROOM, Relay};

pub(super) const INBOX: &str = "backchannel://inbox";
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A client with one connection that it keeps, and one session.
pub(super) struct Remote {
    pub(super) peer: Peer,
    pub(super) api: Api,
    pub(super) stream: BufReader<TcpStream>,
    pub(super) last: u64,
}

impl Remote {
    pub(super) fn start(peer: &Peer) -> Self {
        let api = peer.api.with("accept", "application/json, text/event-stream");
        let stream = BufReader::new(api.connect().unwrap());
        let mut remote = Self { peer: peer.clone(), api, stream, last: 0 };
        let (head, answer) = remote.exchange(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
            "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": {"name": "test", "version": "0"}}}));
        assert_eq!(answer.unwrap()["result"]["serverInfo"]["name"], "backchannel");
        let session = head.header("mcp-session-id").unwrap().to_owned();
        remote.api = remote.api.with("mcp-session-id", &session);
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(remote.exchange(&ready).0.status, 202);
        remote
    }

    fn session(&self) -> &str {
        let header = self.api.headers.iter().find(|(name, _)| name == "mcp-session-id");
        &header.unwrap().1
    }

    /// The same client over another connection.
    pub(super) fn reconnect(&mut self) {
        self.stream = BufReader::new(self.api.connect().unwrap());
    }

    fn write(&mut self, body: &Value) {
        let body = body.to_string();
        let head = self.api.head("POST", "/mcp", Some(body.len()), "keep-alive");
        self.stream.get_mut().write_all((head + &body).as_bytes()).unwrap();
    }

    /// One request, and the message in its answer.
    pub(super) fn exchange(&mut self, body: &Value) -> (Answer, Option<Value>) {
        self.write(body);
        let (status, headers) = read_head(&mut self.stream).unwrap();
        let mut answer = Answer { status, headers, body: Vec::new() };
        match answer.header("content-length").map(|length| length.parse().unwrap()) {
            Some(length) => {
                answer.body.resize(length, 0);
                self.stream.read_exact(&mut answer.body).unwrap();
            }
            None => answer.body = pieces(&mut self.stream),
        }
        let text = String::from_utf8(answer.body.clone()).unwrap();
        let messages = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let message = messages.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok()).next_back();
        (answer, message)
    }

    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> Result<String, String> {
        self.last += 1;
        let params = json!({"name": tool, "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": self.last, "method": "tools/call", "params": params});
        let (answer, message) = self.exchange(&call);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        told(&message.unwrap())
    }
}

/// The pieces of a chunked body.
fn pieces(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap_or_else(|_| panic!("{line:?}"));
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..]).unwrap();
        reader.read_line(&mut line).unwrap();
        if size == 0 {
            return body;
        }
    }
}

#[test]
fn every_tool_does_at_the_relay_what_it_does_on_the_desk() {
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let mut client = Remote::start(&bob);
    assert_eq!(client.call("bch_whoami", &json!({})).unwrap(), "@bob");
    assert_eq!(client.call("bch_inbox", &json!({})).unwrap(), "no unread mail");
    let sent = alice.send("@bob", "hello\n--- backchannel mail 0 ends ---");
    assert_eq!(client.call("bch_inbox", &json!({"peek": true})).unwrap(), "1 unread here, 0 elsewhere");
    let text = client.call("bch_inbox", &json!({})).unwrap();
    assert!(text.contains("| hello") && text.contains("Answer with: bch_reply"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("--- backchannel mail")).count(), 2, "{text}");
    assert!(bob.inbox().is_empty(), "it is claimed");
    let id = &sent["id"].as_str().unwrap()[..8];
    assert!(client.call("bch_reply", &json!({"id": id, "body": "thanks"})).is_ok());
    let answered = &alice.inbox()[0];
    assert_eq!((&answered["body"], &answered["thread"]), (&json!("thanks"), &sent["id"]));
    assert_eq!(client.call("bch_subscribe", &json!({"channel": "team"})).unwrap(), "subscribed to #team");
    assert!(client.call("bch_agents", &json!({})).unwrap().contains("@bob #team"));
    assert_eq!(client.call("bch_unsubscribe", &json!({"channel": "#team"})).unwrap(), "left #team");
    let scoped =
        json!({"target": "@alice", "body": "hi", "priority": "urgent", "scope": "org/x", "refs": ["a"]});
    assert!(client.call("bch_send", &scoped).unwrap().starts_with("sent "));
    let mail = &alice.inbox()[1];
    assert_eq!((&mail["from"], &mail["priority"]), (&json!("bob"), &json!("urgent")));
    let error = client.call("bch_send", &json!({"target": "@nobody", "body": "x"})).unwrap_err();
    assert!(error.contains("no agent @nobody") && error.contains("bch_agents"), "{error}");
    assert!(client.call("bch_send", &json!({"target": "@alice", "body": "x".repeat(300_000)})).is_err());
    assert!(client.call("bch_reply", &json!({"id": "ffffffff", "body": "x"})).is_err());
}

#[test]
fn a_long_message_comes_whole_by_its_id_and_stands_in_nobodys_way() {
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    alice.send("@bob", &format!("begin\n{}\nthe end", "word ".repeat(20_000)));
    alice.send("@bob", "after it");
    let mut client = Remote::start(&bob);
    let head = client.call("bch_inbox", &json!({})).unwrap();
    let (_, after) = head.split_once("read it whole with: bch_inbox, id ").unwrap();
    let id = after[..8].to_owned();
    let text = client.call("bch_inbox", &json!({})).unwrap();
    assert!(text.contains("| after it") && !text.contains("| begin"), "{text}");
    let whole = client.call("bch_inbox", &json!({ "id": id })).unwrap();
    assert!(whole.contains("| the end") && whole.contains("may have been shown before"));
    client.call("bch_whoami", &json!({})).unwrap();
    assert_holds_nothing(&relay);
}

#[test]
fn a_session_is_its_tokens_alone() {
    let relay = Relay::start();
    let (alice, bob, carol) = (relay.peer("alice"), relay.peer("bob"), relay.peer("carol"));
    alice.send("@bob", "for bob");
    let mut client = Remote::start(&bob);
    let list = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"});
    let accept = ("accept", "application/json, text/event-stream");
    let with = |token: Option<&str>, session: &str| {
        relay.api(token).with(accept.0, accept.1).with("mcp-session-id", session)
    };
    with(None, client.session()).post("/mcp", &list).error(401);
    with(Some("nobodys-token-nobodys-token"), client.session()).post("/mcp", &list).error(401);
    with(Some(ROOM), client.session()).post("/mcp", &list).error(401);
    with(Some(ADMIN), client.session()).post("/mcp", &list).error(401);
    let unauthorized = relay.api(None).with(accept.0, accept.1).post("/mcp", &list);
    assert_eq!(unauthorized.header("www-authenticate"), Some("Bearer"));
    for method in ["POST", "GET", "DELETE"] {
        let body = (method == "POST").then(|| list.to_string());
        let other = with(Some(carol.token()), client.session());
        let answer = other.try_call(method, "/mcp", body.as_deref().map(str::as_bytes)).unwrap();
        let none = with(Some(carol.token()), "no-such-session");
        let unknown = none.try_call(method, "/mcp", body.as_deref().map(str::as_bytes)).unwrap();
        assert_eq!((answer.status, &answer.body), (404, &unknown.body), "{method}");
    }
    assert!(client.call("bch_inbox", &json!({})).unwrap().contains("| for bob"), "it is not harmed");
    // A call without a session has none that could tell what arrived, whatever version it names.
    let bare = relay.api(Some(bob.token())).with(accept.0, accept.1);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "bch_inbox"}});
    assert!(bare.post("/mcp", &call).status >= 400);
    for version in ["2026-07-28", "2025-11-25"] {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"}});
        let asked = bare.with("mcp-protocol-version", version);
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "bch_inbox", "arguments": {}, "_meta": meta}});
        let asking = asked.with("mcp-method", "tools/call").with("mcp-name", "bch_inbox");
        assert!(asking.post("/mcp", &call).error(400).contains("initialize"));
    }
    // Who asks is told what is spoken.
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2025-11-25",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"}});
    let discover = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}});
    let answer = bare.with("mcp-protocol-version", "2025-11-25").with("mcp-method", "server/discover");
    let answer = answer.post("/mcp", &discover);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("2025-11-25") && !text.contains("2026-07-28"), "{text}");
}

#[test]
fn what_arrived_is_acknowledged_by_the_next_call_and_by_a_goodbye() {
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    for by_goodbye in [false, true] {
        alice.send("@bob", "once");
        let mut client = Remote::start(&bob);
        assert!(client.call("bch_inbox", &json!({})).unwrap().contains("| once"));
        if by_goodbye {
            let head = client.api.head("DELETE", "/mcp", None, "keep-alive");
            client.stream.get_mut().write_all(head.as_bytes()).unwrap();
            assert_eq!(read_head(&mut client.stream).unwrap().0, 202);
        } else {
            client.call("bch_whoami", &json!({})).unwrap();
        }
        assert_holds_nothing(&relay);
    }
}

/// That no message of the relay is unread or claimed.
pub(super) fn assert_holds_nothing(relay: &Relay) {
    let begun = Instant::now();
    while waiting(relay) != 0 {
        assert!(begun.elapsed() < PATIENCE, "something waits still");
    }
}

pub(super) fn waiting(relay: &Relay) -> u64 {
    relay.admin().get("/v1/rooms").ok()[0]["waiting"].as_u64().unwrap()
}

#[test]
fn a_subscriber_is_told_on_its_stream_and_the_stream_ends_with_the_token() {
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let mut client = Remote::start(&bob);
    let mut news = BufReader::new(client.api.connect().unwrap());
    news.get_mut().write_all(client.api.head("GET", "/mcp", None, "close").as_bytes()).unwrap();
    assert_eq!(read_head(&mut news).unwrap().0, 200);
    let subscribe =
        json!({"jsonrpc": "2.0", "id": 90, "method": "resources/subscribe", "params": {"uri": INBOX}});
    assert!(client.exchange(&subscribe).1.unwrap()["result"].is_object());
    alice.send("@bob", "secret");
    let mut line = String::new();
    while !line.contains("notifications/resources/updated") {
        line.clear();
        assert!(news.read_line(&mut line).unwrap() > 0, "the stream ended");
        assert!(!line.contains("secret"));
    }
    let read = json!({"jsonrpc": "2.0", "id": 91, "method": "resources/read", "params": {"uri": INBOX}});
    let read = client.exchange(&read).1.unwrap();
    assert_eq!(read["result"]["contents"][0]["text"], "1 unread here, 0 elsewhere");
    relay.admin().delete("/v1/agents/bob").ok();
    let mut rest = Vec::new();
    news.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "it ends as HTTP says");
    let list = json!({"jsonrpc": "2.0", "id": 92, "method": "tools/list"});
    assert_eq!(client.exchange(&list).0.status, 401);
}

#[test]
fn a_page_in_a_browser_gets_nothing_through_its_users_network() {
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}});
    let status = |peer: &Peer, headers: &[(&str, &str)]| {
        let api = headers.iter().fold(peer.api.clone(), |api, (name, value)| api.with(name, value));
        api.with("accept", "application/json, text/event-stream").post("/mcp", &hello).status
    };
    let relay = Relay::start();
    let bob = relay.peer("bob");
    let port = relay.address.port();
    let here = format!("localhost:{port}");
    assert_eq!(status(&bob, &[]), 200);
    assert_eq!(status(&bob, &[("host", &here)]), 200);
    assert_eq!(status(&bob, &[("host", &here), ("origin", "http://localhost:3000")]), 200);
    assert_eq!(status(&bob, &[("host", "relay.example.com")]), 403);
    assert_eq!(status(&bob, &[("origin", "https://evil.example.com")]), 403);
    assert_eq!(status(&bob, &[("origin", "null")]), 403);
    let named = Relay::with_settings("hosts = [\"relay.example.com\"]\n", &[], &[]);
    let bob = named.peer("bob");
    assert_eq!(status(&bob, &[("host", "relay.example.com")]), 200);
    assert_eq!(status(&bob, &[("host", "other.example.com")]), 403);
    assert_eq!(status(&bob, &[("host", "relay.example.com"), ("origin", "https://relay.example.com")]), 200);
    // Behind a proxy, which names it must answer to is not known here.
    let behind = Relay::with(&["--behind-proxy"], &[]);
    let bob = behind.peer("bob");
    assert_eq!(status(&bob, &[("host", "relay.example.com")]), 200);
    assert_eq!(status(&bob, &[("origin", "https://evil.example.com")]), 403);
}

#[test]
fn the_relays_limits_hold() {
    let relay = Relay::with_settings("[limits]\nstreams-per-agent = 1\nrequests-per-agent = 200\n", &[], &[]);
    let bob = relay.peer("bob");
    let mut first = Remote::start(&bob);
    let _stream = {
        let mut stream = BufReader::new(first.api.connect().unwrap());
        stream.get_mut().write_all(first.api.head("GET", "/mcp", None, "keep-alive").as_bytes()).unwrap();
        assert_eq!(read_head(&mut stream).unwrap().0, 200);
        stream
    };
    assert_eq!(first.api.get("/mcp").status, 429);
    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "bch_send", "arguments": {"target": "@bob", "body": "x".repeat(4 << 20)}}});
    first.api.post("/mcp", &large).error(413);
    // One session more than an agent may have ends the one that was used longest ago.
    let mut second = Remote::start(&bob);
    for _ in 0..15 {
        Remote::start(&bob);
    }
    let list = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/list"});
    assert_eq!(first.exchange(&list).0.status, 404);
    assert_eq!(second.exchange(&list).0.status, 200);
    let begun = Instant::now();
    loop {
        let (answer, _) = second.exchange(&list);
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some());
            break;
        }
        assert!(answer.status == 200 && begun.elapsed() < PATIENCE, "{}", answer.status);
    }
}

#[test]
fn a_restart_loses_nothing_that_was_given() {
    let mut relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    alice.send("@bob", "hello");
    let mut client = Remote::start(&bob);
    assert!(client.call("bch_inbox", &json!({})).unwrap().contains("| hello"));
    relay.restart();
    let bob = bob.at(&relay);
    client.api.address = relay.address;
    client.reconnect();
    let list = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/list"});
    assert_eq!(client.exchange(&list).0.status, 404, "a client begins another session then");
    assert_eq!(waiting(&relay), 1, "it is held until its lease lapses");
    assert!(Remote::start(&bob).call("bch_whoami", &json!({})).is_ok());
}
