//! The copy that stays holds no secret; the recipient's is as it was sent.

use backchannel::spool::Spool as _;

use super::room::{PREFIX, Room, agent};

const SECRET: &str = "hunter2-and-more!";

#[test]
fn the_archive_holds_no_secret_and_the_sender_is_told() {
    let room = Room::with(&["ann", "bob"]);
    let ann = room.spool("ann");
    let mut message = room.message("ann", "@bob", &format!("deploy with PASSWORD={SECRET} now"));
    message.refs = vec![format!("https://user:{SECRET}@example.com/")];
    let sent = ann.send(&message, true).unwrap();
    assert!(!sent.redacted.is_empty());
    let archived = room.brain.document(&format!("{PREFIX}log/{}.md", message.id)).unwrap().body;
    assert!(!archived.contains(SECRET) && archived.contains("[redacted: "), "{archived}");
    let found = room.spool("bob").inbox(&agent("bob")).unwrap().messages;
    assert_eq!(found[0].to_json(), message.to_json());
    let plain = room.message("ann", "@bob", "nothing of that kind");
    assert!(ann.send(&plain, true).unwrap().redacted.is_empty());
}

#[test]
fn what_waited_is_archived_without_its_secrets_as_well() {
    let room = Room::with(&["ann", "bob"]);
    let ann = room.spool("ann");
    let fault = crate::support::brain::Fault::text(502);
    room.brain.next_times(usize::MAX, crate::support::brain::On::any(), fault);
    let message = room.message("ann", "@bob", &format!("PASSWORD={SECRET}"));
    assert!(ann.send(&message, true).unwrap().queued.is_some());
    room.brain.mend();
    ann.settle().unwrap();
    let archived = room.brain.document(&format!("{PREFIX}log/{}.md", message.id)).unwrap();
    assert!(!archived.body.contains(SECRET));
}
