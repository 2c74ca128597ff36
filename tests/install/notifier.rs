//! The notifier as a service: the unit, what the programs that read it make of it, and a real manager that runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use backchannel::install::service::Kind;
use backchannel::install::wishes::notifier::unit;
use serde_json::Value;

use super::{Snapshot, UserHome, assert_same, collect, result};
use crate::support::home::{BCH, feed, succeed};
use crate::support::is_left_out;
use crate::support::machine::{Machine, Manager};

const UNIT: &str = "backchannel-notify.service";
const FILE: &str = ".config/systemd/user/backchannel-notify.service";
/// Letters that mean something to a unit, to XML or to a shell.
const HOSTILE: &str = "a %n%% $HOME ${x} &amp; <b> ; ~";
/// Letters that systemd takes in no program's path.
const QUOTES: &str = "'q' \"d\" \\x41";
/// A manager starts what ended again after 5 s.
const LIMIT: Duration = Duration::from_secs(30);

/// A user at a machine whose service manager runs.
struct Desk {
    home: UserHome,
    user: PathBuf,
    machine: Machine,
    manager: Option<Manager>,
}

impl Desk {
    fn new() -> Option<Self> {
        let programs = ["/lib/systemd/systemd", "/usr/bin/systemctl", "/usr/bin/dbus-daemon"];
        if is_left_out(Machine::is_possible(&programs)) {
            return None;
        }
        let home = UserHome::unprivileged();
        let user = home.file(HOSTILE);
        fs::create_dir_all(user.join(".codex")).unwrap();
        home.give();
        let machine = Machine::new(&user);
        let mut desk = Self { home, user, machine, manager: None };
        desk.manager = Some(desk.machine.start_manager(&desk.within("true", &[])));
        assert!(desk.bch(&["init", "bob"]).status.success());
        Some(desk)
    }

    /// What is in the home, without the mail, our programs and our receipt.
    fn snapshot(&self) -> Snapshot {
        let mut found = Snapshot::new();
        collect(&self.user, &self.user, &[".backchannel", ".local"], &mut found);
        found
    }

    /// A program in the environment of the user's session.
    fn within(&self, program: &str, words: &[&str]) -> Command {
        let mut command = match program {
            BCH => self.home.command(&[]),
            _ => Command::new(program),
        };
        let runtime = Machine::runtime_directory();
        command.env("HOME", &self.user).env("PATH", "/usr/bin:/bin").env("XDG_RUNTIME_DIR", runtime);
        command.args(words);
        command
    }

    fn bch(&self, words: &[&str]) -> Output {
        self.machine.command(&self.within(BCH, words)).output().unwrap()
    }

    #[track_caller]
    fn run(&self, words: &[&str]) -> (bool, Value) {
        UserHome::report(words, &self.bch(&[words, &["--yes", "--json"]].concat()))
    }

    fn systemctl(&self, words: &[&str]) -> String {
        let words = [&["--user"], words].concat();
        let output = self.machine.command(&self.within("systemctl", &words)).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn property(&self, name: &str) -> String {
        self.systemctl(&["show", "--value", "--property", name, UNIT]).trim().to_owned()
    }

    /// Waits for another process of the notifier than this one.
    #[track_caller]
    fn process_after(&self, before: &str) -> String {
        let start = Instant::now();
        loop {
            let process = self.property("MainPID");
            if self.property("ActiveState") == "active" && process != "0" && process != before {
                return process;
            }
            assert!(start.elapsed() < LIMIT, "{}", self.systemctl(&["status", UNIT]));
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// What doctor says of the notifier: its status and its hint.
    fn checked(&self) -> Option<(String, String)> {
        let report: Value = serde_json::from_slice(&self.bch(&["doctor", "--json"]).stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == "notifier")?;
        let text = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
        Some((text("status"), text("hint")))
    }
}

#[test]
fn setup_starts_the_notifier_under_a_real_manager_and_uninstall_leaves_nothing_of_it() {
    let Some(desk) = Desk::new() else { return };
    let before = desk.snapshot();
    assert_eq!(desk.checked(), None, "what was not set up is no fault");
    let (done, report) = desk.run(&["setup"]);
    assert!(done && result(&report, "notifier") == "changed", "{report}");
    let process = desk.process_after("0");
    assert_eq!(desk.property("UnitFileState"), "enabled");
    let words = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap();
    let data = desk.user.join(".local/share/backchannel/bin/bch");
    let home = desk.user.join(".backchannel");
    let wanted = ["notify", "--home", home.to_str().unwrap(), ""];
    // In the first word systemd fills in variables, but not in the program that it starts.
    assert_eq!(words.split('\0').skip(1).collect::<Vec<_>>(), wanted);
    assert_eq!(fs::read_link(format!("/proc/{process}/exe")).unwrap(), data);
    assert_eq!(desk.checked(), Some(("ok".into(), String::new())));

    let (done, report) = desk.run(&["setup"]);
    assert!(done && result(&report, "notifier") == "unchanged", "{report}");
    assert_eq!(desk.property("MainPID"), process, "it was disturbed");
    assert!(Command::new("kill").args(["-s", "KILL", &process]).status().unwrap().success());
    let process = desk.process_after(&process);

    // An upgrade: another program was there.
    let old = data.with_file_name("old");
    fs::copy(&data, &old).unwrap();
    fs::rename(&old, &data).unwrap();
    fs::OpenOptions::new()
        .append(true)
        .open(&data)
        .unwrap()
        .set_len(fs::metadata(&data).unwrap().len() + 1)
        .unwrap();
    assert!(desk.run(&["setup", "--only", "codex"]).0);
    let process = desk.process_after(&process);

    desk.systemctl(&["stop", UNIT]);
    let (status, hint) = desk.checked().unwrap();
    assert!(
        status == "fail" && hint.starts_with(&format!("systemctl --user restart {UNIT}")),
        "{status}: {hint}"
    );
    assert!(desk.run(&["setup"]).0, "it starts what was stopped");
    let process = desk.process_after(&process);

    let (done, report) = desk.run(&["uninstall"]);
    assert!(done && result(&report, "notifier") == "changed", "{report}");
    assert_eq!(desk.property("LoadState"), "not-found");
    assert!(!Path::new("/proc").join(&process).exists(), "it runs on");
    assert_same(&desk.snapshot(), &before, "after uninstall");
}

#[test]
fn setup_writes_no_unit_that_was_not_wanted_or_that_nothing_would_run() {
    let Some(mut desk) = Desk::new() else { return };
    let unit = desk.user.join(FILE);
    assert!(desk.run(&["setup", "--no-notify"]).0 && desk.run(&["setup", "--only", "codex"]).0);
    assert!(!unit.exists());
    // The manager of another home never reads this one's units.
    let mut elsewhere = desk.within(BCH, &["setup", "--yes"]);
    let other = desk.home.file("other");
    fs::create_dir_all(other.join(".codex")).unwrap();
    desk.home.give();
    let output = desk.machine.command(elsewhere.env("HOME", &other)).output().unwrap();
    let shown = succeed(&output);
    assert!(shown.contains("run `bch notify` yourself, or let cron look each minute"), "{shown}");
    assert!(!other.join(".config").exists());

    assert!(desk.run(&["setup", "--only", "notifier"]).0 && unit.exists());
    desk.process_after("0");
    // Without its manager it goes all the same, and so does the link by which it was enabled.
    desk.manager = None;
    assert!(desk.run(&["uninstall", "--only", "notifier"]).0);
    let left = desk.user.join(".config");
    assert!(!left.exists(), "{:?}", Command::new("find").arg(&left).output());
    let output = desk.bch(&["setup", "--only", "notifier", "--yes"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("no service manager answers here") && told.contains("bch setup --only cron"),
        "{told}"
    );
}

/// A directory with hostile letters, and our program in it.
fn hostile() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join(HOSTILE).join("bch");
    fs::create_dir(program.parent().unwrap()).unwrap();
    fs::write(&program, "#!/bin/sh\nprintf '%s|' \"$0\" \"$@\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, program)
}

#[test]
fn systemd_finds_nothing_amiss_in_the_unit() {
    let (directory, program) = hostile();
    let file = directory.path().join(UNIT);
    let home = program.with_file_name(QUOTES);
    fs::write(&file, unit(Kind::Systemd, &program, &home).unwrap()).unwrap();
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["verify", "--user", "--man=no"]).arg(&file);
    // It starts a manager of its own, which wants a place for its sockets.
    let verified = analyze.env("XDG_RUNTIME_DIR", directory.path()).output();
    let Ok(output) = verified else {
        assert!(is_left_out(Err("systemd-analyze is missing, so nobody verified the unit".into())));
        return;
    };
    let told = String::from_utf8_lossy(&output.stderr);
    // It speaks of the units of this machine, too.
    assert!(output.status.success() && !told.contains(UNIT), "{told}");
}

#[test]
fn a_parser_of_property_lists_reads_the_agent_of_launchd() {
    let (_directory, program) = hostile();
    let text = unit(Kind::Launchd, &program, Path::new(QUOTES)).unwrap();
    let script = "import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(is_left_out(Err("python3 is missing, so nobody parsed the property list".into())));
        return;
    }
    let output = feed(Command::new("python3").args(["-c", script]), text.as_bytes());
    let value: Value = serde_json::from_str(&succeed(&output)).unwrap();
    assert_eq!(value["Label"], Kind::Launchd.unit());
    let words = [program.to_str().unwrap(), "notify", "--home", QUOTES];
    assert_eq!(value["ProgramArguments"], serde_json::json!(words));
    assert_eq!((&value["RunAtLoad"], &value["KeepAlive"]["SuccessfulExit"]), (&true.into(), &false.into()));
}

#[test]
fn what_no_unit_can_hold_is_refused() {
    for kind in [Kind::Systemd, Kind::Launchd] {
        let refused = unit(kind, Path::new("/a\nExecStart=/bin/evil"), Path::new("/b")).unwrap_err();
        assert!(refused.to_string().starts_with("a unit cannot hold the path"), "{refused}");
        // A path that spells a place of the template is a path like others.
        assert!(unit(kind, Path::new("/{home}"), Path::new("/{program}")).unwrap().contains("/{home}"));
    }
    unit(Kind::Systemd, Path::new(QUOTES), Path::new("/b")).unwrap_err();
}
