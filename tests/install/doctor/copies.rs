//! The same event served twice: by both vehicles, by lines of the user's own, by a project's files.

use std::fs;

use serde_json::{Value, json};

use super::{CLAUDE, FOLDER, GEMINI, UserHome, change, codex, doctor, doctor_in, finds, fix, group, well_by};

/// The files of our folder with their bytes.
fn folder(home: &UserHome, root: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(home.file(root)).unwrap().flatten() {
        let name = format!("{root}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            files.extend(folder(home, &name));
        } else {
            files.push((name, fs::read(entry.path()).unwrap()));
        }
    }
    files
}

#[test]
fn entries_beside_our_folder_are_told_and_taken_out() {
    for (harness, file, root) in
        [("claude-code", CLAUDE, FOLDER), ("gemini-cli", GEMINI, ".gemini/extensions/backchannel")]
    {
        let home = well_by("settings");
        change(&home, file, |value| value["mine"] = json!({"allow": []}));
        let settings = home.read(file);
        assert!(home.run(&["setup", "--vehicle", "folder"]).0);
        home.write(file, settings);
        let found = doctor(&home);
        found.expect("copies", "of our entries beside our folder", "fail", "bch doctor --fix");
        let found = fix(&home);
        assert!(found.ok && found.bad.is_empty(), "{harness}: {:#?}", found.bad);
        assert!(found.fixed.iter().any(|line| line.contains("second copy")), "{:?}", found.fixed);
        let now: Value = serde_json::from_str(&home.read(file)).unwrap();
        assert_eq!(now["mine"], json!({"allow": []}), "{harness}");
        assert!(!now.to_string().contains("backchannel"), "{harness}: {now}");
        assert!(!folder(&home, root).is_empty(), "the vehicle stays");
    }
}

#[test]
fn our_folder_beside_our_entries_is_told_and_taken_out() {
    for (root, description) in
        [(FOLDER, ".claude-plugin/plugin.json"), (".gemini/extensions/backchannel", "gemini-extension.json")]
    {
        let home = well_by("folder");
        let files = folder(&home, root);
        home.write(".gemini/extensions/mine/readme", "mine");
        assert!(home.run(&["setup", "--vehicle", "settings"]).0);
        let alone = home.snapshot();
        let plant = || files.iter().for_each(|(name, bytes)| drop(home.write(name, bytes)));
        plant();
        doctor(&home).expect("copies", "beside our entries", "fail", "bch doctor --fix");
        let found = fix(&home);
        assert!(found.ok && found.bad.is_empty(), "{root}: {:#?}", found.bad);
        super::super::assert_same(&home.snapshot(), &alone, root);
        // One that somebody changed is not ours to remove: without its description it is not loaded.
        plant();
        change(&home, &format!("{root}/{description}"), |value| value["description"] = "mine".into());
        fix(&home).expect("copies", "beside our entries", "fail", description);
        fs::remove_file(home.file(root).join(description)).unwrap();
        assert!(doctor(&home).ok, "{root}");
    }
}

#[test]
fn a_line_of_the_users_own_is_told() {
    let own = |home: &UserHome| {
        change(home, CLAUDE, |value| {
            let groups = value["hooks"]["UserPromptSubmit"].as_array_mut().unwrap();
            groups.push(group("~/bin/bch-hook claude-code UserPromptSubmit"));
        });
    };
    finds(own, "copies", "serves with `bch-hook` too: UserPromptSubmit", "fail", CLAUDE);
    // Another program of the user's is none of ours.
    let home = well_by("settings");
    change(&home, CLAUDE, |value| {
        value["hooks"]["UserPromptSubmit"].as_array_mut().unwrap().push(group("my-hook"));
    });
    assert!(doctor(&home).bad.is_empty());
}

#[test]
fn hooks_in_the_configuration_of_codex_are_told() {
    let home = codex();
    let line =
        "[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = \"command\"\ncommand = \"/x/bch-hook codex Stop\"\n";
    let config = home.read(".codex/config.toml");
    home.write(".codex/config.toml", format!("{config}\n{line}"));
    doctor(&home).expect("copies", "config.toml serves with `bch-hook` too: Stop", "fail", "config.toml");
}

#[test]
fn lines_in_a_projects_files_are_told_up_to_its_root() {
    let hooks = |event: &str| json!({"hooks": {event: [group("bch-hook x y")]}}).to_string();
    let home = well_by("folder");
    let deep = home.file("above/project/deep/er");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(home.file("above/project/.git")).unwrap();
    home.write("above/.claude/settings.json", hooks("Stop"));
    assert!(doctor_in(&home, &deep, &[]).bad.is_empty(), "above the root of the repository");
    for (file, event) in [
        ("above/project/.claude/settings.json", "UserPromptSubmit"),
        ("above/project/deep/.claude/settings.local.json", "Stop"),
        ("above/project/deep/er/.gemini/settings.json", "BeforeAgent"),
    ] {
        let path = home.write(file, hooks(event));
        let found = doctor_in(&home, &deep, &[]);
        found.expect("copies", &format!("too: {event}"), "warn", file);
        assert!(found.ok && found.bad.len() == 1, "{:#?}", found.bad);
        fs::remove_file(path).unwrap();
    }
    let home = codex();
    home.write("project/.codex/hooks.json", hooks("Stop"));
    let project = fs::canonicalize(home.file("project")).unwrap();
    let config = home.read(".codex/config.toml");
    let trusted = format!("{config}\n[projects.\"{}\"]\ntrust_level = \"trusted\"\n", project.display());
    home.write(".codex/config.toml", trusted);
    doctor_in(&home, &project, &[]).expect("copies", "too: Stop", "warn", ".codex/hooks.json");
}
