//! `doctor` finds what was planted, with the command that mends it, and nothing where all is well; `--fix` mends
//! what is ours, and leaves the rest.

mod copies;
mod entries;
mod fix;
mod home;
mod programs;
mod switches;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

pub use super::UserHome;

pub const GEMINI: &str = ".gemini/settings.json";
pub const CLAUDE: &str = ".claude/settings.json";
pub const FOLDER: &str = ".claude/skills/backchannel";

/// What a run of `doctor` says.
#[derive(Debug)]
pub struct Diagnosis {
    pub ok: bool,
    /// The checks that are not `ok`.
    pub bad: Vec<Value>,
    pub all: Vec<Value>,
    fixed: Vec<String>,
}

impl Diagnosis {
    #[track_caller]
    pub fn of(output: &Output) -> Self {
        let error = String::from_utf8_lossy(&output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"));
        assert_eq!(report["ok"], output.status.success());
        let all = report["checks"].as_array().unwrap().clone();
        let bad = all.iter().filter(|check| check["status"] != "ok").cloned().collect();
        let fixed = report["fixed"].as_array().into_iter().flatten();
        let fixed = fixed.map(|line| line.as_str().unwrap().to_owned()).collect();
        Self { ok: output.status.success(), bad, all, fixed }
    }

    /// The one check of this name and detail.
    #[track_caller]
    pub fn find(&self, check: &str, detail: &str) -> &Value {
        let is_meant = |found: &&Value| {
            found["check"] == check && found["detail"].as_str().is_some_and(|text| text.contains(detail))
        };
        self.all.iter().find(is_meant).unwrap_or_else(|| panic!("no {check}, {detail}: {:#?}", self.bad))
    }

    /// There is a fault of that kind, with a command.
    #[track_caller]
    pub fn expect(&self, check: &str, detail: &str, status: &str, hint: &str) {
        let found = self.find(check, detail);
        assert_eq!(found["status"], status, "{found}");
        assert!(found["hint"].as_str().is_some_and(|text| text.contains(hint)), "{found}");
        assert!(status == "warn" || !self.ok);
    }
}

pub fn doctor(home: &UserHome) -> Diagnosis {
    Diagnosis::of(&home.bch(&["doctor", "--json"]))
}

pub fn fix(home: &UserHome) -> Diagnosis {
    Diagnosis::of(&home.bch(&["doctor", "--fix", "--json"]))
}

/// `doctor` in a directory, with these variables.
pub fn doctor_in(home: &UserHome, directory: &Path, variables: &[(&str, &str)]) -> Diagnosis {
    let mut command = home.command(&["doctor", "--json"]);
    command.current_dir(directory).envs(variables.iter().copied());
    Diagnosis::of(&command.output().unwrap())
}

/// A home with Claude Code and Gemini CLI, set up by this vehicle, in which nothing is wrong.
#[track_caller]
pub fn well_by(vehicle: &str) -> UserHome {
    let home = UserHome::new();
    home.write(GEMINI, "{}\n");
    // Else Gemini CLI would have to be asked about the directory in which doctor runs.
    home.write(".gemini/trustedFolders.json", r#"{"/": "TRUST_FOLDER"}"#);
    fs::create_dir(home.file(".claude")).unwrap();
    assert!(home.bch(&["init", "bob"]).status.success());
    assert!(home.run(&["setup", "--vehicle", vehicle]).0);
    let found = doctor(&home);
    assert!(found.ok && found.bad.is_empty(), "{:#?}", found.bad);
    home
}

pub fn well() -> UserHome {
    well_by("settings")
}

/// A home with Codex alone. Its user's trust is missing, and nothing else.
#[track_caller]
pub fn codex() -> UserHome {
    let home = UserHome::new();
    fs::create_dir(home.file(".codex")).unwrap();
    assert!(home.bch(&["init", "bob"]).status.success());
    assert!(home.run(&["setup"]).0);
    let found = doctor(&home);
    assert_eq!(found.bad.iter().map(|check| &check["check"]).collect::<Vec<_>>(), ["trust"]);
    home
}

/// Plants a fault, and expects one check to tell it, and the text for people too.
#[track_caller]
pub fn finds(plant: impl FnOnce(&UserHome), check: &str, detail: &str, status: &str, hint: &str) {
    let home = well();
    plant(&home);
    let found = doctor(&home);
    found.expect(check, detail, status, hint);
    assert_eq!(found.ok, status == "warn", "{:#?}", found.bad);
    let output = home.bch(&["doctor"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("hint: ") && text.contains(detail), "{text}");
}

pub fn change(home: &UserHome, file: &str, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&home.read(file)).unwrap();
    change(&mut value);
    home.write(file, value.to_string());
}

/// A group with one hook that runs this line.
pub fn group(line: &str) -> Value {
    json!({"hooks": [{"type": "command", "command": line}]})
}

/// Puts a program in place of an installed one. Another process writes it: one that this process has open for
/// writing cannot be started.
pub fn replace_program(home: &UserHome, name: &str, script: &str) {
    let path = home.file(".local/share/backchannel/bin").join(name);
    let write = r#"rm -f "$1" && printf '%s\n' "$2" >"$1" && chmod 755 "$1""#;
    let status = Command::new("/bin/sh").args(["-c", write, "sh"]).arg(path).arg(script).status();
    assert!(status.unwrap().success());
}
