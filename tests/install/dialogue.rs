//! A command of ours at a terminal of its own: what a person does there, and what is left of the terminal.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::UserHome;
use crate::support::home::BCH;
use crate::support::tmux::Tmux;

pub(super) const LIMIT: Duration = Duration::from_secs(60);

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
pub(super) enum Ending {
    Key(&'static str),
    Signal(&'static str),
    TerminalClosed,
}

/// A command of ours at a terminal.
pub(super) struct Dialogue {
    pub(super) terminal: Tmux,
    notes: tempfile::TempDir,
}

impl Dialogue {
    pub(super) fn start(home: &UserHome, arguments: &[&str]) -> Self {
        Self::start_beside(home, arguments, &[])
    }

    /// With these programs on the search path; they are only looked for.
    pub(super) fn start_beside(home: &UserHome, arguments: &[&str], programs: &[&str]) -> Self {
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

    /// Goes on from each of these questions to the next, until the last waits for a key.
    #[track_caller]
    pub(super) fn reach(&self, questions: &[&str]) {
        for (number, question) in questions.iter().enumerate() {
            if number > 0 {
                self.terminal.send_key("Enter");
            }
            self.terminal.wait_for_text(question, LIMIT);
        }
        let process = fs::read_to_string(self.notes.path().join("process")).unwrap();
        let state = PathBuf::from(format!("/proc/{}/stat", process.trim()));
        wait("sleep", || fs::read_to_string(&state).unwrap().contains(") S "));
    }

    pub(super) fn end(&self, ending: Ending) {
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
    pub(super) fn status(&self) -> i32 {
        let status = self.notes.path().join("status");
        wait("status", || status.exists());
        fs::read_to_string(status).unwrap().trim().parse().unwrap()
    }

    /// What is on the screen at the end: the terminal is usable, and these are the last lines.
    #[track_caller]
    pub(super) fn last_lines(&self, place: &str) -> Vec<String> {
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
