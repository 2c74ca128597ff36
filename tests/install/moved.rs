//! Variables that move a harness's files, and programs that are replaced by those of another version.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use serde_json::Value;

use super::{UserHome, assert_same};
use crate::support::home::{BCH, HOOK};

const FILES: [(&str, &str); 4] = [
    ("moved/claude/settings.json", "{\"a\": 1.0}"),
    ("moved/claude/.claude.json", "{\"numStartups\": 1}\n"),
    ("moved/codex/config.toml", "model = \"m\""),
    ("moved/gemini/.gemini/settings.json", "{\n  // mine\n}\n"),
];
const SETUP: [&str; 5] = ["setup", "--vehicle", "settings", "--yes", "--json"];

fn moved(home: &UserHome, words: &[&str]) -> Command {
    let mut command = home.command(words);
    // One of them relative: what it means must not change with the working directory.
    command.current_dir(home.path()).env("CLAUDE_CONFIG_DIR", "moved/claude");
    command.env("CODEX_HOME", home.file("moved/codex")).env("GEMINI_CLI_HOME", home.file("moved/gemini"));
    command
}

#[test]
fn moved_directories_are_set_up_and_remembered() {
    let home = UserHome::new();
    for (file, text) in FILES {
        home.write(file, text);
    }
    let before = home.snapshot();
    assert!(moved(&home, &["init", "bob"]).output().unwrap().status.success());
    let output = moved(&home, &SETUP).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for (file, _) in FILES {
        assert!(home.read(file).contains("backchannel"), "{file}: {}", home.read(file));
    }
    for directory in [".claude", ".claude.json", ".codex", ".gemini"] {
        assert!(!home.file(directory).exists(), "{directory}");
    }
    // Doctor and uninstall know the places without the variables, wherever they run.
    let report: Value = serde_json::from_slice(&home.bch(&["doctor", "--json"]).stdout).unwrap();
    let bad: Vec<_> =
        report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "fail").collect();
    assert!(bad.iter().all(|check| check["check"] == "trust") && bad.len() == 1, "{bad:#?}");
    assert!(home.run(&["uninstall"]).0);
    assert_same(&home.snapshot(), &before, "after uninstall");
}

#[test]
fn what_was_set_up_elsewhere_is_taken_out_when_the_variable_is_gone() {
    let home = UserHome::new();
    for (file, text) in FILES {
        home.write(file, text);
    }
    home.write(".codex/config.toml", "model = \"n\"\n");
    let before = home.snapshot();
    assert!(moved(&home, &SETUP).output().unwrap().status.success());
    assert!(home.run(&["setup", "--only", "codex"]).0);
    assert_eq!(home.read("moved/codex/config.toml"), "model = \"m\"");
    assert!(home.read(".codex/config.toml").contains("backchannel"));
    assert!(home.run(&["uninstall"]).0);
    assert_same(&home.snapshot(), &before, "after uninstall");
}

#[test]
fn another_version_replaces_the_programs_and_no_line_in_a_harness() {
    let home = UserHome::new();
    for directory in [".claude", ".codex", ".gemini"] {
        fs::create_dir(home.file(directory)).unwrap();
    }
    home.write(".codex/config.toml", "model = \"m\"\n");
    let before = home.snapshot();
    assert!(home.run(&["setup", "--vehicle", "settings"]).0);
    let set_up = home.snapshot();
    // The same programs, as another build: what follows their end is nothing to the loader.
    let build = tempfile::tempdir().unwrap();
    for program in [BCH, HOOK] {
        let copy = build.path().join(program.rsplit('/').next().unwrap());
        fs::copy(program, &copy).unwrap();
        OpenOptions::new().append(true).open(copy).unwrap().write_all(b"another build").unwrap();
    }
    let mut command = Command::new(build.path().join("bch"));
    command.args(SETUP).env_clear().env("HOME", home.path()).env("PATH", "/nowhere").current_dir("/");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_same(&home.snapshot(), &set_up, "after the upgrade");
    for program in ["bch", "bch-hook"] {
        let installed = fs::read(home.file(&format!(".local/share/backchannel/bin/{program}"))).unwrap();
        assert!(installed.ends_with(b"another build"), "{program}");
    }
    assert!(home.run(&["uninstall"]).0);
    assert_same(&home.snapshot(), &before, "after uninstall");
    assert!(!home.file(".local").exists());
}

#[test]
fn where_the_programs_cannot_be_put_no_harness_is_told_of_them() {
    let home = UserHome::new();
    home.write(".gemini/settings.json", "{}");
    home.write(".local/share/backchannel/bin", "no directory");
    let before = home.snapshot();
    let (done, report) = home.run(&["setup"]);
    assert!(!done, "{report}");
    assert_same(&home.snapshot(), &before, "nothing is changed");
}

#[test]
fn paths_that_no_configuration_can_hold_are_refused() {
    let home = UserHome::new();
    fs::create_dir(home.file(".gemini")).unwrap();
    let strange = home.path().join(OsStr::from_bytes(b"strange-\xff"));
    fs::create_dir_all(strange.join(".gemini")).unwrap();
    let before = home.snapshot();
    for name in ["HOME", "BACKCHANNEL_HOME", "XDG_DATA_HOME", "GEMINI_CLI_HOME"] {
        let output = home.command(&["setup", "--yes"]).env(name, &strange).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("UTF-8"), "{name}: {output:?}");
        assert_same(&home.snapshot(), &before, name);
    }
}
