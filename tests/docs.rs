//! The documents keep their word.

use std::fs;
use std::path::Path;

use crate::support::home::{BCH, Home, succeed};

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_skill_costs_an_agent_700_tokens_at_most() {
    let tokens = tiktoken_rs::o200k_base().unwrap().encode_ordinary(&text("SKILL.md")).len();
    assert!(tokens <= 700, "{tokens}");
}

#[test]
fn every_dependency_has_its_reason() {
    let reasons = text("docs/dependencies.md");
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let targets = manifest["target"].as_table().unwrap().values();
    for table in targets
        .map(|target| &target["dependencies"])
        .chain([&manifest["dependencies"], &manifest["dev-dependencies"]])
    {
        for name in table.as_table().unwrap().keys() {
            assert!(reasons.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}

#[test]
fn the_demonstration_plays_every_step_and_leaves_nothing() {
    let home = Home::with(&[]);
    let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = home.command(BCH);
    // What moves a real user's files must not move the demonstration's.
    let variables = [
        "CLAUDE_CONFIG_DIR",
        "CODEX_HOME",
        "GEMINI_CLI_HOME",
        "XDG_DATA_HOME",
        "BACKCHANNEL_HOME",
        "BACKCHANNEL_AGENT",
    ];
    for name in variables {
        let directory = elsewhere.path().join(name);
        fs::create_dir_all(directory.join(".gemini")).unwrap();
        fs::write(directory.join("settings.json"), "{}").unwrap();
        command.env(name, directory);
    }
    let before = names(elsewhere.path());
    let output = command.env("TMPDIR", place.path()).arg("demo").output().unwrap();
    let shown = succeed(&output);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let steps: Vec<_> = (1..=6).map(|step| shown.find(&format!("\n== {step}. "))).collect();
    assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{shown}");
    let files = [
        ".claude.json",
        ".claude/settings.json",
        ".codex/AGENTS.md",
        ".codex/config.toml",
        ".gemini/settings.json",
    ];
    for file in files {
        assert!(shown.contains(&format!("/{file}\n@@ -")), "the diff of {file}: {shown}");
        let row = shown.lines().find(|line| line.starts_with(file) && line.ends_with("the same"));
        let cells: Vec<_> = row.unwrap_or_else(|| panic!("{file}: {shown}")).split_whitespace().collect();
        assert_eq!(cells[1..3], cells[5..7], "{file}");
        assert_ne!(cells[1..3], cells[3..5], "{file}: setup did nothing");
    }
    assert!(shown.contains("(… and "), "no diff was shortened: {shown}");
    assert_eq!(shown.matches(" begins ---").count(), 3, "{shown}");
    assert_eq!(shown.matches("# 0 unread, 0 shown").count(), 3, "{shown}");
    assert_eq!(shown.matches("  FAIL  ").count(), 1, "{shown}");
    assert!(shown.contains("  FAIL  trust: "), "{shown}");
    assert!(shown.contains("; 0 of them are left"), "{shown}");
    assert!(shown.lines().last().unwrap().starts_with("Shown: 5 files of three harnesses"), "{shown}");
    assert!(!shown.contains(elsewhere.path().to_str().unwrap()), "{shown}");
    assert_eq!(names(elsewhere.path()), before);
    assert_eq!(names(home.path().parent().unwrap()), ["work"]);
    assert_eq!(names(place.path()), Vec::<String>::new());
}

#[test]
fn the_readme_shows_what_the_demonstration_prints() {
    let home = Home::with(&[]);
    let place = tempfile::tempdir().unwrap();
    let output = home.command(BCH).env("TMPDIR", place.path()).arg("demo").output().unwrap();
    let path = fs::canonicalize(place.path()).unwrap();
    let shown = succeed(&output).replace(path.to_str().unwrap(), "/tmp");
    let shown: Vec<_> = shown.lines().map(without_numbers).collect();
    let readme = text("README.md");
    let (_, block) = readme.split_once("bch demo\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let mut rest = &shown[..];
    for line in block.lines().filter(|line| *line != "…") {
        let wanted = without_numbers(line);
        let at = rest.iter().position(|line| *line == wanted);
        rest = &rest[at.unwrap_or_else(|| panic!("not printed, or not there: {line}")) + 1..];
    }
}

/// A line without what is another each time: every run of hexadecimal digits, and the spaces that align it.
fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    for letter in line.chars() {
        let letter = if matches!(letter, '0'..='9' | 'a'..='f') { '#' } else { letter };
        if !(matches!(letter, '#' | ' ') && text.ends_with(letter)) {
            text.push(letter);
        }
    }
    text
}

#[test]
fn the_demonstration_leaves_nothing_where_a_step_fails() {
    let home = Home::with(&[]);
    let place = tempfile::tempdir().unwrap();
    let program = home.work().join("bch");
    fs::copy(BCH, &program).unwrap();
    let output =
        home.command(program.to_str().unwrap()).env("TMPDIR", place.path()).arg("demo").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("bch-hook is missing\nhint: cargo build"), "{told}");
    assert_eq!(names(place.path()), Vec::<String>::new());
}

/// Every path below a directory, sorted, with the size of files.
fn names(root: &Path) -> Vec<String> {
    let (mut names, mut directories) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                names.push(name);
                directories.push(path);
            } else {
                names.push(format!("{name} {}", fs::metadata(path).unwrap().len()));
            }
        }
    }
    names.sort();
    names
}
