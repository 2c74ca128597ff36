//! Sends: once, to all or to none, remembered for a while, within limits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::{Bench, name, room};
use crate::message::Message;
use crate::relay::store::{Error, Limits, Store};
use crate::spool::LeaseId;

#[tokio::test]
async fn the_same_send_again_is_delivered_once_and_another_is_refused() {
    let mut bench = Bench::new().await;
    let message = bench.message("@bob", "hi");
    for _ in 0..2 {
        for durable in [true, false] {
            let sent = bench.store().send(&room(), message.clone(), durable).await.unwrap();
            assert_eq!(sent.to[0].name, name("bob"));
        }
        assert_eq!(bench.unread("bob").await, [message.id]);
        // What is remembered outlives the relay.
        bench.open();
    }
    let later = Message { ts: bench.env.now() + jiff::SignedDuration::from_secs(9), ..message.clone() };
    bench.store().send(&room(), later, true).await.unwrap();
    for other in [
        Message { body: "ho".into(), ..message.clone() },
        Message { refs: vec!["a".into()], ..message.clone() },
        Message { thread: Some("a".into()), ..message.clone() },
        Message { to: "@alice".parse().unwrap(), ..message.clone() },
        Message { from: name("bob"), ..message.clone() },
    ] {
        let error = bench.store().send(&room(), other, true).await.unwrap_err();
        assert!(matches!(error, Error::Duplicate(id) if id == message.id), "{error:?}");
    }
    // Nor is it delivered again after it was read.
    let lease = LeaseId::random();
    bench.claim("bob", &lease).await;
    bench.acknowledge("bob", &lease).await;
    bench.store().send(&room(), message, true).await.unwrap();
    assert!(bench.unread("bob").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_send_at_once_is_delivered_once() {
    let bench = Bench::new().await;
    let message = bench.message("@bob", "hi");
    let (store, room) = (bench.store(), room());
    let send = |durable| store.send(&room, message.clone(), durable);
    let (a, b, c, d) = tokio::join!(send(true), send(true), send(false), send(true));
    assert!([a, b, c, d].iter().all(|sent| sent.as_ref().is_ok_and(|sent| sent.to.len() == 1)));
    assert_eq!(bench.unread("bob").await, [message.id]);
}

#[tokio::test]
async fn a_channel_gets_all_of_it_or_nothing() {
    let bench = Bench::new().await;
    let error = bench.store().send(&room(), bench.message("#proj", "hi"), true).await.unwrap_err();
    assert!(matches!(error, Error::NoSubscribers(_)), "{error:?}");
    let channel = "#proj".parse().unwrap();
    for agent in ["carol", "dave"] {
        bench.register(agent).await;
    }
    for agent in ["alice", "bob", "carol", "dave"] {
        bench.store().subscribe(&room(), &name(agent), &channel).await.unwrap();
    }
    let message = bench.message("#proj", "hi");
    let sent = bench.store().send(&room(), message.clone(), true).await.unwrap();
    assert_eq!(sent.to.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(), ["bob", "carol", "dave"]);
    assert_eq!(bench.unread("carol").await, [message.id]);
    assert!(bench.unread("alice").await.is_empty());
    // One inbox that cannot be written to: none has it, and once it can, all do.
    let new = bench.path("spool/carol/new");
    fs::rename(&new, bench.path("aside")).unwrap();
    fs::write(&new, "in the way").unwrap();
    let message = bench.message("#proj", "again");
    bench.store().send(&room(), message.clone(), true).await.unwrap_err();
    assert_eq!(bench.holding("again"), Vec::<std::path::PathBuf>::new());
    assert_eq!(bench.unread("bob").await.len(), 1);
    fs::remove_file(&new).unwrap();
    fs::rename(bench.path("aside"), &new).unwrap();
    bench.store().send(&room(), message, true).await.unwrap();
    assert_eq!((bench.unread("bob").await.len(), bench.unread("carol").await.len()), (2, 2));
    assert_eq!(bench.store().figures().unread, 6);
}

#[tokio::test]
async fn limits_say_what_is_too_much() {
    let limits = Limits { unread_per_agent: 2, unread_per_room: 3, agents_per_room: 3, ..Limits::default() };
    let bench = Bench::with(Limits { body_bytes: 10, refs: 1, ..limits });
    for agent in ["alice", "bob", "carol"] {
        bench.register(agent).await;
    }
    let by = crate::relay::store::Bearer::Room(room());
    let error = bench.store().register(&by, &name("dave"), &super::hash("d")).await.unwrap_err();
    assert!(matches!(error, Error::Many { most: 3, .. }), "{error:?}");
    assert!(bench.store().bearer(&super::hash("d")).is_none());
    let long = bench.message("@bob", "eleven byte");
    let many = Message { refs: vec!["a".into(), "b".into()], ..bench.message("@bob", "x") };
    for invalid in [long, many, bench.message("@bob", " ")] {
        let error = bench.store().send(&room(), invalid, true).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    }
    for _ in 0..2 {
        bench.send("@bob", "x").await;
    }
    let message = bench.message("@bob", "x");
    let error = bench.store().send(&room(), message.clone(), true).await.unwrap_err();
    assert_eq!(error.to_string(), "@bob has too much unread mail: at most 2");
    bench.send("@carol", "x").await;
    let error = bench.store().send(&room(), bench.message("@carol", "x"), true).await.unwrap_err();
    assert_eq!(error.to_string(), "the room has too much unread mail: at most 3");
    // What was refused was not remembered; with room again it goes.
    let lease = LeaseId::random();
    assert_eq!(bench.claim("bob", &lease).await.len(), 2);
    bench.store().send(&room(), message.clone(), true).await.unwrap_err();
    assert_eq!(bench.acknowledge("bob", &lease).await, 2);
    bench.store().send(&room(), message, true).await.unwrap();
}

#[tokio::test]
async fn what_is_remembered_is_bounded_and_holds_neither_text_nor_name() {
    let mut bench = Bench::with(Limits { remembered_sends: 8, ..Limits::default() });
    for agent in ["alice", "bob"] {
        bench.register(agent).await;
    }
    let lease = LeaseId::random();
    let mut messages = Vec::new();
    for _ in 0..40 {
        let message = bench.message("@bob", "marked");
        messages.push(message.clone());
        bench.store().send(&room(), message, true).await.unwrap();
        bench.claim("bob", &lease).await;
        bench.acknowledge("bob", &lease).await;
    }
    let sends: u64 =
        fs::read_dir(bench.path("sends")).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(sends <= 8 * 32, "{sends} bytes");
    assert_eq!(bench.holding("marked"), Vec::<std::path::PathBuf>::new());
    assert!(bench.files().iter().all(|path| !path.starts_with(bench.path("spool"))), "nothing else stays");
    assert_eq!(fs::read_dir(bench.path("spool/bob/claimed")).unwrap().count(), 0);
    bench.open();
    let last = messages.pop().unwrap();
    bench.store().send(&room(), last.clone(), true).await.unwrap();
    assert!(bench.unread("bob").await.is_empty());
    bench.pass(Duration::from_secs(31 * 24 * 3600));
    bench.store().sweep().await.unwrap();
    bench.store().send(&room(), last, true).await.unwrap();
    assert_eq!(bench.unread("bob").await.len(), 1);
}

#[tokio::test]
async fn a_send_that_is_forgotten_and_unread_is_still_the_same() {
    let bench = Bench::with(Limits { remembered_sends: 8, ..Limits::default() });
    for agent in ["alice", "bob"] {
        bench.register(agent).await;
    }
    let first = bench.message("@bob", "first");
    bench.store().send(&room(), first.clone(), true).await.unwrap();
    for _ in 0..20 {
        bench.send("@bob", "one more").await;
    }
    bench.store().send(&room(), first.clone(), true).await.unwrap();
    assert_eq!(bench.unread("bob").await.len(), 21);
    let other = Message { body: "another".into(), ..first };
    let error = bench.store().send(&room(), other, true).await.unwrap_err();
    assert!(matches!(error, Error::Duplicate(_)), "{error:?}");
}

#[tokio::test]
async fn nothing_is_open_to_others() {
    let bench = Bench::new().await;
    bench.send("@bob", "hi").await;
    bench.claim("bob", &LeaseId::random()).await;
    for path in bench.files() {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        let mode = fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", path.parent().unwrap().display());
    }
}

#[tokio::test]
async fn what_one_sends_in_a_millisecond_is_read_in_that_order() {
    // Its clock stands still.
    let mut bench = Bench::new().await;
    let mut sent = Vec::new();
    for number in 0..50 {
        let ts = bench.store().stamp(&room(), &name("alice")).unwrap();
        let message = Message { ts, ..bench.message("@bob", &number.to_string()) };
        sent.push(message.id);
        bench.store().send(&room(), message, false).await.unwrap();
    }
    assert_eq!(bench.unread("bob").await, sent);
    bench.open();
    assert_eq!(bench.unread("bob").await, sent, "and so it is on the disk");
    // A flood does not run away from the clock.
    let now = bench.message("@bob", "x").ts;
    let stamps = (0..5000).map(|_| bench.store().stamp(&room(), &name("alice")).unwrap());
    let ahead = stamps.map(|stamp| stamp.duration_since(now).as_secs_f64()).fold(0.0, f64::max);
    assert!(ahead > 0.5 && ahead < 1.1, "{ahead}");
}
