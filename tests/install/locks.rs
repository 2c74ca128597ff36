//! Two setups at once, and setup beside the harness's own writers of a file.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{UserHome, assert_same, result};

const FILE: &str = ".claude.json";
const LOCK: &str = ".claude.json.lock";
const SETUP: [&str; 5] = ["setup", "--vehicle", "settings", "--yes", "--json"];

fn home() -> UserHome {
    let home = UserHome::new();
    home.write(FILE, "{\"numStartups\": 1}");
    home.write(".gemini/settings.json", "{}\n");
    fs::create_dir(home.file(".claude")).unwrap();
    home
}

#[test]
fn setup_waits_for_a_writer_of_the_harness_and_gives_up_on_one_that_stays() {
    let home = home();
    let before = home.snapshot();
    fs::create_dir(home.file(LOCK)).unwrap();
    let (done, report) = home.run(&SETUP[..3]);
    assert!(!done, "{report}");
    assert_eq!((result(&report, "claude-code"), result(&report, "gemini-cli")), ("refused", "changed"));
    assert!(report.to_string().contains(LOCK), "{report}");
    assert_eq!(home.read(FILE), "{\"numStartups\": 1}");
    assert!(home.file(LOCK).is_dir(), "the lock of another is not ours to take");

    let mut setup = home.command(&SETUP).stdout(Stdio::null()).spawn().unwrap();
    // It waits, and the file changes while it does.
    while !fs::read_dir(home.file(".claude/skills")).is_ok_and(|mut entries| entries.next().is_some()) {
        assert!(setup.try_wait().unwrap().is_none(), "it did not wait");
    }
    home.write(FILE, "{\"numStartups\": 2}");
    fs::remove_dir(home.file(LOCK)).unwrap();
    assert!(setup.wait().unwrap().success());
    let value: Value = serde_json::from_str(&home.read(FILE)).unwrap();
    assert_eq!(value["numStartups"], 2);
    assert!(value["mcpServers"]["backchannel"].is_object() && !home.file(LOCK).exists());
    home.write(FILE, home.read(FILE).replace("{\"numStartups\": 2", "{\"numStartups\": 1"));
    assert!(home.run(&["uninstall"]).0);
    assert_same(&home.snapshot(), &before, "after uninstall");
}

#[test]
fn a_lock_that_a_killed_program_left_is_taken() {
    let home = home();
    // Claude Code's, not touched for long; and one of ours.
    fs::create_dir(home.file(LOCK)).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    File::open(home.file(LOCK)).unwrap().set_modified(long_ago).unwrap();
    assert!(home.run(&SETUP[..3]).0);
    assert!(!home.file(LOCK).exists());
    DirBuilder::new().mode(0o500).create(home.file(LOCK)).unwrap();
    assert!(home.run(&["uninstall"]).0);
    assert!(!home.file(LOCK).exists());
    assert_eq!(home.read(FILE), "{\"numStartups\": 1}");
}

#[test]
fn setups_and_uninstalls_at_once_come_one_after_the_other() {
    let home = home();
    let before = home.snapshot();
    assert!(home.run(&SETUP[..3]).0);
    let set_up = home.snapshot();
    for round in 0..5 {
        let words = [&SETUP[..], &["uninstall", "--yes"], &SETUP[..], &["uninstall", "--yes"], &SETUP[..]];
        let running = words.map(|words| home.command(words).stdout(Stdio::null()).spawn().unwrap());
        for mut command in running {
            assert!(command.wait().unwrap().success(), "round {round}");
        }
        let now = home.snapshot();
        assert!(now == set_up || now == before, "round {round}: {now:#?}");
    }
    assert!(home.run(&["uninstall"]).0);
    assert_same(&home.snapshot(), &before, "after all of them");
}
