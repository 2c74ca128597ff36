//! Recording its user's trust in our hooks with Codex itself: the one place where setup starts a program, and
//! only when a person at a terminal asked for it.
//!
//! `codex app-server` lists the hooks with their keys and hashes, and writes its own configuration (run on
//! 0.169.0, 2026-11-24). Only entries whose command is exactly ours are trusted.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

/// How long Codex may take for all of it.
const LIMIT: Duration = Duration::from_secs(20);

/// Why no trust was recorded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not start, or its pipe broke.
    #[error("could not talk to codex: {0}")]
    Pipe(#[from] io::Error),
    /// It answered with an error, or with something else than it did when it was looked at.
    #[error("codex did not take it: {0}")]
    Answer(String),
}

/// A running server, which ends with this value.
struct Server {
    child: Arc<Mutex<Child>>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "a person asked for it; nothing received leads here")]
    fn start(program: &Path, home: &Path) -> Result<Self, Error> {
        let mut child = Command::new(program)
            .arg("app-server")
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        };
        // Reading waits for a line: a server that says nothing must not hold setup up.
        let child = Arc::new(Mutex::new(child));
        let watched = Arc::clone(&child);
        std::thread::spawn(move || {
            std::thread::sleep(LIMIT);
            end(&watched);
        });
        Ok(Self { child, input, output: BufReader::new(output), last: 0 })
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Result<Value, Error> {
        self.last += 1;
        let id = self.last;
        writeln!(self.input, "{}", json!({ "id": id, "method": method, "params": parameters }))?;
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err(Error::Answer(format!("it ended at {method}")));
            }
            let Ok(answer) = serde_json::from_str::<Value>(&line) else { continue };
            if answer.get("id") == Some(&id.into()) && answer.get("method").is_none() {
                return match answer.get("result") {
                    Some(result) => Ok(result.clone()),
                    None => Err(Error::Answer(format!("{method}: {}", answer["error"]["message"]))),
                };
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&self.child);
    }
}

/// Ends the server; one that has been waited for is not signalled again, so that its pid may be another's.
fn end(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = child.kill();
    let _ = child.wait();
}

/// Trusts the hooks of these command lines; returns how many.
///
/// # Errors
/// Where Codex does not start, or does not answer as expected.
pub fn trust(program: &Path, home: &Path, lines: &[String]) -> Result<usize, Error> {
    let mut server = Server::start(program, home)?;
    let client = json!({ "clientInfo": { "name": "backchannel", "version": env!("CARGO_PKG_VERSION") } });
    server.ask("initialize", &client)?;
    let listed = server.ask("hooks/list", &json!({ "cwds": [home] }))?;
    let entries = listed["data"].as_array().into_iter().flatten();
    let hooks = entries.flat_map(|entry| entry["hooks"].as_array().into_iter().flatten());
    let is_ours = |hook: &&Value| {
        hook["command"].as_str().is_some_and(|command| lines.iter().any(|line| line == command))
    };
    let mut state = Map::new();
    for hook in hooks.filter(is_ours) {
        if let (Some(key), hash @ Value::String(_)) = (hook["key"].as_str(), &hook["currentHash"]) {
            state.insert(key.to_owned(), json!({ "trusted_hash": hash }));
        }
    }
    let count = state.len();
    if count > 0 {
        let edit = json!({ "keyPath": "hooks.state", "mergeStrategy": "upsert", "value": state });
        server.ask("config/batchWrite", &json!({ "edits": [edit] }))?;
    }
    Ok(count)
}
