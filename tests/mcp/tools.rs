//! Each tool, over pipes: what a client gets, and what is left of the mail.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Client, home};
use crate::support::home::{Home, succeed};

#[test]
fn the_inbox_is_shown_once_and_acknowledged_by_the_next_call() {
    let home = home();
    let mut client = Client::start(&home);
    let look = client.call("bch_inbox", &json!({"peek": true})).unwrap();
    assert_eq!(look, "1 unread here, 0 elsewhere");
    let text = client.call("bch_inbox", &json!({})).unwrap();
    assert!(text.contains("| hello"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("--- backchannel mail")).count(), 2, "{text}");
    assert!(home.unread("bob").is_empty() && home.recent("bob").is_empty(), "it is claimed");
    client.confirm(&home);
    assert_eq!(client.call("bch_inbox", &json!({})).unwrap(), "no unread mail here");
    client.close();
}

#[test]
fn an_orderly_end_acknowledges_and_a_killed_server_does_not() {
    let home = home();
    let mut client = Client::start(&home);
    client.call("bch_inbox", &json!({})).unwrap();
    client.child.kill().unwrap();
    client.child.wait().unwrap();
    let mut client = Client::start(&home);
    let text = client.call("bch_inbox", &json!({})).unwrap();
    assert!(text.contains("may have been shown before"), "{text}");
    client.close();
    assert_eq!((home.unread("bob").len(), home.recent("bob").len()), (0, 1));
}

#[test]
fn every_tool_does_what_it_says() {
    let home = home();
    let mut client = Client::start(&home);
    let tools = client.ask("tools/list", &json!({}));
    let names: Vec<_> =
        tools["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    for name in ["inbox", "send", "reply", "agents", "subscribe", "unsubscribe", "whoami"] {
        assert!(names.contains(&json!(format!("bch_{name}"))), "{names:?}");
    }
    let sent =
        json!({"target": "@alice", "body": "hi", "priority": "urgent", "refs": ["a"], "scope": "org/x"});
    assert!(client.call("bch_send", &sent).unwrap().starts_with("sent "));
    let mail = home.unread("alice");
    assert_eq!((&mail[0]["from"], &mail[0]["priority"]), (&json!("bob"), &json!("urgent")));
    let text = client.call("bch_inbox", &json!({})).unwrap();
    let id = text.lines().find_map(|line| line.strip_prefix("message ")).unwrap()[..8].to_owned();
    client.call("bch_reply", &json!({"id": id, "body": "thanks"})).unwrap();
    assert_eq!(home.unread("alice").len(), 2);
    assert_eq!(client.call("bch_subscribe", &json!({"channel": "team"})).unwrap(), "subscribed to #team");
    assert!(client.call("bch_agents", &json!({})).unwrap().contains("@bob #team"));
    assert_eq!(client.call("bch_unsubscribe", &json!({"channel": "#team"})).unwrap(), "left #team");
    client.close();
}

#[test]
fn what_is_wrong_is_an_answer_and_never_the_end() {
    let home = home();
    let mut client = Client::start(&home);
    let error = client.call("bch_send", &json!({"target": "@nobody", "body": "x"})).unwrap_err();
    assert!(error.contains("no agent @nobody") && error.contains("bch agents"), "{error}");
    assert!(client.call("bch_send", &json!({"target": "../x", "body": "x"})).is_err());
    let high = json!({"target": "@alice", "body": "x", "priority": "high"});
    assert_eq!(client.call("bch_send", &high).unwrap_err(), "priority is normal or urgent");
    assert!(client.call("bch_reply", &json!({"id": "zzzz", "body": "x"})).is_err());
    assert!(client.ask("server/discover", &json!({}))["error"].is_object());
    assert!(client.ask("no/such/method", &json!({}))["error"].is_object());
    assert!(client.ask("tools/call", &json!({"name": "none"}))["error"].is_object());
    client.write("{\"half a line");
    client.write("[{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"ping\"}]");
    let long = "x".repeat(10 * 1024 * 1024);
    assert!(client.call("bch_send", &json!({"target": "@alice", "body": long})).is_err());
    assert_eq!(client.call("bch_whoami", &json!({})).unwrap(), "@bob");
    assert_eq!(home.unread("bob").len(), 1);
    client.close();
}

#[test]
fn the_tools_cost_a_client_little() {
    let home = home();
    let mut client = Client::start(&home);
    let mut tools = client.ask("tools/list", &json!({}))["result"]["tools"].to_string();
    tools.push_str(client.hello["instructions"].as_str().unwrap());
    let tokens = tiktoken_rs::o200k_base().unwrap().encode_with_special_tokens(&tools).len();
    println!("{tokens} tokens");
    assert!(tokens <= 900, "{tokens} tokens: {tools}");
    client.close();
}

#[test]
fn what_a_person_holds_back_the_client_is_not_given() {
    let home = Home::with(&["bob", "alice", "mallory"]);
    home.send("mallory", "@bob", "obey", &[]);
    home.send("alice", "@bob", "hello", &[]);
    let mut client = Client::start(&home);
    succeed(&home.as_agent("bob", &["mute", "@mallory"]));
    succeed(&home.as_agent("bob", &["pause"]));
    for arguments in [json!({}), json!({"peek": true})] {
        assert_eq!(client.call("bch_inbox", &arguments).unwrap(), "the user has paused mail");
    }
    succeed(&home.as_agent("bob", &["resume"]));
    assert_eq!(client.call("bch_inbox", &json!({"peek": true})).unwrap(), "1 unread here, 0 elsewhere");
    let text = client.call("bch_inbox", &json!({})).unwrap();
    assert!(text.contains("| hello") && !text.contains("obey"), "{text}");
    client.close();
    assert_eq!(home.unread("bob").len(), 1);
}

#[test]
fn a_long_message_is_shown_by_its_head_and_whole_to_who_asks_for_it() {
    let home = Home::with(&["bob", "alice"]);
    let body = format!("begin\n{}\nthe end", "word ".repeat(20_000));
    home.send("alice", "@bob", &body, &[]);
    home.send("alice", "@bob", "after it", &[]);
    let mut client = Client::start(&home);
    let head = client.call("bch_inbox", &json!({})).unwrap();
    assert!(head.len() < 10_000 && head.contains("| begin") && !head.contains("the end"), "{head}");
    let (_, after) = head.split_once("read it whole with: bch_inbox, id ").unwrap();
    let id = after[..8].to_owned();
    assert!(!head.contains("bch read") && head.contains("Answer with: bch_reply"), "{head}");
    // It stands in nobody's way.
    let text = client.call("bch_inbox", &json!({})).unwrap();
    assert!(text.contains("| after it") && !text.contains("| begin"), "{text}");
    client.confirm(&home);
    client.close();
    assert_eq!((home.unread("bob").len(), home.recent("bob").len()), (1, 1), "a head ends nothing");

    let mut client = Client::start(&home);
    client.call("bch_inbox", &json!({})).unwrap();
    assert_eq!(
        client.call("bch_inbox", &json!({"id": id, "peek": true})).unwrap(),
        "0 unread here, 0 elsewhere"
    );
    let whole = client.call("bch_inbox", &json!({ "id": id })).unwrap();
    assert!(whole.contains("| the end") && whole.matches("word ").count() == 20_000);
    assert!(whole.contains("may have been shown before"));
    client.close();
    assert_eq!((home.unread("bob").len(), home.recent("bob").len()), (0, 2));
    let mut client = Client::start(&home);
    assert!(client.call("bch_inbox", &json!({ "id": id })).unwrap().contains("may have been shown before"));
    assert!(client.call("bch_inbox", &json!({"id": "ffffffff"})).unwrap_err().contains("no message"));
    client.close();
}

#[test]
fn what_is_sent_is_told_in_full_without_saying_the_text_again() {
    let home = Home::with(&["bob", "alice", "carol"]);
    for agent in ["alice", "carol"] {
        succeed(&home.as_agent(agent, &["sub", "#team"]));
    }
    let mut client = Client::start(&home);
    let sent = client.ask(
        "tools/call",
        &json!({
            "name": "bch_send", "arguments": {"target": "#team", "body": "hi", "thread": "t", "refs": ["a"]}
        }),
    );
    let facts = &sent["result"]["structuredContent"];
    let id = facts["id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(facts["to"], json!(["@alice", "@carol"]));
    let text = sent["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(text, format!("sent {} to #team", &id[..8]));
    let read = client.ask("tools/call", &json!({"name": "bch_inbox", "arguments": {}}));
    assert!(read["result"].get("structuredContent").is_none(), "each message once: {read}");
    client.close();
}

#[test]
fn a_client_says_where_it_works_and_gets_the_mail_of_that_place() {
    let home = Home::with(&["bob", "alice"]);
    let there = home.repository("there", "https://example.com/org/there.git");
    home.send("alice", "@bob", "about there", &["--scope", "org/there"]);
    home.send("alice", "@bob", "about elsewhere", &["--scope", "org/elsewhere"]);
    let mut client = Client::with(&home, &json!({"roots": {}}));
    let call = client.request("tools/call", &json!({"name": "bch_inbox", "arguments": {}}));
    let asked = client.aside();
    assert_eq!(asked["method"], "roots/list");
    let root = format!("file://{}", there.display());
    let roots = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": [{"uri": root}]}});
    client.write(&roots.to_string());
    let text = super::told(&client.answer(call)).unwrap();
    assert!(text.contains("| about there") && !text.contains("| about elsewhere"), "{text}");
    assert!(text.contains("1 wait for other repositories"), "{text}");
    // Asked once; a topic in the call counts for itself.
    let text = client.call("bch_inbox", &json!({"match": "org/elsewhere"})).unwrap();
    assert!(text.contains("| about elsewhere"), "{text}");
    client.close();
}

#[test]
fn without_an_agent_the_server_lives_and_says_what_mends_it() {
    let home = Home::with(&[]);
    let mut client = Client::start(&home);
    let error = client.call("bch_inbox", &json!({})).unwrap_err();
    assert!(error.contains("there is no agent @bob") && error.contains("try: bch init bob"), "{error}");
    succeed(&home.as_agent("bob", &["init", "bob"]));
    assert_eq!(client.call("bch_inbox", &json!({})).unwrap(), "no unread mail here");
    client.close();
}

#[test]
fn hints_are_truthful() {
    let home = home();
    let mut client = Client::start(&home);
    let tools = client.ask("tools/list", &json!({}))["result"]["tools"].take();
    for tool in tools.as_array().unwrap() {
        let only_reads = matches!(tool["name"].as_str().unwrap(), "bch_agents" | "bch_whoami");
        assert_eq!(tool["annotations"]["readOnlyHint"], only_reads, "{tool}");
    }
    // What is said to only read changes nothing.
    let before = tree(&home.path());
    for tool in ["bch_agents", "bch_whoami"] {
        client.call(tool, &json!({})).unwrap();
    }
    client.call("bch_inbox", &json!({"peek": true})).unwrap();
    assert_eq!(tree(&home.path()), before);
    client.close();
}

/// Every file below, with what is in it.
fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(tree(&entry.path()));
        } else {
            files.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
    files.sort();
    files
}
