//! The mail's home: agent, modes, claims, clock, what the hook wrote down.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Diagnosis, UserHome, doctor, finds, well};
use crate::support::home::Home;

const SPOOL: &str = ".backchannel/spool/bob";
const ID: &str = "00000001-0000-4000-8000-000000000000";

fn message(time: Timestamp) -> String {
    json!({"id": ID, "from": "alice", "to": "@bob", "body": "hi", "ts": format!("{time:.3}")}).to_string()
}

/// A claim of a session that gave its last sign of life at that time.
fn claim(home: &UserHome, lease: &Value) -> PathBuf {
    let directory = format!("{SPOOL}/claimed/{}", "a".repeat(32));
    home.write(&format!("{directory}/{ID}.prompt.json"), message(Timestamp::now()));
    let path = home.write(&format!("{directory}/lease.json"), lease.to_string());
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        private(&file.unwrap().path(), 0o600);
    }
    for directory in [path.parent().unwrap(), path.parent().unwrap().parent().unwrap()] {
        private(directory, 0o700);
    }
    path
}

fn session(seen: Timestamp) -> Value {
    let holder = json!({"kind": "session", "harness": "codex", "process": null});
    json!({"holder": holder, "until": (seen + SignedDuration::from_hours(2)).to_string()})
}

fn private(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn doctor_finds_an_agent_without_a_record_or_with_a_damaged_one() {
    let record = ".backchannel/agents/bob.json";
    finds(|home| fs::remove_file(home.file(record)).unwrap(), "agent", "no record", "fail", "bch init bob");
    finds(|home| drop(home.write(record, "{")), "agent", "damaged", "fail", "mv ");
    let home = well();
    home.write(".backchannel/config.json", "{");
    doctor(&home).expect("home", "config.json is damaged", "fail", "bch init NAME");
}

#[test]
fn a_home_that_is_closed_to_its_owner_is_told_with_the_command_that_opens_it() {
    let home = Home::unprivileged(&["bob"]);
    private(&home.path(), 0);
    let found = Diagnosis::of(&home.as_agent("bob", &["doctor", "--json"]));
    private(&home.path(), 0o700);
    private(&home.path().join("config.json"), 0);
    found.expect("home", "Permission denied", "fail", "chmod u+rwX ");
    let hint = found.bad[0]["hint"].as_str().unwrap();
    assert!(Command::new("/bin/sh").args(["-c", hint]).status().unwrap().success());
    let found = Diagnosis::of(&home.as_agent("bob", &["doctor", "--json"]));
    assert!(!found.bad.iter().any(|check| check["check"] == "home"), "{:#?}", found.bad);
}

#[test]
fn doctor_finds_open_and_closed_modes_and_changes_none() {
    for (name, mode, status, hint) in [
        (".backchannel", 0o755, "warn", "chmod 700 "),
        (".backchannel/config.json", 0o644, "warn", "chmod 600 "),
        (".backchannel/spool", 0o750, "warn", "chmod 700 "),
        (".backchannel/spool/bob/new", 0o701, "warn", "chmod 700 "),
        (".backchannel/agents/bob.json", 0o640, "warn", "chmod 600 "),
        (".backchannel/spool/bob/new", 0o500, "fail", "chmod 700 "),
    ] {
        let home = well();
        private(&home.file(name), mode);
        let found = doctor(&home);
        found.expect("modes", name, status, hint);
        assert_eq!((found.ok, found.bad.len()), (status == "warn", 1), "{:#?}", found.bad);
        assert_eq!(fs::metadata(home.file(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
    let home = well();
    private(&home.write(".backchannel/credentials/token", "t"), 0o604);
    private(&home.file(".backchannel/credentials"), 0o755);
    // What is not ours in it may be as it is.
    private(&home.write(".backchannel/mine.txt", "m"), 0o644);
    let found = doctor(&home);
    found.expect(
        "modes",
        "credentials is open to others (755), and so are 1 more",
        "warn",
        "bch doctor --fix",
    );
    assert_eq!(found.bad.len(), 1, "{:#?}", found.bad);
}

#[test]
fn stale_claims_are_counted_and_come_back_by_themselves() {
    let home = well();
    let seen = Timestamp::now() - SignedDuration::from_hours(5);
    claim(&home, &session(seen));
    let found = doctor(&home);
    assert!(found.bad.is_empty(), "{:#?}", found.bad);
    let detail = "1 message of readers that are gone, the longest for 5 hours";
    assert_eq!(found.find("claims", detail)["status"], "ok");
    let drained = home.bch(&["drain", "--all", "--json"]);
    let drained: Value = serde_json::from_slice(&drained.stdout).unwrap();
    assert_eq!(drained[0]["id"], ID);
    // One that is held is none of them.
    claim(&home, &session(Timestamp::now()));
    assert_eq!(doctor(&home).find("claims", "none is stale")["status"], "ok");
}

#[test]
fn claims_that_never_come_back_are_told_with_the_command_that_brings_them() {
    let home = well();
    let lease = claim(&home, &json!("?"));
    let found = doctor(&home);
    found.expect("claims", "1 message never come back", "warn", "rm ");
    fs::remove_file(&lease).unwrap();
    assert!(doctor(&home).bad.is_empty());

    let directory = lease.parent().unwrap();
    fs::rename(directory.join(format!("{ID}.prompt.json")), directory.join(format!("{ID}.old.json")))
        .unwrap();
    let found = doctor(&home);
    found.expect("claims", "no reader ever looks at", "warn", &format!("new/{ID}.json"));
    let hint = found.bad[0]["hint"].as_str().unwrap();
    let shell = Command::new("/bin/sh").args(["-c", hint]).status().unwrap();
    assert!(shell.success() && doctor(&home).bad.is_empty());
    assert_eq!(doctor(&home).find("mail", "1 unread")["status"], "ok");
    let stray = format!("{SPOOL}/claimed/elsewhere");
    fs::create_dir(home.file(&stray)).unwrap();
    private(&home.file(&stray), 0o700);
    doctor(&home).expect("claims", "claimed/elsewhere", "warn", "ls -ld ");
}

#[test]
fn a_clock_that_was_wrong_shows_in_the_mail() {
    for (ahead, is_told) in [(SignedDuration::from_mins(4), false), (SignedDuration::from_hours(3), true)] {
        let home = well();
        let time = Timestamp::now() + ahead + SignedDuration::from_secs(30);
        private(&home.write(&format!("{SPOOL}/new/{ID}.json"), message(time)), 0o600);
        let found = doctor(&home);
        assert_eq!(found.bad.is_empty(), !is_told, "{:#?}", found.bad);
        if is_told {
            found.expect("clock", "1 time in the mail, up to 3 hours in the future", "warn", "timedatectl");
        }
        let home = well();
        claim(&home, &session(time));
        assert_eq!(doctor(&home).bad.is_empty(), !is_told);
    }
}

#[test]
fn a_clock_before_this_version_was_made_is_told() {
    use backchannel::doctor::{Status, Subject, examine};
    use backchannel::env::Env;
    use backchannel::install::receipt::Receipt;
    use backchannel::install::wishes::Ground;
    use backchannel::spool::local::LocalSpool;
    for (now, status) in [
        ("1970-01-01T00:10:00Z", Status::Warn),
        ("2026-10-31T00:00:00Z", Status::Warn),
        ("2027-01-01T00:00:00Z", Status::Ok),
    ] {
        let home = UserHome::new();
        let env = Env::made(&[], "/", now.parse().unwrap());
        let (programs, path) = (home.file("bin"), home.file("home"));
        let ground = Ground {
            env: &env,
            programs,
            home: path.clone(),
            approve_tools: false,
            agent: None,
            manager: None,
            identities: Default::default(),
        };
        let mail = LocalSpool::open_for_a_look(&path, &env, 60);
        let receipt = &Receipt::load(home.path()).unwrap();
        let subject = Subject { ground: &ground, receipt, mail: &mail, agent: None, prover: None };
        let checks = examine(subject, &mut ());
        assert_eq!(checks.iter().find(|check| check.check == "clock").unwrap().status, status, "{now}");
    }
}

#[test]
fn what_the_hook_wrote_down_is_told_while_it_is_news() {
    let home = well();
    let log = |days: i64| {
        let time = Timestamp::now() - SignedDuration::from_hours(24 * days + 1);
        format!("{time} codex Stop: could not write /x: \u{1b}[2Jno space\n")
    };
    let path = home.write(".backchannel/hook.log", format!("{}{}", log(30), log(2)));
    private(&path, 0o600);
    let found = doctor(&home);
    found.expect("hook.log", "the hook's last error, 2 days ago: codex Stop: could not", "warn", "tail ");
    assert!(found.ok && found.bad.len() == 1);
    let text = home.bch(&["doctor"]).stdout;
    assert!(!text.contains(&0x1b), "a line of the log steers the terminal");
    home.write(".backchannel/hook.log", log(30));
    assert!(doctor(&home).bad.is_empty());
}

#[test]
fn doctor_finds_bad_messages() {
    let plant = |home: &UserHome| private(&home.write(&format!("{SPOOL}/new/x.json"), "{"), 0o600);
    finds(plant, "bad message", "x.json", "warn", "spool/bob");
}
