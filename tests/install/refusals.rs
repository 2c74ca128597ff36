//! What setup refuses: with the line and the column, a hint, and nothing written, while the other harnesses
//! are set up all the same.

use std::fs;
use std::os::unix::fs::symlink;

use super::{UserHome, result};

const SETTINGS: &str = ".gemini/settings.json";

/// Sets Claude Code and Gemini CLI up with this file of one of them.
#[track_caller]
fn is_refused(file: &str, bytes: &[u8], place: (u64, u64)) {
    let home = UserHome::new();
    for directory in [".claude", ".gemini", ".codex"] {
        fs::create_dir(home.file(directory)).unwrap();
    }
    home.write(file, bytes);
    let harness = match file.split('/').next().unwrap() {
        ".claude" => "claude-code",
        ".claude.json" => "claude-code",
        ".codex" => "codex",
        _ => "gemini-cli",
    };
    let (done, report) = home.run(&["setup", "--vehicle", "settings"]);
    let text = String::from_utf8_lossy(bytes);
    assert!(!done, "{text}");
    for other in ["claude-code", "codex", "gemini-cli"] {
        let wanted = if other == harness { "refused" } else { "changed" };
        assert_eq!(result(&report, other), wanted, "{text}: {report}");
    }
    assert_eq!(fs::read(home.file(file)).unwrap(), bytes);
    let directory = home.file(file).parent().unwrap().to_owned();
    let is_alone = fs::read_dir(&directory).unwrap().count() == 1;
    assert!(is_alone || file == ".claude.json", "{text}: nothing else of that harness is written");
    let harnesses = report["harnesses"].as_array().unwrap();
    let refusal = &harnesses.iter().find(|entry| entry["id"] == harness).unwrap()["files"][0];
    assert_eq!(
        (refusal["line"].as_u64(), refusal["column"].as_u64()),
        (Some(place.0), Some(place.1)),
        "{report}"
    );
    assert!(refusal["reason"].as_str().unwrap().contains(file), "{report}");
    let output = home.bch(&["setup", "--yes", "--vehicle", "settings"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("error: ") && error.contains("hint: "), "{error}");
    assert!(home.run(&["uninstall"]).0 || harness == "codex");
}

#[test]
fn what_the_harness_itself_cannot_read_is_refused() {
    is_refused(".claude/settings.json", b"{\n  // mine\n  \"a\": 1\n}\n", (2, 3));
    is_refused(".claude/settings.json", b"{\n  \"a\": 1,\n}\n", (2, 9));
    is_refused(".codex/hooks.json", b"{\"hooks\": {}} // mine", (1, 15));
    is_refused(SETTINGS, b"{\n  \"a\": [1,]\n}", (2, 10));
    is_refused(SETTINGS, b"{\n  \"a\": 1", (1, 1));
    is_refused(SETTINGS, b"{'a': 1}", (1, 2));
    is_refused(".codex/config.toml", b"a = 1\nb = \n", (2, 5));
    is_refused(".codex/config.toml", b"a = 1\na = 2\n", (2, 1));
}

#[test]
fn another_type_in_our_place_is_refused() {
    is_refused(SETTINGS, b"null\n", (1, 1));
    is_refused(SETTINGS, b"[]", (1, 1));
    is_refused(SETTINGS, b"{\n  \"hooks\": []\n}", (2, 12));
    is_refused(SETTINGS, b"{\"hooks\": {\"BeforeAgent\": {}}}", (1, 27));
    is_refused(".claude/settings.json", b"{\"hooks\": {\"UserPromptSubmit\": {}}}", (1, 32));
    is_refused(SETTINGS, b"{\"mcpServers\": 5}", (1, 16));
    is_refused(".codex/config.toml", b"mcp_servers = 5\n", (1, 15));
}

#[test]
fn a_server_of_others_with_our_name_is_refused() {
    is_refused(SETTINGS, b"{\"mcpServers\": {\"backchannel\": {\"command\": \"radio\"}}}", (1, 32));
    is_refused(".claude.json", b"{\"mcpServers\": {\"backchannel\": {\"url\": \"http://x\"}}}", (1, 32));
    is_refused(".codex/config.toml", b"a = 1\n[mcp_servers.backchannel]\nurl = \"http://x\"\n", (2, 1));
}

#[test]
fn duplicate_keys_on_our_path_are_refused_and_others_are_not() {
    is_refused(SETTINGS, b"{\"hooks\": {}, \"hooks\": {}}", (1, 15));
    let home = UserHome::new();
    home.write(SETTINGS, "{\"a\": 1, \"a\": 2}");
    assert!(home.run(&["setup", "--vehicle", "settings"]).0);
    assert!(home.read(SETTINGS).contains("\"a\": 1, \"a\": 2") || home.read(SETTINGS).contains("\"a\": 2"));
    assert!(home.run(&["uninstall"]).0);
    assert_eq!(home.read(SETTINGS), "{\"a\": 1, \"a\": 2}");
}

#[test]
fn other_encodings_are_refused() {
    let wide: Vec<u8> = "{\"a\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    is_refused(SETTINGS, &wide, (1, 2));
    is_refused(SETTINGS, &[&[0xff, 0xfe], &wide[..]].concat(), (1, 1));
    is_refused(SETTINGS, b"{\"a\": \"\xe9\"}", (1, 8));
}

#[test]
fn a_section_without_an_end_is_refused() {
    is_refused(".codex/AGENTS.md", b"# Mine\n<!-- backchannel:begin -->\ntext\n", (2, 1));
}

#[test]
fn what_is_no_file_and_what_is_not_ours_is_left_alone() {
    let home = UserHome::new();
    fs::create_dir_all(home.file(".gemini")).unwrap();
    symlink("nowhere", home.file(SETTINGS)).unwrap();
    assert!(!home.run(&["setup", "--vehicle", "settings"]).0);
    assert_eq!(fs::read_link(home.file(SETTINGS)).unwrap().to_str(), Some("nowhere"));
    fs::remove_file(home.file(SETTINGS)).unwrap();
    home.write(".gemini/skills/backchannel/SKILL.md", "mine\n");
    let before = home.snapshot();
    let (done, report) = home.run(&["setup", "--vehicle", "settings"]);
    assert!(!done && report.to_string().contains("is not ours"), "{report}");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_changed() {
    let home = UserHome::new();
    home.write(SETTINGS, "{}");
    let before = home.snapshot();
    let output = home.bch(&["setup"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hint: bch setup --yes"));
    let output = home.bch(&["setup", "--dry-run"]);
    assert!(output.status.success());
    let diff = String::from_utf8_lossy(&output.stdout);
    assert!(diff.contains("+++ ") && diff.contains("+") && diff.contains("bch-hook"), "{diff}");
    assert_eq!(home.snapshot(), before);
    assert!(!home.file(".local").exists());
    let output = home.bch(&["setup", "--only", "codex", "--yes"]);
    assert_eq!(output.status.code(), Some(1), "it is not here");
}
