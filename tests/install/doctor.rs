//! `doctor` finds what was planted, with the command that mends it, and nothing where all is well.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::UserHome;

const SETTINGS: &str = ".gemini/settings.json";

fn doctor(home: &UserHome) -> (bool, Vec<Value>) {
    let output = home.bch(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], output.status.success());
    let checks = report["checks"].as_array().unwrap();
    let bad = checks.iter().filter(|check| check["status"] != "ok").cloned().collect();
    (output.status.success(), bad)
}

fn well() -> UserHome {
    let home = UserHome::new();
    home.write(SETTINGS, "{}\n");
    fs::create_dir(home.file(".claude")).unwrap();
    assert!(home.bch(&["init", "bob"]).status.success());
    assert!(home.run(&["setup", "--vehicle", "settings"]).0);
    assert_eq!(doctor(&home), (true, Vec::new()));
    home
}

/// Plants a fault, and expects one check to tell it.
#[track_caller]
fn finds(plant: impl FnOnce(&UserHome), check: &str, detail: &str, status: &str) {
    let home = well();
    plant(&home);
    let (ok, bad) = doctor(&home);
    let found = bad.iter().find(|found| found["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check}: {bad:?}"));
    assert!(found["detail"].as_str().unwrap().contains(detail), "{found}");
    assert!(!found["hint"].as_str().unwrap().is_empty());
    assert_eq!((found["status"].as_str().unwrap(), ok), (status, status == "warn"), "{bad:?}");
    let output = home.bch(&["doctor"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("hint: ") && text.contains(detail), "{text}");
}

fn change(home: &UserHome, file: &str, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&home.read(file)).unwrap();
    change(&mut value);
    home.write(file, value.to_string());
}

#[test]
fn doctor_finds_changed_missing_and_repeated_entries() {
    let edit = |edit: fn(&mut Value)| move |home: &UserHome| change(home, SETTINGS, edit);
    finds(
        edit(|value| drop(value["hooks"].as_object_mut().unwrap().remove("AfterAgent"))),
        "entries",
        "missing",
        "fail",
    );
    finds(
        edit(|value| value["hooks"]["BeforeAgent"][0]["hooks"][0]["timeout"] = 1.into()),
        "entries",
        "changed",
        "fail",
    );
    finds(
        edit(|value| value["mcpServers"]["backchannel"]["command"] = "/old".into()),
        "entries",
        "changed",
        "fail",
    );
    let twice = |value: &mut Value| {
        let groups = value["hooks"]["BeforeAgent"].as_array_mut().unwrap();
        groups.push(groups[0].clone());
    };
    finds(edit(twice), "entries", "twice", "fail");
    finds(|home| drop(home.write(SETTINGS, "{\"hooks\": [,]}")), "entries", ":1:", "fail");
    finds(|home| fs::remove_file(home.file(".gemini/GEMINI.md")).unwrap(), "entries", "GEMINI.md", "fail");
    finds(
        |home| drop(home.write(".gemini/skills/backchannel/SKILL.md", "mine")),
        "entries",
        "changed",
        "warn",
    );
}

#[test]
fn doctor_finds_hooks_that_are_switched_off() {
    finds(
        |home| change(home, ".claude/settings.json", |value| value["disableAllHooks"] = true.into()),
        "switched off",
        "disableAllHooks",
        "fail",
    );
    finds(
        |home| change(home, SETTINGS, |value| value["hooksConfig"] = serde_json::json!({"enabled": false})),
        "switched off",
        "hooksConfig.enabled",
        "fail",
    );
    finds(
        |home| {
            change(home, SETTINGS, |value| {
                value["hooksConfig"] = serde_json::json!({"disabled": ["backchannel"]})
            })
        },
        "switched off",
        "hooksConfig.disabled",
        "fail",
    );
}

#[test]
fn doctor_finds_missing_programs_open_modes_bad_messages_and_the_first_version() {
    let bin = ".local/share/backchannel/bin/bch-hook";
    finds(|home| fs::remove_file(home.file(bin)).unwrap(), "programs", "bch-hook", "fail");
    let open = |home: &UserHome| {
        fs::set_permissions(home.file(".backchannel/config.json"), fs::Permissions::from_mode(0o644))
            .unwrap();
    };
    finds(open, "modes", "open to others", "warn");
    finds(|home| drop(home.write(".backchannel/spool/bob/new/x.json", "{")), "bad message", "x.json", "warn");
    let old = |home: &UserHome| {
        change(home, ".claude/settings.json", |value| {
            let group =
                serde_json::json!({"hooks": [{"type": "command", "command": "bch drain --hook --match x"}]});
            value["hooks"]["UserPromptSubmit"].as_array_mut().unwrap().push(group);
        });
    };
    finds(old, "first version", "first version", "fail");
    finds(|home| fs::create_dir(home.file(".codex")).unwrap(), "set up", "not set up", "fail");
}
