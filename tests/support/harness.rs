//! Owns how each coding agent is found, given a home of its own and started against a model service
//! on this machine: its settings files, its arguments and its environment. Nothing here reads the
//! home of the person who runs the tests, and nothing that it starts can reach the network through
//! a proxy. Settings and arguments checked 2026-11-24 with Claude Code 2.1.330, Codex 0.169.0 and
//! Gemini CLI 0.61.0.

use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long one headless run may take. The slowest, Gemini CLI, needs about 4 s.
const RUN_LIMIT: Duration = Duration::from_secs(120);
const API_KEY: &str = "mock-key";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harness {
    ClaudeCode,
    Codex,
    GeminiCli,
}

/// A program with its arguments, its whole environment and the directory to run it in.
#[derive(Clone, Debug)]
pub struct HarnessCommand {
    pub argv: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    pub work_dir: PathBuf,
}

#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Harness {
    pub const ALL: [Harness; 3] = [Harness::ClaudeCode, Harness::Codex, Harness::GeminiCli];

    /// The hook event that comes with every prompt.
    pub fn prompt_event(self) -> &'static str {
        match self {
            Harness::ClaudeCode | Harness::Codex => "UserPromptSubmit",
            Harness::GeminiCli => "BeforeAgent",
        }
    }

    /// The hook event that comes after every tool call.
    pub fn after_tool_event(self) -> &'static str {
        match self {
            Harness::ClaudeCode | Harness::Codex => "PostToolUse",
            Harness::GeminiCli => "AfterTool",
        }
    }

    /// What the screen shows once the agent takes a prompt.
    pub fn ready_mark(self) -> &'static str {
        match self {
            Harness::ClaudeCode => "❯",
            Harness::Codex => "›",
            Harness::GeminiCli => "Type your message",
        }
    }

    /// A status after which the agent gives up the turn with this one request. There is none that
    /// holds for all: Claude Code repeats a 400 with fewer features, Codex repeats a 403.
    pub fn fatal_status(self) -> u16 {
        match self {
            Harness::ClaudeCode => 403,
            Harness::Codex | Harness::GeminiCli => 400,
        }
    }

    /// The installed program, or why there is none: in `$BCH_HARNESS_DIR/node_modules/.bin`, else
    /// below `target/harnesses` of this package.
    pub fn program(self) -> Result<PathBuf, String> {
        let root = std::env::var_os("BCH_HARNESS_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/harnesses"), PathBuf::from);
        let name = match self {
            Harness::ClaudeCode => "claude",
            Harness::Codex => "codex",
            Harness::GeminiCli => "gemini",
        };
        let program = root.join("node_modules/.bin").join(name);
        // `metadata` follows the link that npm made, so that a broken one counts as missing.
        match fs::metadata(&program) {
            Ok(_) => Ok(program),
            Err(error) => Err(format!("{self:?} is not installed: {}: {error}", program.display())),
        }
    }

    fn settings_path(self, home: &Path) -> PathBuf {
        home.join(match self {
            Harness::ClaudeCode => ".claude/settings.json",
            Harness::Codex => ".codex/hooks.json",
            Harness::GeminiCli => ".gemini/settings.json",
        })
    }

    /// Makes a home in which the agent starts without asking anything: first-run questions answered,
    /// `work_dir` trusted. Both directories are created. There are no hooks yet.
    pub fn write_home(self, home: &Path, work_dir: &Path) -> io::Result<()> {
        fs::create_dir_all(home.join("tmp"))?;
        fs::create_dir_all(work_dir)?;
        match self {
            Harness::ClaudeCode => {
                let trusted = json!({"hasTrustDialogAccepted": true});
                let state = json!({
                    "hasCompletedOnboarding": true,
                    "customApiKeyResponses": {"approved": [API_KEY], "rejected": []},
                    "projects": {resolved(work_dir).to_string_lossy(): trusted},
                });
                write_json(&home.join(".claude.json"), &state)
            }
            // Its provider and its trust are arguments; see `arguments`.
            Harness::Codex => fs::create_dir_all(home.join(".codex")),
            Harness::GeminiCli => {
                let settings = json!({
                    "security": {"auth": {"selectedType": "vertex-ai"}},
                    "privacy": {"usageStatisticsEnabled": false},
                    "telemetry": {"enabled": false},
                    "general": {"enableAutoUpdate": false, "enableAutoUpdateNotification": false},
                    "ide": {"enabled": false, "hasSeenNudge": true},
                });
                write_json(&self.settings_path(home), &settings)
            }
        }
    }

    /// Sets the hooks, in place of any that are there: pairs of event and shell command line. The
    /// other settings stay.
    pub fn write_hooks(self, home: &Path, hooks: &[(&str, &str)], timeout: Duration) -> io::Result<()> {
        let timeout = match self {
            Harness::ClaudeCode | Harness::Codex => timeout.as_secs().max(1),
            Harness::GeminiCli => timeout.as_secs() * 1000 + u64::from(timeout.subsec_millis()),
        };
        let path = self.settings_path(home);
        let mut settings = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => json!({}),
            Err(error) => return Err(error),
        };
        settings["hooks"] = json!({});
        for (event, command) in hooks {
            let group = json!({"hooks": [{"type": "command", "command": command, "timeout": timeout}]});
            match &mut settings["hooks"][event] {
                Value::Array(groups) => groups.push(group),
                missing => *missing = json!([group]),
            }
        }
        write_json(&path, &settings)
    }

    /// Runs one prompt to its end, without a terminal. An empty home will do; the one of
    /// `write_home` is nearer to a user's. Panics if the agent is not installed, cannot
    /// be started or takes longer than two minutes.
    pub fn run_headless(
        self,
        home: &Path,
        work_dir: &Path,
        model_url: &str,
        prompt: &str,
        extra_env: &[(&str, &str)],
    ) -> Output {
        self.headless_command(home, work_dir, model_url, prompt, extra_env).run()
    }

    /// The command of `run_headless`, for a test that needs further arguments.
    pub fn headless_command(
        self,
        home: &Path,
        work_dir: &Path,
        model_url: &str,
        prompt: &str,
        extra_env: &[(&str, &str)],
    ) -> HarnessCommand {
        let mut command = self.command(home, work_dir, model_url, "dumb", extra_env);
        match self {
            Harness::ClaudeCode | Harness::GeminiCli => {
                command.argv.extend(["-p", prompt].map(OsString::from));
            }
            Harness::Codex => {
                command.argv.insert(1, "exec".into());
                command.argv.extend(["--skip-git-repo-check", prompt].map(OsString::from));
            }
        }
        command
    }

    /// The command for a session in a terminal; the home has to be one of `write_home`.
    pub fn interactive_command(
        self,
        home: &Path,
        work_dir: &Path,
        model_url: &str,
        extra_env: &[(&str, &str)],
    ) -> HarnessCommand {
        self.command(home, work_dir, model_url, "xterm-256color", extra_env)
    }

    fn command(
        self,
        home: &Path,
        work_dir: &Path,
        model_url: &str,
        terminal: &str,
        extra_env: &[(&str, &str)],
    ) -> HarnessCommand {
        let program = self.program().unwrap_or_else(|reason| panic!("{reason}"));
        let mut argv = vec![program.into_os_string()];
        argv.extend(self.arguments(work_dir, model_url).into_iter().map(OsString::from));
        let mut env: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), home.into()),
            // Codex and Claude Code leave files in the directory for temporary ones.
            ("TMPDIR".into(), home.join("tmp").into()),
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
        ];
        let fixed = [
            ("LANG", "C.UTF-8"),
            ("TERM", terminal),
            // Nothing listens there: what would leave this machine fails at once.
            ("HTTPS_PROXY", "http://127.0.0.1:9"),
            ("NO_PROXY", "127.0.0.1,localhost"),
        ];
        let own = self.environment(model_url);
        let pairs = fixed.iter().chain(&own).chain(extra_env);
        env.extend(pairs.map(|(name, value)| (name.into(), value.into())));
        HarnessCommand { argv, env, work_dir: work_dir.to_owned() }
    }

    fn environment(self, model_url: &str) -> Vec<(&'static str, &str)> {
        match self {
            Harness::ClaudeCode => vec![
                ("ANTHROPIC_BASE_URL", model_url),
                ("ANTHROPIC_API_KEY", API_KEY),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
                ("DISABLE_AUTOUPDATER", "1"),
                ("DISABLE_TELEMETRY", "1"),
            ],
            Harness::Codex => vec![("MOCK_KEY", API_KEY)],
            // Vertex AI with an API key, because that choice needs no login and no settings file.
            Harness::GeminiCli => vec![
                ("GOOGLE_GENAI_USE_VERTEXAI", "true"),
                ("GOOGLE_API_KEY", API_KEY),
                ("GOOGLE_VERTEX_BASE_URL", model_url),
                ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
            ],
        }
    }

    fn arguments(self, work_dir: &Path, model_url: &str) -> Vec<String> {
        match self {
            Harness::ClaudeCode => Vec::new(),
            // With the automatic choice it first asks a model which model to ask.
            Harness::GeminiCli => vec!["-m".into(), "gemini-2.5-flash".into()],
            Harness::Codex => {
                // A JSON string is a TOML string too.
                let work_dir = json!(resolved(work_dir).to_string_lossy());
                let settings = [
                    "model=\"mock-model\"".to_owned(),
                    "model_provider=\"mock\"".to_owned(),
                    "model_providers.mock.name=\"mock\"".to_owned(),
                    format!("model_providers.mock.base_url=\"{model_url}/v1\""),
                    "model_providers.mock.wire_api=\"responses\"".to_owned(),
                    "model_providers.mock.env_key=\"MOCK_KEY\"".to_owned(),
                    "model_providers.mock.supports_websockets=false".to_owned(),
                    format!("projects={{{work_dir}={{trust_level=\"trusted\"}}}}"),
                    // Its sandbox needs kernel features that a container may lack; the model is
                    // the test's own.
                    "sandbox_mode=\"danger-full-access\"".to_owned(),
                    "approval_policy=\"never\"".to_owned(),
                    "check_for_update_on_startup=false".to_owned(),
                    "analytics.enabled=false".to_owned(),
                    // Else keys that come as fast as a program sends them count as a paste, in
                    // which Enter starts a new line.
                    "disable_paste_burst=true".to_owned(),
                ];
                // Hooks that no person has approved are skipped without a word.
                let trust = std::iter::once("--dangerously-bypass-hook-trust".to_owned());
                trust.chain(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting])).collect()
            }
        }
    }
}

impl HarnessCommand {
    /// Runs the program to its end, as `run_headless` does.
    pub fn run(&self) -> Output {
        self.run_within(RUN_LIMIT)
    }

    /// Runs the program to its end with nothing on standard input. When it takes longer its process
    /// group is killed and this panics with what it had written.
    pub fn run_within(&self, limit: Duration) -> Output {
        // Files, not pipes: a process that outlives the agent cannot keep this waiting.
        let mut stdout = tempfile::tempfile().expect("a file for standard output");
        let mut stderr = tempfile::tempfile().expect("a file for standard error");
        let mut child = Command::new(&self.argv[0])
            .args(&self.argv[1..])
            .current_dir(&self.work_dir)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().expect("a second handle"))
            .stderr(stderr.try_clone().expect("a second handle"))
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {:?}: {error}", self.argv[0]));
        let group = format!("-{}", child.id());
        let (sender, receiver) = mpsc::channel();
        // Ends with the child, which the kill below makes sure of.
        thread::spawn(move || sender.send(child.wait()));
        let Ok(status) = receiver.recv_timeout(limit) else {
            drop(Command::new("kill").args(["-KILL", "--", &group]).status());
            let (stdout, stderr) = (written(&mut stdout), written(&mut stderr));
            panic!("{:?} took over {limit:?}\n{stdout}\n{stderr}", self.argv[0]);
        };
        let status = status.expect("the agent's exit status");
        Output { status, stdout: written(&mut stdout), stderr: written(&mut stderr) }
    }
}

/// Agents key their trust by the directory as they see it, links resolved.
fn resolved(directory: &Path) -> PathBuf {
    fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned())
}

fn written(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("read what was written");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn write_json(path: &Path, value: &Value) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("a file in the home"))?;
    fs::write(path, format!("{value:#}\n"))
}
