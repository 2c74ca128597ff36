//! What users and other programs do between setup and uninstall stays, and what is ours goes all the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{UserHome, result};

const SETTINGS: &str = ".gemini/settings.json";
const AGAIN: [&str; 5] = ["setup", "--only", "gemini-cli", "--vehicle", "settings"];

fn settings(home: &UserHome) -> Value {
    serde_json::from_str(&home.read(SETTINGS)).unwrap()
}

/// A home with Gemini CLI set up over these settings.
fn set_up(before: &str) -> UserHome {
    let home = UserHome::new();
    home.write(SETTINGS, before);
    assert!(home.run(&AGAIN).0);
    home
}

fn change(home: &UserHome, change: impl FnOnce(&mut Value)) {
    let mut value = settings(home);
    change(&mut value);
    home.write(SETTINGS, serde_json::to_string(&value).unwrap());
}

#[test]
fn hooks_of_the_user_before_and_after_ours_stay() {
    let home = set_up("{\"a\": 1.0}\n");
    let mine = json!({"hooks": [{"type": "command", "command": "mine"}]});
    change(&home, |value| {
        let groups = value["hooks"]["BeforeAgent"].as_array_mut().unwrap();
        groups.insert(0, mine.clone());
        groups.push(mine.clone());
        value["theme"] = "dark".into();
    });
    let (done, report) = home.run(&AGAIN);
    assert!(done && result(&report, "gemini-cli") == "unchanged", "{report}");
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(settings(&home), json!({"a": 1.0, "hooks": {"BeforeAgent": [mine, mine]}, "theme": "dark"}));
}

#[test]
fn a_group_that_the_user_put_together_with_theirs_gives_ours_back() {
    let home = set_up("{}\n");
    let mine = json!({"type": "command", "command": "mine"});
    change(&home, |value| {
        value["hooks"]["BeforeAgent"][0]["hooks"].as_array_mut().unwrap().insert(0, mine.clone());
    });
    let (done, report) = home.run(&AGAIN);
    assert!(done && result(&report, "gemini-cli") == "unchanged", "{report}");
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(settings(&home), json!({"hooks": {"BeforeAgent": [{"hooks": [mine]}]}}));
}

#[test]
fn what_was_taken_out_by_half_is_put_in_again_and_goes_whole() {
    let home = set_up("{}\n");
    let whole = settings(&home);
    change(&home, |value| {
        value["hooks"].as_object_mut().unwrap().remove("AfterAgent");
        value["mcpServers"]["backchannel"]["args"] = json!(["other"]);
        value["mine"] = json!(true);
    });
    let (_, report) = home.run(&AGAIN);
    assert_eq!(result(&report, "gemini-cli"), "changed");
    let mut wanted = whole;
    wanted["mine"] = json!(true);
    assert_eq!(settings(&home), wanted);
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(settings(&home), json!({"mine": true}));
}

#[test]
fn a_file_that_is_reformatted_keeps_its_new_format() {
    let home = set_up("{\"a\": 1}\n");
    let pretty = serde_json::to_string_pretty(&settings(&home)).unwrap().replace("  ", "\t");
    home.write(SETTINGS, &pretty);
    let (_, report) = home.run(&AGAIN);
    assert_eq!(result(&report, "gemini-cli"), "unchanged");
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(home.read(SETTINGS), "{\n\t\"a\": 1\n}");
}

#[test]
fn a_lost_receipt_leaves_nothing_of_ours_behind() {
    for vehicle in ["settings", "folder"] {
        let home = UserHome::new();
        for directory in [".claude", ".codex", ".gemini"] {
            fs::create_dir(home.file(directory)).unwrap();
        }
        home.write(SETTINGS, "{\"a\": 1}\n");
        home.write(".codex/config.toml", "model = \"m\"\n");
        assert!(home.run(&["setup", "--vehicle", vehicle]).0);
        fs::remove_file(home.file(".local/share/backchannel/receipt.json")).unwrap();
        assert!(home.run(&["uninstall"]).0);
        for (path, text) in home.snapshot() {
            assert!(!text.contains("backchannel"), "{vehicle}: {}: {text}", path.display());
        }
        assert_eq!(settings(&home), json!({"a": 1}));
        assert_eq!(home.read(".codex/config.toml"), "model = \"m\"\n");
    }
}

#[test]
fn another_version_and_another_vehicle_take_the_old_ones_place() {
    let home = UserHome::new();
    home.write(SETTINGS, "{\"a\": 1}\n");
    let before = home.snapshot();
    assert!(home.run(&["setup", "--vehicle", "settings"]).0);
    let by_settings = home.snapshot();
    assert!(home.run(&["setup", "--vehicle", "folder"]).0);
    assert_eq!(home.read(SETTINGS), "{\"a\": 1}\n", "the folder has everything");
    assert!(!home.file(".gemini/skills").exists(), "the skill of its own files, too");
    let by_folder = home.snapshot();
    assert!(home.run(&["setup"]).0);
    assert_eq!(home.snapshot(), by_folder);
    assert!(home.run(&["setup", "--vehicle", "settings"]).0);
    assert_eq!(home.snapshot(), by_settings);
    assert!(home.run(&["setup"]).0);
    assert_eq!(home.snapshot(), by_settings, "what was chosen stays");
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_skill_that_the_user_changed_is_theirs() {
    let home = set_up("{}");
    let skill = ".gemini/skills/backchannel/SKILL.md";
    home.write(skill, "my own words\n");
    let (done, report) = home.run(&AGAIN);
    assert!(done && report.to_string().contains("you changed it"), "{report}");
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(home.read(skill), "my own words\n");
}

#[test]
fn tables_of_a_toml_file_stay_around_ours() {
    for (before, after) in [
        (
            "mcp_servers = { a = { command = \"x\" } }\n",
            "mcp_servers = { a = { command = \"x\" } }\nmodel = \"m\"\n",
        ),
        ("mcp_servers.a.command = \"x\" # c\n", "mcp_servers.a.command = \"x\" # c\nmodel = \"m\"\n"),
        (
            "[mcp_servers.\"a b\"]\r\ncommand = \"x\"",
            "model = \"m\"\n[mcp_servers.\"a b\"]\r\ncommand = \"x\"\r\n",
        ),
    ] {
        let home = UserHome::new();
        home.write(".codex/config.toml", before);
        assert!(home.run(&["setup"]).0, "{before}");
        let text = home.read(".codex/config.toml");
        let value: toml_edit::DocumentMut = text.parse().unwrap();
        assert!(value["mcp_servers"]["backchannel"]["command"].is_str(), "{text}");
        let edited = if after.starts_with("model") {
            format!("model = \"m\"\n{text}")
        } else {
            text.replacen('\n', "\nmodel = \"m\"\n", 1)
        };
        home.write(".codex/config.toml", edited);
        assert!(home.run(&["uninstall"]).0);
        assert_eq!(home.read(".codex/config.toml").trim_end(), after.trim_end(), "{before}");
    }
}

#[test]
fn a_mode_that_the_user_changed_since_stays() {
    let home = set_up("{}\n");
    fs::set_permissions(home.file(SETTINGS), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(home.read(SETTINGS), "{}\n");
    assert_eq!(fs::metadata(home.file(SETTINGS)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn setup_that_mended_a_file_writes_nothing_the_next_time() {
    let home = set_up("{\"a\": 1}\n");
    change(&home, |value| drop(value["hooks"].as_object_mut().unwrap().remove("AfterTool")));
    assert!(home.run(&AGAIN).0);
    let mended = home.snapshot();
    let (_, report) = home.run(&AGAIN);
    assert_eq!(result(&report, "gemini-cli"), "unchanged");
    assert_eq!(home.snapshot(), mended);
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(settings(&home), json!({"a": 1}));
}

#[test]
fn a_folder_in_place_of_the_settings_leaves_no_empty_list_in_them() {
    let home = set_up("{\"a\": 1}\n");
    change(&home, |value| value["mine"] = json!(true));
    assert!(home.run(&["setup", "--only", "gemini-cli", "--vehicle", "folder"]).0);
    assert_eq!(settings(&home), json!({"a": 1, "mine": true}));
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(settings(&home), json!({"a": 1, "mine": true}));
}
