//! The archive first and once; a failure for some says which, and whoever goes on delivers to those alone.

use backchannel::spool::{Error, Spool as _};

use super::room::{PREFIX, Room, agent};
use crate::support::brain::{Asked, Fault, On, Operation, Shape};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("agent-{number:02}")).collect()
}

/// A room with ann, and so many who read `#all`.
fn channel(count: usize) -> (Room, Vec<String>) {
    readers_in(Room::with(&["ann"]), count)
}

fn readers_in(room: Room, count: usize) -> (Room, Vec<String>) {
    let names = names(count);
    for name in &names {
        let path = format!("{PREFIX}agents/{name}.md");
        room.brain.put(&path, "---\nsubscriptions: [\"#all\"]\ncreatedAt: \"\"\nlastSeen: \"\"\n---\n");
    }
    room.brain.forget_requests();
    (room, names)
}

fn writes(room: &Room) -> Vec<String> {
    // That the sender was seen is written down now and then.
    let is_mail = |asked: &Asked| asked.operation == Operation::Write && !asked.path.contains("/agents/");
    let asked = room.brain.requests().into_iter().filter(is_mail);
    asked.map(|asked| asked.path.trim_start_matches(PREFIX).to_owned()).collect()
}

#[test]
fn a_channel_message_to_50_is_archived_once_and_first() {
    let (room, names) = channel(51);
    let sent = room.send("ann", "#all", "to all");
    let written = writes(&room);
    assert_eq!(written[0], format!("log/{}.md", sent.id));
    let mut inboxes = written[1..].to_vec();
    inboxes.sort();
    assert_eq!(inboxes, names.iter().map(|name| format!("inbox/{name}/{}.md", sent.id)).collect::<Vec<_>>());
}

#[test]
fn a_failure_for_some_says_which_and_the_same_again_goes_to_those_alone() {
    let (room, _) = channel(48);
    let ann = room.spool("ann");
    for name in ["agent-07", "agent-31"] {
        room.brain.next(On::write(&format!("inbox/{name}/")), Fault::status(403));
    }
    let message = room.message("ann", "#all", "to all");
    let error = ann.send(&message, true).unwrap_err();
    let Error::Undelivered { to, all, .. } = &error else { panic!("{error:?}") };
    assert_eq!((to.as_slice(), *all), (&[agent("agent-07"), agent("agent-31")][..], 48));
    assert!(error.to_string().starts_with("@agent-07 and @agent-31 did not get the message, 46 of 48 did"));
    room.brain.forget_requests();
    ann.send(&message, true).unwrap();
    let mut written = writes(&room);
    written.sort();
    let of = |name: &str| format!("inbox/{name}/{}.md", message.id);
    assert_eq!(written, [of("agent-07"), of("agent-31")]);
    let error = ann.send(&room.message("ann", "@nobody", "x"), true).unwrap_err();
    assert!(matches!(error, Error::UnknownAgent(_)), "{error}");
}

#[test]
fn what_fails_for_now_waits_and_goes_out_with_the_next_command_to_those_alone() {
    let (room, _) = channel(13);
    let ann = room.spool("ann");
    room.brain.next_times(usize::MAX, On::write("inbox/agent-05/"), Fault::text(503));
    let message = room.message("ann", "#all", "to all");
    let sent = ann.send(&message, true).unwrap();
    let why = sent.queued.expect("it waits");
    assert!(why.contains("12 of 13 have it, @agent-05 not yet"), "{why}");
    assert_eq!((sent.to.len(), ann.queued().unwrap()), (12, 1));
    room.brain.mend();
    room.brain.forget_requests();
    // Another process goes on with it.
    room.spool("ann").settle().unwrap();
    assert_eq!(writes(&room), [format!("inbox/agent-05/{}.md", message.id)]);
    assert_eq!(ann.queued().unwrap(), 0);
}

#[test]
fn without_the_brain_mail_waits_in_order_and_comes_once() {
    let room = Room::with(&["ann", "bob"]);
    let ann = room.spool("ann");
    room.brain.next_times(usize::MAX, On::any(), Fault::text(502));
    for body in ["first", "second"] {
        let sent = ann.send(&room.message("ann", "@bob", body), true).unwrap();
        assert!(sent.queued.is_some());
        room.env.pass(1_000);
    }
    let unsent = room.spool("ann").without_queue().send(&room.message("ann", "@bob", "at once or not"), true);
    assert!(unsent.unwrap_err().is_temporary());
    room.brain.mend();
    room.send("ann", "@bob", "third");
    let found = room.spool("bob").inbox(&agent("bob")).unwrap().messages;
    assert_eq!(
        found.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(),
        ["first", "second", "third"]
    );
}

#[test]
fn what_was_written_without_an_answer_is_not_written_again() {
    for fault in [
        Fault::cut().after_it_was_done(),
        Fault::text(500).after_it_was_done(),
        Fault::half(),
        Fault::null(200).after_it_was_done(),
    ] {
        let room = Room::with(&["ann", "bob"]);
        room.brain.forget_requests();
        room.brain.next(On::write("/log/"), fault.clone());
        room.brain.next(On::write("/inbox/"), fault);
        room.send("ann", "@bob", "once");
        let count = |part: &str| room.brain.count(&On::write(part));
        assert_eq!((count("/log/"), count("/inbox/")), (1, 1));
    }
}

#[test]
fn what_is_refused_later_comes_back_to_its_sender() {
    let room = Room::with(&["ann", "bob"]);
    let ann = room.spool("ann");
    room.brain.next_times(usize::MAX, On::any(), Fault::text(502));
    let message = room.message("ann", "@gone", "text");
    assert!(ann.send(&message, true).unwrap().queued.is_some());
    room.brain.mend();
    ann.settle().unwrap();
    let bounced = ann.inbox(&agent("ann")).unwrap().messages;
    assert!(bounced[0].body.contains("there is no agent @gone"), "{}", bounced[0].body);
    assert_eq!(bounced[0].thread.as_deref(), Some(message.id.to_string().as_str()));
}

#[test]
fn two_subscriptions_at_once_both_stay() {
    let room = Room::with(&["bob"]);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let room = &room;
            scope.spawn(move || {
                let spool = room.on(
                    "bob",
                    &number.to_string(),
                    backchannel::spool::brain::Deadline::Each(backchannel::spool::brain::PATIENCE),
                );
                spool.subscribe(&agent("bob"), &format!("#c{number}").parse().unwrap()).unwrap();
            });
        }
    });
    assert_eq!(room.spool("bob").channels().unwrap().len(), 4);
}

#[test]
fn a_service_that_is_away_is_not_asked_for_each_of_50() {
    let (room, _) = channel(49);
    room.brain.next_times(usize::MAX, On::write("/inbox/"), Fault::text(503));
    let sent = room.spool("ann").send(&room.message("ann", "#all", "to all"), true).unwrap();
    assert!(sent.queued.unwrap().starts_with("0 of 49 have it, @agent-00, @agent-01"));
    // Four tries for each of those who were under way.
    let asked = room.brain.count(&On::write("/inbox/"));
    assert!(asked <= 4 * 8, "{asked}");
    room.brain.mend();
    room.spool("ann").settle().unwrap();
    assert_eq!(room.brain.paths(&format!("{PREFIX}inbox/")).len(), 49);
}

#[test]
fn a_service_that_lists_100_at_most_hides_no_subscriber() {
    let shape = Shape { greatest_limit: 100, ..Shape::default() };
    let (room, names) = readers_in(Room::shaped(shape, &["ann"]), 90);
    let more: Vec<_> = (0..60).map(|number| format!("b-{number}")).collect();
    for name in &more {
        room.brain.put(&format!("{PREFIX}agents/{name}.md"), "---\nsubscriptions: [\"#all\"]\n---\n");
    }
    room.send("ann", "#all", "to all");
    assert_eq!(room.brain.paths(&format!("{PREFIX}inbox/")).len(), names.len() + more.len());
}
