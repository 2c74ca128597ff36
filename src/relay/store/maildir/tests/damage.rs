//! What a crash, a full disk or the first version leaves: mended or set aside, never in the way of the rest.

use std::fs;
use std::path::Path;

use super::{Bench, claim, ids, name, room};
use crate::message::MessageId;
use crate::relay::store::{Bearer, Error, Store};
use crate::spool::LeaseId;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// W2 and W3 of the first version: one bad record ended every request, for good.
#[tokio::test]
async fn damaged_records_are_in_nobodys_way_and_their_names_stay_taken() {
    let mut bench = Bench::new().await;
    for (file, text) in [
        ("undefined", r#"{"subscriptions":[],"tokenHash":"00"}"#),
        ("zed", r#"{"name":"zed""#),
        ("empty", ""),
        ("list", "[1]"),
        ("hash", r#"{"name":"hash","tokenHash":7,"subscriptions":"all"}"#),
        ("short", r#"{"name":"short","tokenHash":"abc"}"#),
        (".left", "{"),
    ] {
        write(&bench.path(&format!("agents/{file}.json")), text);
    }
    write(&bench.path("agents/no name.json"), "{}");
    bench.open();
    let agents = bench.store().agents(&room()).await.unwrap();
    let names: Vec<_> = agents.iter().map(|agent| agent.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob", "hash"]);
    bench.send("@bob", "hi").await;
    assert_eq!(bench.unread("bob").await.len(), 1);
    let by = Bearer::Room(room());
    for taken in ["undefined", "zed", "empty"] {
        let error = bench.store().register(&by, &name(taken), &super::hash("mine")).await.unwrap_err();
        assert!(matches!(error, Error::Taken(_)), "{error:?}");
    }
    assert!(bench.store().bearer(&super::hash("mine")).is_none());
}

/// W4: one message of a wrong type took a whole mailbox with it.
#[tokio::test]
async fn a_poison_message_goes_to_bad_with_the_reason_and_without_its_text() {
    let mut bench = Bench::new().await;
    let good = bench.send("@bob", "good").await;
    for text in [r#"{"body":123}"#, "", r#"{"id":"secret-text"#] {
        write(&bench.path(&format!("spool/bob/new/{}.json", MessageId::random())), text);
    }
    write(&bench.path("spool/bob/new/evil.json"), "{}");
    bench.open();
    assert_eq!(bench.unread("bob").await, [good]);
    // One that is torn while the relay runs is met at its claim.
    let torn = bench.send("@bob", "torn").await;
    fs::write(bench.path(&format!("spool/bob/new/{torn}.json")), "{").unwrap();
    assert_eq!(bench.unread("bob").await, [good]);
    assert_eq!(bench.claim("bob", &LeaseId::random()).await, [good]);
    let reasons: Vec<_> = fs::read_dir(bench.path("spool/bob/bad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "reason"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(reasons.len(), 5);
    assert!(
        reasons.iter().all(|reason| !reason.is_empty() && !reason.contains("secret-text")),
        "{reasons:?}"
    );
    let figures = bench.store().figures();
    assert_eq!((figures.unread, figures.claimed), (0, 1));
    assert_eq!(bench.store().rooms().await[0].waiting, 1);
}

/// An agent whose mailbox the system does not show has no part in the others' trouble.
#[tokio::test]
async fn a_mailbox_that_cannot_be_read_is_in_nobodys_way() {
    let mut bench = Bench::new().await;
    bench.send("@alice", "x").await;
    write(&bench.path("spool/bob/new"), "a file");
    write(&bench.path("spool/alice/claimed/a file"), "");
    write(&bench.path("invites.json"), "{");
    bench.open();
    assert_eq!(bench.unread("alice").await.len(), 1);
    assert!(bench.unread("bob").await.is_empty());
    let error = bench.store().send(&room(), bench.message("@bob", "x"), true).await.unwrap_err();
    assert!(matches!(error, Error::System { .. }) && !error.to_string().contains('/'), "{error}");
    assert_eq!(bench.store().rooms().await[0].waiting, 1);
}

/// W1: what comes off the wire is parsed before it is part of a path.
#[test]
fn what_could_leave_a_directory_names_nothing() {
    use crate::relay::store::{InviteId, RoomId};
    for text in ["", ".", "..", "../x", "a/b", "a\\b", ".removed-1", "a b", "a\0", "é", &"a".repeat(65)] {
        assert!(RoomId::parse(text).is_none() && InviteId::parse(text).is_none(), "{text:?}");
        assert!(
            LeaseId::try_from(text.to_owned()).is_err() && text.parse::<MessageId>().is_err(),
            "{text:?}"
        );
        assert!(text.parse::<crate::message::AgentName>().is_err(), "{text:?}");
    }
}

/// W7: of 20 subscriptions at once, 3 stayed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_at_once_all_stay() {
    let mut bench = Bench::new().await;
    let (room, bob) = (room(), name("bob"));
    let channels: Vec<_> = (0..20).map(|number| format!("#c{number}").parse().unwrap()).collect();
    let subscribe = async |from: usize| {
        for channel in &channels[from..from + 5] {
            bench.store().subscribe(&room, &bob, channel).await.unwrap();
            bench.store().inbox(&room, &bob, None).await.unwrap();
        }
    };
    tokio::join!(subscribe(0), subscribe(5), subscribe(10), subscribe(15));
    assert!(bench.store().unsubscribe(&room, &bob, &channels[0]).await.unwrap());
    assert!(!bench.store().unsubscribe(&room, &bob, &channels[0]).await.unwrap());
    bench.open();
    let agents = bench.store().agents(&room).await.unwrap();
    assert_eq!(agents[1].subscriptions.len(), 19);
    bench.send("#c7", "x").await;
    let message = bench.message("#c0", "x");
    assert!(matches!(bench.store().send(&room, message, true).await, Err(Error::NoSubscribers(_))));
}

#[tokio::test]
async fn a_directory_of_the_first_version_is_served_where_it_lies() {
    let mut bench = Bench::new().await;
    let id = MessageId::random();
    let record = format!(
        r##"{{"name":"Bob2","subscriptions":["#Proj","../x"],"createdAt":"2026-01-01T00:00:00.000Z","lastSeen":"2026-01-01T00:00:00.000Z","tokenHash":"{}","color":"red"}}"##,
        super::hash("bobs")
    );
    write(&bench.path("agents/Bob2.json"), &record);
    let message = format!(
        r#"{{"id":"{id}","from":"alice","to":"@Bob2","body":"hi","priority":"normal","ts":"2026-01-02T03:04:05.678Z","hops":1}}"#
    );
    write(&bench.path(&format!("spool/Bob2/new/{id}.json")), &message);
    bench.open();
    assert_eq!(bench.store().bearer(&super::hash("bobs")), Some(Bearer::Agent(room(), name("Bob2"))));
    let inbox = bench.store().inbox(&room(), &name("bob2"), None).await.unwrap().messages;
    assert_eq!(inbox[0].to_json(), message);
    bench.send("@bob2", "x").await;
    bench.send("#proj", "y").await;
    assert_eq!(fs::read_dir(bench.path("spool/Bob2/new")).unwrap().count(), 3);
    let by = Bearer::Room(room());
    let again = bench.store().register(&by, &name("bob2"), &super::hash("bobs")).await.unwrap();
    assert_eq!((again.agent.name.as_str(), again.is_new), ("Bob2", false));
    bench.store().subscribe(&room(), &name("bob2"), &"#new".parse().unwrap()).await.unwrap();
    let record = fs::read_to_string(bench.path("agents/Bob2.json")).unwrap();
    assert!(
        record.contains("#new")
            && record.contains("red")
            && record.contains(&super::hash("bobs").to_string())
    );
    let error = bench.store().register(&by, &name("Carol"), &super::hash("c")).await.unwrap_err();
    assert!(matches!(error, Error::NotLowerCase(_)));
}

/// In the first version an agent is revoked by removing its record, and its mail was the next one's of that name.
#[tokio::test]
async fn mail_without_an_agent_is_not_the_next_ones_of_that_name() {
    let mut bench = Bench::new().await;
    bench.send("@bob", "for the first bob").await;
    fs::remove_file(bench.path("agents/bob.json")).unwrap();
    bench.open();
    bench.register("bob").await;
    bench.open();
    assert!(bench.unread("bob").await.is_empty());
    assert!(bench.holding("for the first bob").is_empty());
}

#[tokio::test]
async fn a_claim_of_a_spool_without_relay_is_unread_again() {
    let mut bench = Bench::new().await;
    let (first, second) = (bench.send("@bob", "x").await, bench.send("@bob", "y").await);
    let (lease, new) = (LeaseId::random(), bench.path("spool/bob/new"));
    let claimed = bench.path(&format!("spool/bob/claimed/{lease}"));
    write(&claimed.join("lease.json"), "{}");
    fs::rename(
        new.join(format!("{first}.json")),
        claimed.join(format!("{first}.prompt-0123456789abcdef.json")),
    )
    .unwrap();
    fs::rename(new.join(format!("{second}.json")), claimed.join(format!("{second}.json"))).unwrap();
    bench.open();
    let claimed = bench.store().claim(&room(), &name("bob"), claim(&LeaseId::random())).await.unwrap();
    let mut sorted = ids(&claimed);
    sorted.sort();
    assert_eq!(sorted, std::collections::BTreeSet::from([first, second]).into_iter().collect::<Vec<_>>());
    assert!(claimed.messages.iter().all(|(_, repeat, _)| *repeat));
}

/// A send that stopped after each of its steps on the disk: it is undone where nobody was answered, and sent again
/// it is delivered once.
#[tokio::test]
async fn a_send_that_stopped_anywhere_is_done_or_undone() {
    let agents = ["bob", "carol", "dave"];
    for stop in 0..=5 {
        let mut bench = Bench::new().await;
        for agent in &agents[1..] {
            bench.register(agent).await;
        }
        for agent in agents {
            bench.store().subscribe(&room(), &name(agent), &"#proj".parse().unwrap()).await.unwrap();
        }
        bench.send("#proj", "before").await;
        let recorded = fs::read(bench.path("sends/0.log")).unwrap();
        let message = bench.message("#proj", "marked");
        bench.store().send(&room(), message.clone(), true).await.unwrap();
        // The steps backward: the draft is there until the end, the record before that, the links one by one.
        let draft = bench.path(&format!("tmp/{}.json", message.id));
        let links = agents.map(|agent| bench.path(&format!("spool/{agent}/new/{}.json", message.id)));
        let is_recorded = stop >= 4;
        if stop < 5 {
            fs::hard_link(&links[0], &draft).unwrap();
        }
        if !is_recorded {
            // A crash may cut the record, too.
            let torn = [&recorded[..], &[7; 9]].concat();
            fs::write(bench.path("sends/0.log"), if stop == 3 { &torn } else { &recorded }).unwrap();
        }
        links.iter().skip(stop).for_each(|link| fs::remove_file(link).unwrap());
        bench.open();
        assert!(!draft.exists());
        for agent in agents {
            assert_eq!(bench.unread(agent).await.len(), if is_recorded { 2 } else { 1 }, "{stop}: {agent}");
        }
        assert_eq!(bench.holding("marked").len(), if is_recorded { 3 } else { 0 }, "{stop}");
        bench.store().send(&room(), message, true).await.unwrap();
        for agent in agents {
            assert_eq!(bench.unread(agent).await.len(), 2, "{stop}: {agent}");
        }
    }
}

/// A message to one agent is moved, not linked: stopped before its record, it is delivered, and known when it is sent
/// again, in whatever room.
#[tokio::test]
async fn a_send_to_one_that_stopped_before_its_record_is_known_again() {
    for is_read in [false, true] {
        let mut bench = Bench::new().await;
        let (other, _) = bench.store().make_room(None).await.unwrap();
        for agent in ["alice", "bob"] {
            let (by, token) = (Bearer::Room(other.clone()), super::hash(&format!("other-{agent}")));
            bench.store().register(&by, &name(agent), &token).await.unwrap();
        }
        bench.send("@bob", "before").await;
        let recorded = fs::read(bench.path("sends/0.log")).unwrap();
        let rooms = [room(), other];
        let messages = [bench.message("@bob", "marked"), bench.message("@bob", "marked")];
        for (room, message) in rooms.iter().zip(&messages) {
            bench.store().send(room, message.clone(), true).await.unwrap();
        }
        fs::write(bench.path("sends/0.log"), recorded).unwrap();
        bench.pass(std::time::Duration::from_secs(3600));
        bench.open();
        for (room, message) in rooms.iter().zip(&messages) {
            if is_read {
                let lease = LeaseId::random();
                bench.store().claim(room, &name("bob"), claim(&lease)).await.unwrap();
                bench.store().acknowledge(room, &name("bob"), &lease, None).await.unwrap();
            }
            bench.store().send(room, message.clone(), true).await.unwrap();
            let unread = bench.store().inbox(room, &name("bob"), None).await.unwrap().messages;
            let copies = unread.iter().filter(|other| other.id == message.id).count();
            assert_eq!(copies, usize::from(!is_read));
        }
    }
}

#[tokio::test]
async fn one_relay_at_a_time_has_a_directory() {
    let bench = Bench::new().await;
    let admission = super::Admission::Open;
    let second = super::Maildir::open(bench.place.path(), admission, bench.limits.clone(), &bench.env);
    assert!(matches!(second, Err(super::super::OpenError::Busy(_))));
}
