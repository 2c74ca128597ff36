//! The tools of a relay in each harness, by what docs/mcp.md says to write: no process of ours on that machine.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{ATTENDED_OR_NOT, LIMIT, Stage, shown};
use crate::support::harness::Harness;
use crate::support::mock_model::Reply;
use crate::support::relay::Relay;

/// The variable of docs/mcp.md in which Codex finds the token.
const TOKEN: &str = "BACKCHANNEL_RELAY_TOKEN";

impl Stage {
    /// Changes a file of JSON in the harness's home; it is made where there is none.
    fn change(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let path = self.harness_home.path().join(file);
        let mut value =
            fs::read(&path).map_or_else(|_| json!({}), |text| serde_json::from_slice(&text).unwrap());
        change(&mut value);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, value.to_string()).unwrap();
    }

    fn write_relay(&self, url: &str, token: &str) {
        let headers = json!({"Authorization": format!("Bearer {token}")});
        match self.harness {
            Harness::ClaudeCode => {
                self.change(".claude.json", |state| {
                    state["mcpServers"]["backchannel"] =
                        json!({"type": "http", "url": url, "headers": headers});
                });
                self.change(".claude/settings.json", |settings| {
                    settings["permissions"]["allow"] = json!(["mcp__backchannel"]);
                });
            }
            Harness::Codex => {
                let text = format!(
                    "[mcp_servers.backchannel]\nurl = \"{url}\"\nbearer_token_env_var = \"{TOKEN}\"\n\
                     default_tools_approval_mode = \"approve\"\n"
                );
                fs::write(self.harness_home.path().join(".codex/config.toml"), text).unwrap();
            }
            Harness::GeminiCli => self.change(".gemini/settings.json", |settings| {
                settings["mcpServers"]["backchannel"] =
                    json!({"httpUrl": url, "headers": headers, "trust": true});
            }),
        }
    }
}

fn a_relays_tools_bring_and_carry_mail(harness: Harness) {
    let Some(stage) = Stage::bare(harness) else { return };
    let relay = Relay::start();
    let (alice, bob) = (relay.peer("alice"), relay.peer("bob"));
    alice.send("@bob", "asked for at the relay");
    stage.write_relay(&format!("http://{}/mcp", relay.address), bob.token());
    let tool = |name: &str, args| Reply::Tool { name: name.to_owned(), args };
    let answer = json!({"target": "@alice", "body": "answered by the tool"});
    stage.model.script(vec![tool("bch_inbox", json!({})), tool("bch_send", answer)]);
    let environment = [ATTENDED_OR_NOT[0], (TOKEN, bob.token())];
    let output = stage.command("first prompt", &environment).run_within(LIMIT);
    let requests = stage.model.requests();
    let last = requests.last().unwrap_or_else(|| panic!("{output:?}"));
    assert!(last.contains("| asked for at the relay"), "{}\n{output:?}", shown(last));
    assert_eq!(alice.bodies(), ["answered by the tool"]);
    // The next call came by the same connection, or the end of the session says that it heard; at the latest when
    // the connection of the reply has lived for long enough.
    let begun = Instant::now();
    while relay.admin().get("/v1/rooms").ok()[0]["waiting"] != 1 {
        assert!(begun.elapsed() < Duration::from_secs(100), "it is not acknowledged: {}", relay.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("acknowledged {:?} after the run", begun.elapsed());
}

for_each_harness! {
    a_relays_tools_bring_and_carry_mail:
        a_relays_tools_bring_and_carry_mail_in_claude_code,
        a_relays_tools_bring_and_carry_mail_in_codex,
        a_relays_tools_bring_and_carry_mail_in_gemini_cli;
}
