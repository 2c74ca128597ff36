//! What setup wrote into the harnesses' files, by every choice that setup has.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{CLAUDE, FOLDER, GEMINI, UserHome, change, codex, doctor, doctor_in, finds, group, well_by};

const AGAIN: &str = "bch setup --only gemini-cli";

#[test]
fn doctor_finds_changed_missing_and_repeated_entries() {
    let edit = |edit: fn(&mut Value)| move |home: &UserHome| change(home, GEMINI, edit);
    finds(
        edit(|value| drop(value["hooks"].as_object_mut().unwrap().remove("AfterAgent"))),
        "entries",
        "1 of our 6 entries are missing",
        "fail",
        AGAIN,
    );
    finds(
        edit(|value| value["hooks"]["BeforeAgent"][0]["hooks"][0]["timeout"] = 1.into()),
        "entries",
        "1 of our entries were changed",
        "fail",
        AGAIN,
    );
    finds(
        edit(|value| value["mcpServers"]["backchannel"]["command"] = "/old".into()),
        "entries",
        "changed",
        "fail",
        AGAIN,
    );
    let twice = |value: &mut Value| {
        let groups = value["hooks"]["BeforeAgent"].as_array_mut().unwrap();
        groups.push(groups[0].clone());
    };
    finds(edit(twice), "entries", "twice", "fail", AGAIN);
    finds(|home| drop(home.write(GEMINI, "{\"hooks\": [,]}")), "entries", ":1:12:", "fail", "+1 ");
    finds(
        |home| fs::remove_file(home.file(".gemini/GEMINI.md")).unwrap(),
        "entries",
        "GEMINI.md",
        "fail",
        AGAIN,
    );
    let mine = |home: &UserHome| drop(home.write(".gemini/skills/backchannel/SKILL.md", "mine"));
    finds(mine, "entries", "SKILL.md was changed", "warn", "rm ");
}

#[test]
fn doctor_finds_harnesses_that_are_not_set_up_and_hooks_of_the_first_version() {
    let codex = |home: &UserHome| fs::create_dir(home.file(".codex")).unwrap();
    finds(codex, "set up", "Codex is not set up", "fail", "bch setup --only codex");
    let old = |home: &UserHome| {
        change(home, CLAUDE, |value| {
            let groups = value["hooks"]["UserPromptSubmit"].as_array_mut().unwrap();
            groups.push(group("bch drain --hook --match x"));
        });
    };
    finds(old, "first version", "takes our mail", "fail", "bch setup --only claude-code");
}

#[test]
fn a_folder_that_was_changed_or_that_is_of_another_version_is_told() {
    let home = well_by("folder");
    change(&home, &format!("{FOLDER}/hooks/hooks.json"), |value| drop(value["hooks"].take()));
    doctor(&home).expect("entries", "hooks.json was changed", "fail", "rm ");
    let home = well_by("folder");
    home.write(&format!("{FOLDER}/skills/backchannel/SKILL.md"), "in my words");
    doctor(&home).expect("entries", "SKILL.md was changed", "warn", "rm ");
    // What setup wrote and this version would write otherwise.
    let home = well_by("folder");
    let file = format!("{FOLDER}/.claude-plugin/plugin.json");
    let before = home.read(&file);
    home.write(&file, before.replace("\"version\": \"", "\"version\": \"0.0."));
    let receipt = ".local/share/backchannel/receipt.json";
    let written = |home: &UserHome| {
        let receipt: Value = serde_json::from_str(&home.read(receipt)).unwrap();
        let records = receipt["records"].as_array().unwrap().clone();
        let record = records.iter().find(|record| record["path"].as_str().unwrap().ends_with("plugin.json"));
        record.unwrap()["written"].as_str().unwrap().to_owned()
    };
    let text = home.read(receipt);
    let fingerprint = backchannel::install::Fingerprint::of(home.read(&file).as_bytes());
    let fingerprint = serde_json::to_value(fingerprint).unwrap();
    home.write(receipt, text.replace(&written(&home), fingerprint.as_str().unwrap()));
    doctor(&home).expect("entries", "of another version", "warn", "bch setup --only claude-code");
}

#[test]
fn every_choice_of_setup_is_known_again() {
    for vehicle in ["settings", "folder"] {
        for approval in [&[][..], &["--approve-tools"]] {
            let home = well_by(vehicle);
            assert!(home.run(&[&["setup", "--vehicle", vehicle], approval].concat()).0);
            let found = doctor(&home);
            assert!(found.bad.is_empty(), "{vehicle}, {approval:?}: {:#?}", found.bad);
        }
    }
    let home = codex();
    assert!(home.run(&["setup", "--approve-tools"]).0);
    assert_eq!(doctor(&home).bad.len(), 1, "the trust alone");
}

#[test]
fn hooks_that_read_another_home_are_told_and_not_called_changed() {
    for vehicle in ["settings", "folder"] {
        let home = well_by(vehicle);
        let other = home.file("other");
        let variables = [("BACKCHANNEL_HOME", other.to_str().unwrap())];
        let init = home.command(&["init", "eve"]).envs(variables).output().unwrap();
        assert!(init.status.success());
        let found = doctor_in(&home, home.path(), &variables);
        found.expect("home", ".backchannel, not in", "fail", "BACKCHANNEL_HOME=");
        assert!(!found.bad.iter().any(|check| check["check"] == "entries"), "{:#?}", found.bad);
    }
}

#[test]
fn a_key_for_which_codex_refuses_its_hooks_is_told() {
    let home = codex();
    change(&home, ".codex/hooks.json", |value| value["$schema"] = "x".into());
    doctor(&home).expect("entries", "refuses all of it for the key `$schema`", "fail", "hooks.json");
}

#[test]
fn a_version_that_does_not_load_our_folder_is_told() {
    let home = well_by("folder");
    let install = |version: &str| {
        let package = json!({"name": "@anthropic-ai/claude-code", "version": version});
        home.write("npm/claude-code/package.json", package.to_string());
        let program = home.write("npm/claude-code/cli.js", "");
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    };
    install("2.1.156");
    fs::create_dir_all(home.file("npm/bin")).unwrap();
    symlink("../claude-code/cli.js", home.file("npm/bin/claude")).unwrap();
    let path = home.file("npm/bin");
    let run = || doctor_in(&home, home.path(), &[("PATH", path.to_str().unwrap())]);
    run().expect("version", "does not load our folder", "fail", "--vehicle settings");
    install("2.1.157");
    assert_eq!(run().find("version", "Claude Code")["detail"], "Claude Code 2.1.157");
    assert!(run().ok);
}
