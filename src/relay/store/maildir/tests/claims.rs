//! Claims: exclusive, held over a restart, free again when they lapse.

use std::time::Duration;

use super::{Bench, claim, ids, name, room};
use crate::message::{Context, Message, MessageId, Priority, Scope};
use crate::relay::store::{Claim, Store};
use crate::spool::LeaseId;

const LATER: Duration = Duration::from_secs(601);

#[tokio::test]
async fn a_lost_answer_is_had_again_and_an_acknowledgement_leaves_nothing() {
    let mut bench = Bench::new().await;
    let first = bench.send("@bob", "marked").await;
    let lease = LeaseId::random();
    assert_eq!(bench.claim("bob", &lease).await, [first]);
    let second = bench.send("@bob", "marked").await;
    assert_eq!(bench.claim("bob", &lease).await, [first], "the same again");
    bench.open();
    assert_eq!(bench.claim("bob", &lease).await, [first], "over a restart, too");
    assert_eq!(bench.claim("bob", &LeaseId::random()).await, [second]);
    assert_eq!(bench.acknowledge("bob", &lease).await, 1);
    assert_eq!(bench.acknowledge("bob", &lease).await, 0);
    assert_eq!(bench.holding("marked").len(), 1);
    let held = std::fs::read_dir(bench.path("spool/bob/claimed")).unwrap().count();
    assert_eq!(held, 1, "the empty lease is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_claims_one_gets_each_message() {
    let bench = Bench::new().await;
    let mut sent = Vec::new();
    for _ in 0..50 {
        sent.push(bench.send("@bob", "x").await);
    }
    let (room, bob) = (room(), name("bob"));
    let leases: Vec<_> = (0..4).map(|_| LeaseId::random()).collect();
    let claim = |lease: usize| bench.store().claim(&room, &bob, claim(&leases[lease]));
    let (a, b, c, d) = tokio::join!(claim(0), claim(1), claim(2), claim(3));
    let mut got: Vec<MessageId> =
        [a, b, c, d].iter().flat_map(|claimed| ids(claimed.as_ref().unwrap())).collect();
    got.sort();
    sent.sort();
    assert_eq!(got, sent);
}

#[tokio::test]
async fn a_lapsed_lease_frees_its_messages_and_may_end_them_until_somebody_claims() {
    let bench = Bench::new().await;
    let id = bench.send("@bob", "x").await;
    let (first, second) = (LeaseId::random(), LeaseId::random());
    bench.claim("bob", &first).await;
    assert!(bench.unread("bob").await.is_empty());
    bench.pass(LATER);
    assert_eq!(bench.unread("bob").await, [id]);
    let claimed = bench.store().claim(&room(), &name("bob"), claim(&second)).await.unwrap();
    assert!(claimed.messages[0].1, "it may have been shown before");
    assert_eq!(bench.acknowledge("bob", &first).await, 0, "another has it");
    bench.pass(LATER);
    assert_eq!(bench.acknowledge("bob", &second).await, 1, "late, and nobody claimed since");
    assert!(bench.unread("bob").await.is_empty());
    assert!(bench.files().iter().all(|path| !path.to_string_lossy().contains("returned")));
}

#[tokio::test]
async fn that_a_message_may_have_been_shown_survives_a_restart() {
    let mut bench = Bench::new().await;
    let repeated = async |bench: &Bench, lease: &LeaseId| {
        let claimed = bench.store().claim(&room(), &name("bob"), claim(lease)).await.unwrap();
        claimed.messages[0].1
    };
    bench.send("@bob", "x").await;
    let lease = LeaseId::random();
    assert!(!repeated(&bench, &lease).await);
    let release = async |bench: &Bench, lease: &LeaseId, unseen| {
        bench.store().release(&room(), &name("bob"), lease, None, unseen).await.unwrap()
    };
    assert_eq!(release(&bench, &lease, true).await, 1);
    bench.open();
    assert!(!repeated(&bench, &lease).await, "nobody can have been shown it");
    assert_eq!(release(&bench, &lease, false).await, 1);
    for _ in 0..2 {
        bench.open();
        assert!(repeated(&bench, &lease).await);
    }
    // Lapsed while no relay ran, then claimed by another.
    bench.pass(LATER);
    bench.open();
    let other = LeaseId::random();
    assert!(repeated(&bench, &other).await);
    bench.open();
    assert!(repeated(&bench, &other).await);
}

#[tokio::test]
async fn renewed_is_held() {
    let mut bench = Bench::new().await;
    let id = bench.send("@bob", "x").await;
    let lease = LeaseId::random();
    bench.claim("bob", &lease).await;
    for _ in 0..3 {
        bench.pass(Duration::from_secs(400));
        assert_eq!(bench.claim("bob", &lease).await, [id]);
        bench.open();
        assert!(bench.claim("bob", &LeaseId::random()).await.is_empty());
    }
}

#[tokio::test]
async fn a_claim_gets_what_it_asks_for() {
    let bench = Bench::new().await;
    let send = async |change: &dyn Fn(&mut Message)| {
        let mut message = bench.message("@bob", "x");
        change(&mut message);
        let id = message.id;
        bench.store().send(&room(), message, false).await.unwrap();
        bench.pass(Duration::from_millis(1));
        id
    };
    let plain = send(&|_| ()).await;
    let elsewhere = send(&|message| message.scope = Some(Scope::parse("org/other").unwrap())).await;
    let here = send(&|message| message.scope = Some(Scope::parse("org/proj").unwrap())).await;
    let urgent = send(&|message| message.priority = Priority::Urgent).await;
    let ask = async |change: &dyn Fn(&mut Claim)| {
        let lease = LeaseId::random();
        let mut asked = claim(&lease);
        change(&mut asked);
        let claimed = bench.store().claim(&room(), &name("bob"), asked).await.unwrap();
        bench.store().release(&room(), &name("bob"), &lease, None, true).await.unwrap();
        claimed
    };
    let contexts = || Some(vec![Context::new("github.com/org/proj").unwrap()]);
    assert_eq!(ids(&ask(&|_| ()).await), [urgent, plain, elsewhere, here]);
    let scoped = ask(&|claim| claim.contexts = contexts()).await;
    assert_eq!(ids(&scoped), [urgent, plain, here]);
    assert_eq!(scoped.left.other_scopes, 1);
    assert_eq!(ids(&ask(&|claim| claim.urgent = true).await), [urgent]);
    assert_eq!(ids(&ask(&|claim| claim.ids = Some(vec![here])).await), [here]);
    assert!(ask(&|claim| claim.except = vec!["@alice".parse().unwrap()]).await.messages.is_empty());
    let some = ask(&|claim| claim.bytes = Some(610)).await;
    assert_eq!((ids(&some), some.left.matching), (vec![urgent, plain, elsewhere], 1));
    bench.pass(Duration::from_secs(8 * 24 * 3600));
    let strays = ask(&|claim| claim.contexts = contexts()).await;
    let stray: Vec<_> = strays.messages.iter().filter(|(_, _, stray)| *stray).collect();
    assert_eq!((stray.len(), stray[0].0.id), (1, elsewhere));
}

#[tokio::test]
async fn a_sender_beyond_its_quota_waits() {
    let bench = Bench::new().await;
    for _ in 0..30 {
        bench.send("@bob", "x").await;
    }
    let ask = async || {
        let lease = LeaseId::random();
        let asked = Claim { bytes: Some(100_000), ..claim(&lease) };
        let claimed = bench.store().claim(&room(), &name("bob"), asked).await.unwrap();
        bench.acknowledge("bob", &lease).await;
        (claimed.messages.len(), claimed.left.held_back)
    };
    assert_eq!(ask().await, (20, vec![(name("alice"), 10)]));
    assert_eq!(ask().await, (0, vec![(name("alice"), 10)]));
    bench.pass(Duration::from_secs(601));
    assert_eq!(ask().await, (10, Vec::new()));
}

#[tokio::test]
async fn the_bell_rings_for_what_lands_is_released_or_lapses() {
    let bench = Bench::new().await;
    let (room, bob) = (room(), name("bob"));
    let mut bell = bench.store().bell(&room, &bob).unwrap();
    let landed = async |after| bench.store().landed(&room, &bob, after).await.unwrap().messages;
    let mut last = 0;
    let mut rang = async |id: MessageId| {
        assert!(bell.has_changed().unwrap());
        let number = *bell.borrow_and_update();
        let messages = landed(last).await;
        assert_eq!(
            messages.iter().map(|(number, message)| (*number, message.id)).collect::<Vec<_>>(),
            [(number, id)]
        );
        assert!(number > last);
        last = number;
    };
    let id = bench.send("@bob", "x").await;
    rang(id).await;
    let lease = LeaseId::random();
    bench.claim("bob", &lease).await;
    assert!(landed(0).await.is_empty());
    bench.store().release(&room, &bob, &lease, None, false).await.unwrap();
    rang(id).await;
    bench.claim("bob", &lease).await;
    bench.pass(LATER);
    bench.store().sweep().await.unwrap();
    rang(id).await;
    assert_eq!(landed(0).await.len(), 1);
}

#[tokio::test]
async fn the_first_versions_take_gives_a_message_once_or_keeps_it() {
    let bench = Bench::new().await;
    let (gone, kept) = (bench.send("@bob", "gone").await, bench.send("@bob", "kept").await);
    let take = async |id, keep| {
        let taken = bench.store().take(&room(), &name("bob"), id, keep).await.unwrap();
        taken.map(|message| message.body)
    };
    assert_eq!(take(gone, false).await.as_deref(), Some("gone"));
    assert_eq!(take(gone, false).await, None);
    assert_eq!(take(kept, true).await.as_deref(), Some("kept"));
    assert_eq!(take(kept, true).await, None);
    assert!(bench.holding("gone").is_empty());
    assert_eq!(bench.holding("kept"), [bench.path(&format!("spool/bob/cur/{kept}.json"))]);
    let held = bench.send("@bob", "held").await;
    bench.claim("bob", &LeaseId::random()).await;
    assert_eq!(take(held, false).await, None, "a reader holds it");
}
