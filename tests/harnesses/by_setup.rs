//! Each harness configured by `bch setup` alone, by both vehicles, and as it was after `bch uninstall`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::json;

use super::{ATTENDED_OR_NOT, LIMIT, Stage, fences, id, shown};
use crate::support::harness::Harness;
use crate::support::home::{BCH, succeed};
use crate::support::mock_model::{Gate, Reply};

impl Stage {
    /// Runs a command of ours as the user of the harness.
    pub(super) fn bch(&self, arguments: &[&str]) -> String {
        let mut command = self.home.command(BCH);
        let programs = self.harness.program().unwrap();
        command.env("HOME", self.harness_home.path()).env("PATH", programs.parent().unwrap());
        succeed(&command.args(arguments).output().unwrap())
    }

    /// What a command that fails says.
    pub(super) fn refused(&self, arguments: &[&str]) -> String {
        let mut command = self.home.command(BCH);
        let output = command.env("HOME", self.harness_home.path()).args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    /// The files of the harness's home that name us, but what it keeps of its conversations.
    fn files_that_name_us(&self) -> Vec<PathBuf> {
        let mut files = BTreeMap::new();
        collect(self.harness_home.path(), &mut files);
        let is_conversation = |path: &Path| {
            let text = path.to_string_lossy();
            [
                "/projects/",
                "/sessions/",
                "/chats/",
                "/logs",
                "/history",
                "/tmp/",
                ".sqlite",
                "/shell-snapshots/",
                "/backups/",
            ]
            .iter()
            .any(|part| text.contains(part))
        };
        let named = files.into_iter().filter(|(path, bytes)| {
            path.to_string_lossy().contains("backchannel")
                || memchr::memmem::find(bytes, b"bch-hook").is_some()
        });
        named.map(|(path, _)| path).filter(|path| !is_conversation(path)).collect()
    }
}

fn collect(directory: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => {
                files.insert(path.clone(), Vec::new());
                collect(&path, files);
            }
            kind if kind.is_file() => drop(files.insert(path.clone(), fs::read(&path).unwrap_or_default())),
            _ => {}
        }
    }
}

fn setup_alone_brings_the_mail(harness: Harness, vehicle: &str) {
    let Some(stage) = Stage::bare(harness) else { return };
    let mut before = BTreeMap::new();
    collect(stage.harness_home.path(), &mut before);
    stage.bch(&["setup", "--yes", "--only", id(harness), "--vehicle", vehicle]);
    stage.home.send("alice", "@bob", "the build is green", &[]);
    let output = stage.run("first prompt");
    let requests = stage.model.requests();
    assert!(!requests.is_empty(), "{output:?}");
    assert!(requests[0].contains("| the build is green"), "{}\n{output:?}", shown(&requests[0]));
    assert_eq!(fences(&requests[0]), (1, 1), "{}", shown(&requests[0]));
    stage.assert_nothing_is_left();
    stage.bch(&["uninstall", "--yes"]);
    assert_eq!(stage.files_that_name_us(), Vec::<PathBuf>::new());
    let mut after = BTreeMap::new();
    collect(stage.harness_home.path(), &mut after);
    for (path, bytes) in before.iter().filter(|(path, _)| !path.ends_with(".claude.json")) {
        assert_eq!(after.get(path), Some(bytes), "{}", path.display());
    }
    stage.home.send("alice", "@bob", "nobody reads this", &[]);
    let output = stage.run("second prompt");
    assert!(output.status.success(), "{output:?}");
    let requests = stage.model.requests();
    assert!(!requests.last().unwrap().contains("nobody reads this"));
    assert_eq!(stage.home.unread("bob").len(), 1);
}

#[test]
fn setup_alone_brings_the_mail_by_a_plugin_of_claude_code() {
    setup_alone_brings_the_mail(Harness::ClaudeCode, "folder");
}

#[test]
fn setup_alone_brings_the_mail_by_the_settings_of_claude_code() {
    setup_alone_brings_the_mail(Harness::ClaudeCode, "settings");
}

#[test]
fn setup_alone_brings_the_mail_by_the_hooks_of_codex() {
    setup_alone_brings_the_mail(Harness::Codex, "settings");
}

#[test]
fn setup_alone_brings_the_mail_by_an_extension_of_gemini_cli() {
    setup_alone_brings_the_mail(Harness::GeminiCli, "folder");
}

#[test]
fn setup_alone_brings_the_mail_by_the_settings_of_gemini_cli() {
    setup_alone_brings_the_mail(Harness::GeminiCli, "settings");
}

/// With the tools approved in advance the model's call of one is answered without a question.
fn approved_tools_bring_the_mail(harness: Harness, vehicle: &str) {
    let Some(stage) = Stage::bare(harness) else { return };
    stage.bch(&["setup", "--yes", "--only", id(harness), "--vehicle", vehicle, "--approve-tools"]);
    let gate = Gate::new();
    let tool = |name: &str, args| Box::new(Reply::Tool { name: name.to_owned(), args });
    let answer = json!({"target": "@alice", "body": "answered by the tool"});
    stage
        .model
        .script(vec![Reply::After(gate.clone(), tool("bch_inbox", json!({}))), *tool("bch_send", answer)]);
    let command = stage.command("first prompt", &ATTENDED_OR_NOT);
    let run = thread::spawn(move || command.run());
    stage.model.wait_for_requests(1, LIMIT);
    stage.home.send("alice", "@bob", "asked for", &[]);
    gate.open();
    let output = run.join().unwrap();
    let requests = stage.model.requests();
    let last = requests.last().unwrap();
    assert!(last.contains("| asked for"), "{}\n{output:?}", shown(last));
    let sent = stage.home.unread("alice");
    assert_eq!(sent.len(), 1, "{}\n{output:?}", shown(last));
    assert_eq!((&sent[0]["from"], &sent[0]["body"]), (&json!("bob"), &json!("answered by the tool")));
    // The harness ends the server, which acknowledges then.
    stage.wait_until_claimed(0);
    assert_eq!((stage.home.unread("bob").len(), stage.home.recent("bob").len()), (0, 1));
    stage.bch(&["uninstall", "--yes"]);
    assert_eq!(stage.files_that_name_us(), Vec::<PathBuf>::new());
}

#[test]
fn approved_tools_bring_the_mail_by_a_plugin_of_claude_code() {
    approved_tools_bring_the_mail(Harness::ClaudeCode, "folder");
}

#[test]
fn approved_tools_bring_the_mail_by_the_settings_of_claude_code() {
    approved_tools_bring_the_mail(Harness::ClaudeCode, "settings");
}

#[test]
fn approved_tools_bring_the_mail_in_codex() {
    approved_tools_bring_the_mail(Harness::Codex, "settings");
}

#[test]
fn approved_tools_bring_the_mail_by_an_extension_of_gemini_cli() {
    approved_tools_bring_the_mail(Harness::GeminiCli, "folder");
}

#[test]
fn approved_tools_bring_the_mail_by_the_settings_of_gemini_cli() {
    approved_tools_bring_the_mail(Harness::GeminiCli, "settings");
}

/// Claude Code writes `~/.claude.json` itself, and so does setup by its settings: neither loses what the other wrote.
#[test]
fn claude_code_and_setup_write_one_file_at_once_and_lose_nothing() {
    let Some(stage) = Stage::bare(Harness::ClaudeCode) else { return };
    let path = stage.harness_home.path().join(".claude.json");
    let program = Harness::ClaudeCode.program().unwrap();
    let add = |number: usize| {
        let mut command = Command::new(&program);
        command.env_clear().env("HOME", stage.harness_home.path()).env("DISABLE_AUTOUPDATER", "1");
        command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").current_dir(stage.home.work());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        command.args(["mcp", "add", "--scope", "user", &format!("mine-{number}"), "--", "/bin/true"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let mut rounds = 0;
    thread::scope(|scope| {
        let writer = scope.spawn(|| (0..6).for_each(add));
        while !writer.is_finished() {
            stage.bch(&["setup", "--yes", "--only", "claude-code", "--vehicle", "settings"]);
            stage.bch(&["uninstall", "--yes"]);
            rounds += 1;
        }
    });
    println!("{rounds} setups and uninstalls meanwhile");
    stage.bch(&["setup", "--yes", "--only", "claude-code", "--vehicle", "settings"]);
    let value: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let servers = value["mcpServers"].as_object().unwrap();
    assert!((0..6).all(|number| servers.contains_key(&format!("mine-{number}"))), "{servers:?}");
    assert!(servers.contains_key("backchannel"), "{servers:?}");
}
