//! The MCP entry as it is installed: started, greeted, asked for its tools and for a message, and ended.
//!
//! Five lines of JSON-RPC by hand: rmcp's client would bring a runtime into doctor for them, and would hide what a
//! server really said.

use serde_json::{Value, json};

use super::super::process::{self, Dialogue, Ended, Failure, Limits};
use super::canary::Canary;
use super::installed::Server;
use super::{answer, session};
use crate::mcp;
use crate::message::Priority;

/// The version of the protocol that all three harnesses speak.
const PROTOCOL: &str = "2025-06-18";

/// Asks it everything; what it did not do, or how it ended and with how many tools.
pub(super) fn ask(
    server: &Server,
    canary: &Canary<'_>,
    limits: Limits<'_>,
) -> Result<(Ended, usize), String> {
    let fault = |failure: Failure| format!("`{}` {failure}", server.command);
    let mut command = process::command(&server.command);
    command.args(&server.arguments);
    session::dress(&mut command, &canary.name);
    command.envs(server.environment.iter().map(|(name, value)| (name, value)));
    let mut client = Client { dialogue: Dialogue::start(&mut command, limits).map_err(fault)?, last: 0 };
    let hello = json!({
        "protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "bch doctor", "version": "0"}
    });
    client.ask("initialize", &hello).map_err(fault)?;
    client.dialogue.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
    let listed = client.ask("tools/list", &json!({})).map_err(fault)?;
    let listed = listed["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<_> = listed.iter().filter_map(|tool| tool["name"].as_str()).collect();
    if let Some(missing) = mcp::Server::tools().iter().find(|tool| !names.contains(&tool.as_str())) {
        return Err(format!("`{}` has no tool {missing}: it is of another version", server.command));
    }
    // Only a server that knows of the canary is asked for mail: another would claim somebody's.
    let me = client.call("bch_whoami").map_err(fault)?;
    if me != format!("@{}", canary.name) {
        return Err(format!("`{}` serves {me} and no canary: it is of another version", server.command));
    }
    canary.send(super::turn::TEXT, Priority::Normal).map_err(|error| error.to_string())?;
    let inbox = client.call("bch_inbox").map_err(fault)?;
    if !inbox.contains(super::turn::TEXT) {
        return Err(format!(
            "bch_inbox does not show a message that waits: {}",
            answer::quoted(inbox.as_bytes())
        ));
    }
    let ended = client.dialogue.close().map_err(fault)?;
    if !ended.status.success() {
        return Err(format!("`{}` failed when its client left: {}", server.command, ended.status));
    }
    if canary.left() > 0 {
        return Err("what bch_inbox showed was not acknowledged at the end".to_owned());
    }
    Ok((ended, names.len()))
}

struct Client<'a> {
    dialogue: Dialogue<'a>,
    last: u64,
}

impl Client<'_> {
    /// The result of a call.
    fn ask(&mut self, method: &str, parameters: &Value) -> Result<Value, Failure> {
        self.last += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": parameters});
        self.dialogue.say(&request.to_string());
        loop {
            // What is no answer to this may be a notification, or no JSON at all.
            let line = self.dialogue.hear()?;
            if let Ok(mut answer) = serde_json::from_slice::<Value>(&line)
                && answer["id"] == self.last
            {
                return Ok(answer["result"].take());
            }
        }
    }

    /// The text that a tool gives.
    fn call(&mut self, tool: &str) -> Result<String, Failure> {
        let result = self.ask("tools/call", &json!({"name": tool, "arguments": {}}))?;
        Ok(result["content"][0]["text"].as_str().unwrap_or_default().to_owned())
    }
}
