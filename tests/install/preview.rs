//! What setup shows at a terminal of 80 columns before its question: a line for each harness, and what changes in the
//! user's own files.

use std::ffi::OsString;
use std::time::Duration;

use super::UserHome;
use crate::support::home::{BCH, succeed};
use crate::support::is_left_out;
use crate::support::tmux::Tmux;

const LIMIT: Duration = Duration::from_secs(60);

fn home() -> UserHome {
    let home = UserHome::new();
    home.write(".claude/settings.json", "{\"a\": 1.0}");
    home.write(".codex/AGENTS.md", "# Mine\n\nBe \u{1b}[31mshort.\n");
    home.write(".gemini/settings.json", "{}\n");
    succeed(&home.bch(&["init", "bob"]));
    home
}

fn terminal(home: &UserHome, words: &[&str], variables: &[(&str, &str)]) -> Tmux {
    let fixed = [("PATH", "/nowhere"), ("LANG", "C.UTF-8"), ("TERM", "xterm-256color")];
    let mut env: Vec<(OsString, OsString)> = vec![("HOME".into(), home.path().into())];
    env.extend(fixed.iter().chain(variables).map(|(name, value)| (name.into(), value.into())));
    let words: Vec<OsString> = std::iter::once(BCH).chain(words.iter().copied()).map(Into::into).collect();
    Tmux::start_sized(&words, &env, home.path(), (80, 60))
}

/// Goes on to the question of whether to set up; the screens of the list and of the question, and the latter with its
/// escape sequences.
fn screens(home: &UserHome, variables: &[(&str, &str)]) -> (String, String, String) {
    let terminal = terminal(home, &["setup"], variables);
    let list = terminal.wait_for_text("enter to go on", LIMIT);
    terminal.send_key("Enter");
    terminal.wait_for_text("without asking you each time?", LIMIT);
    terminal.send_key("Enter");
    let question = terminal.wait_for_text("Set these up?", LIMIT);
    (list, question, terminal.screen_with_colours())
}

fn has_colour(escaped: &str) -> bool {
    escaped.contains("\x1b[3")
}

#[test]
fn each_harness_has_a_line_and_the_users_own_files_are_shown_line_by_line() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = home();
    let (list, question, escaped) = screens(&home, &[]);
    let line = |start: &str| list.lines().find(|line| line.contains(start)).expect(&list).to_owned();
    assert!(line("Claude Code").ends_with("  4 new files in ~/.claude/skills/backchannel/"), "{list}");
    assert!(line("Codex").ends_with("  3 new files, 1 changed in ~/.codex/"), "{list}");
    assert_eq!(list.lines().count(), 4, "{list}");
    assert!(question.contains("  changes  ~/.codex/AGENTS.md\n@@ "), "{question}");
    // Their control characters steer nothing.
    assert!(question.contains("Be \\u{1b}[31mshort."), "{question}");
    assert!(question.contains("+## Mail between agents\n"), "{question}");
    assert!(
        question.contains("  new      ~/.codex/hooks.json\n") && !question.contains("PostToolUse"),
        "{question}"
    );
    assert!(
        question.contains("backchannel itself\n  new      ~/.local/share/backchannel/bin/bch\n"),
        "{question}"
    );
    assert!(has_colour(&escaped), "{escaped}");
}

#[test]
fn without_colour_it_says_the_same_and_a_look_alone_shows_every_line() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = home();
    let (list, question, escaped) = screens(&home, &[("NO_COLOR", "1")]);
    assert!(list.contains("Codex") && question.contains("  changes  ~/.codex/AGENTS.md\n@@ "), "{question}");
    assert!(!has_colour(&escaped), "{escaped}");
    let shown = succeed(&home.bch(&["setup", "--dry-run"]));
    assert!(shown.contains("PostToolUse") && shown.contains("\n+# Mail between agents: `bch`\n"), "{shown}");
    assert!(!shown.contains('\x1b'), "{shown}");
    assert!(!home.file(".local").exists() && !home.file(".codex/hooks.json").exists());
}
