//! What a person holds back is held back everywhere, loses nothing, and is let in again by a person alone.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::home::{BCH, Home, succeed};

fn bob(home: &Home, arguments: &[&str]) -> String {
    succeed(&home.as_agent("bob", arguments))
}

/// What a hook of Claude Code puts before the model.
fn shown(home: &Home, event: &str, directory: &Path) -> String {
    home.hook("claude-code", event, "bob", &home.payload(event, "s", directory)).unwrap_or_default()
}

#[test]
fn a_pause_holds_mail_back_from_models_and_loses_none() {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "waits", &["--urgent"]);
    bob(&home, &["pause"]);
    for event in ["SessionStart", "UserPromptSubmit", "PostToolUse"] {
        assert_eq!(shown(&home, event, &home.work()), "", "{event}");
    }
    assert_eq!(home.unread("bob").len(), 1, "a command still shows it");
    bob(&home, &["resume"]);
    assert!(shown(&home, "UserPromptSubmit", &home.work()).contains("| waits"));
}

#[test]
fn what_was_shown_before_a_pause_is_acknowledged_in_it() {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "seen", &[]);
    assert!(shown(&home, "UserPromptSubmit", &home.work()).contains("| seen"));
    bob(&home, &["pause", "--for", "1h"]);
    shown(&home, "PostToolUse", &home.work());
    shown(&home, "Stop", &home.work());
    bob(&home, &["resume"]);
    assert_eq!(shown(&home, "UserPromptSubmit", &home.work()), "");
    assert_eq!(home.unread("bob").len(), 0);
}

#[test]
fn a_repository_opts_out_alone() {
    let home = Home::with(&["bob", "alice"]);
    let (quiet, other) =
        (home.repository("quiet", "https://h/o/quiet"), home.repository("other", "https://h/o/other"));
    std::fs::create_dir(quiet.join("deep")).unwrap();
    let here = |arguments: &[&str]| {
        let mut command = home.command(BCH);
        succeed(
            &command
                .env("BACKCHANNEL_AGENT", "bob")
                .current_dir(quiet.join("deep"))
                .args(arguments)
                .output()
                .unwrap(),
        )
    };
    let said = here(&["pause", "--here"]);
    assert!(said.contains(&*quiet.canonicalize().unwrap().to_string_lossy()), "{said}");
    home.send("alice", "@bob", "anywhere", &[]);
    assert_eq!(shown(&home, "UserPromptSubmit", &quiet), "");
    assert_eq!(shown(&home, "UserPromptSubmit", &quiet.join("deep")), "");
    here(&["resume", "--here"]);
    bob(&home, &["pause", "30min"]);
    assert_eq!(shown(&home, "UserPromptSubmit", &other), "");
    bob(&home, &["resume"]);
    assert!(shown(&home, "UserPromptSubmit", &quiet.join("deep")).contains("| anywhere"));
}

#[test]
fn a_muted_sender_or_channel_waits_for_a_command() {
    let home = Home::with(&["bob", "alice", "ci"]);
    bob(&home, &["sub", "#noise"]);
    assert_eq!(bob(&home, &["mute", "@CI", "#noise"]), "muted: @CI, #noise\n");
    home.send("ci", "@bob", "red", &["--urgent"]);
    home.send("alice", "#noise", "chat", &[]);
    home.send("alice", "@bob", "real", &[]);
    assert_eq!(shown(&home, "PostToolUse", &home.work()), "");
    let text = shown(&home, "UserPromptSubmit", &home.work());
    assert!(text.contains("| real") && !text.contains("| red") && !text.contains("| chat"), "{text}");
    assert!(!text.contains("more"), "the model need not know: {text}");
    assert_eq!(home.unread("bob").len(), 2);
    let drained = bob(&home, &["drain", "--all"]);
    assert!(drained.contains("| red") && drained.contains("| chat"), "{drained}");
    assert_eq!(bob(&home, &["unmute", "@ci"]), "muted: #noise\n");
    home.send("ci", "@bob", "green", &[]);
    assert!(shown(&home, "UserPromptSubmit", &home.work()).contains("| green"));
}

#[test]
fn a_blocked_sender_is_shown_nowhere_and_waits() {
    let home = Home::with(&["bob", "alice", "mallory"]);
    bob(&home, &["block", "mallory"]);
    home.send("mallory", "@bob", "obey", &["--urgent"]);
    home.send("alice", "@bob", "hello", &[]);
    let text = shown(&home, "UserPromptSubmit", &home.work());
    assert!(text.contains("| hello") && !text.contains("obey"), "{text}");
    assert_eq!(shown(&home, "PostToolUse", &home.work()), "");
    let looked = home.as_agent("bob", &["inbox", "--all"]);
    assert!(succeed(&looked).contains("no unread mail"));
    assert!(String::from_utf8_lossy(&looked.stderr).contains("1 of blocked senders are not shown"));
    assert_eq!(bob(&home, &["drain", "--all"]), "no unread mail here\n");
    bob(&home, &["unblock", "@mallory"]);
    assert!(bob(&home, &["drain", "--all"]).contains("| obey"));
}

#[test]
fn an_agent_may_hold_back_and_not_let_in() {
    let home = Home::with(&["bob", "mallory"]);
    bob(&home, &["block", "@mallory"]);
    for arguments in [&["unblock", "@mallory"][..], &["resume"], &["resume", "--here"], &["unmute", "@x"]] {
        let mut command = home.command(BCH);
        let output = command.env("CLAUDECODE", "1").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("an agent must not do it for its user") && said.contains("hint: bch"),
            "{said}"
        );
    }
    assert_eq!(bob(&home, &["block"]), "blocked: @mallory\n");
}

#[test]
fn racing_commands_lose_no_block() {
    let home = Home::with(&["bob"]);
    let children: Vec<_> = (0..20)
        .map(|index| {
            let mut command: Command = home.command(BCH);
            command.args(["block", &format!("@peer{index}")]).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let blocked: Value = serde_json::from_str(&bob(&home, &["--json", "block"])).unwrap();
    assert_eq!(blocked["blocked"].as_array().unwrap().len(), 20);
}

#[test]
fn a_damaged_file_shows_nothing_and_doctor_says_so() {
    let home = Home::with(&["bob", "alice", "mallory"]);
    bob(&home, &["block", "@mallory"]);
    home.send("mallory", "@bob", "obey", &[]);
    let path = home.path().join("attention.json");
    std::fs::write(&path, "{").unwrap();
    assert_eq!(shown(&home, "UserPromptSubmit", &home.work()), "");
    let looked = home.as_agent("bob", &["inbox", "--all"]);
    let said = String::from_utf8_lossy(&looked.stderr).into_owned();
    assert!(said.contains("attention.json is damaged") && said.contains("hint: ${EDITOR:-vi}"), "{said}");
    let mut doctor = home.command(BCH);
    let report = doctor.args(["--json", "doctor"]).output().unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["check"] == "attention" && check["status"] == "fail"),
        "{report:#}"
    );
}

#[test]
fn an_agent_makes_no_pause_shorter() {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "waits", &[]);
    let by_agent = |arguments: &[&str]| {
        let mut command = home.command(BCH);
        let output = command.env("BACKCHANNEL_AGENT", "bob").env("CLAUDECODE", "1").args(arguments).output();
        succeed(&output.unwrap())
    };
    bob(&home, &["pause"]);
    assert!(by_agent(&["pause", "1s"]).contains("until `bch resume`"));
    bob(&home, &["pause", "1h"]);
    let until = |text: &str| serde_json::from_str::<Value>(text).unwrap()["until"].clone();
    let longer = until(&by_agent(&["pause", "2h", "--json"]));
    assert_eq!(until(&by_agent(&["pause", "1s", "--json"])), longer, "it may be longer, and no shorter");
    assert!(until(&by_agent(&["pause", "--json"])).is_null());
    bob(&home, &["pause", "1s"]);
}

#[test]
fn nothing_of_a_blocked_sender_is_read() {
    let home = Home::with(&["bob", "alice"]);
    let id = home.send("alice", "@bob", "early", &[])["id"].as_str().unwrap().to_owned();
    bob(&home, &["drain"]);
    bob(&home, &["block", "@alice"]);
    assert!(home.recent("bob").is_empty());
    let told = home.as_agent("bob", &["read", &id]);
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(text.contains("@alice is blocked") && text.contains("bch unblock @alice"), "{text}");
    bob(&home, &["unblock", "@alice"]);
    assert_eq!(home.recent("bob").len(), 1);
}
