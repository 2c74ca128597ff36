//! A service that names a time is not asked before it, whatever there is to do.

use backchannel::spool::brain::BrainSpool;
use backchannel::spool::{Filter, Spool, Take};

use super::room::{Room, agent};
use crate::support::brain::{Fault, On};

/// What a command does at a brain.
type Act = fn(&Room, &BrainSpool);

const ACTS: [(&str, Act); 11] = [
    ("agents", |_, bob| drop(bob.agents())),
    ("another agent", |_, bob| drop(bob.agent(&agent("ann")))),
    ("channels", |_, bob| drop(bob.channels())),
    ("subscribe", |_, bob| drop(bob.subscribe(bob.own_name(), &"#team".parse().unwrap()))),
    ("unsubscribe", |_, bob| drop(bob.unsubscribe(bob.own_name(), &"#team".parse().unwrap()))),
    ("unregister", |_, bob| drop(bob.unregister(bob.own_name(), true))),
    ("inbox", |_, bob| drop(bob.inbox(bob.own_name()))),
    ("claim", |room, bob| {
        drop(bob.claim(bob.own_name(), &room.session("other"), &Filter::default(), Take::All));
    }),
    ("send", |room, bob| drop(bob.send(&room.message("bob", "@ann", "later"), true))),
    ("seen", |_, bob| drop(bob.seen(bob.own_name(), &[]))),
    ("look over", |_, bob| drop(bob.look_over())),
];

/// A room in which `@bob` has read a message and was then told to wait.
fn told_to_wait() -> (Room, BrainSpool) {
    let room = Room::with(&["ann", "bob"]);
    let (bob, lease) = (room.spool("bob"), room.session("s"));
    room.send("ann", "@bob", "read, and not told yet");
    let claimed = room.claim(&bob, &lease);
    room.read(&bob, &lease, &claimed);
    room.brain.next(On::delete("inbox/bob"), Fault::busy("600"));
    assert!(bob.settle().unwrap_err().to_string().contains("takes no more calls now"));
    // Long enough ago for a sign of life.
    std::fs::remove_file(room.root("bob", "").join("touched")).unwrap();
    room.brain.forget_requests();
    (room, bob)
}

#[test]
fn every_call_keeps_to_the_time_that_any_was_told() {
    for (name, act) in ACTS {
        let (room, bob) = told_to_wait();
        act(&room, &bob);
        assert_eq!(room.brain.requests().len(), 0, "{name}");
        assert!(bob.settle().is_err(), "{name}");
        assert_eq!(room.brain.requests().len(), 0, "{name}");
    }
}

#[test]
fn after_that_time_each_of_them_asks_again() {
    for (name, act) in ACTS {
        let (room, bob) = told_to_wait();
        room.env.pass(601_000);
        act(&room, &bob);
        assert_ne!(room.brain.requests().len(), 0, "{name}");
        if name != "unregister" {
            bob.settle().unwrap();
            assert_eq!(room.inbox(), Vec::<String>::new(), "{name}");
        }
    }
}
