//! `bch harnesses`: what is here, how mail reaches it, and what was proven.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::UserHome;
use super::doctor::well_by;
use crate::support::home::succeed;

fn rows(home: &UserHome) -> Vec<Value> {
    serde_json::from_str(&succeed(&home.bch(&["harnesses", "--json"]))).unwrap()
}

fn row(home: &UserHome, id: &str) -> Value {
    rows(home).into_iter().find(|row| row["id"] == id).unwrap()
}

#[test]
fn a_machine_without_any_of_ours_shows_what_could_be() {
    let home = UserHome::new();
    fs::create_dir(home.file(".codex")).unwrap();
    let ids: Vec<_> = rows(&home).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["claude-code", "codex", "gemini-cli"]);
    let codex = row(&home, "codex");
    assert_eq!(
        (&codex["found"], &codex["delivery"], &codex["tools"]),
        (&true.into(), &Value::Null, &false.into())
    );
    let text = succeed(&home.bch(&["harnesses"]));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "HARNESS      VERSION  MAIL ARRIVES  PROVEN");
    assert_eq!(lines[1], "Claude Code  -        not here");
    assert_eq!(lines[2], "Codex        unknown  not set up");
    assert_eq!(lines.last(), Some(&"set up what is here: bch setup"));
    assert!(!home.file(".backchannel").exists() && !home.file(".local").exists(), "it only looks");
}

#[test]
fn what_setup_chose_and_doctor_proved_is_told_until_the_harness_is_taken_out() {
    let home = well_by("folder");
    assert!(home.run(&["setup", "--only", "gemini-cli", "--identity", "gemini-cli=bob-gemini"]).0);
    let gemini = row(&home, "gemini-cli");
    assert_eq!((&gemini["delivery"], &gemini["agent"]), (&"folder".into(), &"bob-gemini".into()));
    assert_eq!((&gemini["tools"], &gemini["proven"]), (&true.into(), &Value::Null));
    let text = succeed(&home.bch(&["harnesses"]));
    assert!(text.contains("by a folder of ours, as @bob-gemini  not yet\n"), "{text}");
    succeed(&home.bch(&["doctor", "--prove"]));
    assert_eq!(row(&home, "claude-code")["proven"]["ok"], true);
    assert_eq!(row(&home, "claude-code")["proven"]["by"], "hook");
    let text = succeed(&home.bch(&["harnesses"]));
    assert!(text.contains("  by its hooks, less than a minute ago\n"), "{text}");
    assert!(!text.contains("bch "), "nothing is left to do: {text}");

    assert!(home.run(&["uninstall", "--only", "gemini-cli"]).0);
    let gemini = row(&home, "gemini-cli");
    assert_eq!((&gemini["delivery"], &gemini["proven"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_proof_that_failed_or_cannot_be_read_is_no_proof() {
    let home = well_by("settings");
    let proof = |ok: bool, version: &str| {
        format!(
            r#"{{"claude-code": {{"when": "2026-01-01T00:00:00Z", "version": {version}, "by": "live", "ok": {ok}}}}}"#
        )
    };
    for (written, wanted) in
        [(proof(true, "null"), "  live, "), (proof(false, "null"), "  NO\n"), ("{".to_owned(), "  not yet\n")]
    {
        home.write(".backchannel/proven.json", written);
        let text = succeed(&home.bch(&["harnesses"]));
        let line = text.split_inclusive('\n').find(|line| line.starts_with("Claude Code")).unwrap();
        assert!(line.contains(wanted), "{text}");
        assert!(
            text.ends_with("\nprove that mail arrives: bch doctor --prove\n"),
            "Gemini CLI is not proven: {text}"
        );
    }
}

#[test]
fn what_was_proven_of_an_older_version_holds_for_that_alone() {
    let home = well_by("folder");
    home.write("package/package.json", r#"{"name": "@google/gemini-cli", "version": "2.0.0"}"#);
    let program = home.write("package/bin/gemini", "#!/bin/sh\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for (version, wanted) in [("1.0.0", "  by its hooks, for 1.0.0 only\n"), ("2.0.0", " ago\n")] {
        let proof = format!(
            r#"{{"gemini-cli": {{"when": "2026-01-01T00:00:00Z", "version": "{version}", "by": "hook", "ok": true}}}}"#
        );
        home.write(".backchannel/proven.json", proof);
        let output = home.command(&["harnesses"]).env("PATH", program.parent().unwrap()).output().unwrap();
        let text = succeed(&output);
        let line = text.split_inclusive('\n').find(|line| line.starts_with("Gemini CLI   2.0.0 ")).unwrap();
        assert!(line.ends_with(wanted), "{text}");
    }
}
