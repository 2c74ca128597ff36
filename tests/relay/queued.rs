//! What waits to be sent goes out with the next command that reaches the relay, whichever it is.

use serde_json::Value;

use super::team::{Team, bch, failure, json};
use crate::support::home::{BCH, Home, feed, succeed};

/// How many messages wait in the home.
fn waiting(home: &Home) -> usize {
    let desks = std::fs::read_dir(home.path().join("relay")).unwrap().map(|desk| desk.unwrap().path());
    let boxes = desks.filter_map(|desk| std::fs::read_dir(desk.join("outbox")).ok());
    boxes
        .flatten()
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "json"))
        .count()
}

#[test]
fn the_next_command_sends_what_waits() {
    let mut team = Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    let address = team.relay.address;
    let peek = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"bch_inbox","arguments":{"peek":true}}}"#;
    let commands: [&[&str]; 8] = [
        &["inbox"],
        &["agents"],
        &["channels"],
        &["sub", "#more"],
        &["unsub", "#more"],
        &["drain"],
        &["notify", "--once"],
        &["mcp"],
    ];
    for command in commands {
        team.relay.kill();
        let told = json(&bch(&ann, &["send", "@bob", command[0], "--json"]));
        assert!(told["queued"].as_str().is_some_and(|why| why.contains("could not reach")), "{told}");
        assert_eq!((told["body"].as_str(), waiting(&ann)), (Some(command[0]), 1));
        team.relay.restart_at(address);
        if command == ["mcp"] {
            let begin = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
            let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
            feed(ann.command(BCH).arg("mcp"), format!("{begin}\n{ready}\n{peek}\n").as_bytes());
        } else {
            succeed(&bch(&ann, command));
        }
        assert_eq!(waiting(&ann), 0, "{command:?}");
    }
    let bodies = json(&bch(&bob, &["drain", "--json"]));
    let bodies: Vec<_> = bodies.as_array().unwrap().iter().map(|message| message["body"].clone()).collect();
    assert_eq!(bodies, commands.map(|command| Value::from(command[0])));
}

#[test]
fn one_look_of_the_notifier_finds_what_is_urgent_at_the_relay() {
    let mut team = Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    assert_eq!(json(&bch(&bob, &["notify", "--once", "--json"]))["announced"], 0);
    succeed(&bch(&ann, &["send", "@bob", "now", "--urgent"]));
    // Nobody shows notifications here: that it fails is that it found some.
    let told = bch(&bob, &["notify", "--once"]);
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(!told.status.success() && text.contains("could not notify"), "{text}");
    team.relay.kill();
    let told = failure(&bch(&ann, &["notify", "--once"]), 75);
    assert!(told.contains("could not look for all urgent mail"), "{told}");
}
