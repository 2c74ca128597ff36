//! Codex's trust: what its user grants, `doctor` sees, and uninstall takes back with the hooks.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{LIMIT, Stage};
use crate::support::harness::Harness;
use crate::support::home::BCH;
use crate::support::tmux::Tmux;

/// Trusts every hook that Codex lists, as its user would by `/hooks`: through its own server, so that key and
/// hash are Codex's.
pub(super) fn trust_all(stage: &Stage) {
    let mut codex = Command::new(Harness::Codex.program().unwrap());
    codex.arg("app-server").env_clear().env("HOME", stage.harness_home.path());
    codex.env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(stage.home.work());
    let mut child = codex.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut ask = |id: u64, method: &str, parameters: Value| -> Value {
        writeln!(input, "{}", json!({"id": id, "method": method, "params": parameters})).unwrap();
        loop {
            let mut line = String::new();
            assert!(output.read_line(&mut line).unwrap() > 0, "the server ended at {method}");
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == id && answer.get("method").is_none() {
                assert!(answer["error"].is_null(), "{answer}");
                return answer["result"].clone();
            }
        }
    };
    ask(1, "initialize", json!({"clientInfo": {"name": "test", "version": "0"}}));
    let listed = ask(2, "hooks/list", json!({"cwds": [stage.home.work()]}));
    let hooks =
        listed["data"].as_array().unwrap().iter().flat_map(|entry| entry["hooks"].as_array().unwrap());
    let state: serde_json::Map<String, Value> = hooks
        .map(|hook| (hook["key"].as_str().unwrap().to_owned(), json!({"trusted_hash": hook["currentHash"]})))
        .collect();
    assert_eq!(state.len(), 6);
    let edit = json!({"keyPath": "hooks.state", "mergeStrategy": "upsert", "value": state});
    ask(3, "config/batchWrite", json!({"edits": [edit]}));
    drop(input);
    child.wait().unwrap();
}

/// The status of doctor's check of trust.
fn trust(stage: &Stage) -> Value {
    let mut command = stage.home.command(BCH);
    let output = command.env("HOME", stage.harness_home.path()).args(["doctor", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["checks"].as_array().unwrap().iter().find(|check| check["check"] == "trust").unwrap()["status"]
        .clone()
}

#[test]
fn codex_runs_our_hooks_when_its_user_trusts_them_and_doctor_knows() {
    let Some(stage) = Stage::bare(Harness::Codex) else { return };
    let config = stage.harness_home.path().join(".codex/config.toml");
    std::fs::write(&config, "# mine\nmodel = \"m\"\n").unwrap();
    stage.bch(&["setup", "--yes", "--only", "codex"]);
    assert_eq!(trust(&stage), "fail");
    let run = |stage: &Stage, prompt: &str| {
        let mut command = stage.command(prompt, &super::ATTENDED_OR_NOT);
        command.argv.retain(|word| word != "--dangerously-bypass-hook-trust");
        command.run()
    };
    stage.home.send("alice", "@bob", "only for the trusted", &[]);
    run(&stage, "first prompt");
    assert!(!stage.model.requests()[0].contains("only for the trusted"), "an untrusted hook ran");
    trust_all(&stage);
    assert_eq!(trust(&stage), "ok");
    run(&stage, "second prompt");
    assert!(stage.model.requests()[1].contains("| only for the trusted"));
    stage.assert_nothing_is_left();
    stage.bch(&["uninstall", "--yes"]);
    let left = std::fs::read_to_string(&config).unwrap();
    assert!(left.starts_with("# mine\nmodel = \"m\"\n") && !left.contains("hooks"), "{left}");
}

/// At a terminal alone, by the one question of `setup`.
#[test]
fn a_yes_at_the_terminal_trusts_our_hooks_in_codex() {
    let Some(stage) = Stage::bare(Harness::Codex) else { return };
    if super::is_left_out(Tmux::check()) {
        return;
    }
    let refused = stage.refused(&["setup", "--yes", "--only", "codex", "--trust-hooks"]);
    assert!(refused.contains("no person is at a terminal") && refused.contains("hint: "), "{refused}");
    let programs = Harness::Codex.program().unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.parent().unwrap().display());
    let env = [
        ("HOME".into(), stage.harness_home.path().into()),
        ("BACKCHANNEL_HOME".into(), stage.home.path().into()),
        ("PATH".into(), path.into()),
        ("TERM".into(), "xterm-256color".into()),
    ];
    let words = [BCH, "setup", "--only", "codex"].map(Into::into);
    let terminal = Tmux::start(&words, &env, &stage.home.work());
    terminal.wait_for_text("enter to go on", LIMIT);
    terminal.send_key("Enter");
    terminal.wait_for_text("without asking you each time?", LIMIT);
    terminal.send_key("Enter");
    terminal.wait_for_text("Set these up?", LIMIT);
    terminal.send_key("Enter");
    terminal.wait_for_text("Trust the hooks of backchannel now?", LIMIT);
    terminal.send_key("y");
    terminal.wait_for_screen("the end", |screen| screen.contains("Codex: done"), LIMIT);
    assert_eq!(trust(&stage), "ok", "{}", terminal.screen());
    stage.bch(&["uninstall", "--yes"]);
    let config = stage.harness_home.path().join(".codex/config.toml");
    let left = std::fs::read_to_string(config).unwrap_or_default();
    assert!(!left.contains("hooks"), "{left}");
}

/// An agent may have a terminal for its commands: its harness marks them.
#[test]
fn no_harness_can_trust_hooks_for_its_user_even_at_a_terminal() {
    let Some(stage) = Stage::bare(Harness::Codex) else { return };
    if super::is_left_out(Tmux::check()) {
        return;
    }
    let programs = Harness::Codex.program().unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.parent().unwrap().display());
    for mark in ["CLAUDECODE", "CODEX_THREAD_ID", "GEMINI_CLI"] {
        let env = [
            ("HOME".into(), stage.harness_home.path().into()),
            ("BACKCHANNEL_HOME".into(), stage.home.path().into()),
            ("PATH".into(), path.clone().into()),
            ("TERM".into(), "xterm-256color".into()),
            (mark.into(), "1".into()),
        ];
        let run = |words: &[&str], end: &str| {
            let words: Vec<_> = std::iter::once(BCH).chain(words.iter().copied()).map(Into::into).collect();
            let terminal = Tmux::start(&words, &env, &stage.home.work());
            terminal.wait_for_text(end, LIMIT);
            terminal.screen()
        };
        let screen = run(&["setup", "--yes", "--only", "codex", "--trust-hooks"], "hint: ");
        assert!(screen.contains("no person is at a terminal"), "{mark}: {screen}");
        let screen = run(&["setup", "--yes", "--only", "codex"], "What is left to you");
        assert!(!screen.contains("Trust the hooks"), "{mark}: {screen}");
        assert_eq!(trust(&stage), "fail");
    }
}
