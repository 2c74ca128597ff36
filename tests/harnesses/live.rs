//! `doctor --live` with the real programs: it passes where all is well, finds what only the harness itself shows,
//! leaves nothing of its prompt, and reaches nothing but its own model.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::trust::trust_all;
use super::{Stage, id};
use crate::support::harness::Harness;
use crate::support::home::BCH;
use crate::support::is_left_out;

/// A harness that setup alone configured, with its user's trust where it wants that.
fn stage(harness: Harness, vehicle: &str) -> Option<Stage> {
    let stage = Stage::bare(harness)?;
    stage.bch(&["setup", "--yes", "--only", id(harness), "--vehicle", vehicle]);
    if harness == Harness::Codex {
        trust_all(&stage);
    }
    Some(stage)
}

/// A program in the environment of the harness's user, who trusts the working directory.
fn command(stage: &Stage, program: &str) -> Command {
    let mut command = stage.home.command(program);
    let programs = stage.harness.program().unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.parent().unwrap().display());
    command.env("HOME", stage.harness_home.path()).env("PATH", path).env("LANG", "C.UTF-8");
    command.env("GEMINI_CLI_TRUST_WORKSPACE", "true");
    command
}

/// What doctor finds of this harness that is not well, and its check of the run itself.
fn live(stage: &Stage, mut command: Command) -> (Vec<Value>, Value) {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"));
    let checks = report["checks"].as_array().unwrap().iter();
    // The other programs are on the path, too, and not set up.
    let own: Vec<_> = checks.filter(|check| check["harness"] == id(stage.harness)).cloned().collect();
    let run = own.iter().find(|check| check["check"] == "live").unwrap_or_else(|| panic!("{own:#?}")).clone();
    (own.into_iter().filter(|check| check["status"] != "ok").collect(), run)
}

fn doctor(stage: &Stage) -> (Vec<Value>, Value) {
    let mut command = command(stage, BCH);
    command.args(["doctor", "--live", "--json"]);
    live(stage, command)
}

/// The files below a directory whose text holds this.
fn holding(directory: &Path, text: &str) -> Vec<PathBuf> {
    let (mut found, mut directories) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                directories.push(path);
            } else if fs::read(&path)
                .is_ok_and(|bytes| memchr::memmem::find(&bytes, text.as_bytes()).is_some())
            {
                found.push(path);
            }
        }
    }
    found
}

fn a_healthy_one_passes_and_reaches_its_model_alone(harness: Harness) {
    let strace = Command::new("strace").arg("-V").output();
    if is_left_out(strace.map(drop).map_err(|error| format!("strace is not installed: {error}"))) {
        return;
    }
    let Some(stage) = stage(harness, "folder") else { return };
    stage.home.send("alice", "@bob", "for bob alone", &[]);
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut traced = command(&stage, "strace");
    traced.args(["-f", "-qq", "-e", "trace=connect,sendto", "-o"]).arg(trace.path());
    traced.args([BCH, "doctor", "--live", "--json"]);
    // What would lead it elsewhere, and a name that only a resolver could answer.
    for name in ["HTTPS_PROXY", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"] {
        traced.env(name, "http://192.0.2.1:9");
    }
    let (bad, run) = live(&stage, traced);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(run["status"], "ok", "{run}");
    assert!(run["ms"].as_f64().is_some_and(|ms| ms > 100.0), "{run}");
    let trace = fs::read_to_string(trace.path()).unwrap();
    let reached: Vec<_> = trace.lines().filter(|line| line.contains("AF_INET")).collect();
    assert!(!reached.is_empty());
    for line in reached {
        assert!(line.contains("127.0.0.1") || line.contains("::1"), "{line}");
    }
    assert_eq!(stage.home.unread("bob").len(), 1);
    assert!(stage.claimed().is_empty());
    let proven: Value =
        serde_json::from_slice(&fs::read(stage.home.path().join("proven.json")).unwrap()).unwrap();
    let proof = &proven[id(harness)];
    assert_eq!((&proof["by"], &proof["ok"]), (&"live".into(), &true.into()), "{proof}");
    assert!(!stage.home.path().join("live").exists());
    assert!(holding(&stage.home.path(), "canary-").is_empty());
    // Gemini CLI has no flag that keeps it from writing its session down.
    if harness != Harness::GeminiCli {
        let mut left = holding(stage.harness_home.path(), "bch doctor --prove");
        left.retain(|path| !path.ends_with("backchannel/bin/bch"));
        assert_eq!(left, Vec::<PathBuf>::new());
    }
}

fn an_unreachable_hook_is_found(harness: Harness, vehicle: &str, plant: impl FnOnce(&Stage), step: &str) {
    let Some(stage) = stage(harness, vehicle) else { return };
    plant(&stage);
    let (bad, run) = doctor(&stage);
    assert_eq!(run["status"], "fail", "{run}");
    assert!(run["detail"].as_str().unwrap().contains("without the message that waits"), "{run}");
    assert!(run["hint"].as_str().unwrap().contains(step), "{run}");
    assert!(bad.contains(&run));
    assert!(holding(&stage.home.path(), "canary-").is_empty());
}

/// Nothing in our own files tells it: the user's settings say that the plugin is off.
#[test]
fn a_plugin_that_its_user_switched_off_is_found() {
    let off = |stage: &Stage| {
        let settings = json!({"enabledPlugins": {"backchannel@skills-dir": false}});
        fs::write(stage.harness_home.path().join(".claude/settings.json"), settings.to_string()).unwrap();
    };
    an_unreachable_hook_is_found(Harness::ClaudeCode, "folder", off, "/plugin");
}

#[test]
fn an_extension_that_its_user_switched_off_is_found() {
    let off = |stage: &Stage| {
        let program = Harness::GeminiCli.program().unwrap();
        let mut command = command(stage, program.to_str().unwrap());
        let output = command.args(["extensions", "disable", "backchannel"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        // It is for what lies below its user's home; here the mail's home lies beside that.
        let rules = stage.harness_home.path().join(".gemini/extensions/extension-enablement.json");
        let text = fs::read_to_string(&rules).unwrap();
        fs::write(rules, text.replace(stage.harness_home.path().to_str().unwrap(), "")).unwrap();
    };
    an_unreachable_hook_is_found(Harness::GeminiCli, "folder", off, "/extensions");
}

#[test]
fn a_hook_that_changed_since_it_was_trusted_is_found() {
    let change = |stage: &Stage| {
        let hooks = stage.harness_home.path().join(".codex/hooks.json");
        let text = fs::read_to_string(&hooks).unwrap();
        fs::write(&hooks, text.replace(" codex UserPromptSubmit ", " codex  UserPromptSubmit ")).unwrap();
    };
    an_unreachable_hook_is_found(Harness::Codex, "settings", change, "/hooks");
}

/// A comma too many in a file that is none of ours: Gemini CLI asks no model, and says why.
#[test]
fn a_harness_that_does_not_start_is_found_with_its_own_words() {
    let Some(stage) = stage(Harness::GeminiCli, "folder") else { return };
    fs::write(stage.harness_home.path().join(".gemini/settings.json"), "{\"ui\": {},}").unwrap();
    let (_, run) = doctor(&stage);
    assert_eq!(run["status"], "fail", "{run}");
    assert!(run["detail"].as_str().unwrap().contains("asked no model: exit status: "), "{run}");
}

/// What nothing of ours goes before: it is not tried.
#[test]
fn a_harness_whose_administrator_names_its_provider_is_not_run() {
    let Some(stage) = stage(Harness::GeminiCli, "folder") else { return };
    let system = stage.home.work().join("system.json");
    fs::write(&system, r#"{"security": {"auth": {"selectedType": "vertex-ai"}}}"#).unwrap();
    let mut command = command(&stage, BCH);
    command.args(["doctor", "--live", "--json"]).env("GEMINI_CLI_SYSTEM_SETTINGS_PATH", &system);
    let (_, run) = live(&stage, command);
    assert_eq!(run["status"], "warn", "{run}");
    assert!(run["detail"].as_str().unwrap().contains("sets `security.auth`"), "{run}");
    let proven = fs::read(stage.home.path().join("proven.json")).unwrap();
    let proven: Value = serde_json::from_slice(&proven).unwrap();
    assert_eq!(proven["gemini-cli"]["by"], "hook", "{proven}");
}

for_each_harness! {
    a_healthy_one_passes_and_reaches_its_model_alone:
        live_passes_in_claude_code,
        live_passes_in_codex,
        live_passes_in_gemini_cli;
}
