//! The protocol's inspector, by its command line: it lists every tool and calls it, over pipes and over HTTP.

use std::path::Path;

use serde_json::Value;

use super::programs;
use crate::support::home::{BCH, Home};
use crate::support::relay::Relay;

const INSPECTOR: &str = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";

/// A server as the inspector is told of it.
struct Target {
    arguments: Vec<String>,
    home: tempfile::TempDir,
}

impl Target {
    fn of(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        Self { arguments, home: tempfile::tempdir().unwrap() }
    }

    fn ask(&self, directory: &Path, method: &str, more: &[&str]) -> Value {
        let mut arguments = vec!["--cli"];
        arguments.extend(self.arguments.iter().map(String::as_str));
        arguments.extend(["--method", method]);
        arguments.extend(more);
        let output = programs::run(directory, self.home.path(), INSPECTOR, &arguments);
        let said = String::from_utf8_lossy(&output.stdout);
        let start = said.find('{').unwrap_or_else(|| {
            panic!("{method} {more:?}: {said}{}", String::from_utf8_lossy(&output.stderr))
        });
        serde_json::from_str(&said[start..]).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    fn call(&self, directory: &Path, tool: &str, arguments: &[&str]) -> String {
        let mut more = vec!["--tool-name", tool];
        for argument in arguments {
            more.extend(["--tool-arg", argument]);
        }
        let result = self.ask(directory, "tools/call", &more);
        let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{result}"));
        assert_ne!(result["isError"], true, "{text}");
        text.to_owned()
    }

    fn calls_every_tool(&self, directory: &Path, id: &str) {
        let tools = self.ask(directory, "tools/list", &["--strict"])["tools"].take();
        let mut names: Vec<_> =
            tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, {
            let mut tools = backchannel::mcp::Server::tools();
            tools.sort();
            tools
        });
        let call = |tool: &str, arguments: &[&str]| self.call(directory, tool, arguments);
        assert_eq!(call("bch_whoami", &[]), "@bob");
        assert!(call("bch_agents", &[]).contains("@alice"));
        assert_eq!(call("bch_subscribe", &["channel=#team"]), "subscribed to #team");
        assert_eq!(call("bch_unsubscribe", &["channel=#team"]), "left #team");
        assert!(call("bch_send", &["target=@alice", "body=hi"]).starts_with("sent "));
        assert!(call("bch_reply", &[&format!("id={id}"), "body=thanks"]).starts_with("sent "));
        assert!(call("bch_inbox", &[]).contains("| hello"));
        let resources = self.ask(directory, "resources/list", &[]);
        assert_eq!(resources["resources"][0]["uri"], "backchannel://inbox");
        let read = self.ask(directory, "resources/read", &["--uri", "backchannel://inbox"]);
        assert!(read["contents"][0]["text"].as_str().unwrap().contains("unread here"), "{read}");
    }
}

#[test]
fn it_calls_every_tool_over_pipes() {
    let Some(directory) = programs::directory() else { return };
    let home = Home::with(&["bob", "alice"]);
    let sent = home.send("alice", "@bob", "hello", &[]);
    let path = home.path();
    let target = Target::of(&[BCH, "mcp", "--agent", "bob", "--home", path.to_str().unwrap()]);
    target.calls_every_tool(&directory, &sent["id"].as_str().unwrap()[..8]);
    assert_eq!(home.unread("alice").len(), 2);
}

#[test]
fn it_calls_every_tool_over_http() {
    let Some(directory) = programs::directory() else { return };
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    let sent = alice.send("@bob", "hello");
    let (url, token) =
        (format!("http://{}/mcp", relay.address), format!("Authorization: Bearer {}", bob.token()));
    let target = Target::of(&[&url, "--transport", "http", "--header", &token]);
    target.calls_every_tool(&directory, &sent["id"].as_str().unwrap()[..8]);
    assert_eq!(alice.inbox().len(), 2);
}
