//! A throw-away home, and the built programs run in it with an environment that holds nothing else.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use super::user::User;

/// The programs under test.
pub const BCH: &str = env!("CARGO_BIN_EXE_bch");
pub const HOOK: &str = env!("CARGO_BIN_EXE_bch-hook");

/// A home with agents, and a working directory outside any repository.
pub struct Home {
    directory: tempfile::TempDir,
    /// As whom its programs run, where it is not the user that runs the tests.
    user: Option<Arc<User>>,
}

impl Home {
    /// Makes a home with these agents; the first is this machine's.
    pub fn with(agents: &[&str]) -> Self {
        Self::of(None, agents)
    }

    /// The same, of a user without privileges.
    pub fn unprivileged(agents: &[&str]) -> Self {
        Self::of(User::unprivileged().map(Arc::new), agents)
    }

    /// An empty home of the same user.
    pub fn another(&self) -> Self {
        Self::of(self.user.clone(), &[])
    }

    fn of(user: Option<Arc<User>>, agents: &[&str]) -> Self {
        let home = Self { directory: tempfile::tempdir().unwrap(), user };
        std::fs::create_dir(home.work()).unwrap();
        home.give(home.directory.path());
        for agent in agents {
            succeed(&home.as_agent(agent, &["init", agent]));
        }
        home
    }

    /// Gives a path that a test made to the home's user.
    pub fn give(&self, path: &Path) {
        if self.user.is_some() {
            User::give(path);
        }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    pub fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// A directory that is the work tree of a repository with this remote.
    pub fn repository(&self, name: &str, remote: &str) -> PathBuf {
        let work = self.directory.path().join(name);
        std::fs::create_dir_all(work.join(".git")).unwrap();
        std::fs::write(work.join(".git/config"), format!("[remote \"origin\"]\n\turl = {remote}\n")).unwrap();
        work
    }

    /// A program of ours in this home's environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = match &self.user {
            Some(user) => Command::new(user.program(program)),
            None => Command::new(program),
        };
        if self.user.is_some() {
            User::run(&mut command);
        }
        command
            .env_clear()
            .env("HOME", self.directory.path())
            .env("BACKCHANNEL_HOME", self.path())
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    pub fn as_agent(&self, agent: &str, arguments: &[&str]) -> Output {
        self.command(BCH).env("BACKCHANNEL_AGENT", agent).args(arguments).output().unwrap()
    }

    pub fn send(&self, from: &str, to: &str, body: &str, options: &[&str]) -> Value {
        let output = self.as_agent(from, &[&["--json", "send", to, body], options].concat());
        serde_json::from_str(&succeed(&output)).unwrap()
    }

    /// Unread messages, whatever their scope.
    pub fn unread(&self, agent: &str) -> Vec<Value> {
        serde_json::from_str(&succeed(&self.as_agent(agent, &["inbox", "--all", "--json"]))).unwrap()
    }

    pub fn recent(&self, agent: &str) -> Vec<Value> {
        serde_json::from_str(&succeed(&self.as_agent(agent, &["inbox", "--recent", "--json"]))).unwrap()
    }

    /// Runs a hook of a harness as the harness would, and returns what the model is shown.
    pub fn hook(&self, harness: &str, event: &str, agent: &str, payload: &Value) -> Option<String> {
        let output = self.raw_hook(harness, event, agent, payload.to_string().as_bytes());
        let text = succeed(&output);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        if text.is_empty() {
            return None;
        }
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["hookSpecificOutput"]["hookEventName"], event);
        assert_eq!(answer.as_object().unwrap().len(), 1);
        Some(answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap().to_owned())
    }

    pub fn raw_hook(&self, harness: &str, event: &str, agent: &str, stdin: &[u8]) -> Output {
        let mut command = self.command(HOOK);
        command.args([harness, event, "--agent", agent, "--home"]).arg(self.path());
        marks(&mut command, harness);
        feed(&mut command, stdin)
    }

    /// The payload of an event in a session, as this harness shapes it.
    pub fn payload(&self, event: &str, session: &str, work: &Path) -> Value {
        json!({
            "hook_event_name": event, "session_id": session, "cwd": work, "prompt": "go on",
            "model": "mock", "timestamp": "2026-01-01T00:00:00Z"
        })
    }
}

/// Sets what a harness sets in the environment of its hooks.
pub fn marks(command: &mut Command, harness: &str) {
    match harness {
        "claude-code" => command.env("CLAUDECODE", "1"),
        _ => command,
    };
}

/// Runs a command with this standard input.
pub fn feed(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = stdin.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may end without reading it all.
        let _ = input.write_all(&bytes);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// The standard output of a program that exited 0.
pub fn succeed(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}
