//! Rooms, tokens and the end of both; mail that nobody will read.

use std::fs;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Admission, Bench, hash, name, room};
use crate::relay::store::{Bearer, Error, Limits, Store};
use crate::spool::LeaseId;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn names_and_mail_never_cross_rooms() {
    let mut bench = Bench::new().await;
    let (id, token) = bench.store().make_room(Some("other".into())).await.unwrap();
    assert_eq!(id.as_str().len(), 8);
    let by = bench.store().bearer(&token.hash()).unwrap();
    assert_eq!(by, Bearer::Room(id.clone()));
    bench.store().register(&by, &name("bob"), &hash("other-bob")).await.unwrap();
    let taken = bench.store().register(&by, &name("eve"), &hash("token-of-alice")).await.unwrap_err();
    assert!(matches!(taken, Error::Taken(_)), "a token is of one agent in one room");
    bench.send("@bob", "in default").await;
    bench.open();
    assert_eq!(bench.store().bearer(&hash("other-bob")), Some(Bearer::Agent(id.clone(), name("bob"))));
    assert!(bench.store().inbox(&id, &name("bob"), None).await.unwrap().messages.is_empty());
    let stranger = bench.store().send(&id, bench.message("@bob", "x"), true).await.unwrap_err();
    assert!(matches!(stranger, Error::UnknownAgent(_)), "alice is not in that room");
    let rooms = bench.store().rooms().await;
    assert_eq!(rooms.iter().map(|room| (room.agents, room.waiting)).collect::<Vec<_>>(), [(2, 1), (1, 0)]);
    assert_eq!(rooms[1].title.as_deref(), Some("other"));
    assert!(bench.holding(token.expose()).is_empty(), "kept as a hash");

    bench.store().remove_room(&id).await.unwrap();
    for token in [token.hash(), hash("other-bob")] {
        assert!(bench.store().bearer(&token).is_none());
    }
    let gone = bench.store().inbox(&id, &name("bob"), None).await.unwrap_err();
    assert!(matches!(gone, Error::UnknownRoom(_)));
    bench.open();
    assert_eq!(bench.store().rooms().await.len(), 1);
    bench.store().remove_room(&room()).await.unwrap();
    assert_eq!((bench.store().figures().agents, bench.store().rooms().await[0].waiting), (0, 0));
    assert!(bench.store().bearer(&hash("token-of-bob")).is_none());
    assert!(bench.holding("in default").is_empty());
    bench.register("bob").await;
    assert!(bench.unread("bob").await.is_empty());
}

#[tokio::test]
async fn a_rotated_token_admits_nobody_even_given_at_the_next_start() {
    let mut bench = Bench::new().await;
    let token = bench.store().rotate_room(&room()).await.unwrap();
    for _ in 0..2 {
        assert!(bench.store().bearer(&hash("room")).is_none());
        assert_eq!(bench.store().bearer(&token.hash()), Some(Bearer::Room(room())));
        bench.open();
    }
    assert!(bench.store().bearer(&hash("token-of-bob")).is_some());
    // Another one that is given on purpose is taken.
    bench.admission = Admission::Token(hash("third"));
    bench.open();
    assert!(bench.store().bearer(&token.hash()).is_none());
    assert_eq!(bench.store().bearer(&hash("third")), Some(Bearer::Room(room())));
}

#[tokio::test]
async fn registering_again_is_the_same_registration() {
    let mut bench = Bench::new().await;
    let by = Bearer::Room(room());
    for _ in 0..2 {
        let again = bench.store().register(&by, &name("bob"), &hash("token-of-bob")).await.unwrap();
        assert!(!again.is_new && !again.agent.other.contains_key("tokenHash"));
        let other = bench.store().register(&by, &name("bob"), &hash("mine")).await.unwrap_err();
        assert!(matches!(other, Error::Taken(_)));
        bench.open();
    }
    let own = Bearer::Agent(room(), name("bob"));
    assert!(!bench.store().register(&own, &name("bob"), &hash("any")).await.unwrap().is_new);
    let error = bench.store().register(&own, &name("carol"), &hash("any")).await.unwrap_err();
    assert!(matches!(error, Error::Taken(_)), "an agent's token admits nobody else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_registrations_one_gets_the_name() {
    let bench = Bench::new().await;
    let (by, carol) = (Bearer::Room(room()), name("carol"));
    let tokens = [hash("1"), hash("2"), hash("3")];
    let register = |token: usize| bench.store().register(&by, &carol, &tokens[token]);
    let (a, b, c) = tokio::join!(register(0), register(1), register(2));
    assert_eq!([a, b, c].iter().filter(|registered| registered.is_ok()).count(), 1);
    assert_eq!(tokens.iter().filter(|token| bench.store().bearer(token).is_some()).count(), 1);
}

#[tokio::test]
async fn a_join_token_has_an_end_and_so_many_uses() {
    let mut bench = Bench::new().await;
    let expires = bench.env.now() + SignedDuration::from_hours(24);
    let (id, token) = bench.store().invite(&room(), expires, 2).await.unwrap();
    bench.open();
    let by = bench.store().bearer(&token.hash()).unwrap();
    assert_eq!(by, Bearer::Invited(room(), id.clone()));
    let register = async |bench: &Bench, agent: &str| {
        bench.store().register(&by, &name(agent), &hash(agent)).await.map(|registered| registered.is_new)
    };
    // A taken name costs nothing, the same again costs one use.
    assert!(register(&bench, "bob").await.is_err());
    assert!(register(&bench, "carol").await.unwrap());
    assert!(!register(&bench, "carol").await.unwrap());
    bench.open();
    assert!(register(&bench, "dave").await.unwrap());
    assert!(matches!(register(&bench, "eve").await, Err(Error::Spent("no uses left"))));
    assert!(bench.store().bearer(&hash("eve")).is_none());
    assert!(!register(&bench, "dave").await.unwrap(), "a lost answer can still be had");
    let (other, late) = bench.store().invite(&room(), expires, 2).await.unwrap();
    bench.pass(DAY);
    let by_late = bench.store().bearer(&late.hash()).unwrap();
    let error = bench.store().register(&by_late, &name("eve"), &hash("eve")).await.unwrap_err();
    assert!(matches!(error, Error::Spent("expired")));
    bench.store().revoke_invite(&room(), &other).await.unwrap();
    assert!(bench.store().bearer(&late.hash()).is_none());
    let error = bench.store().revoke_invite(&room(), &other).await.unwrap_err();
    assert!(matches!(error, Error::UnknownInvite));
    assert!(bench.holding(token.expose()).is_empty());
    bench.pass(31 * DAY);
    bench.store().sweep().await.unwrap();
    assert!(bench.store().bearer(&token.hash()).is_none());
}

#[tokio::test]
async fn a_revoked_agent_is_nobody_its_name_stays_taken_and_its_mail_bounces() {
    let mut bench = Bench::new().await;
    let bell = bench.store().bell(&room(), &name("bob")).unwrap();
    let (held, unread) = (bench.send("@bob", "marked").await, bench.send("@bob", "marked").await);
    bench.claim("bob", &LeaseId::random()).await;
    bench.store().revoke_agent(&room(), &name("bob")).await.unwrap();
    assert!(bell.has_changed().is_err(), "its event streams end");
    for _ in 0..2 {
        assert!(bench.store().bearer(&hash("token-of-bob")).is_none());
        let by = Bearer::Room(room());
        let taken = bench.store().register(&by, &name("bob"), &hash("token-of-bob")).await.unwrap_err();
        assert!(matches!(taken, Error::Taken(_)));
        let unknown = bench.store().send(&room(), bench.message("@bob", "x"), true).await.unwrap_err();
        assert!(matches!(unknown, Error::UnknownAgent(_)));
        let bounces = bench.store().inbox(&room(), &name("alice"), None).await.unwrap().messages;
        let threads: Vec<_> = bounces.iter().filter_map(|bounce| bounce.thread.clone()).collect();
        assert_eq!(threads.len(), 2);
        assert!(threads.contains(&held.to_string()) && threads.contains(&unread.to_string()));
        assert!(bounces.iter().all(|bounce| bounce.from == name("bob")));
        assert!(bounces[0].body.contains(&bounces[0].thread.as_ref().unwrap()[..8]));
        assert!(bench.holding("marked").is_empty());
        assert_eq!(bench.store().rooms().await[0].waiting, 2);
        bench.open();
    }
    assert!(matches!(bench.store().revoke_agent(&room(), &name("bob")).await, Err(Error::UnknownAgent(_))));
}

/// Stopped after the tombstone: the start goes on with it.
#[tokio::test]
async fn a_revocation_that_stopped_is_finished_at_the_start() {
    let mut bench = Bench::new().await;
    bench.send("@bob", "marked").await;
    let record = fs::read_to_string(bench.path("agents/bob.json")).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
    record.as_object_mut().unwrap().remove("tokenHash");
    record["revokedAt"] = "2026-01-01T00:00:00.000Z".into();
    fs::write(bench.path("agents/bob.json"), record.to_string()).unwrap();
    bench.open();
    assert_eq!(bench.unread("alice").await.len(), 1);
    assert!(bench.holding("marked").is_empty() && !bench.path("spool/bob").exists());
}

#[tokio::test]
async fn unread_for_too_long_it_bounces_once_and_a_bounce_never() {
    let limits = Limits { unread_age: 30 * DAY, ..Limits::default() };
    let bench = Bench::with(limits);
    for agent in ["alice", "bob"] {
        bench.register(agent).await;
    }
    let old = bench.send("@bob", "marked").await;
    bench.pass(20 * DAY);
    let young = bench.send("@bob", "young").await;
    bench.pass(11 * DAY);
    for _ in 0..2 {
        bench.store().sweep().await.unwrap();
    }
    assert_eq!(bench.unread("bob").await, [young]);
    let bounces = bench.store().inbox(&room(), &name("alice"), None).await.unwrap().messages;
    assert_eq!(bounces.len(), 1);
    assert_eq!(
        bounces[0].body,
        format!("@bob did not read your message {} to @bob: it lay unread for 30 days", old.short())
    );
    assert!(bench.holding("marked").is_empty());
    bench.pass(31 * DAY);
    bench.store().sweep().await.unwrap();
    assert_eq!(bench.unread("alice").await.len(), 1, "of the young one; the bounce ended");
    assert!(bench.unread("bob").await.is_empty());
    assert_eq!(bench.store().rooms().await[0].waiting, 1);
}

#[tokio::test]
async fn a_message_whose_sender_cannot_be_told_stays() {
    let bench = Bench::with(Limits { unread_age: 30 * DAY, ..Limits::default() });
    for agent in ["alice", "bob"] {
        bench.register(agent).await;
    }
    bench.send("@alice", "makes the directories").await;
    bench.claim("alice", &LeaseId::random()).await;
    let old = bench.send("@bob", "marked").await;
    bench.pass(31 * DAY);
    // Nothing can be written for alice.
    let new = bench.path("spool/alice/new");
    fs::rename(&new, bench.path("aside")).unwrap();
    fs::write(&new, "").unwrap();
    bench.store().sweep().await.unwrap();
    assert_eq!(bench.unread("bob").await, [old]);
    fs::remove_file(&new).unwrap();
    fs::rename(bench.path("aside"), &new).unwrap();
    bench.store().sweep().await.unwrap();
    assert!(bench.unread("bob").await.is_empty());
    let inbox = bench.store().inbox(&room(), &name("alice"), None).await.unwrap().messages;
    assert!(inbox.iter().any(|bounce| bounce.thread == Some(old.to_string())), "{inbox:?}");
}
