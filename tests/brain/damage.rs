//! What is no message stands in nobody's way, and is told; what the first version wrote is read.

use std::time::{Duration, Instant};

use backchannel::message::MessageId;
use backchannel::spool::Spool as _;
use backchannel::spool::brain::Deadline;

use super::room::{PREFIX, Room, agent};
use crate::support::brain::{Fault, On, Shape};

#[test]
fn a_damaged_document_is_set_aside_and_told() {
    let room = Room::with(&["ann", "bob"]);
    let id = MessageId::random();
    let damaged = format!("{PREFIX}inbox/bob/{id}.md");
    room.brain.put(&damaged, "---\nid: 7\n");
    room.brain.put(&format!("{PREFIX}inbox/bob/notes.md"), "# Notes of a person\n");
    let sent = room.send("ann", "@bob", "honest");
    let (bob, lease) = (room.spool("bob"), room.session("s"));
    let told = bob.inbox(&agent("bob")).unwrap();
    assert_eq!((told.messages.len(), told.bad.len()), (1, 2), "{:?}", told.bad);
    let claimed = room.claim(&bob, &lease);
    assert_eq!(claimed.iter().map(|one| one.message.id).collect::<Vec<_>>(), [sent.id]);
    room.read(&bob, &lease, &claimed);
    bob.settle().unwrap();
    assert_eq!(room.inbox(), [format!("{PREFIX}inbox/bob/notes.md")], "what never was one stays");
    let aside = room.brain.document(&format!("{PREFIX}bad/bob/{id}.md")).unwrap();
    assert_eq!(aside.body, "---\nid: 7\n");
    let told = bob.inbox(&agent("bob")).unwrap().bad;
    assert!(
        told.iter().any(|(name, why)| *name == format!("{id}.md") && why.contains("bad/bob/")),
        "{told:?}"
    );
}

#[test]
fn what_cannot_be_set_aside_stays_and_hides_nothing() {
    let room = Room::with(&["ann", "bob"]);
    let damaged = format!("{PREFIX}inbox/bob/{}.md", MessageId::random());
    room.brain.put(&damaged, "no front matter");
    room.brain.next_times(usize::MAX, On::write("/bad/"), Fault::status(500));
    room.send("ann", "@bob", "honest");
    assert_eq!(room.claim(&room.spool("bob"), &room.session("s")).len(), 1);
    assert!(room.brain.document(&damaged).is_some());
}

#[test]
fn a_message_that_nobody_can_mark_is_in_nobodys_way() {
    let room = Room::with(&["ann", "bob"]);
    let stuck = room.send("ann", "@bob", "stuck");
    let sent = room.send("ann", "@bob", "honest");
    room.brain.next_times(usize::MAX, On::write(&stuck.id.to_string()), Fault::status(400));
    let claimed = room.claim(&room.spool("bob"), &room.session("s"));
    assert_eq!(claimed.iter().map(|one| one.message.id).collect::<Vec<_>>(), [sent.id]);
}

#[test]
fn what_the_first_version_wrote_is_claimed_at_its_longest() {
    let room = Room::with(&["ann", "bob"]);
    let id = MessageId::random();
    // The body twice, as it writes it; the whole as long as the service takes.
    let front = format!(
        "---\nid: \"{id}\"\nfrom: \"ann\"\nto: \"@bob\"\npriority: \"normal\"\nts: \"2026-01-02T03:04:05.678Z\"\nbody: "
    );
    let room_for_it = (200_000 - front.len() - 40) / 2;
    let body = "x".repeat(room_for_it);
    let text = format!("{front}\"{body}\"\n---\n# ann → @bob\n\n{body}\n");
    assert!(text.len() > 199_900 && text.len() <= 200_000, "{}", text.len());
    room.brain.put(&format!("{PREFIX}inbox/bob/{id}.md"), &text);
    let (bob, lease) = (room.spool("bob"), room.session("s"));
    let claimed = room.claim(&bob, &lease);
    assert!(claimed[0].message.body == body);
    room.read(&bob, &lease, &claimed);
    bob.settle().unwrap();
    assert_eq!(room.inbox(), Vec::<String>::new());
}

#[test]
fn an_agent_of_the_first_version_is_found_in_whatever_case() {
    let room = Room::with(&["ann"]);
    room.brain.put(
        &format!("{PREFIX}agents/Bob.md"),
        "---\nsubscriptions: [\"#team\"]\ncreatedAt: \"2026-01-02T03:04:05.678Z\"\nlastSeen: \"2026-01-02T03:04:05.678Z\"\n---\n# Agent: Bob\n",
    );
    let ann = room.spool("ann");
    let found = ann.agent(&agent("bob")).unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.subscriptions.len()), ("Bob", 1));
    room.send("ann", "@bob", "hello");
    assert_eq!(room.brain.paths(&format!("{PREFIX}inbox/Bob/")).len(), 1);
    assert_eq!(room.spool("bob").register(&agent("bob")).unwrap().name.as_str(), "Bob");
    assert_eq!(
        room.spool("bob").inbox(&agent("bob")).unwrap().messages.len(),
        1,
        "it knows its spelling now"
    );
}

#[test]
fn a_mark_that_would_hold_for_days_hides_no_message() {
    let room = Room::with(&["ann", "bob"]);
    room.send("ann", "@bob", "held for ever");
    let path = room.inbox().remove(0);
    let text = room.brain.document(&path).unwrap().body;
    let mark =
        "---\nclaim: {\"nonce\":\"0123456789abcdef0123456789abcdef\",\"until\":\"2999-01-01T00:00:00Z\"}\n";
    room.brain.put(&path, &text.replacen("---\n", mark, 1));
    assert!(room.claim(&room.spool("bob"), &room.session("s"))[0].repeat);
}

#[test]
fn what_is_no_message_takes_no_time_of_a_prompt() {
    let room = Room::with(&["ann", "bob"]);
    for _ in 0..9 {
        room.brain.put(&format!("{PREFIX}inbox/bob/{}.md", MessageId::random()), "no front matter");
    }
    room.brain.next_times(usize::MAX, On::write("/bad/"), Fault::held());
    room.send("ann", "@bob", "honest");
    let soon = Deadline::At(Instant::now() + Duration::from_millis(1500));
    assert_eq!(room.claim(&room.on("bob", "", soon), &room.session("s")).len(), 1);
    room.brain.release();
}

#[test]
fn a_document_that_cannot_be_read_now_hides_no_other() {
    let room = Room::shaped(Shape { has_bodies_in_lists: false, ..Shape::default() }, &["ann", "bob"]);
    let (first, second) = (room.send("ann", "@bob", "first"), room.send("ann", "@bob", "second"));
    room.brain.next_times(usize::MAX, On::read(&first.id.to_string()), Fault::status(400));
    let claimed = room.claim(&room.spool("bob"), &room.session("s"));
    assert_eq!(claimed.iter().map(|one| one.message.id).collect::<Vec<_>>(), [second.id]);
}

#[test]
fn a_claim_is_known_by_one_rule() {
    let room = Room::with(&["ann", "bob"]);
    let sent = room.send("ann", "@bob", "once");
    let path = format!("{PREFIX}inbox/bob/{}.md", sent.id);
    let text = room.brain.document(&path).unwrap().body;
    let lapsed = r#"{"nonce":"00000000000000000000000000000000","until":"2020-01-01T00:00:00Z"}"#;
    room.brain.put(&path, &text.replacen("---\n", &format!("---\n claim : {lapsed}\n claim: {lapsed}\n"), 1));
    assert_eq!(room.claim(&room.spool("bob"), &room.session("s")).len(), 1);
    assert!(room.claim(&room.second("bob"), &room.session("t")).is_empty(), "the first one's mark holds");
}

#[test]
fn what_stands_in_an_agents_record_beside_ours_stays() {
    let room = Room::with(&["ann", "bob"]);
    let path = format!("{PREFIX}agents/bob.md");
    let text = room.brain.document(&path).unwrap().body;
    room.brain.put(&path, &(text.replacen("---\n", "---\nrole: \"tester\"\n", 1) + "A person's notes.\n"));
    room.spool("bob").subscribe(&agent("bob"), &"#team".parse().unwrap()).unwrap();
    let now = room.brain.document(&path).unwrap().body;
    assert!(now.contains("role: \"tester\"\n") && now.contains("A person's notes.\n"), "{now}");
    assert!(now.contains("subscriptions: [\"#team\"]\n"), "{now}");
    room.brain.put(&path, "no front matter");
    assert!(room.spool("bob").subscribe(&agent("bob"), &"#more".parse().unwrap()).is_err());
    assert_eq!(room.brain.document(&path).unwrap().body, "no front matter");
}
