//! What is ours and what is not, where the two lie close together: files that are linked, entries that look alike,
//! receipts that are lost, setups that were killed.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use super::{UserHome, assert_same, result};

const SETTINGS: &str = ".claude/settings.json";

fn directories(home: &UserHome) {
    for directory in [".claude", ".codex", ".gemini"] {
        fs::create_dir_all(home.file(directory)).unwrap();
    }
}

fn value(home: &UserHome, file: &str) -> Value {
    serde_json::from_str(&home.read(file)).unwrap()
}

#[test]
fn one_file_of_rules_for_two_harnesses_gets_one_section_and_gives_it_back() {
    for vehicle in ["settings", "folder"] {
        let home = UserHome::new();
        directories(&home);
        home.write("rules.md", "# Rules\n");
        symlink("../rules.md", home.file(".codex/AGENTS.md")).unwrap();
        symlink("../rules.md", home.file(".gemini/GEMINI.md")).unwrap();
        let before = home.snapshot();
        assert!(home.run(&["setup", "--vehicle", vehicle]).0);
        assert_eq!(home.read("rules.md").matches("backchannel:begin").count(), 1);
        assert!(home.run(&["uninstall", "--only", "gemini-cli"]).0);
        assert_eq!(home.read("rules.md").matches("backchannel:begin").count(), 1, "it is Codex's, too");
        assert!(home.run(&["setup", "--vehicle", vehicle]).0);
        assert!(home.run(&["uninstall"]).0);
        assert_same(&home.snapshot(), &before, vehicle);
    }
}

#[test]
fn permissions_that_look_like_ours_are_the_users() {
    for words in [
        &["setup"][..],
        &["setup", "--approve-tools"],
        &["setup", "--vehicle", "settings", "--approve-tools"],
    ] {
        let home = UserHome::new();
        let mine = ["Bash(ls)", "mcp__backchannel__bch_inbox", "mcp__backchannel-dev__x", "mcp__backchannel"];
        home.write(SETTINGS, json!({"permissions": {"allow": mine}}).to_string());
        let before = home.snapshot();
        assert!(home.run(words).0);
        assert!(home.run(&["uninstall"]).0);
        assert_same(&home.snapshot(), &before, &format!("{words:?}"));
        assert!(home.run(words).0);
        let mut settings = value(&home, SETTINGS);
        settings["mine"] = json!(true);
        home.write(SETTINGS, settings.to_string());
        assert!(home.run(&["uninstall"]).0);
        assert_eq!(
            value(&home, SETTINGS),
            json!({"permissions": {"allow": mine}, "mine": true}),
            "{words:?}"
        );
    }
}

#[test]
fn a_file_and_a_directory_that_were_put_behind_links_since_keep_our_entries_and_lose_them() {
    let home = UserHome::new();
    directories(&home);
    home.write(".codex/config.toml", "model = \"m\"\n");
    home.write(SETTINGS, "{\"a\": 1.0}");
    let setup = ["setup", "--vehicle", "settings"];
    assert!(home.run(&setup).0);
    fs::create_dir(home.file("dotfiles")).unwrap();
    fs::rename(home.file(".codex/config.toml"), home.file("dotfiles/config.toml")).unwrap();
    symlink("../dotfiles/config.toml", home.file(".codex/config.toml")).unwrap();
    fs::rename(home.file(".claude"), home.file("dotfiles/claude")).unwrap();
    symlink("dotfiles/claude", home.file(".claude")).unwrap();
    let linked = home.snapshot();
    for round in 0..2 {
        assert!(home.run(&setup).0);
        assert_same(&home.snapshot(), &linked, &format!("round {round}"));
    }
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(home.read("dotfiles/config.toml"), "model = \"m\"\n");
    assert_eq!(home.read("dotfiles/claude/settings.json"), "{\"a\": 1.0}");
    assert!(!home.file(".local").exists());
}

#[test]
fn a_program_of_ours_that_is_a_link_to_a_build_becomes_a_file_and_the_build_stays() {
    let home = UserHome::new();
    directories(&home);
    assert!(home.run(&["setup"]).0);
    let (program, build) = (home.file(".local/share/backchannel/bin/bch-hook"), home.write("build", "mine"));
    fs::remove_file(&program).unwrap();
    symlink(&build, &program).unwrap();
    assert!(home.bch(&["setup", "--dry-run"]).status.success());
    assert!(program.is_symlink(), "a plan changes nothing");
    assert!(home.run(&["setup"]).0);
    assert!(!program.is_symlink() && fs::read(&program).unwrap().len() > 1000);
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(home.read("build"), "mine");
    assert!(!home.file(".local").exists());
}

#[test]
fn a_second_setup_in_a_linked_home_keeps_the_programs() {
    let home = UserHome::new();
    directories(&home);
    symlink(home.path(), home.file("link")).unwrap();
    let run = |word: &str| {
        let output = home.command(&[word, "--yes"]).env("HOME", home.file("link")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run("setup");
    run("setup");
    assert!(home.file(".local/share/backchannel/bin/bch-hook").exists());
    run("uninstall");
    assert!(!home.file(".local/share/backchannel").exists());
}

#[test]
fn a_repeated_setup_that_was_killed_leaves_no_approval_and_no_file_behind() {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        eprintln!("LEFT OUT: strace is missing, so no repeated setup was killed");
        return;
    }
    for vehicle in ["settings", "folder"] {
        for number in 1..12 {
            let home = UserHome::new();
            directories(&home);
            home.write(SETTINGS, "{ \"a\":1.0 }");
            let before = home.snapshot();
            assert!(home.run(&["setup", "--vehicle", vehicle, "--approve-tools"]).0);
            let ours = home.command(&["setup", "--vehicle", vehicle, "--yes"]);
            let mut command = Command::new("strace");
            command.env_clear().env("HOME", home.path()).args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                "trace=rename",
            ]);
            command.args(["-e", &format!("inject=rename:signal=SIGKILL:when={number}")]);
            command.arg(ours.get_program()).args(ours.get_args()).output().unwrap();
            assert!(home.run(&["uninstall"]).0, "{vehicle} {number}");
            assert_same(&home.snapshot(), &before, &format!("{vehicle}, killed at rename {number}"));
            assert!(!home.file(".local").exists(), "{vehicle} {number}");
        }
    }
}

#[test]
fn what_a_lost_receipt_knew_is_learned_anew_and_taken_out_wherever_the_programs_were() {
    let home = UserHome::new();
    directories(&home);
    home.write(SETTINGS, "{\"a\": 1.0}");
    let setup = ["setup", "--vehicle", "settings"];
    assert!(home.run(&setup).0);
    fs::remove_file(home.file(".local/share/backchannel/receipt.json")).unwrap();
    let (_, report) = home.run(&setup);
    assert_eq!(result(&report, "claude-code"), "unchanged");
    assert!(home.file(".local/share/backchannel/receipt.json").exists());
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(home.read(SETTINGS), "{\"a\": 1.0}");

    let output = home.command(&["setup", "--yes"]).env("XDG_DATA_HOME", home.file("xdg")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(home.run(&["uninstall"]).0);
    for (path, text) in home.snapshot() {
        let is_theirs = path.starts_with("xdg") || !text.contains("bch-hook");
        assert!(is_theirs, "{}: {text}", path.display());
    }
}

#[test]
fn without_a_receipt_an_empty_directory_of_the_user_stays_in_a_home_of_our_name() {
    let home = UserHome::new();
    let named = home.file("backchannel");
    fs::create_dir_all(named.join(".gemini/policies")).unwrap();
    let run = |words: &[&str]| home.command(words).env("HOME", &named).output().unwrap();
    assert!(run(&["setup", "--yes", "--approve-tools"]).status.success());
    fs::remove_file(named.join(".local/share/backchannel/receipt.json")).unwrap();
    assert!(run(&["uninstall", "--yes"]).status.success());
    assert!(named.join(".gemini/policies").is_dir(), "it is the user's");
    assert!(!named.join(".gemini/extensions/backchannel").exists());
}

#[test]
fn an_entry_that_was_moved_to_another_list_goes_and_an_empty_list_of_the_user_stays() {
    let home = UserHome::new();
    home.write(SETTINGS, "{\"hooks\": {\"PreToolUse\": []}}");
    assert!(home.run(&["setup", "--vehicle", "settings"]).0);
    let mut settings = value(&home, SETTINGS);
    let ours = settings["hooks"]["Stop"].take();
    settings["hooks"]["PreToolUse"] = ours;
    settings["hooks"].as_object_mut().unwrap().remove("Stop");
    home.write(SETTINGS, settings.to_string());
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(value(&home, SETTINGS), json!({"hooks": {"PreToolUse": []}}));

    let others = "{\"mcpServers\":{\"backchannel\":{\"command\":\"/usr/bin/other\"}},\"hooks\":{}}";
    home.write(".gemini/settings.json", others);
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(home.read(".gemini/settings.json"), others, "a home that was never set up");
}

#[test]
fn fields_that_the_user_added_to_our_server_stay_and_no_approval_is_given_again() {
    let home = UserHome::new();
    directories(&home);
    assert!(home.bch(&["init", "bob"]).status.success());
    let setup = ["setup", "--vehicle", "settings", "--approve-tools"];
    assert!(home.run(&setup).0);
    let config = home
        .read(".codex/config.toml")
        .replace("default_tools_approval_mode = \"approve\"\n", "enabled = false\n");
    home.write(".codex/config.toml", &config);
    let settings = json!({"permissions": {"allow": []}, "hooks": value(&home, SETTINGS)["hooks"]});
    home.write(SETTINGS, settings.to_string());
    home.bch(&["doctor", "--fix"]);
    assert_eq!(home.read(".codex/config.toml"), config, "no approval is given by doctor");
    assert_eq!(value(&home, SETTINGS)["permissions"]["allow"], json!([]));
    assert!(home.run(&["setup", "--vehicle", "settings"]).0);
    assert!(home.read(".codex/config.toml").contains("enabled = false"));
}

#[test]
fn the_first_versions_entries_come_back_where_the_file_was_changed_since() {
    let home = UserHome::new();
    let hook = json!({"hooks": [{"type": "command", "command": "bch drain --hook --match x"}]});
    home.write(SETTINGS, json!({"hooks": {"UserPromptSubmit": [hook]}}).to_string());
    home.write(
        ".codex/config.toml",
        "[mcp_servers.backchannel]\ncommand = \"/bun\"\nargs = [\"/bch/src/cli.ts\"]\n",
    );
    home.write(
        ".codex/AGENTS.md",
        "# Mine\n\n## Agent messaging (backchannel)\nwords\n- more\n\nNever push to main.\n",
    );
    assert!(home.run(&["setup", "--vehicle", "settings"]).0);
    assert!(!home.read(SETTINGS).contains("drain --hook"));
    assert!(home.read(".codex/AGENTS.md").contains("Never push to main.\n"), "that is the user's");
    let mut settings = value(&home, SETTINGS);
    settings["mine"] = json!(true);
    home.write(SETTINGS, settings.to_string());
    home.write(
        ".codex/config.toml",
        home.read(".codex/config.toml") + "\n[projects.\"/x\"]\ntrust_level = \"trusted\"\n",
    );
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(value(&home, SETTINGS), json!({"hooks": {"UserPromptSubmit": [hook]}, "mine": true}));
    let config: toml_edit::DocumentMut = home.read(".codex/config.toml").parse().unwrap();
    assert_eq!(config["mcp_servers"]["backchannel"]["command"].as_str(), Some("/bun"));
    assert!(config["projects"].is_table());
}

#[test]
fn a_pipe_in_a_files_place_holds_nothing_up() {
    let home = UserHome::new();
    directories(&home);
    for file in [".gemini/settings.json", ".codex/AGENTS.override.md", ".claude/settings.local.json"] {
        assert!(Command::new("mkfifo").arg(home.file(file)).status().unwrap().success());
    }
    // Each ends by itself; what the pipe is in the place of is refused, or nothing to it.
    for words in [&["setup", "--yes"][..], &["doctor"], &["uninstall", "--yes"]] {
        let mut command = Command::new("timeout");
        let ours = home.command(words);
        command.env_clear().env("HOME", home.path()).current_dir(home.path()).arg("20");
        let output = command.arg(ours.get_program()).args(ours.get_args()).output().unwrap();
        assert_ne!(output.status.code(), Some(124), "{words:?} waited");
    }
}
