//! Which replies of a relay count as received: what a connection proves, and what it does not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{INBOX, PATIENCE, Remote, assert_holds_nothing, waiting};
use crate::support::http::read_head;
use crate::support::relay::{Peer, Relay};

fn call(id: &str, tool: &str, arguments: &Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

impl Remote {
    /// One request as bytes, on a connection that is kept or not.
    fn bytes(&self, body: &str, connection: &str) -> Vec<u8> {
        (self.api.head("POST", "/mcp", Some(body.len()), connection) + body).into_bytes()
    }
}

/// A relay at which `bob` has one message, and his client.
fn stage() -> (Relay, Peer, Remote) {
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    alice.send("@bob", &"word ".repeat(1500));
    let client = Remote::start(&bob);
    (relay, alice, client)
}

/// Waits until the mail comes again, marked.
fn comes_again(client: &mut Remote) {
    let begun = Instant::now();
    loop {
        let text = client.call("bch_inbox", &json!({})).unwrap();
        if text.contains("| word") {
            assert!(text.contains("may have been shown before"), "{text}");
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{text}");
    }
}

#[test]
fn a_reply_that_broke_off_comes_again() {
    let (relay, _, mut client) = stage();
    let bytes = client.bytes(&call("a", "bch_inbox", &json!({})), "keep-alive");
    client.stream.get_mut().write_all(&bytes).unwrap();
    // The answer has begun to come, and is there unread when the connection is closed: the system resets it.
    client.stream.get_mut().read_exact(&mut [0]).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    client.reconnect();
    comes_again(&mut client);
    assert_eq!(waiting(&relay), 1);
    client.call("bch_whoami", &json!({})).unwrap();
    assert_holds_nothing(&relay);
}

#[test]
fn where_the_relay_ends_the_connection_the_clients_own_end_tells_what_it_read() {
    for reads in [true, false] {
        let (relay, _, mut client) = stage();
        let mut once = client.api.connect().unwrap();
        once.write_all(&client.bytes(&call("a", "bch_inbox", &json!({})), "close")).unwrap();
        if reads {
            let mut all = Vec::new();
            once.read_to_end(&mut all).unwrap();
        } else {
            once.read_exact(&mut [0]).unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(once);
        if reads {
            let begun = Instant::now();
            while waiting(&relay) != 0 {
                assert!(begun.elapsed() < PATIENCE);
                client.call("bch_whoami", &json!({})).unwrap();
            }
        } else {
            comes_again(&mut client);
        }
    }
}

#[test]
fn a_call_that_was_sent_before_the_reply_proves_nothing() {
    let (relay, _, mut client) = stage();
    let calls = [call("a", "bch_inbox", &json!({})), call("b", "bch_whoami", &json!({}))];
    let both: Vec<u8> = calls.iter().flat_map(|call| client.bytes(call, "keep-alive")).collect();
    client.stream.get_mut().write_all(&both).unwrap();
    let mut line = String::new();
    while !line.contains("\"id\":\"b\"") {
        line.clear();
        assert!(client.stream.read_line(&mut line).unwrap() > 0);
    }
    assert_eq!(waiting(&relay), 1);
}

#[test]
fn a_call_by_another_connection_does_not_prove_at_once_that_the_reply_came() {
    let (relay, _, mut client) = stage();
    assert!(client.call("bch_inbox", &json!({})).unwrap().contains("| word"));
    let first = client.stream.get_ref().try_clone().unwrap();
    client.reconnect();
    client.call("bch_whoami", &json!({})).unwrap();
    assert_eq!(waiting(&relay), 1);
    // It is ended by a client that has read everything.
    first.shutdown(Shutdown::Both).unwrap();
    drop(first);
    let begun = Instant::now();
    while waiting(&relay) != 0 {
        assert!(begun.elapsed() < PATIENCE);
        client.call("bch_whoami", &json!({})).unwrap();
    }
}

#[test]
fn a_cancelled_call_gives_its_mail_back_and_its_id_can_be_used_again() {
    let (relay, _, mut client) = stage();
    client.call("bch_inbox", &json!({})).unwrap();
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    assert_eq!(client.exchange(&cancelled).0.status, 202);
    client.last = 0;
    comes_again(&mut client);
    client.call("bch_whoami", &json!({})).unwrap();
    assert_holds_nothing(&relay);
}

#[test]
fn a_request_that_cannot_be_followed_is_refused() {
    let (relay, _, mut client) = stage();
    let strange =
        json!({"jsonrpc": "2.0", "id": 1.5, "method": "tools/call", "params": {"name": "bch_inbox"}});
    assert_eq!(client.exchange(&strange).0.status, 400);
    // What stands beside a call's own arguments changes nothing.
    let odd = json!({"jsonrpc": "2.0", "id": "odd", "method": "tools/call",
        "params": {"name": "bch_inbox", "arguments": {}, "requestId": 1.5}});
    assert!(client.exchange(&odd).1.unwrap().to_string().contains("| word"));
    client.call("bch_whoami", &json!({})).unwrap();
    assert_holds_nothing(&relay);
}

#[test]
fn who_begins_anew_gets_what_its_lost_session_held() {
    let (relay, _, mut client) = stage();
    let bob = client.peer.clone();
    client.call("bch_inbox", &json!({})).unwrap();
    drop(client);
    let begun = Instant::now();
    loop {
        // The relay may see the end of the connection a moment later.
        let mut client = Remote::start(&bob);
        let text = client.call("bch_inbox", &json!({})).unwrap();
        if text.contains("| word") {
            assert!(text.contains("may have been shown before"), "{text}");
            client.call("bch_whoami", &json!({})).unwrap();
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{text}");
    }
    assert_holds_nothing(&relay);
}

#[test]
fn a_renewal_takes_nothing() {
    let (relay, alice, mut client) = stage();
    client.call("bch_inbox", &json!({})).unwrap();
    client.call("bch_whoami", &json!({})).unwrap();
    alice.send("@bob", "kept for the next call");
    assert!(client.call("bch_inbox", &json!({})).unwrap().contains("| kept"));
    alice.send("@bob", "new");
    // Each revocation makes the relay look through its sessions.
    for number in 0..20 {
        relay.peer(&format!("agent-{number}"));
        relay.admin().delete(&format!("/v1/agents/agent-{number}?keep_token=true")).ok();
    }
    assert!(client.call("bch_inbox", &json!({})).unwrap().contains("| new"));
}

#[test]
fn a_second_stream_of_news_takes_the_place_of_the_first() {
    let (_relay, alice, mut client) = stage();
    let open = |client: &Remote| {
        let mut news = BufReader::new(client.api.connect().unwrap());
        // A stream that broke off is asked for from where it was.
        let head = client.api.with("last-event-id", "0/0").head("GET", "/mcp", None, "close");
        news.get_mut().write_all(head.as_bytes()).unwrap();
        assert_eq!(read_head(&mut news).unwrap().0, 200);
        news
    };
    let mut first = open(&client);
    let subscribe =
        json!({"jsonrpc": "2.0", "id": 90, "method": "resources/subscribe", "params": {"uri": INBOX}});
    assert!(client.exchange(&subscribe).1.unwrap()["result"].is_object());
    let mut second = open(&client);
    let mut rest = Vec::new();
    first.read_to_end(&mut rest).unwrap();
    alice.send("@bob", "second");
    let mut line = String::new();
    while !line.contains("notifications/resources/updated") {
        line.clear();
        assert!(second.read_line(&mut line).unwrap() > 0, "the stream ended");
    }
}
