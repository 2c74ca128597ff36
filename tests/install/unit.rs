//! The notifier's unit, and what the programs that read it make of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use backchannel::install::service::Kind;
use backchannel::install::wishes::notifier::unit;
use serde_json::Value;

use super::notifier::{HOSTILE, UNIT};
use crate::support::home::{feed, succeed};
use crate::support::is_left_out;

/// Letters that systemd takes in no program's path.
const QUOTES: &str = "'q' \"d\" \\x41";

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
