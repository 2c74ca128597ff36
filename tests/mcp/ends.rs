//! How a client ends, or does not want what it asked for: nothing is lost, and nothing counts as read that was not.

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Client, home};
use crate::support::home::Home;

/// What it is called, and how a client starts its server so.
type Way = (&'static str, fn(&Home) -> Client);

/// Each way in which a client can hold its server's ends.
const WAYS: [Way; 2] = [("pipes", Client::start), ("sockets", Client::over_sockets)];
/// For how long one waits for what comes at once.
const PATIENCE: Duration = Duration::from_secs(20);

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

/// Waits until the server has ended by itself, and well.
fn ended(child: &mut Child) {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "the server does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the message is under a claim.
fn wait_until_claimed(home: &Home) {
    let begun = Instant::now();
    while !home.unread("bob").is_empty() {
        assert!(begun.elapsed() < PATIENCE, "nobody claims");
    }
}

#[test]
fn who_dies_before_it_reads_the_reply_gets_it_again() {
    let home = home();
    let mut client = Client::start(&home);
    client.request("tools/call", &json!({"name": "bch_inbox", "arguments": {}}));
    wait_until_claimed(&home);
    // Both ends at once, as by a client that is killed: the reply is in the pipe, or was to be.
    let Client { mut child, input, output, .. } = client;
    drop((input, output));
    ended(&mut child);
    let mut client = Client::start(&home);
    let text = client.call("bch_inbox", &json!({})).unwrap();
    assert!(text.contains("| hello") && text.contains("may have been shown before"), "{text}");
    client.close();
}

#[test]
fn who_leaves_with_the_reply_unread_gets_it_again() {
    for ((way, start), by_signal) in WAYS.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let home = home();
        let mut client = start(&home);
        client.request("tools/call", &json!({"name": "bch_inbox", "arguments": {}}));
        wait_until_claimed(&home);
        if by_signal {
            signal(&client.child, Signal::TERM);
        } else {
            drop(client.input.take());
        }
        // The client's side is open, and it reads nothing.
        ended(&mut client.child);
        assert_eq!((home.unread("bob").len(), home.recent("bob").len()), (1, 0), "{way}, {by_signal}");
    }
}

#[test]
fn who_read_the_reply_and_leaves_in_order_has_read_it() {
    let ends = [&[][..], &[Signal::TERM], &[Signal::INT], &[Signal::HUP]];
    for ((way, start), signals) in WAYS.into_iter().flat_map(|way| ends.map(|signals| (way, signals))) {
        let home = home();
        let mut client = start(&home);
        client.call("bch_inbox", &json!({})).unwrap();
        for one in signals {
            signal(&client.child, *one);
        }
        if signals.is_empty() {
            drop(client.input.take());
        }
        ended(&mut client.child);
        assert_eq!((home.unread("bob").len(), home.recent("bob").len()), (0, 1), "{way}, {signals:?}");
    }
}

#[test]
fn calls_beside_each_other_confirm_nothing() {
    let home = home();
    let mut client = Client::start(&home);
    let inbox = json!({"jsonrpc": "2.0", "id": 100, "method": "tools/call",
        "params": {"name": "bch_inbox", "arguments": {}}});
    let whoami = json!({"jsonrpc": "2.0", "id": 101, "method": "tools/call",
        "params": {"name": "bch_whoami", "arguments": {}}});
    client.write(&format!("{inbox}\n{whoami}"));
    client.answer(101);
    client.child.kill().unwrap();
    client.child.wait().unwrap();
    assert_eq!(home.recent("bob").len(), 0, "the reply to the first may not have come");
    let mut client = Client::start(&home);
    assert!(client.call("bch_inbox", &json!({})).unwrap().contains("| hello"));
    client.close();
}

#[test]
fn a_call_that_was_written_while_the_reply_lay_unread_confirms_nothing() {
    for (way, start) in WAYS {
        let home = home();
        let mut client = start(&home);
        client.request("tools/call", &json!({"name": "bch_inbox", "arguments": {}}));
        wait_until_claimed(&home);
        // The reply is on its way, or here, and not read.
        std::thread::sleep(Duration::from_millis(200));
        let call = client.request("tools/call", &json!({"name": "bch_whoami", "arguments": {}}));
        std::thread::sleep(Duration::from_millis(200));
        client.child.kill().unwrap();
        client.child.wait().unwrap();
        assert_eq!(home.recent("bob").len(), 0, "{way}, {call}");
        let mut client = start(&home);
        assert!(client.call("bch_inbox", &json!({})).unwrap().contains("| hello"), "{way}");
        client.close();
    }
}

#[test]
fn a_list_or_a_ping_confirms_nothing() {
    let home = home();
    let mut client = Client::start(&home);
    client.call("bch_inbox", &json!({})).unwrap();
    client.ask("ping", &json!({}));
    client.ask("tools/list", &json!({}));
    assert_eq!(home.recent("bob").len(), 0);
    client.confirm(&home);
    client.close();
}

#[test]
fn a_cancelled_call_gives_its_mail_back() {
    let home = home();
    let mut client = Client::start(&home);
    // At once, and after the reply is out: the client drops it then.
    for wait in [false, true] {
        let call = client.request("tools/call", &json!({"name": "bch_inbox", "arguments": {}}));
        if wait {
            client.answer(call);
        }
        client.notify("notifications/cancelled", &json!({"requestId": call, "reason": "Escape"}));
        client.call("bch_whoami", &json!({})).unwrap();
        client.asides.clear();
        let begun = Instant::now();
        while home.unread("bob").len() != 1 {
            assert!(begun.elapsed() < PATIENCE, "{wait}");
        }
        assert_eq!(home.recent("bob").len(), 0);
    }
    assert!(client.call("bch_inbox", &json!({})).unwrap().contains("| hello"));
    client.close();
    assert_eq!(home.recent("bob").len(), 1);
}

#[test]
fn half_a_line_is_no_request_and_the_end_after_it_is_in_order() {
    let home = home();
    let mut client = Client::start(&home);
    let half = br#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"bch_inbox""#;
    std::io::Write::write_all(client.input.as_mut().unwrap(), half).unwrap();
    drop(client.input.take());
    ended(&mut client.child);
    assert_eq!(home.unread("bob").len(), 1);
}

#[test]
fn a_client_that_leaves_before_it_says_hello_ends_the_server_in_order() {
    let home = home();
    let mut client = Client::spawn(&home);
    drop(client.input.take());
    ended(&mut client.child);
}
