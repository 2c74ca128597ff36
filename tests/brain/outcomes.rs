//! Answers that do not come, or do not tell: what is asked is done once, and nothing is lost.

use std::thread;
use std::time::{Duration, Instant};

use backchannel::spool::brain::{Deadline, PATIENCE};
use backchannel::spool::{Filter, Spool as _, Take};

use super::room::{PREFIX, Room, agent};
use crate::support::brain::{Fault, Gone, Hashes, On, Shape};

/// Every way in which an answer hides what was done.
fn silences() -> Vec<(&'static str, Fault)> {
    vec![
        ("cut before it was done", Fault::cut()),
        ("cut after it was done", Fault::cut().after_it_was_done()),
        ("half an answer", Fault::half()),
        ("502 before", Fault::text(502)),
        ("502 after", Fault::text(502).after_it_was_done()),
        ("500 null after", Fault::null(500).after_it_was_done()),
        ("200 null before", Fault::null(200)),
        ("200 null after", Fault::null(200).after_it_was_done()),
        ("408 after", Fault::status(408).after_it_was_done()),
        ("429 before", Fault::busy("0")),
        ("429 after", Fault::busy("0").after_it_was_done()),
        ("a page in its place", Fault::given(200, "text/html", "<html>").after_it_was_done()),
    ]
}

fn bare() -> Shape {
    Shape { hashes: Hashes::Absent, ..Shape::default() }
}

#[test]
fn whatever_hides_a_claims_outcome_one_reader_gets_the_message() {
    for shape in [Shape::default(), bare()] {
        for (name, fault) in silences() {
            let room = Room::shaped(shape, &["ann", "bob"]);
            let (one, two) = (room.spool("bob"), room.second("bob"));
            let sent = room.send("ann", "@bob", "once");
            let on =
                if shape.hashes == Hashes::Absent { On::delete("inbox/bob") } else { On::write("inbox/bob") };
            room.brain.next(on, fault);
            let (here, there) = (room.session("here"), room.session("there"));
            let claim = |spool: &_, lease: &_| {
                let filter = backchannel::spool::Filter::default();
                let take = backchannel::spool::Take::All;
                spool_claim(spool, lease, &filter, take)
            };
            let mut got = claim(&one, &here);
            let others = claim(&two, &there);
            if got.is_empty() {
                got = claim(&one, &here);
            }
            let ids: Vec<_> = got.iter().chain(&others).map(|one| one.message.id).collect();
            assert_eq!(ids, [sent.id], "{name}, {:?}", shape.hashes);
            room.read(&one, &here, &got);
            room.read(&two, &there, &others);
            one.settle().unwrap();
            two.settle().unwrap();
            assert_eq!(room.inbox(), Vec::<String>::new(), "{name}");
            assert!(claim(&one, &here).is_empty() && claim(&two, &there).is_empty(), "{name}");
        }
    }
}

fn spool_claim(
    spool: &backchannel::spool::brain::BrainSpool,
    lease: &backchannel::spool::Lease,
    filter: &backchannel::spool::Filter,
    take: backchannel::spool::Take<'_>,
) -> Vec<backchannel::spool::Claimed> {
    // A claim that was not answered may fail; the next one finds what it got.
    spool.claim(spool.own_name(), lease, filter, take).map(|claim| claim.messages).unwrap_or_default()
}

#[test]
fn what_was_read_is_deleted_once_whatever_hides_it() {
    for (name, fault) in silences() {
        let room = Room::with(&["ann", "bob"]);
        let (bob, lease) = (room.spool("bob"), room.session("s"));
        room.send("ann", "@bob", "once");
        let claimed = room.claim(&bob, &lease);
        room.read(&bob, &lease, &claimed);
        room.brain.next(On::delete("inbox/bob"), fault);
        let first = bob.settle();
        let is_done = room.inbox().is_empty();
        let before = room.brain.count(&On::delete("inbox/bob"));
        if first.is_err() {
            bob.settle().unwrap();
        }
        assert_eq!(room.inbox(), Vec::<String>::new(), "{name}");
        if is_done && first.is_err() {
            let again = room.brain.count(&On::delete("inbox/bob")) - before;
            assert!(
                again <= 1 && room.brain.count(&On::read("inbox/bob")) > 0,
                "{name}: it was not looked at"
            );
        }
        assert!(room.claim(&room.second("bob"), &room.session("t")).is_empty(), "{name}");
    }
}

#[test]
fn what_goes_back_is_unread_once_whatever_hides_it() {
    for (name, fault) in silences() {
        let room = Room::with(&["ann", "bob"]);
        let (bob, lease) = (room.spool("bob"), room.session("s"));
        let sent = room.send("ann", "@bob", "again");
        let claimed = room.claim(&bob, &lease).remove(0);
        bob.release(bob.own_name(), &lease.id, &claimed.message).unwrap();
        room.brain.next(On::write("inbox/bob"), fault);
        if bob.settle().is_err() {
            bob.settle().unwrap();
        }
        let there = room.claim(&room.second("bob"), &room.session("t"));
        assert_eq!(there.iter().map(|one| one.message.id).collect::<Vec<_>>(), [sent.id], "{name}");
        assert!(room.claim(&bob, &lease).is_empty(), "{name}");
    }
}

#[test]
fn a_message_that_another_reader_ended_comes_marked_by_a_late_claim_or_not_at_all() {
    for gone in [Gone::Conflict, Gone::NotFound, Gone::Written] {
        let room = Room::shaped(Shape { gone, ..Shape::default() }, &["ann", "bob"]);
        room.send("ann", "@bob", "once");
        let (slow, quick) = (room.spool("bob"), room.second("bob"));
        let (here, there) = (room.session("slow"), room.session("quick"));
        room.brain.next(On::write("inbox/bob"), Fault::held());
        thread::scope(|scope| {
            let late = scope.spawn(|| room.claim(&slow, &here));
            room.brain.wait_until_held(1);
            let claimed = room.claim(&quick, &there);
            assert_eq!(claimed.len(), 1);
            room.read(&quick, &there, &claimed);
            quick.settle().unwrap();
            assert_eq!(room.inbox(), Vec::<String>::new());
            room.brain.release();
            let late = late.join().unwrap();
            // Such a service makes the document anew, and nobody can tell whether it is another.
            let is_again = gone == Gone::Written;
            assert_eq!(
                late.iter().map(|one| one.repeat).collect::<Vec<_>>(),
                vec![true; is_again.into()],
                "{gone:?}"
            );
            room.read(&slow, &here, &late);
            slow.settle().unwrap();
        });
        assert_eq!(room.inbox(), Vec::<String>::new(), "{gone:?}");
    }
}

#[test]
fn a_delete_without_an_answer_delivers_as_perhaps_repeated() {
    let room = Room::shaped(bare(), &["ann", "bob"]);
    room.send("ann", "@bob", "perhaps");
    room.brain.next(On::delete("inbox/bob"), Fault::cut().after_it_was_done());
    let claimed = room.claim(&room.spool("bob"), &room.session("s"));
    assert!(claimed[0].repeat, "another reader may have it as well");
    room.send("ann", "@bob", "surely");
    assert!(!room.claim(&room.spool("bob"), &room.session("t"))[0].repeat);
}

#[test]
fn a_service_that_names_a_time_is_not_asked_before_by_any_process() {
    let room = Room::with(&["ann", "bob"]);
    let bob = room.spool("bob");
    room.brain.next_times(usize::MAX, On::list("inbox/bob"), Fault::busy("3600"));
    let error = bob.inbox(bob.own_name()).unwrap_err();
    assert!(error.is_temporary() && error.hint().is_some(), "{error}");
    room.brain.mend();
    room.brain.forget_requests();
    assert!(room.spool("bob").inbox(bob.own_name()).is_err(), "another process of this machine");
    assert_eq!(room.brain.count(&On::any()), 0);
    room.env.pass(3_601_000);
    assert!(room.spool("bob").inbox(bob.own_name()).is_ok());
    assert!(room.brain.paths(PREFIX).iter().all(|path| path.contains("/agents/")));
}

#[test]
fn a_delete_that_a_prompt_did_not_wait_for_loses_nothing() {
    let room = Room::shaped(bare(), &["ann", "bob"]);
    let sent = room.send("ann", "@bob", "kept here");
    room.brain.next(On::delete("inbox/bob"), Fault::held());
    let soon = Deadline::At(Instant::now() + Duration::from_millis(700));
    let (hurried, lease) = (room.on("bob", "", soon), room.session("s"));
    let claim = hurried.claim(&agent("bob"), &lease, &Filter::default(), Take::All);
    assert!(claim.is_err() || claim.is_ok_and(|claim| claim.messages.is_empty()));
    room.brain.release();
    let begun = Instant::now();
    while !room.inbox().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the delete is not done");
    }
    let again = room.claim(&room.on("bob", "", Deadline::Each(PATIENCE)), &room.session("t"));
    assert_eq!(again.iter().map(|one| (one.message.id, one.repeat)).collect::<Vec<_>>(), [(sent.id, true)]);
}
