//! Killed at random moments under load: what was promised is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::relay::{Peer, Relay, lease};

const KILLS: usize = 50;
const SENDERS: usize = 4;
const READERS: usize = 3;

/// What clients know of their messages, by id.
#[derive(Default)]
struct Book {
    /// The relay answered that it has it.
    promised: Mutex<BTreeSet<String>>,
    /// By which leases a live reader got it.
    claimed: Mutex<BTreeMap<String, Vec<u32>>>,
    /// Sends without an answer, to be repeated.
    open: Mutex<Vec<Value>>,
    /// Leases of claims without an answer.
    unanswered: Mutex<Vec<u32>>,
}

#[test]
fn no_promise_is_broken_by_fifty_kills() {
    let mut relay = Relay::start();
    let senders: Vec<_> = (0..SENDERS).map(|number| relay.peer(&format!("sender-{number}"))).collect();
    let bob = relay.peer("bob");
    let (book, leases) = (Book::default(), AtomicU32::new(1));
    for _ in 0..KILLS {
        thread::scope(|scope| {
            for sender in &senders {
                let (book, sender) = (&book, sender.at(&relay));
                scope.spawn(move || send_until_it_dies(&sender, book));
            }
            for _ in 0..READERS {
                let (book, bob, leases) = (&book, bob.at(&relay), &leases);
                scope.spawn(move || read_until_it_dies(&bob, book, leases));
            }
            // A moment that nobody chose.
            let moment = 5_000 + Uuid::new_v4().as_u128() as u64 % 60_000;
            thread::sleep(Duration::from_micros(moment));
            relay.kill();
        });
        relay.restart_ended();
        // Whoever got no answer asks again: once more is not twice.
        let open = std::mem::take(&mut *book.open.lock().unwrap());
        for message in open {
            let sender =
                senders.iter().find(|sender| message["from"] == sender.name.as_str()).unwrap().at(&relay);
            let answer = sender.api.post("/v1/send", &message["sent"]).ok();
            book.promised.lock().unwrap().insert(answer["id"].as_str().unwrap().to_owned());
        }
    }
    // What no reader got lies under the lease of a claim that was not answered, or is unread.
    let bob = bob.at(&relay);
    let claimed = book.claimed.lock().unwrap();
    let mut found: BTreeSet<String> = claimed.keys().cloned().collect();
    let unanswered = std::mem::take(&mut *book.unanswered.lock().unwrap());
    for number in unanswered.into_iter().chain([u32::MAX]) {
        found.extend(ids(&bob.claim(&lease(number))));
    }
    let promised = book.promised.lock().unwrap();
    let lost: Vec<_> = promised.difference(&found).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), promised.len());
    let twice: Vec<_> = claimed.iter().filter(|(_, leases)| leases.len() > 1).collect();
    assert!(twice.is_empty(), "claimed twice: {twice:?}");
    let enough = promised.len() > 500 && claimed.len() > 200;
    assert!(enough, "{} sends and {} claims are no load", promised.len(), claimed.len());
}

fn send_until_it_dies(sender: &Peer, book: &Book) {
    loop {
        let id = Uuid::new_v4().to_string();
        let sent = json!({ "id": id, "to": "@bob", "body": format!("body of {id}") });
        let Ok(answer) = sender.api.try_call("POST", "/v1/send", Some(sent.to_string().as_bytes())) else {
            book.open.lock().unwrap().push(json!({ "from": sender.name, "sent": sent }));
            return;
        };
        assert_eq!(answer.ok()["id"], id);
        book.promised.lock().unwrap().insert(id);
    }
}

/// Claims under a lease of its own each time, and acknowledges.
fn read_until_it_dies(bob: &Peer, book: &Book, leases: &AtomicU32) {
    loop {
        let number = leases.fetch_add(1, Ordering::Relaxed);
        let asked = json!({ "lease": lease(number), "max_bytes": 1000 }).to_string();
        let Ok(answer) = bob.api.try_call("POST", "/v1/claim", Some(asked.as_bytes())) else {
            book.unanswered.lock().unwrap().push(number);
            return;
        };
        for id in ids(answer.ok()["messages"].as_array().unwrap()) {
            book.claimed.lock().unwrap().entry(id).or_default().push(number);
        }
        // Whether this is answered or not: the next reader must not get them.
        let ended = json!({ "lease": lease(number) }).to_string();
        let _ = bob.api.try_call("POST", "/v1/claim/ack", Some(ended.as_bytes()));
    }
}

fn ids(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}
