//! Codex's trust in hooks: what its user approved, as its configuration records it.
//!
//! A hook runs only where `hooks.state."<file>:<event>:<group>:<handler>".trusted_hash` is the hash of what
//! stands there now; else Codex skips it without a word (run on 0.169.0, 2026-11-23). Nothing here grants trust:
//! an agent must not be able to do that for its user.

use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::wishes::Ground;
use crate::edit::{self, Entry, Format, Refusal};
use crate::env::Env;
use crate::harness::Manifest;
use crate::spool::local::files::read_settings;

/// What Codex takes where a hook says no time-out, in seconds (run).
const TIMEOUT: u64 = 600;

/// A handler of ours in the file of hooks.
struct Handler<'a> {
    event: &'a str,
    group: &'a Value,
    handler: &'a Value,
    /// Under one of which Codex keeps its trust.
    keys: Vec<String>,
}

fn handlers<'a>(file: &Path, hooks: &'a Value, mark: &str) -> Vec<Handler<'a>> {
    // Codex takes the path as it is named, links and all, but resolves `CODEX_HOME` itself (run, 2026-11-25).
    let resolved =
        file.parent().and_then(|above| Some(std::fs::canonicalize(above).ok()?.join(file.file_name()?)));
    let mut files = vec![file.to_owned()];
    files.extend(resolved.filter(|resolved| resolved != file));
    let mut found = Vec::new();
    for (event, groups) in hooks.get("hooks").and_then(Value::as_object).into_iter().flatten() {
        for (group_index, group) in groups.as_array().into_iter().flatten().enumerate() {
            let handlers = group.get("hooks").and_then(Value::as_array);
            for (index, handler) in handlers.into_iter().flatten().enumerate() {
                let command = handler.get("command").and_then(Value::as_str).unwrap_or_default();
                if command.contains(mark) {
                    let place = format!("{}:{group_index}:{index}", snake(event));
                    let keys = files.iter().map(|file| format!("{}:{place}", file.display())).collect();
                    found.push(Handler { event, group, handler, keys });
                }
            }
        }
    }
    found
}

/// The events whose hooks of ours Codex does not trust.
#[must_use]
pub fn untrusted(file: &Path, hooks: &Value, config: &Value, mark: &str) -> Vec<String> {
    let state = config.get("hooks").and_then(|hooks| hooks.get("state"));
    let is_trusted = |ours: &Handler<'_>| {
        let mut states = ours.keys.iter().filter_map(|key| state?.get(key));
        states.any(|state| {
            let trusted = state.get("trusted_hash").and_then(Value::as_str);
            let is_enabled = state.get("enabled") != Some(&Value::Bool(false));
            is_enabled && trusted == Some(&hash(ours.event, ours.group, ours.handler))
        })
    };
    let handlers = handlers(file, hooks, mark).into_iter().filter(|ours| !is_trusted(ours));
    handlers.map(|ours| ours.event.to_owned()).collect()
}

/// Whether Codex trusts all hooks of ours that are in its file.
#[must_use]
pub fn is_trusted(manifest: &Manifest, env: &Env) -> bool {
    let Some((directory, _)) = manifest.install.directories(env) else { return false };
    let (hooks, config) = read(&directory);
    untrusted(&directory.join("hooks.json"), &hooks, &config, &Ground::mark()).is_empty()
}

/// Codex's hooks and its configuration; null where one does not parse.
#[must_use]
pub fn read(directory: &Path) -> (Value, Value) {
    let value = |format, file: &str| {
        let bytes = read_settings(&directory.join(file)).unwrap_or_default();
        edit::value(format, &bytes).unwrap_or_default()
    };
    (value(Format::Json, "hooks.json"), value(Format::Toml, "config.toml"))
}

/// Takes the trust in our hooks out of Codex's configuration, and the table of trust where it is empty then.
///
/// # Errors
/// Where the configuration does not parse.
pub fn without_trust(config: &[u8], file: &Path, hooks: &Value, mark: &str) -> Result<Vec<u8>, Refusal> {
    let member =
        |path: Vec<String>| Entry::Member { path, value: Value::Null, mark: None, replaces: Vec::new() };
    let table = || vec!["hooks".to_owned(), "state".to_owned()];
    let value = edit::value(Format::Toml, config)?;
    let is_known = |key: &String| value.get("hooks").and_then(|hooks| hooks.get("state")?.get(key)).is_some();
    let keys = handlers(file, hooks, mark).into_iter().flat_map(|ours| ours.keys).filter(is_known);
    let entries: Vec<_> = keys.map(|key| member([table(), vec![key]].concat())).collect();
    if entries.is_empty() {
        return Ok(config.to_owned());
    }
    let edited = edit::remove(Format::Toml, config, &entries, &[])?.bytes;
    let value = edit::value(Format::Toml, &edited)?;
    let is_empty = value.pointer("/hooks/state").and_then(Value::as_object).is_some_and(Map::is_empty);
    if is_empty && edited != config {
        Ok(edit::remove(Format::Toml, &edited, &[member(table())], &[])?.bytes)
    } else {
        Ok(edited)
    }
}

/// `UserPromptSubmit` as `user_prompt_submit`.
fn snake(event: &str) -> String {
    let mut text = String::new();
    for letter in event.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// The hash that Codex makes of a handler: SHA-256 of its compact JSON with sorted keys (six variants compared
/// byte for byte with Codex's own, run on 0.169.0).
fn hash(event: &str, group: &Value, handler: &Value) -> String {
    let mut fields = Map::new();
    let is_async = handler.get("async").and_then(Value::as_bool).unwrap_or(false);
    fields.insert("async".into(), is_async.into());
    fields.insert("command".into(), handler.get("command").cloned().unwrap_or_default());
    for name in ["additionalContextLimit", "statusMessage"] {
        if let Some(value) = handler.get(name) {
            fields.insert(name.into(), value.clone());
        }
    }
    fields.insert("timeout".into(), handler.get("timeout").and_then(Value::as_u64).unwrap_or(TIMEOUT).into());
    fields.insert("type".into(), "command".into());
    fields.sort_keys();
    let mut whole = json!({ "event_name": snake(event), "hooks": [fields] });
    let has_matcher = !matches!(event, "UserPromptSubmit" | "Stop");
    if let (Some(matcher), Value::Object(whole)) = (group.get("matcher").filter(|_| has_matcher), &mut whole)
    {
        whole.insert("matcher".into(), matcher.clone());
        whole.sort_keys();
    }
    let digest = Sha256::digest(whole.to_string());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digest}")
}
