//! A watch asks seldom, writes nothing, and keeps to the time that the service names.

use std::time::Duration;

use backchannel::spool::{Spool as _, Whose};

use super::commands::{bch, machine};
use super::room::{Room, agent};
use crate::support::brain::{Brain, Fault, On, Operation};
use crate::support::home::{BCH, succeed};

/// A clock is read before and after, and threads are late: a little less than is meant is enough.
const ABOUT: Duration = Duration::from_millis(200);

#[test]
fn it_asks_every_5_seconds_and_not_before_the_time_that_is_named() {
    let room = Room::with(&["ann", "bob"]);
    room.brain.forget_requests();
    room.brain.next(On::list("inbox/bob"), Fault::busy("3"));
    let watch = room.spool("bob").watch(Whose::These(vec![agent("bob")]), Box::new(|| ())).unwrap();
    room.brain.wait_until_asked(3, &On::list("inbox/bob"));
    drop(watch);
    let asked = room.brain.requests();
    let pauses: Vec<_> = asked.windows(2).map(|two| two[1].at.duration_since(two[0].at)).collect();
    assert!(pauses[0] + ABOUT >= Duration::from_secs(3), "{pauses:?}");
    assert!(pauses[1] + ABOUT >= Duration::from_secs(5), "{pauses:?}");
    assert!(asked.iter().all(|asked| asked.operation == Operation::List), "a look is one request: {asked:?}");
}

#[test]
fn what_waits_goes_out_with_a_look() {
    let room = Room::with(&["ann", "bob"]);
    let ann = room.spool("ann");
    room.brain.next_times(usize::MAX, On::write("inbox/bob"), Fault::text(503));
    assert!(ann.send(&room.message("ann", "@bob", "waits"), true).unwrap().queued.is_some());
    room.brain.mend();
    let _watch = ann.watch(Whose::These(vec![agent("ann")]), Box::new(|| ())).unwrap();
    assert_eq!((room.inbox().len(), ann.queued().unwrap()), (1, 0));
}

#[test]
fn a_watch_that_takes_prints_what_lands_and_a_token_that_is_revoked_ends_it() {
    let brain = Brain::start();
    let (ann, bob) = (machine(&brain, "ann"), machine(&brain, "bob"));
    let mut command = bob.command(BCH);
    command.args(["watch", "--take", "--json", "--all"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    brain.wait_until_asked(1, &On::list("inbox/bob"));
    succeed(&bch(&ann, &["send", "@bob", "taken"]));
    brain.wait_until_asked(1, &On::delete("inbox/bob"));
    brain.revoke_tokens();
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"taken\""), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("does not know this token"), "{told}");
}
