//! Delivery through the real harnesses, each in a home of its own and against a model on this machine:
//! what the model is shown, and what is left of the mail afterwards.
//!
//! A harness that is not installed leaves its tests out, loudly; where `CI=true` is set that is a failure.

/// One test of each harness for each function.
macro_rules! for_each_harness {
    ($($function:ident: $claude_code:ident, $codex:ident, $gemini_cli:ident;)*) => {$(
        #[test]
        fn $claude_code() {
            $function(Harness::ClaudeCode);
        }

        #[test]
        fn $codex() {
            $function(Harness::Codex);
        }

        #[test]
        fn $gemini_cli() {
            $function(Harness::GeminiCli);
        }
    )*};
}

mod at_a_relay;
mod by_setup;
mod dialects;
mod headless;
mod interactive;
mod live;
mod trust;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::harness::{Harness, HarnessCommand, Output};
use crate::support::home::{HOOK, Home};
use crate::support::is_left_out;
use crate::support::mock_model::{MockModel, Reply, Request};
use crate::support::tmux::Tmux;

const ATTENDED_OR_NOT: [(&str, &str); 1] = [("BACKCHANNEL_UNATTENDED", "1")];
const REPEATED: &str = "may have been shown before";
/// As setup writes it.
const HOOK_LIMIT: Duration = Duration::from_secs(10);
/// A harness needs up to 10 s to start on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

/// One harness with the hooks of `@bob`, its model, and the mail.
struct Stage {
    harness: Harness,
    home: Home,
    harness_home: tempfile::TempDir,
    model: MockModel,
}

fn id(harness: Harness) -> &'static str {
    match harness {
        Harness::ClaudeCode => "claude-code",
        Harness::Codex => "codex",
        Harness::GeminiCli => "gemini-cli",
    }
}

fn events(harness: Harness) -> &'static [&'static str] {
    match harness {
        Harness::ClaudeCode => {
            &["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "StopFailure", "SessionEnd"]
        }
        Harness::Codex => {
            &["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "Interrupt", "SessionEnd"]
        }
        Harness::GeminiCli => &["SessionStart", "BeforeAgent", "AfterTool", "AfterAgent", "SessionEnd"],
    }
}

impl Stage {
    /// `None` where the harness is not installed.
    fn new(harness: Harness) -> Option<Stage> {
        Stage::with_program(harness, Path::new(HOOK))
    }

    /// Without hooks.
    fn bare(harness: Harness) -> Option<Stage> {
        if is_left_out(harness.program().map(drop)) {
            return None;
        }
        let stage = Stage {
            harness,
            home: Home::with(&["bob", "alice"]),
            harness_home: tempfile::tempdir().unwrap(),
            model: MockModel::start(),
        };
        harness.write_home(stage.harness_home.path(), &stage.home.work()).unwrap();
        Some(stage)
    }

    fn with_program(harness: Harness, program: &Path) -> Option<Stage> {
        let stage = Stage::bare(harness)?;
        let line = |event: &&'static str| {
            let home = stage.home.path();
            let (program, home) = (program.display(), home.display());
            let agent = format!("--agent bob --home '{home}'");
            let events = stage.event_log();
            let log = format!("echo {event} >>'{}'", events.display());
            (*event, format!("'{program}' {} {event} {agent} 2>/dev/null; {log}", id(harness)))
        };
        let lines: Vec<(&str, String)> = events(harness).iter().map(line).collect();
        let hooks: Vec<(&str, &str)> = lines.iter().map(|(event, line)| (*event, line.as_str())).collect();
        harness.write_hooks(stage.harness_home.path(), &hooks, HOOK_LIMIT).unwrap();
        Some(stage)
    }

    fn command(&self, prompt: &str, env: &[(&str, &str)]) -> HarnessCommand {
        let (home, work) = (self.harness_home.path(), self.home.work());
        self.harness.headless_command(home, &work, self.model.url(), prompt, env)
    }

    /// One prompt without a person, to its end.
    fn run(&self, prompt: &str) -> Output {
        self.command(prompt, &ATTENDED_OR_NOT).run()
    }

    /// The files of mail that is claimed and not acknowledged.
    fn claimed(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut directories = vec![self.home.path().join("spool/bob/claimed")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let is_directory = entry.file_type().unwrap().is_dir();
                if is_directory { &mut directories } else { &mut found }.push(entry.path());
            }
        }
        found
    }

    /// Waits a little: a hook may end after what the test could see of the turn.
    #[track_caller]
    fn assert_nothing_is_left(&self) {
        let start = Instant::now();
        loop {
            let (unread, claimed) = (self.home.unread("bob"), self.claimed());
            if unread.is_empty() && claimed.is_empty() {
                return;
            }
            let is_over = start.elapsed() > Duration::from_secs(10);
            assert!(!is_over, "left: unread {unread:?}, claimed {claimed:?}, log: {}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types a prompt while no turn runs, until its hook has ended. Gemini CLI takes an Enter for a line
    /// end where a slow machine hands it the keys all at once, so that a second Enter is needed.
    #[track_caller]
    fn prompt(&self, terminal: &Tmux, prompt: &str) {
        let event = self.harness.prompt_event();
        let count = || self.events().iter().filter(|seen| *seen == event).count();
        let before = count();
        terminal.submit(prompt, LIMIT);
        for _ in 0..5 {
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(10) {
                if count() > before {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
            terminal.send_key("Enter");
        }
        panic!("no {event}: {}\n{:?}", terminal.screen(), self.events());
    }

    /// Waits until a hook has claimed so many messages.
    #[track_caller]
    fn wait_until_claimed(&self, count: usize) {
        let is_mail = |path: &PathBuf| !path.ends_with("lease.json");
        self.wait("a claim", || self.claimed().iter().filter(|path| is_mail(path)).count() == count);
    }

    /// Waits until the hook of this event has run: each event's line leaves a mark after it.
    #[track_caller]
    fn wait_for_event(&self, event: &str) {
        self.wait(event, || self.events().iter().any(|seen| seen == event));
    }

    /// The events whose hooks have ended, in their order.
    fn events(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.event_log()).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn event_log(&self) -> PathBuf {
        self.home.work().join("events.log")
    }

    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < LIMIT, "no {what}: {:?}, {}", self.events(), self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The harness in a terminal; `None` where there is no terminal to be had.
    fn terminal(&self) -> Option<Tmux> {
        self.terminal_with(&[])
    }

    /// The same, going on with the last conversation of the directory.
    fn resumed(&self) -> Option<Tmux> {
        self.terminal_with(match self.harness {
            Harness::ClaudeCode => &["--continue"],
            Harness::Codex => &["resume", "--last"],
            Harness::GeminiCli => &["--resume", "latest"],
        })
    }

    fn terminal_with(&self, arguments: &[&str]) -> Option<Tmux> {
        if is_left_out(Tmux::check()) {
            return None;
        }
        let (home, work) = (self.harness_home.path(), self.home.work());
        let mut command = self.harness.interactive_command(home, &work, self.model.url(), &[]);
        command.argv.splice(1..1, arguments.iter().map(Into::into));
        let terminal = Tmux::start(&command.argv, &command.env, &command.work_dir);
        terminal.wait_for_text(self.harness.ready_mark(), LIMIT);
        Some(terminal)
    }

    /// Waits until the program takes keys again; a prompt that it put back into the box is taken out.
    fn wait_for_the_end_of_an_interrupt(&self, terminal: &Tmux, prompt: &str) {
        match self.harness {
            Harness::ClaudeCode => {
                // In the box, unlike above it, a no-break space stands before the text.
                terminal.wait_for_text(&format!("❯\u{a0}{prompt}"), LIMIT);
                terminal.send_key("C-u");
            }
            Harness::Codex => drop(terminal.wait_for_text("nterrupted", LIMIT)),
            Harness::GeminiCli => drop(terminal.wait_for_text("cancelled", LIMIT)),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("hook.log")).unwrap_or_default()
    }

    /// A call of a tool that the harness has built in and runs without asking, with no effect.
    fn harmless_tool(&self) -> Reply {
        let (name, args) = match self.harness {
            Harness::ClaudeCode => ("Read", json!({"file_path": self.note()})),
            Harness::Codex => ("exec_command", json!({"cmd": "true"})),
            Harness::GeminiCli => ("read_file", json!({"file_path": self.note()})),
        };
        Reply::Tool { name: name.to_owned(), args }
    }

    /// A file in the working directory.
    fn note(&self) -> PathBuf {
        let note = self.home.work().join("note.txt");
        std::fs::write(&note, "a note\n").unwrap();
        note
    }
}

/// All text that the model was shown, entities decoded.
fn shown(request: &Request) -> String {
    let texts = request.strings_containing("");
    texts.join("\n").replace("&lt;", "<").replace("&gt;", ">")
}

/// How often the fence is opened and closed in a request.
fn fences(request: &Request) -> (usize, usize) {
    let text = shown(request);
    let marks = || text.lines().filter(|line| line.starts_with("--- backchannel mail "));
    let count = |end: &str| marks().filter(|line| line.ends_with(end)).count();
    (count("begins ---"), count("ends ---"))
}
