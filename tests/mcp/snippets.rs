//! The snippets of docs/mcp.md: each does what it says, with our program and a relay in their places.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::home::{BCH, Home, feed, succeed};
use crate::support::relay::Relay;

const GREETING: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"#,
    r#""clientInfo":{"name":"test","version":"0"}}}"#,
    "\n",
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    "\n",
    r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#,
    "\n",
);

/// The blocks of this language in the document.
fn blocks(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mcp.md");
    let document = fs::read_to_string(path).unwrap();
    let begin = format!("```{language}\n");
    let begun = document.split(&begin).skip(1);
    begun.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// Every server that a snippet names.
fn entries(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("backchannel").filter(|entry| entry.is_object()).cloned();
            own.into_iter().chain(fields.values().flat_map(entries)).collect()
        }
        _ => Vec::new(),
    }
}

fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(words) => words.iter().map(|word| word.as_str().unwrap().to_owned()).collect(),
        Value::String(word) => vec![word.clone()],
        _ => Vec::new(),
    }
}

#[test]
fn each_command_starts_a_server_with_our_tools() {
    let home = Home::with(&["bob"]);
    let mut count = 0;
    for block in blocks("json") {
        let snippet: Value = serde_json::from_str(&block).unwrap_or_else(|error| panic!("{error}: {block}"));
        for entry in entries(&snippet).iter().filter(|entry| entry.get("command").is_some()) {
            let line = [words(&entry["command"]), words(&entry["args"])].concat();
            assert_eq!(line[0], "/path/to/bch", "{block}");
            let mut command = home.command(BCH);
            // A desktop's environment says nothing of us: the home is where it is by default.
            let output = feed(command.args(&line[1..]), GREETING.as_bytes());
            assert!(succeed(&output).contains("\"bch_inbox\""), "{block}");
            count += 1;
        }
    }
    assert!(count >= 7, "{count}");
}

#[test]
fn each_address_and_header_reaches_the_tools_of_a_relay() {
    let relay = Relay::start();
    let bob = relay.peer("bob");
    let toml: toml::Table = blocks("toml")[0].parse().unwrap();
    let codex = &toml["mcp_servers"]["backchannel"];
    assert_eq!(codex["bearer_token_env_var"].as_str(), Some("BACKCHANNEL_RELAY_TOKEN"));
    let mut addresses = vec![(codex["url"].as_str().unwrap().to_owned(), "Bearer TOKEN".to_owned())];
    for block in blocks("json") {
        let snippet: Value = serde_json::from_str(&block).unwrap();
        for entry in entries(&snippet) {
            let url = entry.get("url").or(entry.get("httpUrl")).and_then(Value::as_str);
            let Some(url) = url else { continue };
            addresses.push((url.to_owned(), entry["headers"]["Authorization"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(addresses.len(), 4);
    let hello: Value = serde_json::from_str(GREETING.lines().next().unwrap()).unwrap();
    for (url, header) in addresses {
        let path = url.strip_prefix("https://relay.example.com").unwrap();
        let token = header.replace("${input:backchannel}", "TOKEN").replace("TOKEN", bob.token());
        let api = relay.api(None).with("authorization", &token);
        let answer = api.with("accept", "application/json, text/event-stream").post(path, &hello);
        assert_eq!(answer.status, 200, "{url}");
    }
    let registered =
        relay.api(Some(crate::support::relay::ROOM)).post("/v1/register", &json!({"name": "bob-web"}));
    assert!(registered.ok()["token"].is_string());
}
