//! No archive: what was read is nowhere any more, and nothing of it ever was in the log.

use std::fs;
use std::path::Path;
use std::thread;

use serde_json::json;

use crate::support::relay::{ADMIN, ROOM, Relay, lease};

/// What every body bears.
const MARK: &str = "MARKED-BODY-OF-THIS-TEST";

/// The files under a directory in which one of these texts is.
fn holding(directory: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, texts));
        } else {
            let bytes = fs::read(&path).unwrap();
            let holds = |text: &&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            found.extend(texts.iter().any(holds).then(|| path.display().to_string()));
        }
    }
    found
}

#[test]
fn what_was_read_is_nowhere() {
    let mut relay = Relay::with_settings("log-level = \"debug\"\n", &[], &[]);
    let peers: Vec<_> = (0..8).map(|number| relay.peer(&format!("agent-{number}"))).collect();
    for peer in &peers {
        peer.api.post("/v1/subscribe", &json!({ "channel": "#all" })).ok();
    }
    let deliver = |from: usize| {
        for number in 0..25 {
            let to =
                if number % 5 == 0 { "#all".to_owned() } else { format!("@agent-{}", (from + number) % 8) };
            peers[from].send(&to, &format!("{MARK} {from} {number}"));
        }
    };
    thread::scope(|scope| (0..8).for_each(|from| drop(scope.spawn(move || deliver(from)))));
    assert!(!holding(&relay.data(), &[MARK]).is_empty(), "unread mail is on the disk");
    // Read in every way there is: claimed and acknowledged, released and claimed again, taken.
    for (number, peer) in (0..).zip(&peers) {
        let inbox = peer.inbox();
        peer.take(&inbox[0]["id"]);
        peer.claim(&lease(number));
        peer.api.post("/v1/claim/release", &json!({ "lease": lease(number) })).ok();
        assert_eq!(peer.claim(&lease(100 + number)).len(), inbox.len() - 1);
        peer.acknowledge(&lease(100 + number));
        assert!(peer.inbox().is_empty());
    }
    let tokens: Vec<_> = peers.iter().map(|peer| peer.token().to_owned()).collect();
    let mut secret = vec![MARK, ROOM, ADMIN];
    secret.extend(tokens.iter().map(String::as_str));
    assert_eq!(holding(&relay.data(), &secret), Vec::<String>::new());
    assert_eq!(holding(relay.data().parent().unwrap(), &secret), Vec::<String>::new(), "nor in the log");
    relay.restart();
    assert!(peers[0].at(&relay).inbox().is_empty());
    assert_eq!(holding(relay.data().parent().unwrap(), &secret), Vec::<String>::new());
}
