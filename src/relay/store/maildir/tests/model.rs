//! The store against a model of it: random sends, claims, ends, lapses, sweeps and restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::{Bench, claim, name, room};
use crate::message::MessageId;
use crate::relay::store::Store;
use crate::spool::LeaseId;

#[derive(Debug, Clone)]
enum Step {
    Send,
    /// To bob and carol; only bob's mail is modelled.
    SendToChannel,
    /// The last message again.
    SendAgain,
    Claim(usize),
    /// The messages of a lease, or only the first.
    Acknowledge(usize, bool),
    Release(usize, bool, bool),
    Take,
    /// More than half of a lease's span.
    Quiet,
    Sweep,
    Restart,
}

/// Where the model says that a message is: unread, or under a lease that may have lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Unread,
    Held(usize),
}

#[derive(Debug, Default)]
struct Model {
    mail: BTreeMap<MessageId, (Place, bool)>,
    /// How long each lease was not renewed, in quiet times; two of them end it.
    quiet: [u32; LEASES],
}

const LEASES: usize = 3;
const QUIET: Duration = Duration::from_secs(350);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lease = 0..LEASES;
    let step = prop_oneof![
        3 => Just(Step::Send),
        1 => Just(Step::SendToChannel),
        1 => Just(Step::SendAgain),
        4 => lease.clone().prop_map(Step::Claim),
        2 => (lease.clone(), any::<bool>()).prop_map(|(lease, one)| Step::Acknowledge(lease, one)),
        2 => (lease, any::<bool>(), any::<bool>()).prop_map(|(lease, one, unseen)| Step::Release(lease, one, unseen)),
        1 => Just(Step::Take),
        2 => Just(Step::Quiet),
        1 => Just(Step::Sweep),
        2 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..30)
}

impl Model {
    fn is_unread(&self, place: Place) -> bool {
        match place {
            Place::Unread => true,
            Place::Held(lease) => self.quiet[lease] >= 2,
        }
    }

    fn unread(&self) -> BTreeSet<MessageId> {
        self.mail.iter().filter(|(_, (place, _))| self.is_unread(*place)).map(|(id, _)| *id).collect()
    }

    fn held(&self, lease: usize) -> BTreeSet<MessageId> {
        self.mail.iter().filter(|(_, (place, _))| *place == Place::Held(lease)).map(|(id, _)| *id).collect()
    }

    /// What is unread under a lease was perhaps shown.
    fn lapse(&mut self) {
        for (place, repeat) in self.mail.values_mut() {
            *repeat |= matches!(*place, Place::Held(lease) if self.quiet[lease] >= 2);
        }
    }

    /// What the lease gets: what it holds, lapsed or not, else all that is unread.
    fn claim(&mut self, lease: usize) -> BTreeMap<MessageId, bool> {
        let held = self.held(lease);
        let gets = if held.is_empty() { self.unread() } else { held };
        if !gets.is_empty() {
            self.quiet[lease] = 0;
        }
        for id in &gets {
            self.mail.entry(*id).and_modify(|(place, _)| *place = Place::Held(lease));
        }
        gets.iter().map(|id| (*id, self.mail[id].1)).collect()
    }
}

async fn run(steps: &[Step]) {
    let mut bench = Bench::new().await;
    bench.register("carol").await;
    let (bob, channel) = (name("bob"), "#proj".parse().unwrap());
    for agent in ["bob", "carol"] {
        bench.store().subscribe(&room(), &name(agent), &channel).await.unwrap();
    }
    let leases: Vec<_> = (0..LEASES).map(|_| LeaseId::random()).collect();
    let (mut model, mut last) = (Model::default(), None);
    for step in steps {
        match step {
            Step::Send | Step::SendToChannel => {
                let to = if matches!(step, Step::Send) { "@bob" } else { "#proj" };
                let message = bench.message(to, "x");
                bench.store().send(&room(), message.clone(), false).await.unwrap();
                model.mail.insert(message.id, (Place::Unread, false));
                last = Some(message);
            }
            Step::SendAgain => {
                if let Some(message) = last.clone() {
                    bench.store().send(&room(), message, true).await.unwrap();
                }
            }
            Step::Claim(lease) => {
                let claimed = bench.store().claim(&room(), &bob, claim(&leases[*lease])).await.unwrap();
                let got: BTreeMap<_, _> =
                    claimed.messages.iter().map(|(message, repeat, _)| (message.id, *repeat)).collect();
                assert_eq!(got, model.claim(*lease), "{step:?}");
            }
            Step::Acknowledge(lease, only_one) => {
                let held = model.held(*lease);
                let ids: Option<Vec<_>> = only_one.then(|| held.iter().take(1).copied().collect());
                let count =
                    bench.store().acknowledge(&room(), &bob, &leases[*lease], ids.as_deref()).await.unwrap();
                let gone = ids.unwrap_or_else(|| held.into_iter().collect());
                assert_eq!(count, gone.len(), "{step:?}");
                model.mail.retain(|id, _| !gone.contains(id));
            }
            Step::Release(lease, only_one, unseen) => {
                let held = model.held(*lease);
                let ids: Option<Vec<_>> = only_one.then(|| held.iter().take(1).copied().collect());
                let store = bench.store();
                let count =
                    store.release(&room(), &bob, &leases[*lease], ids.as_deref(), *unseen).await.unwrap();
                let back = ids.unwrap_or_else(|| held.into_iter().collect());
                assert_eq!(count, back.len(), "{step:?}");
                for id in back {
                    model.mail.entry(id).and_modify(|(place, repeat)| {
                        *place = Place::Unread;
                        *repeat |= !unseen;
                    });
                }
            }
            Step::Take => {
                let first = model.mail.first_key_value().map(|(id, (place, _))| (*id, *place));
                if let Some((id, place)) = first {
                    let taken = bench.store().take(&room(), &bob, id, false).await.unwrap();
                    assert_eq!(taken.is_some(), model.is_unread(place), "{step:?}");
                    if taken.is_some() {
                        model.mail.remove(&id);
                    }
                }
            }
            Step::Quiet => {
                bench.pass(QUIET);
                model.quiet.iter_mut().for_each(|quiet| *quiet += 1);
                model.lapse();
            }
            Step::Sweep => bench.store().sweep().await.unwrap(),
            Step::Restart => bench.open(),
        }
        let unread = bench.unread("bob").await;
        assert_eq!(unread.iter().copied().collect::<BTreeSet<_>>(), model.unread(), "after {step:?}");
        assert_eq!(bench.store().figures().unread, unread.len() + bench.unread("carol").await.len());
        let landed = bench.store().landed(&room(), &bob, 0).await.unwrap().messages;
        assert_eq!(landed.len(), unread.len());
        // One file a message, and nothing else of it.
        let files = bench
            .files()
            .iter()
            .filter(|path| path.starts_with(bench.path("spool/bob")))
            .filter(|path| path.extension().is_some())
            .count();
        assert_eq!(files, model.mail.len(), "after {step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_is_lost_and_none_is_held_twice(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(&steps));
    }
}
