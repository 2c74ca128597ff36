//! The spool against a model of it: random sends, claims, shows, acknowledgements, releases and lapses.

use std::collections::{BTreeMap, BTreeSet};

use backchannel::env::Env;
use backchannel::message::{Message, MessageId};
use backchannel::spool::local::LocalSpool;
use backchannel::spool::{Afterwards, Filter, Lease, Moment, Shown, Spool, Take};

const SHOWN: Shown = Shown { by: Moment::Prompt, delivery: None };
use jiff::Timestamp;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Send,
    /// A session claims all that is unread.
    Claim(usize),
    Show(usize),
    Acknowledge(usize),
    Release(usize),
    /// A quiet time, after which sessions that were not renewed lapse.
    Quiet,
    Renew(usize),
}

/// Where the model says that a message is: unread, or held by a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unread,
    Held(usize),
}

const SESSIONS: usize = 3;
/// More than half of a session's lease, so that a renewal in between matters.
const QUIET_MS: i64 = 70 * 60 * 1000;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let session = 0..SESSIONS;
    let step = prop_oneof![
        3 => Just(Step::Send),
        3 => session.clone().prop_map(Step::Claim),
        2 => session.clone().prop_map(Step::Show),
        2 => session.clone().prop_map(Step::Acknowledge),
        1 => session.clone().prop_map(Step::Release),
        1 => Just(Step::Quiet),
        1 => session.prop_map(Step::Renew),
    ];
    prop::collection::vec(step, 1..40)
}

fn run(steps: &[Step]) {
    let place = tempfile::tempdir().unwrap();
    let env = Env::made(&[], "/", Timestamp::from_second(1_800_000_000).unwrap());
    let spool = LocalSpool::open(place.path(), &env, 0);
    let alice = spool.register(&"alice".parse().unwrap()).unwrap().name;
    let bob = spool.register(&"bob".parse().unwrap()).unwrap().name;
    let lease = |session: usize| Lease::of_session("codex", &session.to_string(), None, env.now());
    let mut model: BTreeMap<MessageId, Place> = BTreeMap::new();
    // How long each session has been quiet, in steps of `QUIET_MS`; two of them end a lease.
    let mut quiet = [0; SESSIONS];

    for step in steps {
        match step {
            Step::Send => {
                let message = Message::new(alice.clone(), "@bob".parse().unwrap(), "x", env.now());
                spool.send(&message, false).unwrap();
                model.insert(message.id, Place::Unread);
            }
            Step::Claim(session) => {
                let claim = spool.claim(&bob, &lease(*session), &Filter::default(), Take::All).unwrap();
                let claimed: BTreeSet<_> = claim.messages.iter().map(|claimed| claimed.message.id).collect();
                let expected: BTreeSet<_> = model
                    .iter()
                    .filter(|(_, place)| match place {
                        Place::Unread => true,
                        Place::Held(other) => other != session && quiet[*other] >= 2,
                    })
                    .map(|(id, _)| *id)
                    .collect();
                assert_eq!(claimed, expected);
                // What lapsed of its own shows it alive: it keeps that.
                let own = model.values().any(|place| *place == Place::Held(*session)) && quiet[*session] >= 2;
                if own || !claimed.is_empty() {
                    quiet[*session] = 0;
                }
                for id in claimed {
                    model.insert(id, Place::Held(*session));
                }
            }
            Step::Show(session) => {
                for held in spool.held(&bob, &lease(*session).id).unwrap() {
                    spool.mark_shown(&bob, &lease(*session).id, &held.message, SHOWN).unwrap();
                }
            }
            Step::Acknowledge(session) => {
                for held in spool.held(&bob, &lease(*session).id).unwrap() {
                    let id = held.message.id;
                    if held.shown.is_some() {
                        let done =
                            spool.acknowledge(&bob, &lease(*session).id, &held.message, Afterwards::Gone);
                        assert!(done.unwrap(), "it is still this session's, lapsed or not");
                        assert_eq!(model.remove(&id), Some(Place::Held(*session)));
                    }
                }
            }
            Step::Release(session) => {
                for held in spool.held(&bob, &lease(*session).id).unwrap() {
                    spool.release(&bob, &lease(*session).id, &held.message).unwrap();
                    model.insert(held.message.id, Place::Unread);
                }
            }
            Step::Quiet => {
                env.pass(QUIET_MS);
                quiet.iter_mut().for_each(|steps| *steps += 1);
            }
            Step::Renew(session) => {
                if !spool.held(&bob, &lease(*session).id).unwrap().is_empty() {
                    spool.renew(&bob, &lease(*session)).unwrap();
                    quiet[*session] = 0;
                }
            }
        }
        let held: BTreeMap<_, _> = (0..SESSIONS)
            .flat_map(|session| {
                let held = spool.held(&bob, &lease(session).id).unwrap();
                held.into_iter().map(move |held| (held.message.id, Place::Held(session)))
            })
            .collect();
        let expected: BTreeMap<_, _> = model
            .iter()
            .filter(|(_, place)| **place != Place::Unread)
            .map(|(id, place)| (*id, *place))
            .collect();
        assert_eq!(held, expected, "after {step:?}");
        let unread: BTreeSet<_> =
            spool.inbox(&bob).unwrap().messages.iter().map(|message| message.id).collect();
        let is_unread = |place: &Place| {
            matches!(place, Place::Unread) || matches!(place, Place::Held(other) if quiet[*other] >= 2)
        };
        let expected: BTreeSet<_> =
            model.iter().filter(|(_, place)| is_unread(place)).map(|(id, _)| *id).collect();
        assert_eq!(unread, expected, "after {step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_is_lost_and_none_is_held_twice(steps in steps()) {
        run(&steps);
    }
}
