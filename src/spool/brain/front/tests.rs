//! What is written is read again, whatever is in it.

use proptest::prelude::*;

use super::*;
use crate::message::{Priority, Scope};

fn message(body: &str) -> Message {
    let ts = "2026-01-02T03:04:05.678Z".parse().unwrap();
    Message::new("ann".parse().unwrap(), "@bob".parse().unwrap(), body, ts)
}

/// A message after its way through its documents.
fn through(message: &Message) -> Message {
    let documents = documents(message);
    let (mut read, notes) = read(&documents[0]).unwrap();
    assert_eq!(notes.parts, documents.len());
    for part in &documents[1..] {
        read.body.push_str(&read_part(part).unwrap());
    }
    read
}

#[test]
fn a_message_of_the_first_version_is_read_and_ours_looks_the_same() {
    let id = "6f1c1a52-3c5b-4a5e-9d3a-0d4f0f6f8a11";
    let text = format!(
        "---\nid: \"{id}\"\nfrom: \"ann\"\nto: \"@bob\"\npriority: \"urgent\"\nts: \"2026-01-02T03:04:05.678Z\"\nscope: \"org/proj\"\nrefs: [\"/a\"]\nbody: \"one\\n---\\ntwo \\\"x\\\"\"\n---\n# ann → @bob\n\none\n---\ntwo \"x\"\n"
    );
    let (read, notes) = read(&text).unwrap();
    assert_eq!((read.body.as_str(), read.priority), ("one\n---\ntwo \"x\"", Priority::Urgent));
    assert_eq!((read.id.to_string().as_str(), read.refs.len()), (id, 1));
    assert_eq!(notes, Notes { parts: 1, ..Notes::default() });
    assert_eq!(documents(&read), [text]);
}

#[test]
fn every_field_comes_through() {
    let mut sent = message("body");
    sent.scope = Some(Scope::parse("org/proj").unwrap());
    sent.thread = Some("a: \"b\"\n---\n".to_owned());
    sent.refs = vec!["/path".to_owned(), "---".to_owned()];
    let raw = RawValue::from_string("{\n\"é\":1.0,\"n\":12345678901234567890123}".to_owned()).unwrap();
    sent.unknown = vec![("hops".to_owned(), raw)];
    let expected = sent.to_json().replace('\n', " ");
    assert_eq!(through(&sent).to_json(), expected);
    let mut forged = message("body");
    forged.unknown = vec![("claim".to_owned(), RawValue::from_string("1".to_owned()).unwrap())];
    assert_eq!(read(&documents(&forged)[0]).unwrap().1.mark, None);
}

#[test]
fn a_claim_is_put_on_and_taken_off_and_leaves_all_else() {
    let text = documents(&message("a\nclaim: no\n---\nclaim: neither"))[0].clone();
    let mark = Mark { nonce: LeaseId::random(), until: "2026-01-02T05:00:00Z".parse().unwrap() };
    let held = claimed(&text, &mark);
    let (read_back, notes) = read(&held).unwrap();
    assert_eq!((read_back.to_json(), notes.mark.as_ref()), (read(&text).unwrap().0.to_json(), Some(&mark)));
    let other = Mark { nonce: LeaseId::random(), ..mark };
    assert_eq!(read(&claimed(&held, &other)).unwrap().1.mark, Some(other));
    assert_eq!(released(&held, false), text);
    let shown = released(&held, true);
    assert!(read(&shown).unwrap().1.is_shown);
    assert_eq!(released(&claimed(&shown, &mark), true), shown);
}

#[test]
fn a_mark_that_nobody_can_read_holds_for_nobody() {
    let text = with_line(&documents(&message("x"))[0], "claim", Some("{\"nonce\": 7}"));
    let (_, notes) = read(&text).unwrap();
    assert!(notes.mark.is_none() && notes.is_shown);
}

#[test]
fn what_is_no_message_says_why() {
    assert_eq!(read("").unwrap_err(), Damage::NoFront);
    assert_eq!(read("# notes\n").unwrap_err(), Damage::NoFront);
    assert_eq!(read("---\nid: 1\n").unwrap_err(), Damage::NoFront);
    let error = read("---\nid: \"x\"\n---\n").unwrap_err();
    assert!(matches!(error, Damage::NoMessage(_)), "{error:?}");
    let text = documents(&message("x"))[0].replace("body: \"x\"", "body: 7");
    assert!(matches!(read(&text).unwrap_err(), Damage::NoMessage(_)));
}

#[test]
fn the_longest_and_the_widest_body_comes_through_in_documents_that_the_service_takes() {
    let long = "a \"quoted\" \\ line\n---\nid: \"x\"\n".repeat(200 * 1024 / 29);
    for body in ["x".repeat(256 * 1024), long, "\u{1}".repeat(256 * 1024), "\u{1f600}".repeat(64 * 1024)] {
        let sent = message(&body);
        assert!(through(&sent).body == body);
        let mark = Mark { nonce: LeaseId::random(), until: Timestamp::MAX };
        for document in documents(&sent) {
            assert!(released(&claimed(&document, &mark), true).len() < 200_000, "{}", document.len());
        }
    }
    let mut sent = message(&"y".repeat(200 * 1024));
    sent.refs = vec!["r".repeat(2 * 1024); 64];
    assert!(documents(&sent).iter().all(|document| document.len() < 200_000));
    assert_eq!(through(&sent).to_json(), sent.to_json());
}

#[test]
fn an_agents_record_is_read_forgivingly() {
    let agent = Agent {
        name: "ann".parse().unwrap(),
        subscriptions: vec!["#team".parse().unwrap()],
        created_at: "2026-01-02T03:04:05.678Z".to_owned(),
        last_seen: Some("2026-01-03T03:04:05.678Z".to_owned()),
        other: serde_json::Map::new(),
    };
    let text = agent_document(&agent);
    let read = read_agent("ann".parse().unwrap(), &text);
    assert_eq!(agent_document(&read), text);
    let read = read_agent("ann".parse().unwrap(), "---\nsubscriptions: [\"#ok\", \"../x\"]\n---\n");
    assert_eq!(read.subscriptions, ["#ok".parse().unwrap()]);
    assert!(read_agent("ann".parse().unwrap(), "nothing").subscriptions.is_empty());
}

proptest! {
    #[test]
    fn whatever_a_body_holds_comes_through(body in "(?s).{1,400}", shown: bool) {
        let sent = message(&body);
        prop_assert_eq!(&through(&sent).body, &body);
        let mark = Mark { nonce: LeaseId::random(), until: Timestamp::MAX };
        let text = &documents(&sent)[0];
        let held = claimed(text, &mark);
        prop_assert_eq!(read(&held).unwrap().0.to_json(), sent.to_json());
        if !shown {
            prop_assert_eq!(&released(&held, false), text);
        }
    }

    #[test]
    fn no_document_is_too_strange_to_be_looked_at(text in "(?s)(---\n)?.{0,80}(---\n)?.{0,20}") {
        let _ = read(&text);
        let _ = read_agent("ann".parse().unwrap(), &text);
        let _ = released(&claimed(&text, &Mark { nonce: LeaseId::random(), until: Timestamp::MAX }), true);
    }
}
