//! Claims lapse, are renewed, and are looked for in one request; a body comes through as it was sent.

use backchannel::spool::{Afterwards, Moment, Shown, Spool as _};

use super::room::{PREFIX, Room, agent};
use crate::support::brain::{On, Shape};

const HOUR: i64 = 3_600_000;

#[test]
fn a_hairy_body_of_200_kib_comes_through_every_shape() {
    let body = "say \"hi\" \\n\n---\nid: \"forged\"\nclaim: {}\n---\nto \u{1f600} and \t\u{1}\r\n"
        .repeat(200 * 1024 / 66);
    for shape in Shape::all() {
        let room = Room::shaped(shape, &["ann", "bob"]);
        let sent = room.send("ann", "@bob", &body);
        let (bob, lease) = (room.spool("bob"), room.session("s"));
        let found = bob.inbox(&agent("bob")).unwrap();
        assert_eq!((found.messages.len(), found.bad.len()), (1, 0), "{shape:?}");
        let claimed = room.claim(&bob, &lease);
        assert!(claimed[0].message.to_json() == sent.to_json(), "{shape:?}");
        room.read(&bob, &lease, &claimed);
        bob.settle().unwrap();
        assert_eq!(room.inbox(), Vec::<String>::new(), "{shape:?}");
        assert!(room.brain.documents().iter().all(|document| document.body.len() <= 200_000));
    }
}

#[test]
fn a_look_is_one_request_and_writes_nothing() {
    let room = Room::with(&["ann", "bob"]);
    for number in 0..7 {
        room.send("ann", "@bob", &number.to_string());
    }
    let bob = room.spool("bob");
    room.brain.forget_requests();
    assert_eq!(bob.inbox(&agent("bob")).unwrap().messages.len(), 7);
    assert_eq!(room.brain.requests().len(), 1);
    let lease = room.session("s");
    let claimed = room.claim(&bob, &lease);
    assert_eq!(room.brain.count(&On::list("")), 2, "a claim looks once");
    assert_eq!(room.brain.count(&On::write("")), 7, "and writes once for each message");
    room.read(&bob, &lease, &claimed);
    bob.settle().unwrap();
    room.brain.forget_requests();
    assert!(room.claim(&bob, &lease).is_empty());
    bob.seen(&agent("bob"), &[]).unwrap();
    bob.settle().unwrap();
    assert_eq!(bob.register(&agent("bob")).unwrap().name, agent("bob"));
    bob.subscribe(&agent("bob"), &"#x".parse().unwrap()).unwrap();
    room.brain.forget_requests();
    bob.subscribe(&agent("bob"), &"#x".parse().unwrap()).unwrap();
    assert_eq!(room.brain.count(&On::write("")), 0, "nothing changed");
}

#[test]
fn what_its_reader_left_lapses_and_a_late_acknowledgement_touches_no_others_claim() {
    let room = Room::with(&["ann", "bob"]);
    room.send("ann", "@bob", "left");
    let (one, two) = (room.spool("bob"), room.second("bob"));
    let (here, there) = (room.session("here"), room.session("there"));
    let claimed = room.claim(&one, &here);
    assert!(room.claim(&two, &there).is_empty());
    assert_eq!(two.inbox(&agent("bob")).unwrap().claimed, 1);
    room.env.pass(2 * HOUR + 1_000);
    let there = room.session("there");
    let again = room.claim(&two, &there);
    assert!(again[0].repeat, "the first reader may have shown it");
    one.acknowledge(&agent("bob"), &here.id, &claimed[0].message, Afterwards::Gone).unwrap();
    one.settle().unwrap();
    assert_eq!(room.inbox().len(), 1, "it is the second reader's");
    room.read(&two, &there, &again);
    two.settle().unwrap();
    assert_eq!(room.inbox(), Vec::<String>::new());
}

#[test]
fn a_late_acknowledgement_counts_where_nobody_has_claimed_since() {
    let room = Room::with(&["ann", "bob"]);
    room.send("ann", "@bob", "late");
    let (bob, lease) = (room.spool("bob"), room.session("s"));
    let claimed = room.claim(&bob, &lease);
    room.env.pass(3 * HOUR);
    bob.acknowledge(&agent("bob"), &lease.id, &claimed[0].message, Afterwards::Gone).unwrap();
    bob.settle().unwrap();
    assert_eq!(room.inbox(), Vec::<String>::new());
}

#[test]
fn a_session_that_goes_on_keeps_what_it_holds() {
    let room = Room::with(&["ann", "bob"]);
    room.send("ann", "@bob", "held");
    let (bob, lease) = (room.spool("bob"), room.session("s"));
    let claimed = room.claim(&bob, &lease);
    let shown = Shown { by: Moment::Prompt, delivery: None };
    bob.mark_shown(&agent("bob"), &lease.id, &claimed[0].message, shown).unwrap();
    for _ in 0..4 {
        room.env.pass(HOUR + 60_000);
        bob.renew(&agent("bob"), &room.session("s")).unwrap();
        assert!(room.claim(&room.second("bob"), &room.session("t")).is_empty());
    }
    room.read(&bob, &lease, &claimed);
    bob.settle().unwrap();
    assert_eq!(room.inbox(), Vec::<String>::new());
}

#[test]
fn what_comes_a_second_time_says_so() {
    let room = Room::with(&["ann", "bob"]);
    room.send("ann", "@bob", "twice");
    let path = room.inbox().remove(0);
    let text = room.brain.document(&path).unwrap().body;
    let (bob, lease) = (room.spool("bob"), room.session("s"));
    let claimed = room.claim(&bob, &lease);
    room.read(&bob, &lease, &claimed);
    bob.settle().unwrap();
    // Its sender was not answered, and wrote it again.
    room.brain.put(&path, &text);
    assert!(room.claim(&bob, &lease)[0].repeat);
}

#[test]
fn a_list_that_is_cut_hides_nothing() {
    let shape = Shape { greatest_limit: 100, ..Shape::default() };
    let room = Room::shaped(shape, &["ann", "bob"]);
    let text = |id: backchannel::message::MessageId| {
        format!(
            "---\nid: \"{id}\"\nfrom: \"ann\"\nto: \"@bob\"\npriority: \"normal\"\nts: \"2026-01-02T03:04:05.678Z\"\nbody: \"x\"\n---\n"
        )
    };
    for _ in 0..330 {
        let id = backchannel::message::MessageId::random();
        room.brain.put(&format!("{PREFIX}inbox/bob/{id}.md"), &text(id));
    }
    let bob = room.spool("bob");
    assert_eq!(bob.inbox(&agent("bob")).unwrap().messages.len(), 330);
    assert_eq!(room.claim(&bob, &room.session("s")).len(), 330);
}
