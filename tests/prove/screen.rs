//! Doctor on a terminal of 80 columns: nothing wider, coloured unless that is not wanted, and a summary at the end.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::change_line;
use crate::install::doctor::{CLAUDE, UserHome, well_by};
use crate::support::home::BCH;
use crate::support::is_left_out;
use crate::support::tmux::Tmux;

const LIMIT: Duration = Duration::from_secs(60);

/// Runs `bch doctor --prove` in a terminal; the screen, and the same with its escape sequences.
fn screen(home: &UserHome, variables: &[(&str, &str)]) -> (String, String) {
    let fixed = [("PATH", "/nowhere"), ("LANG", "C.UTF-8"), ("TERM", "xterm-256color")];
    let mut env: Vec<(OsString, OsString)> = vec![("HOME".into(), home.path().into())];
    env.extend(fixed.iter().chain(variables).map(|(name, value)| (name.into(), value.into())));
    let words = [BCH, "doctor", "--prove"].map(Into::into);
    let terminal = Tmux::start_sized(&words, &env, home.path(), (80, 90));
    let is_over = |screen: &str| {
        screen.contains("all is well") || screen.contains(" failed\n") || screen.ends_with(" failed")
    };
    let screen = terminal.wait_for_screen("the end", is_over, LIMIT);
    (screen, terminal.screen_with_colours())
}

fn has_colour(escaped: &str) -> bool {
    escaped.contains("\x1b[31m") || escaped.contains("\x1b[32m") || escaped.contains("\x1b[36m")
}

/// A machine with a fault that has a long text, and a line from outside that would steer a terminal.
fn faulty() -> UserHome {
    let home = well_by("folder");
    assert!(home.run(&["setup", "--vehicle", "settings"]).0);
    change_line(&home, CLAUDE, "UserPromptSubmit", |line| format!("printf 'a\\033[31mb\\n'; {line}"));
    let log =
        home.write(".backchannel/hook.log", "2026-11-24T00:00:00Z x: \x1b]0;title\x07\x1b[2J\u{202e}end\n");
    fs::set_permissions(log, fs::Permissions::from_mode(0o600)).unwrap();
    home
}

#[test]
fn what_is_wrong_is_numbered_and_fits_the_screen() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = faulty();
    let (text, escaped) = screen(&home, &[]);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(has_colour(&escaped), "{escaped}");
    assert!(text.contains("Claude Code\n  ✓ version"), "{text}");
    assert!(text.contains("\\u{1b}]0;title"), "{text}");
    assert!(text.contains("  ✗ Claude Code  mail does not arrive (see "), "{text}");
    let gemini = text.lines().find(|line| line.starts_with("  ✓ Gemini CLI   mail arrives, ")).expect(&text);
    assert!(gemini.ends_with(" ms a prompt"), "{gemini}");
    let numbered = text.split_once(" 2.  Claude Code, entries:").expect(&text).1;
    assert!(numbered.contains("\n     bch setup --only claude-code\n"), "{text}");
    assert!(!text.contains(home.path().to_str().unwrap()) || text.contains("tail "), "{text}");
}

#[test]
fn colour_and_symbols_are_left_out_where_they_are_not_wanted() {
    if is_left_out(Tmux::check()) {
        return;
    }
    let home = well_by("folder");
    let (text, escaped) = screen(&home, &[("NO_COLOR", "1")]);
    assert!(!has_colour(&escaped) && text.contains("  ✓ prompt"), "{escaped}");
    assert!(text.ends_with("all is well"), "{text}");
    let (text, escaped) = screen(&home, &[("TERM", "dumb"), ("LANG", "C")]);
    assert!(!has_colour(&escaped) && text.is_ascii(), "{escaped}");
    assert!(text.contains("  ok   prompt") && text.contains("  ok   Claude Code  mail arrives, "), "{text}");
}
