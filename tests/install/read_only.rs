//! Directories on a read-only mount: the harness there is refused, the others are set up, and the next setup and
//! uninstall end right.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

use serde_json::Value;

use super::{UserHome, assert_same, result};
use crate::support::{is_left_out, mount};

const HARNESSES: [(&str, &str, &str); 3] = [
    ("claude-code", ".claude", "Claude Code"),
    ("codex", ".codex", "Codex"),
    ("gemini-cli", ".gemini", "Gemini CLI"),
];

fn home() -> UserHome {
    let home = UserHome::new();
    home.write(".claude/settings.json", "{\"a\": 1.0}");
    home.write(".codex/config.toml", "model = \"m\" # mine\r\n");
    home.write(".gemini/settings.json", "{\n\t// mine\n\t\"a\": 1\n}\n");
    home
}

/// Runs a command of ours while a directory of the home is read-only; `None` where nobody may mount.
fn with_read_only(home: &UserHome, directory: &str, arguments: &[&str]) -> Option<Output> {
    let output = mount::with_read_only(&home.file(directory), &home.command(arguments));
    if let Err(reason) = &output {
        is_left_out(Err(format!("nobody saw setup on a read-only mount, for {reason}")));
    }
    output.ok()
}

/// What a command reports, and what it says for people.
fn told(home: &UserHome, directory: &str, words: &[&str]) -> Option<(Value, String)> {
    let arguments = [words, &["--yes", "--json"]].concat();
    let (done, report) = UserHome::report(words, &with_read_only(home, directory, &arguments)?);
    assert!(!done, "{report}");
    let output = with_read_only(home, directory, &[words, &["--yes"]].concat())?;
    assert_eq!(output.status.code(), Some(1));
    Some((report, String::from_utf8(output.stderr).unwrap()))
}

#[test]
fn a_harness_on_a_read_only_mount_is_refused_and_the_others_are_set_up() {
    for (harness, directory, title) in HARNESSES {
        for vehicle in ["settings", "folder"] {
            let home = home();
            let before = home.everything();
            let place = format!("{harness} by {vehicle}");
            let Some((report, error)) = told(&home, directory, &["setup", "--vehicle", vehicle]) else {
                return;
            };
            for (other, ..) in HARNESSES {
                assert_eq!(
                    result(&report, other),
                    if other == harness { "refused" } else { "changed" },
                    "{place}"
                );
            }
            let named = format!("error: {title}: could not make {}/", home.file(directory).display());
            let hint = format!("hint: df {}   # mounted read-only\n", home.file(directory).display());
            assert!(error.starts_with(&named) && error.ends_with(&hint), "{place}: {error}");
            assert_eq!(error.matches("could not").count(), 1, "{place}: {error}");
            let now = home.snapshot();
            let refused = before.iter().filter(|(path, _)| path.starts_with(directory));
            refused.for_each(|(path, text)| assert_eq!(now.get(path), Some(text), "{place}"));
            assert_eq!(now.keys().filter(|path| path.starts_with(directory)).count(), 2, "{place}");
            let Some(output) = with_read_only(&home, directory, &["uninstall", "--yes"]) else { return };
            assert!(output.status.success(), "{place}: {output:?}");
            assert_same(&home.everything(), &before, &place);
        }
    }
}

/// It cannot be taken out, so it keeps the programs that its hooks start.
#[test]
fn a_harness_that_became_read_only_keeps_the_programs_until_it_can_be_taken_out() {
    for (harness, directory, title) in HARNESSES {
        let home = home();
        let before = home.everything();
        assert!(home.run(&["setup"]).0);
        let set_up = home.snapshot();
        let Some((report, error)) = told(&home, directory, &["uninstall"]) else { return };
        assert_eq!(result(&report, harness), "refused");
        assert!(error.starts_with(&format!("error: {title}: could not ")), "{error}");
        assert!(error.contains("hint: df "), "{error}");
        let now = home.snapshot();
        for (path, text) in &now {
            let wanted = if path.starts_with(directory) { set_up.get(path) } else { before.get(path) };
            assert_eq!(Some(text), wanted, "{harness}: {}", path.display());
        }
        assert!(home.file(".local/share/backchannel/bin/bch-hook").exists(), "{harness}");
        assert!(home.run(&["uninstall"]).0, "{harness}");
        assert_same(&home.everything(), &before, harness);
    }
}

/// As Nix has it: the user's file is a link to one that is made elsewhere, and read-only for good.
#[test]
fn a_link_to_a_read_only_file_is_refused_with_both_named() {
    for (harness, place) in [
        ("claude-code", ".claude/settings.json"),
        ("codex", ".codex/config.toml"),
        ("codex", ".codex/AGENTS.md"),
        ("gemini-cli", ".gemini/settings.json"),
    ] {
        let home = home();
        let store = home.file("store");
        let made =
            home.write("store/file", if place.ends_with("json") { "{\"b\": 1.0}" } else { "# made\n" });
        let link = home.file(place);
        let _ = fs::remove_file(&link);
        symlink(&made, &link).unwrap();
        let before = home.everything();
        let words = ["setup", "--vehicle", "settings"];
        let Some((report, error)) = told(&home, "store", &words) else { return };
        for (other, ..) in HARNESSES {
            assert_eq!(
                result(&report, other),
                if other == harness { "refused" } else { "changed" },
                "{place}"
            );
        }
        let (link, made) = (link.display(), store.join("file"));
        let wanted = format!("{link} is a link: could not write {}: Read-only file system", made.display());
        assert!(error.contains(&wanted) && error.contains(&format!("\nhint: ls -l {link} ")), "{error}");
        assert!(home.run(&["uninstall"]).0, "{place}");
        assert_same(&home.everything(), &before, place);
    }
}

#[test]
fn nothing_is_set_up_where_the_receipt_or_the_programs_cannot_be_written() {
    for directory in [".local", ".local/share", ".local/share/backchannel", ".local/share/backchannel/bin"] {
        let home = home();
        fs::create_dir_all(home.file(directory)).unwrap();
        let before = home.snapshot();
        let Some((report, error)) = told(&home, directory, &["setup"]) else { return };
        assert_eq!(result(&report, "programs"), "refused", "{directory}: {report}");
        for (harness, ..) in HARNESSES {
            assert_eq!(result(&report, harness), "unchanged", "{directory}: {report}");
        }
        assert!(error.starts_with("error: programs: could not write "), "{directory}: {error}");
        let hint = format!("hint: df {}   # mounted read-only\n", home.file(directory).display());
        assert!(error.ends_with(&hint), "{directory}: {error}");
        assert_same(&home.snapshot(), &before, directory);
        let left: Vec<_> = fs::read_dir(home.file(directory)).unwrap().collect();
        assert!(left.is_empty(), "{directory}: {left:?}");
    }
}

#[test]
fn a_second_setup_needs_no_writable_place() {
    let home = home();
    assert!(home.run(&["setup"]).0);
    let before = home.everything();
    for directory in [".claude", ".codex", ".gemini", ".local"] {
        let Some(output) = with_read_only(&home, directory, &["setup", "--yes"]) else { return };
        assert!(output.status.success(), "{directory}: {output:?}");
    }
    assert_same(&home.everything(), &before, "a second time");
}
