//! Harnesses with an agent of their own.

use serde_json::{Value, json};

use super::{UserHome, assert_same, result};
use crate::support::home::{feed, succeed};

fn home() -> UserHome {
    let home = UserHome::new();
    home.write(".claude/settings.json", "{\"a\": 1.0}");
    home.write(".codex/config.toml", "model = \"m\"\r\n");
    home.write(".gemini/settings.json", "{\n  // mine\n}\n");
    succeed(&home.bch(&["init", "bob"]));
    home
}

fn checks(home: &UserHome, harness: &str) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&home.bch(&["doctor", "--json"]).stdout).unwrap();
    report["checks"].as_array().unwrap().iter().filter(|check| check["harness"] == harness).cloned().collect()
}

fn refused(home: &UserHome, arguments: &[&str]) -> String {
    let before = home.everything();
    let output = home.bch(&[&["setup", "--yes"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert_same(&home.everything(), &before, "a refusal writes nothing");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_harness_gets_an_agent_of_its_own_and_keeps_it() {
    let home = home();
    let before = home.snapshot();
    assert!(home.run(&["setup", "--identity", "codex=bob-codex", "--identity", "gemini-cli=bob-gemini"]).0);
    assert!(home.read(".codex/hooks.json").contains(" --agent bob-codex --home "));
    assert!(home.read(".codex/config.toml").contains("\"--agent\", \"bob-codex\""));
    assert!(
        home.read(".gemini/extensions/backchannel/hooks/hooks.json").contains(" --agent bob-gemini --home ")
    );
    assert!(!home.read(".claude/skills/backchannel/hooks/hooks.json").contains("--agent"));
    let agents: Value = serde_json::from_slice(&home.bch(&["agents", "--json"]).stdout).unwrap();
    let names: Vec<_> = agents.as_array().unwrap().iter().map(|agent| agent["name"].clone()).collect();
    assert_eq!(names, ["bob", "bob-codex", "bob-gemini"]);
    // What the installed line shows is that agent's mail, and no other's.
    succeed(&home.bch(&["send", "@bob-codex", "for codex"]));
    let hooks: Value = serde_json::from_str(&home.read(".codex/hooks.json")).unwrap();
    let line = hooks["hooks"]["UserPromptSubmit"][0]["hooks"][0]["command"].as_str().unwrap();
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", line]).env_clear().env("HOME", home.path()).current_dir("/");
    let payload = json!({"hook_event_name": "UserPromptSubmit", "session_id": "s", "cwd": "/", "prompt": "go", "model": "m"});
    let shown = succeed(&feed(&mut shell, payload.to_string().as_bytes()));
    assert!(shown.contains("for codex") && shown.contains("@bob-codex"), "{shown}");
    // A later setup need not be told again.
    let (is_well, report) = home.run(&["setup"]);
    assert!(
        is_well && ["claude-code", "codex", "gemini-cli"].iter().all(|id| result(&report, id) == "unchanged")
    );
    for id in ["codex", "gemini-cli"] {
        let faults: Vec<_> = checks(&home, id)
            .into_iter()
            .filter(|check| check["status"] == "fail" && check["check"] != "trust")
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
    assert!(
        checks(&home, "codex")
            .iter()
            .any(|check| check["detail"].as_str().unwrap().starts_with("@bob-codex, its own"))
    );
    assert!(home.run(&["setup", "--identity", "codex="]).0);
    assert!(!home.read(".codex/hooks.json").contains("--agent"));
    assert!(home.read(".gemini/extensions/backchannel/hooks/hooks.json").contains("bob-gemini"));
    assert!(home.run(&["uninstall"]).0);
    assert_same(&home.snapshot(), &before, "after uninstall");
}

#[test]
fn doctor_tells_of_an_identity_that_is_gone_and_mends_its_entries() {
    let home = home();
    assert!(home.run(&["setup", "--identity", "claude-code=bob-claude"]).0);
    let hooks = ".claude/skills/backchannel/hooks/hooks.json";
    let written = home.read(hooks);
    assert!(written.contains(" --agent bob-claude"));
    std::fs::remove_file(home.file(hooks)).unwrap();
    home.bch(&["doctor", "--fix"]);
    assert_eq!(home.read(hooks), written, "--fix knows the identity");
    succeed(&home.bch(&["unregister", "bob-claude"]));
    let check = checks(&home, "claude-code").into_iter().find(|check| check["check"] == "agent").unwrap();
    assert_eq!(
        (&check["status"], &check["hint"]),
        (&json!("fail"), &json!("BACKCHANNEL_AGENT=bob-claude bch init bob-claude"))
    );
}

#[test]
fn what_cannot_be_an_identity_is_refused_before_anything_is_written() {
    let home = home();
    for (arguments, wanted) in [
        (&["--identity", "codex"][..], "hint: bch setup --identity codex=bob-codex"),
        (&["--identity", "codex=../x"], "is not a name"),
        (&["--identity", "nosuch=x"], "there is no harness `nosuch`"),
        (&["--identity", "codex=Alice"], "hint: bch setup --identity codex=alice"),
        (&["--identity", "codex=a", "--identity", "codex=b"], "is given an agent twice"),
        (&["--only", "claude-code", "--identity", "codex=x"], "`--only` leaves it out"),
    ] {
        let said = refused(&home, arguments);
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
    std::fs::remove_dir_all(home.file(".codex")).unwrap();
    assert!(refused(&home, &["--identity", "codex=x"]).contains("it is not here"));
}
