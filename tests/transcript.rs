//! What a harness's transcript says of a delivery decides whether the end of a turn acknowledges it.

use std::fs;

use serde_json::{Value, json};

use crate::hook::{HARNESSES, Session};
use crate::support::home::Home;

/// A transcript of each harness that writes one, by what it holds: nothing of the delivery, the delivery alone,
/// the delivery on a branch that was left, and the delivery with an answer after it.
fn transcripts(harness: &str, mark: &str) -> [Vec<Value>; 4] {
    let user = |id: &str| json!({"id": id, "type": "user", "content": [{"text": "go on"}]});
    let mail = json!({"id": "2", "type": "user", "content": [{"text": format!("mail {mark} begins")}]});
    let answer = |id: &str| json!({"id": id, "type": "gemini", "content": "yes"});
    if harness == "gemini-cli" {
        let rolled_back = json!({"$set": {"messages": [user("1"), answer("3")]}});
        return [
            vec![user("1"), answer("3")],
            vec![answer("1"), mail.clone()],
            vec![user("1"), mail.clone(), answer("3"), rolled_back],
            vec![user("1"), mail, answer("3")],
        ];
    }
    let record =
        |uuid: &str, parent: &str, kind: &str| json!({"uuid": uuid, "parentUuid": parent, "type": kind});
    let mut mail = record("2", "1", "attachment");
    mail["attachment"] =
        json!({"type": "hook_additional_context", "content": [format!("mail {mark} begins")]});
    let mut side = record("4", "2", "assistant");
    side["isSidechain"] = json!(true);
    let first = record("1", "0", "user");
    [
        vec![first.clone(), record("3", "1", "assistant")],
        vec![first.clone(), record("3", "1", "assistant"), mail.clone(), side],
        vec![first.clone(), mail.clone(), record("3", "2", "assistant"), record("5", "1", "assistant")],
        vec![first, mail, record("3", "2", "assistant")],
    ]
}

#[test]
fn an_end_of_turn_proves_only_what_the_transcript_bears_out() {
    for (harness, prompt, _, end) in [HARNESSES[0], HARNESSES[2]] {
        let home = Home::with(&["bob", "alice"]);
        home.send("alice", "@bob", "hello", &[]);
        let session = Session { home: &home, harness, name: "s" };
        let path = home.work().join("transcript.jsonl");
        let with_path = json!({"transcript_path": path});
        for turn in 0..4 {
            let text = session.with(prompt, &with_path).unwrap();
            let mark = text.split("--- backchannel mail ").nth(1).unwrap().split(' ').next().unwrap();
            let lines: String =
                transcripts(harness, mark)[turn].iter().map(|line| format!("{line}\n")).collect();
            fs::write(&path, lines).unwrap();
            assert_eq!(session.with(end, &with_path), None);
            let is_held = fs::read_dir(home.path().join("spool/bob/claimed")).unwrap().next().is_some();
            assert_eq!(is_held, turn < 3, "{harness}, transcript {turn}");
        }
        assert_eq!(session.with(prompt, &with_path), None);
    }
}

#[test]
fn a_transcript_that_cannot_be_understood_leaves_the_proof_to_the_event() {
    for (harness, prompt, _, end) in [HARNESSES[0], HARNESSES[2]] {
        let home = Home::with(&["bob", "alice"]);
        let session = Session { home: &home, harness, name: "s" };
        let path = home.work().join("transcript.jsonl");
        for contents in [None, Some("a new format\n"), Some("{}\n[]\n")] {
            if let Some(contents) = contents {
                fs::write(&path, contents).unwrap();
            }
            home.send("alice", "@bob", "hello", &[]);
            let with_path = json!({"transcript_path": path});
            assert!(session.with(prompt, &with_path).is_some());
            session.with(end, &with_path);
            assert_eq!(session.with(prompt, &with_path), None, "{harness} {contents:?}");
        }
    }
}
