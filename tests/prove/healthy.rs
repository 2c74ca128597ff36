//! On a healthy machine nothing is found, nobody's mail is touched, and nothing is left.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{canaries, prove, send, waiting};
use crate::install::assert_same;
use crate::install::doctor::{Diagnosis, UserHome, codex, well_by};

/// What every proof of a harness looks at.
const PROVEN: [&str; 6] = ["prompt", "urgent", "end of turn", "session", "cost", "tools"];

#[track_caller]
fn expect_proof(found: &Diagnosis, harness: &str) {
    for name in PROVEN {
        let is_meant = |check: &&Value| check["harness"] == harness && check["check"] == name;
        let check = found.all.iter().find(is_meant).unwrap_or_else(|| panic!("{harness}: no {name}"));
        assert_eq!(check["status"], "ok", "{check}");
        assert!(check["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{check}");
    }
}

fn remembered(home: &UserHome, harness: &str) -> Value {
    let proven: Value = serde_json::from_str(&home.read(".backchannel/proven.json")).unwrap();
    proven[harness].clone()
}

#[test]
fn a_proof_finds_nothing_and_leaves_the_mail_alone() {
    for vehicle in ["settings", "folder"] {
        let home = well_by(vehicle);
        send(&home, "for bob alone");
        let before = home.snapshot_of_all();
        let found = prove(&home);
        assert!(found.ok && found.bad.is_empty(), "{vehicle}: {:#?}", found.bad);
        for harness in ["claude-code", "gemini-cli"] {
            expect_proof(&found, harness);
            let proof = remembered(&home, harness);
            assert_eq!((&proof["by"], &proof["ok"]), (&"hook".into(), &true.into()), "{proof}");
        }
        let cost = found.find("cost", "a message of a line adds");
        assert!(cost["detail"].as_str().unwrap().contains(" tokens)"), "{cost}");
        assert_eq!(waiting(&home), (vec!["for bob alone".to_owned()], 0));
        let mut after = home.snapshot_of_all();
        assert!(after.remove(Path::new(".backchannel/proven.json")).is_some());
        assert_same(&after, &before, vehicle);
    }
}

#[test]
fn in_codex_only_its_users_trust_is_missing() {
    let home = codex();
    let found = prove(&home);
    expect_proof(&found, "codex");
    let bad: Vec<_> = found.bad.iter().map(|check| &check["check"]).collect();
    assert_eq!(bad, ["trust"], "{:#?}", found.bad);
    assert_eq!(remembered(&home, "codex")["ok"], false, "a hook that is skipped brings nothing");
}

/// Neither a harness around doctor nor its user's pause changes what is installed.
#[test]
fn a_proof_within_a_harness_and_in_a_pause_is_the_same() {
    let home = well_by("settings");
    let mut command = home.command(&["doctor", "--prove", "--json"]);
    let around = [
        ("CLAUDECODE", "1"),
        ("CLAUDE_CODE_SESSION_ID", "another"),
        ("CLAUDE_CODE_SESSION_ATTENDED", "0"),
        ("GEMINI_SESSION_ID", "another"),
        ("BACKCHANNEL_CANARY", "alice"),
    ];
    let found = Diagnosis::of(&command.envs(around).output().unwrap());
    assert!(found.ok && found.bad.is_empty(), "{:#?}", found.bad);
    assert!(home.bch(&["pause"]).status.success());
    let found = prove(&home);
    expect_proof(&found, "claude-code");
    assert_eq!(found.bad.iter().map(|check| &check["check"]).collect::<Vec<_>>(), ["attention"]);
}

#[test]
fn in_a_pipe_each_check_is_a_plain_line() {
    let home = well_by("folder");
    let temporary = home.file("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut command = home.command(&["doctor", "--prove"]);
    let output = command.env("CLICOLOR_FORCE", "1").env("TMPDIR", &temporary).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains('\x1b'), "{text}");
    let line = text.lines().find(|line| line.starts_with("  ok    prompt: UserPromptSubmit puts")).unwrap();
    assert!(line.ends_with(" ms"), "{line}");
    assert!(text.ends_with("all is well\n"), "{text}");
    assert!(fs::read_dir(temporary).unwrap().next().is_none(), "transcripts are left");
    assert!(canaries(&home).is_empty());
}
