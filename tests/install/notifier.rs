//! The notifier as a service of a real manager: what setup starts, and uninstall stops and takes out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Snapshot, UserHome, assert_same, collect, result};
use crate::support::home::{BCH, succeed};
use crate::support::is_left_out;
use crate::support::machine::{Machine, Manager};

pub(super) const UNIT: &str = "backchannel-notify.service";
const FILE: &str = ".config/systemd/user/backchannel-notify.service";
/// Letters that mean something to a unit, to XML or to a shell.
pub(super) const HOSTILE: &str = "a %n%% $HOME ${x} &amp; <b> ; ~";
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

#[test]
fn a_unit_of_another_data_directory_is_left_alone() {
    let Some(desk) = Desk::new() else { return };
    assert!(desk.run(&["setup"]).0);
    let process = desk.process_after("0");
    let before = fs::read_to_string(desk.user.join(FILE)).unwrap();
    let elsewhere = |words: &[&str]| {
        let mut command = desk.within(BCH, &[words, &["--yes"]].concat());
        let output = desk.machine.command(command.env("XDG_DATA_HOME", desk.user.join("other"))).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, told) = elsewhere(&["setup", "--only", "notifier"]);
    assert!(status == Some(1) && told.contains("is there already, and is not ours"), "{told}");
    elsewhere(&["uninstall", "--only", "notifier"]);
    assert_eq!(fs::read_to_string(desk.user.join(FILE)).unwrap(), before);
    assert_eq!(desk.property("MainPID"), process, "another's service was stopped");
}

#[test]
fn a_unit_that_its_user_changed_stays_and_stays_stopped() {
    let Some(desk) = Desk::new() else { return };
    assert!(desk.run(&["setup"]).0);
    let process = desk.process_after("0");
    let unit = desk.user.join(FILE);
    let text = fs::read_to_string(&unit).unwrap() + "# mine\n";
    fs::write(&unit, &text).unwrap();
    let (done, report) = desk.run(&["uninstall"]);
    assert!(done && report.to_string().contains("you changed it since setup"), "{report}");
    assert_eq!(fs::read_to_string(&unit).unwrap(), text);
    assert_eq!(desk.property("UnitFileState"), "disabled");
    assert!(!Path::new("/proc").join(&process).exists(), "it runs on");
}

#[test]
fn what_its_user_switched_off_is_started_by_name_alone() {
    let Some(desk) = Desk::new() else { return };
    assert!(desk.run(&["setup"]).0);
    let process = desk.process_after("0");
    desk.systemctl(&["disable", "--now", UNIT]);
    assert!(desk.run(&["setup"]).0);
    assert_eq!((&*desk.property("UnitFileState"), &*desk.property("MainPID")), ("disabled", "0"));
    let (status, hint) = desk.checked().unwrap();
    assert!(status == "warn" && hint.starts_with("bch setup --only notifier"), "{status}: {hint}");
    assert!(desk.run(&["setup", "--only", "notifier"]).0);
    desk.process_after(&process);
    assert_eq!(desk.property("UnitFileState"), "enabled");
}

#[test]
fn a_manager_that_refuses_holds_no_harness_back_and_one_that_is_silent_is_told_of() {
    let Some(desk) = Desk::new() else { return };
    assert!(desk.run(&["setup"]).0);
    let process = desk.process_after("0");
    // It answers, and stops nothing.
    let programs = desk.home.file("programs");
    fs::create_dir(&programs).unwrap();
    let script = "#!/bin/sh\ncase \"$*\" in *disable*) echo 'no way' >&2; exit 1;; esac\nexec /usr/bin/systemctl \"$@\"\n";
    let wrapper = programs.join("systemctl");
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    desk.home.give();
    let uninstall = |name: &str, value: &str| {
        let mut command = desk.within(BCH, &["uninstall", "--yes"]);
        desk.machine.command(command.env(name, value)).output().unwrap()
    };
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let output = uninstall("PATH", &path);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && told.contains("could not stop the notifier: no way"),
        "{told}"
    );
    assert!(desk.user.join(FILE).exists() && !desk.user.join(".codex/hooks.json").exists());
    assert!(desk.user.join(".local/share/backchannel/bin/bch").exists(), "the service needs it");
    assert_eq!(desk.property("MainPID"), process);

    let output = uninstall("XDG_RUNTIME_DIR", "/nowhere");
    let shown = succeed(&output);
    assert!(
        shown.contains(&format!(
            "1. end the notifier, which still runs from what was taken out: kill {process}"
        )),
        "{shown}"
    );
    assert!(!desk.user.join(".config").exists());
}
