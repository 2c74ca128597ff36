//! Owns a terminal for one program: a tmux server of its own, with its socket in a directory of its
//! own, no configuration and a fixed size. It knows nothing of the program that runs in it.
//!
//! A terminal has no end of output to wait for, and a harness draws when it likes; so waiting here
//! means looking at the screen again and again, every 50 ms, up to a limit. Where a test can wait
//! for something better (a request at the model, a file), it should.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs a program and then names the terminal "ended", which comes after all that the program wrote. It keeps
/// the terminal open: when the last program of one ends, tmux may leave out what it has not read yet.
/// `env -i` takes away what tmux adds (TMUX, TERM): programs behave otherwise when they know.
const SCRIPT: &str = r#"trap : INT QUIT
env -i "$@"
printf '\033]2;ended\007'
exec sleep 3600"#;

pub struct Tmux {
    /// Holds the socket; the server is gone before the directory goes.
    directory: tempfile::TempDir,
}

impl Tmux {
    /// Why the tests cannot have a terminal here, if so.
    pub fn check() -> Result<(), String> {
        let version = Command::new("tmux").arg("-V").output();
        version.map(drop).map_err(|error| format!("tmux is not installed: {error}"))
    }

    /// Starts `argv` in a screen of 120 by 40, in `work_dir`, with `env` and nothing else around it.
    /// The screen stays when the program ends.
    pub fn start(argv: &[OsString], env: &[(OsString, OsString)], work_dir: &Path) -> Tmux {
        Tmux::start_sized(argv, env, work_dir, (120, 40))
    }

    /// The same in a screen of so many columns and rows.
    pub fn start_sized(
        argv: &[OsString],
        env: &[(OsString, OsString)],
        work_dir: &Path,
        (columns, rows): (u16, u16),
    ) -> Tmux {
        let directory = tempfile::tempdir().expect("a directory for the socket");
        let tmux = Tmux { directory };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let size = ["new-session", "-d", "-x", &columns, "-y", &rows, "-c"];
        let mut command = tmux.command();
        // One invocation, since a server without a session ends. Without the option tmux waits after Escape, in
        // case a longer key follows.
        command.args(["start-server", ";", "set-option", "-s", "escape-time", "0", ";"]);
        command.args(size).arg(work_dir);
        command.args(["--", "/bin/sh", "-c", SCRIPT, "sh"]);
        for (name, value) in env {
            let mut pair = name.clone();
            pair.push("=");
            pair.push(value);
            command.arg(literal(&pair));
        }
        command.args(argv.iter().map(|word| literal(word)));
        succeeded(command.output(), "start a session");
        tmux
    }

    /// Types the text as it is. A line end in it is typed as such; Enter is a key.
    pub fn send_text(&self, text: &str) {
        let mut command = self.command();
        command.args(["send-keys", "-l", "--"]).arg(literal(text.as_ref()));
        succeeded(command.output(), "send text");
    }

    /// Presses a key by tmux's name for it: `Enter`, `Escape`, `C-c`.
    pub fn send_key(&self, key: &str) {
        succeeded(self.command().args(["send-keys", "--", key]).output(), "send a key");
    }

    /// Types a prompt of one short line, waits until the program shows it, and presses Enter: an
    /// Enter that comes with the text may be lost or taken as part of a paste. A program that is still starting
    /// may show its line and lose what is typed: it is typed again then.
    #[track_caller]
    pub fn submit(&self, prompt: &str, timeout: Duration) {
        self.send_text(prompt);
        if !self.shows_within(prompt, timeout / 4) {
            self.send_text(prompt);
        }
        self.wait_for_text(prompt, timeout);
        self.send_key("Enter");
    }

    /// What is on the screen, one line a row, without the blanks at the end of rows and screen.
    pub fn screen(&self) -> String {
        let output = self.command().args(["capture-pane", "-p"]).output();
        succeeded(output, "read the screen").trim_end().to_owned()
    }

    /// The same with its colours, as escape sequences.
    pub fn screen_with_colours(&self) -> String {
        let output = self.command().args(["capture-pane", "-p", "-e"]).output();
        succeeded(output, "read the screen").trim_end().to_owned()
    }

    /// Whether the program has ended, and the screen shows all that it wrote.
    fn has_ended(&self) -> bool {
        self.is_set("#{==:#{pane_title},ended}")
    }

    /// Whether the cursor is to be seen.
    pub fn shows_cursor(&self) -> bool {
        self.is_set("#{cursor_flag}")
    }

    /// Closes the terminal under its program, as a user closes a window.
    pub fn close(&self) {
        succeeded(self.command().arg("kill-server").output(), "close the terminal");
    }

    fn is_set(&self, flag: &str) -> bool {
        let output = self.command().args(["display-message", "-p", flag]).output();
        succeeded(output, "ask for the program's state").trim() == "1"
    }

    /// Waits until the screen shows `text` and returns the screen. A text that the program wraps is
    /// not found. Panics like `wait_for_screen`.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str, timeout: Duration) -> String {
        self.wait_for_screen(&format!("{text:?}"), |screen| screen.contains(text), timeout)
    }

    /// Whether the screen shows `text` before the time is over.
    pub fn shows_within(&self, text: &str, timeout: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < timeout {
            if self.screen().contains(text) {
                return true;
            }
            thread::sleep(LOOK_EVERY);
        }
        false
    }

    /// Waits until the screen satisfies `is_so` and returns it. Panics with the screen and `what`
    /// was awaited when the time is over, or sooner when the program has ended without it.
    #[track_caller]
    pub fn wait_for_screen(&self, what: &str, is_so: impl Fn(&str) -> bool, timeout: Duration) -> String {
        let start = Instant::now();
        loop {
            // Asked before the screen is read, so that the last screen is seen too.
            let ended = self.has_ended();
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(!ended, "the program ended before the screen showed {what}:\n{screen}");
            assert!(start.elapsed() < timeout, "no {what} after {timeout:?}:\n{screen}");
            thread::sleep(LOOK_EVERY);
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        // tmux replaces what it cannot show in the locale.
        command.env("LANG", "C.UTF-8").args(["-u", "-f", "/dev/null", "-S"]);
        command.arg(self.directory.path().join("socket"));
        command
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // A program may take seconds to end when its terminal goes, and write to its home until
        // then, which the test is about to remove. So it ends first, with its process group.
        let process = ["display-message", "-p", "#{pane_pid}"];
        if let Ok(output) = self.command().args(process).output()
            && let Ok(process) = String::from_utf8_lossy(&output.stdout).trim().parse::<u32>()
        {
            let group = format!("-{process}");
            drop(Command::new("kill").args(["-KILL", "--", &group]).output());
        }
        // It fails if the server is already gone.
        drop(self.command().arg("kill-server").output());
    }
}

/// tmux takes a semicolon at the end of any word for the end of its command.
fn literal(word: &OsStr) -> OsString {
    let bytes = word.as_bytes();
    match bytes.strip_suffix(b";") {
        Some(start) => OsString::from_vec([start, br"\;"].concat()),
        None => word.to_owned(),
    }
}

fn succeeded(output: std::io::Result<Output>, what: &str) -> String {
    let output = output.unwrap_or_else(|error| panic!("could not {what}: tmux: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "could not {what}: tmux: {}", error.trim());
    String::from_utf8_lossy(&output.stdout).into_owned()
}
