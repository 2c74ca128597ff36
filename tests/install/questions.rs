//! The questions of `setup` and `uninstall` at a terminal, and every way in which one can end: without a yes
//! nothing is changed, a last line says so, and the terminal is as it was.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{Snapshot, UserHome, assert_same, result};
use crate::support::home::BCH;
use crate::support::is_left_out;
use crate::support::tmux::Tmux;

const LIMIT: Duration = Duration::from_secs(60);
const PICK: &str = "enter to go on";
const TRUST: &str = "Trust the hooks of backchannel now?";
const STOPPED: &str = "error: stopped; everything is as it was";

/// Starts our program with its process id noted, then tells its status and whether the terminal's modes are
/// what they were, and keeps the terminal open. It outlives the terminal, to note the status even then.
const SCRIPT: &str = r#"trap : HUP
modes=$(stty -g)
/bin/sh -c 'echo $$ >"$0/process" && exec "$@"' "$0" "$@"
status=$?
echo $status >"$0/status.part" && mv "$0/status.part" "$0/status"
[ "$(stty -g)" = "$modes" ] && modes=kept || modes=changed
echo "status $status, modes $modes"
read -r line"#;

/// How a question ends.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Key(&'static str),
    Signal(&'static str),
    TerminalClosed,
}

const STOPS: [Ending; 4] =
    [Ending::Key("C-c"), Ending::Signal("TERM"), Ending::Signal("HUP"), Ending::TerminalClosed];

/// A command of ours at a terminal.
struct Dialogue {
    terminal: Tmux,
    notes: tempfile::TempDir,
}

impl Dialogue {
    fn start(home: &UserHome, arguments: &[&str]) -> Self {
        Self::start_beside(home, arguments, &[])
    }

    /// With these programs on the search path; they are only looked for.
    fn start_beside(home: &UserHome, arguments: &[&str], programs: &[&str]) -> Self {
        let notes = tempfile::tempdir().unwrap();
        for program in programs {
            let path = notes.path().join(program);
            fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", notes.path().display());
        let env: [(OsString, OsString); 3] = [
            ("HOME".into(), home.path().into()),
            ("PATH".into(), path.into()),
            ("TERM".into(), "xterm-256color".into()),
        ];
        let mut words: Vec<OsString> = ["/bin/sh", "-c", SCRIPT].map(Into::into).to_vec();
        words.extend([notes.path().into(), BCH.into()]);
        words.extend(arguments.iter().map(Into::into));
        let terminal = Tmux::start(&words, &env, notes.path());
        Self { terminal, notes }
    }

    /// Says yes until this question is on the screen and waits for a key.
    #[track_caller]
    fn reach(&self, question: &str) {
        for asked in [PICK, "Set these up?", TRUST] {
            // The same place in the other command.
            let asked =
                if question == "Take these out?" && asked == "Set these up?" { question } else { asked };
            self.terminal.wait_for_text(asked, LIMIT);
            if asked == question {
                break;
            }
            self.terminal.send_key("Enter");
        }
        let process = fs::read_to_string(self.notes.path().join("process")).unwrap();
        let state = PathBuf::from(format!("/proc/{}/stat", process.trim()));
        wait("sleep", || fs::read_to_string(&state).unwrap().contains(") S "));
    }

    fn end(&self, ending: Ending) {
        match ending {
            Ending::Key(key) => self.terminal.send_key(key),
            Ending::Signal(signal) => {
                let process = fs::read_to_string(self.notes.path().join("process")).unwrap();
                let sent = Command::new("kill").args(["-s", signal, process.trim()]).status().unwrap();
                assert!(sent.success());
            }
            Ending::TerminalClosed => self.terminal.close(),
        }
    }

    /// Waits for the end; the exit status.
    #[track_caller]
    fn status(&self) -> i32 {
        let status = self.notes.path().join("status");
        wait("status", || status.exists());
        fs::read_to_string(status).unwrap().trim().parse().unwrap()
    }

    /// What is on the screen at the end: the terminal is usable, and these are the last lines.
    #[track_caller]
    fn last_lines(&self, place: &str) -> Vec<String> {
        let screen = self.terminal.wait_for_text(", modes ", LIMIT);
        assert!(screen.contains(", modes kept"), "{place}: {screen}");
        assert!(self.terminal.shows_cursor(), "{place}: the cursor is hidden");
        let coloured = self.terminal.screen_with_colours();
        let before = &coloured[..coloured.find("status ").unwrap()];
        let sequence = before.rsplit_once("\u{1b}[").map(|(_, rest)| rest.split_once('m').unwrap().0);
        assert!(matches!(sequence, None | Some("" | "0" | "39")), "{place}: a colour is left: {coloured:?}");
        let mut lines: Vec<_> = screen.lines().map(str::to_owned).collect();
        let end = lines.iter().position(|line| line.contains(", modes ")).unwrap();
        lines.truncate(end);
        lines
    }
}

#[track_caller]
fn wait(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "no {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

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
    for (question, (ending, is_stop)) in pick.chain(confirm) {
        let place = format!("{word}: {ending:?} at {question:?}");
        let dialogue = Dialogue::start(home, &[word]);
        dialogue.reach(question);
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
    ends_without_a_change(&home, "setup", "Set these up?");
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
    ends_without_a_change(&home, "uninstall", "Take these out?");
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
        dialogue.reach(TRUST);
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
fn a_harness_that_is_deselected_is_left_alone_and_keeps_the_programs() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = home();
    let before = home.snapshot();
    let dialogue = Dialogue::start(&home, &["setup"]);
    dialogue.reach(PICK);
    dialogue.terminal.send_key("Space");
    dialogue.reach("Set these up?");
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
    dialogue.reach(PICK);
    dialogue.terminal.send_key("Space");
    dialogue.reach("Take these out?");
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
    dialogue.reach(PICK);
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
    dialogue.terminal.wait_for_text("Take these out?", LIMIT);
    dialogue.terminal.send_key("Enter");
    assert_eq!(dialogue.status(), 0);
    dialogue.last_lines("the programs");
    assert!(!home.file(".local").exists());
}
