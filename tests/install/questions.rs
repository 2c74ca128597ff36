//! The questions of `setup` and `uninstall` at a terminal, and every way in which one can end: without a yes
//! nothing is changed, a last line says so, and the terminal is as it was.

use super::dialogue::{Dialogue, Ending, LIMIT};
use super::{Snapshot, UserHome, assert_same, result};
use crate::support::is_left_out;
use crate::support::tmux::Tmux;

const PICK: &str = "enter to go on";
const APPROVE: &str = "without asking you each time?";
const SET_UP: &str = "Set these up?";
const TAKE_OUT: &str = "Take these out?";
const PURGE: &str = "It cannot be undone.";
const TRUST: &str = "Trust the hooks of backchannel now?";
const STOPPED: &str = "error: stopped; everything is as it was";

const STOPS: [Ending; 4] =
    [Ending::Key("C-c"), Ending::Signal("TERM"), Ending::Signal("HUP"), Ending::TerminalClosed];

/// Three harnesses with files of their user's.
fn home() -> UserHome {
    let home = UserHome::new();
    home.write(".claude/settings.json", "{\"a\": 1.0}");
    home.write(".codex/config.toml", "model = \"m\" # mine\r\n");
    home.write(".gemini/settings.json", "{\n\t// mine\n\t\"a\": 1\n}\n");
    home
}

/// Ends both questions of a command in each of these ways: nothing is changed by that.
fn ends_without_a_change(home: &UserHome, word: &str, confirmation: &str) {
    let declined = |key| (Ending::Key(key), false);
    let endings: Vec<_> =
        STOPS.map(|ending| (ending, true)).into_iter().chain([declined("Escape")]).collect();
    let pick = endings.iter().copied().chain([declined("q")]).map(|ending| (PICK, ending));
    let confirm = endings.iter().copied().chain([declined("n")]).map(|ending| (confirmation, ending));
    let before = home.everything();
    let approve = STOPS.map(|ending| (APPROVE, (ending, true)));
    let approve = approve.into_iter().filter(|_| word == "setup");
    for (question, (ending, is_stop)) in pick.chain(approve).chain(confirm) {
        let place = format!("{word}: {ending:?} at {question:?}");
        let dialogue = Dialogue::start(home, &[word]);
        // At the question of approval a no goes on.
        let asked =
            if word == "setup" { vec![PICK, APPROVE, confirmation] } else { vec![PICK, confirmation] };
        let reached = asked.iter().position(|asked| *asked == question).unwrap();
        dialogue.reach(&asked[..=reached]);
        dialogue.end(ending);
        assert_eq!(dialogue.status(), i32::from(is_stop), "{place}");
        assert_same(&home.everything(), &before, &place);
        if let Ending::TerminalClosed = ending {
            continue;
        }
        let lines = dialogue.last_lines(&place);
        let last: Vec<_> = lines.iter().rev().take(2).map(String::as_str).collect();
        if is_stop {
            assert_eq!(last, [&format!("hint: bch {word}"), STOPPED], "{place}");
        } else {
            assert_eq!(last[0], "nothing was changed", "{place}");
        }
    }
}

#[test]
fn a_question_of_setup_that_ends_without_a_yes_changes_nothing() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = home();
    ends_without_a_change(&home, "setup", SET_UP);
    assert!(!home.file(".local").exists());
}

#[test]
fn a_question_of_uninstall_that_ends_without_a_yes_changes_nothing() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = home();
    let before = home.snapshot();
    assert!(home.run(&["setup"]).0);
    ends_without_a_change(&home, "uninstall", TAKE_OUT);
    assert!(home.file(".local/share/backchannel/bin/bch-hook").exists());
    assert!(home.run(&["uninstall"]).0);
    assert_same(&home.snapshot(), &before, "after all");
}

#[test]
fn without_a_yes_at_the_question_of_trust_setup_stays_and_nothing_is_trusted() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let by_yes = home();
    let before = by_yes.snapshot();
    assert!(by_yes.run(&["setup"]).0);
    let declines = ["Escape", "n", "Enter"].map(|key| (Ending::Key(key), false));
    for (ending, is_stop) in STOPS.map(|ending| (ending, true)).into_iter().chain(declines) {
        let place = format!("{ending:?}");
        let home = home();
        let dialogue = Dialogue::start_beside(&home, &["setup"], &["codex"]);
        dialogue.reach(&[PICK, APPROVE, SET_UP, TRUST]);
        dialogue.end(ending);
        assert_eq!(dialogue.status(), i32::from(is_stop), "{place}");
        let wanted = by_yes.snapshot().keys().cloned().collect::<Vec<_>>();
        let now = home.snapshot();
        assert_eq!(now.keys().cloned().collect::<Vec<_>>(), wanted, "{place}");
        assert!(!home.read(".codex/config.toml").contains("trusted_hash"), "{place}");
        if !matches!(ending, Ending::TerminalClosed) {
            let lines = dialogue.last_lines(&place);
            let text = lines.join("\n");
            assert!(text.contains("Codex: done") && text.contains("Gemini CLI: done"), "{place}: {text}");
            assert!(text.contains("`/hooks`"), "{place}: {text}");
            let last: Vec<_> = lines.iter().rev().take(2).map(String::as_str).collect();
            let stopped = "error: stopped at the question of trust; what is set up stays";
            assert_eq!(last == ["hint: codex   # then /hooks", stopped], is_stop, "{place}: {text}");
        }
        let (done, report) = home.run(&["setup"]);
        for harness in ["claude-code", "codex", "gemini-cli"] {
            assert!(done && result(&report, harness) == "unchanged", "{place}: {report}");
        }
        assert_same(&home.snapshot(), &now, &place);
        assert!(home.run(&["uninstall"]).0, "{place}");
        assert_same(&home.snapshot(), &before, &place);
        assert!(!home.file(".local").exists(), "{place}");
    }
}

#[test]
fn without_a_yes_at_the_question_of_mail_and_identity_they_stay() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = home();
    assert!(home.bch(&["init", "bob"]).status.success());
    let before = home.everything();
    let declines = ["Escape", "n", "Enter"].map(|key| (Ending::Key(key), false));
    for (ending, is_stop) in STOPS.map(|ending| (ending, true)).into_iter().chain(declines) {
        let place = format!("{ending:?}");
        assert!(home.run(&["setup"]).0);
        let dialogue = Dialogue::start(&home, &["uninstall", "--purge"]);
        dialogue.reach(&[PICK, TAKE_OUT, PURGE]);
        dialogue.end(ending);
        assert_eq!(dialogue.status(), i32::from(is_stop), "{place}");
        assert_same(&home.everything(), &before, &place);
        if !matches!(ending, Ending::TerminalClosed) {
            let lines = dialogue.last_lines(&place);
            let last: Vec<_> = lines.iter().rev().take(2).map(String::as_str).collect();
            let stopped = "error: stopped; mail and identity stay, the harnesses are taken out";
            let wanted = if is_stop { stopped } else { "mail and identity stay" };
            assert_eq!(last[usize::from(is_stop)], wanted, "{place}");
        }
    }
}

#[test]
fn a_harness_that_is_deselected_is_left_alone_and_keeps_the_programs() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = home();
    let before = home.snapshot();
    let dialogue = Dialogue::start(&home, &["setup"]);
    dialogue.reach(&[PICK]);
    dialogue.terminal.send_key("Space");
    dialogue.reach(&[PICK, APPROVE, SET_UP]);
    dialogue.terminal.send_key("Enter");
    assert_eq!(dialogue.status(), 0);
    let text = dialogue.last_lines("setup").join("\n");
    assert!(text.contains("Gemini CLI: done") && !text.contains("Claude Code: done"), "{text}");
    let set_up = home.snapshot();
    let of = |snapshot: &Snapshot, directory: &str| -> Snapshot {
        let entries = snapshot.iter().filter(|(path, _)| path.starts_with(directory));
        entries.map(|(path, text)| (path.clone(), text.clone())).collect()
    };
    assert_same(&of(&set_up, ".claude"), &of(&before, ".claude"), "deselected");
    assert_ne!(of(&set_up, ".codex"), of(&before, ".codex"));

    let dialogue = Dialogue::start(&home, &["uninstall"]);
    dialogue.reach(&[PICK]);
    dialogue.terminal.send_key("Space");
    dialogue.reach(&[PICK, TAKE_OUT]);
    dialogue.terminal.send_key("Enter");
    assert_eq!(dialogue.status(), 0);
    let now = home.snapshot();
    assert_same(&of(&now, ".codex"), &of(&set_up, ".codex"), "deselected");
    assert_same(&of(&now, ".gemini"), &of(&before, ".gemini"), "taken out");
    // Codex still starts it.
    assert!(home.file(".local/share/backchannel/bin/bch-hook").exists());
    assert!(home.run(&["uninstall"]).0);
    assert_same(&home.snapshot(), &before, "after all");
    assert!(!home.file(".local").exists());
}

#[test]
fn nothing_is_changed_where_every_harness_is_deselected() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = home();
    let before = home.everything();
    let dialogue = Dialogue::start(&home, &["setup"]);
    dialogue.reach(&[PICK]);
    dialogue.terminal.send_key("a");
    dialogue.terminal.send_key("Enter");
    assert_eq!(dialogue.status(), 0);
    assert_eq!(dialogue.last_lines("none").last().unwrap(), "nothing was changed");
    assert_same(&home.everything(), &before, "none");
}

#[test]
fn where_only_the_programs_change_there_is_nothing_to_pick() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = home();
    assert!(home.run(&["setup"]).0);
    assert!(home.run(&["uninstall", "--only", "claude-code,codex,gemini-cli"]).0);
    let dialogue = Dialogue::start(&home, &["uninstall"]);
    dialogue.terminal.wait_for_text(TAKE_OUT, LIMIT);
    dialogue.terminal.send_key("Enter");
    assert_eq!(dialogue.status(), 0);
    dialogue.last_lines("the programs");
    assert!(!home.file(".local").exists());
}

#[test]
fn tools_are_allowed_in_advance_by_a_yes_of_the_person_alone() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let allowed = |home: &UserHome| {
        let files = [".claude/settings.json", ".codex/config.toml"].map(|file| home.read(file));
        files.map(|text| text.contains("mcp__") || text.contains("default_tools_approval_mode"))
    };
    for (key, is_allowed) in [("y", true), ("n", false), ("Escape", false)] {
        let home = home();
        let before = home.snapshot();
        let dialogue = Dialogue::start(&home, &["setup", "--vehicle", "settings"]);
        dialogue.reach(&[PICK, APPROVE]);
        dialogue.terminal.send_key(key);
        dialogue.reach(&[SET_UP]);
        dialogue.terminal.send_key("Enter");
        assert_eq!(dialogue.status(), 0);
        assert_eq!(allowed(&home), [is_allowed; 2], "{key}");
        let text = dialogue.last_lines(key).join(" ");
        assert_eq!(text.contains("bch setup --approve-tools allows them"), !is_allowed, "{text}");
        assert!(home.run(&["uninstall"]).0);
        assert_same(&home.snapshot(), &before, key);
    }
}
