//! Every file of the corpus and its variants, through setup and uninstall: the bytes, the mode and the link
//! are what they were, and no directory is left.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{UserHome, assert_same, result};
use crate::edit_corpus::{corpus, variants};

/// Where a harness reads a file of this folder of the corpus, and what else names it.
pub(super) const PLACES: [(&str, &str, &str, &str); 4] = [
    ("claude", "json", "claude-code", ".claude/settings.json"),
    ("gemini", "json", "gemini-cli", ".gemini/settings.json"),
    ("codex", "toml", "codex", ".codex/config.toml"),
    ("codex", "md", "codex", ".codex/AGENTS.md"),
];

fn files() -> Vec<(PathBuf, &'static str, &'static str)> {
    let Some(corpus) = corpus() else { return Vec::new() };
    let mut files = Vec::new();
    for (folder, extension, harness, place) in PLACES {
        for file in fs::read_dir(corpus.join(folder)).into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|found| found == extension) {
                files.push((file.path(), harness, place));
            }
        }
    }
    files.sort();
    files
}

/// Setup, setup again, uninstall; what happened in between is checked, too. Returns whether it was refused.
#[track_caller]
pub(super) fn there_and_back(home: &UserHome, harness: &str, vehicle: &str, what: &str) -> bool {
    let before = home.snapshot();
    let options = ["setup", "--only", harness, "--vehicle", vehicle];
    let (done, report) = home.run(&options);
    if !done {
        assert_eq!(result(&report, harness), "refused", "{what}");
        assert_same(&home.snapshot(), &before, &format!("{what}: refused, and changed"));
        return true;
    }
    let set_up = home.snapshot();
    assert_ne!(set_up, before, "{what}");
    let (_, report) = home.run(&options);
    assert_eq!(result(&report, harness), "unchanged", "{what}: a second time");
    assert_same(&home.snapshot(), &set_up, &format!("{what}: a second time"));
    assert!(home.run(&["uninstall", "--only", harness]).0, "{what}");
    assert_same(&home.snapshot(), &before, &format!("{what}: not what it was"));
    false
}

fn corpus_there_and_back(wanted: &str) {
    let home = UserHome::new();
    let (mut count, mut refused) = (0, Vec::new());
    for (path, harness, place) in files().into_iter().filter(|(_, harness, _)| *harness == wanted) {
        let text = String::from_utf8(fs::read(&path).unwrap()).unwrap();
        let vehicles: &[&str] = if harness == "codex" { &["settings"] } else { &["settings", "folder"] };
        for (variant, text) in variants(&text, place) {
            // The folder leaves the file alone, so that its variants tell nothing.
            let vehicles = if variant == "as it is" { vehicles } else { &vehicles[..1] };
            for vehicle in vehicles {
                let file = home.write(place, &text);
                let what = format!("{} ({variant}, {vehicle})", path.display());
                count += 1;
                let is_refused = there_and_back(&home, harness, vehicle, &what);
                // The reasons for a refusal: comments in a file that its harness reads as strict JSON, and a byte
                // order mark with which Gemini CLI does not start.
                let is_strict =
                    serde_json::from_str::<serde_json::Value>(text.trim_start_matches('\u{feff}'));
                let is_readable = *vehicle == "folder"
                    || match harness {
                        "claude-code" => is_strict.is_ok(),
                        "gemini-cli" => !text.starts_with('\u{feff}'),
                        _ => true,
                    };
                assert_eq!(is_refused, !is_readable, "{what}");
                if is_refused {
                    refused.push(what);
                }
                fs::remove_file(&file).unwrap();
            }
        }
    }
    println!("{wanted}: {count} files, variants and vehicles; refused: {refused:?}");
}

#[test]
fn every_file_of_claude_code_in_the_corpus_is_what_it_was_after_uninstall() {
    corpus_there_and_back("claude-code");
}

#[test]
fn every_file_of_codex_in_the_corpus_is_what_it_was_after_uninstall() {
    corpus_there_and_back("codex");
}

#[test]
fn every_file_of_gemini_cli_in_the_corpus_is_what_it_was_after_uninstall() {
    corpus_there_and_back("gemini-cli");
}

/// Writes a file in some way.
type Preparation<'a> = &'a dyn Fn(&UserHome);

#[test]
fn links_modes_and_missing_directories_are_what_they_were() {
    for (_, _, harness, place) in PLACES {
        let contents = if place.ends_with("json") { "{\n\t\"a\": 1.0\n}" } else { "# mine\n" };
        let in_place = |home: &UserHome| drop(home.write(place, contents));
        let relative = |home: &UserHome| {
            home.write("dotfiles/deep/file", contents);
            fs::create_dir_all(home.file(place).parent().unwrap()).unwrap();
            symlink("../dotfiles/deep/file", home.file(place)).unwrap();
        };
        let chain = |home: &UserHome| {
            relative(home);
            let link = home.file(place);
            fs::rename(&link, link.with_extension("first")).unwrap();
            symlink(link.with_extension("first").file_name().unwrap(), &link).unwrap();
        };
        let directory = |home: &UserHome| {
            home.write(&format!("dotfiles/{place}"), contents);
            let name = Path::new(place).parent().unwrap();
            symlink(home.file("dotfiles").join(name), home.file(name.to_str().unwrap())).unwrap();
        };
        let private = |home: &UserHome| {
            in_place(home);
            fs::set_permissions(home.file(place), fs::Permissions::from_mode(0o600)).unwrap();
        };
        let shared = |home: &UserHome| {
            in_place(home);
            fs::set_permissions(home.file(place), fs::Permissions::from_mode(0o664)).unwrap();
        };
        let empty = |home: &UserHome| drop(home.write(place, ""));
        let nothing = |home: &UserHome| {
            fs::create_dir_all(home.file(place).parent().unwrap()).unwrap();
        };
        let cases: [(&str, Preparation<'_>); 8] = [
            ("in place", &in_place),
            ("relative link", &relative),
            ("chain of links", &chain),
            ("linked directory", &directory),
            ("0600", &private),
            ("0664", &shared),
            ("empty", &empty),
            ("missing", &nothing),
        ];
        for (case, prepare) in cases {
            let home = UserHome::new();
            prepare(&home);
            assert!(!there_and_back(&home, harness, "settings", &format!("{place}: {case}")));
        }
    }
}

/// A file is replaced whole, so that a second name of it keeps what it had: to write through it would change a
/// file that nobody named (a snapshot of the home made of hard links, say).
#[test]
fn a_second_name_of_a_file_keeps_its_bytes_and_becomes_a_file_of_its_own() {
    for (_, _, harness, place) in PLACES {
        let home = UserHome::new();
        let contents = if place.ends_with("json") { "{\n\t\"a\": 1.0\n}" } else { "# mine\n" };
        let file = home.write(place, contents);
        let other = home.write("dotfiles/keep", "").with_file_name("other");
        fs::hard_link(&file, &other).unwrap();
        assert!(home.run(&["setup", "--only", harness, "--vehicle", "settings"]).0);
        assert!(home.read(place).contains("backchannel"), "{place}");
        assert_eq!(fs::read_to_string(&other).unwrap(), contents, "{place}");
        assert!(home.run(&["uninstall"]).0);
        for path in [&file, &other] {
            assert_eq!(fs::read_to_string(path).unwrap(), contents, "{}", path.display());
            assert_eq!(fs::metadata(path).unwrap().nlink(), 1, "{}", path.display());
        }
    }
}

#[test]
fn uninstall_leaves_no_trace_of_ours() {
    let home = UserHome::new();
    for directory in [".claude", ".codex", ".gemini"] {
        fs::create_dir(home.file(directory)).unwrap();
    }
    let mut before = Default::default();
    super::collect(home.path(), home.path(), &[], &mut before);
    assert!(home.run(&["setup"]).0);
    assert!(home.run(&["uninstall"]).0);
    let mut after = Default::default();
    super::collect(home.path(), home.path(), &[], &mut after);
    assert_eq!(after, before);
}
