//! Our installed programs are really started: one that is missing, broken, slow or of another version is told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::{UserHome, doctor, finds, replace_program, well};

const BIN: &str = ".local/share/backchannel/bin";

#[test]
fn doctor_finds_programs_that_are_missing_or_no_programs() {
    for name in ["bch", "bch-hook"] {
        let path = format!("{BIN}/{name}");
        finds(
            |home| fs::remove_file(home.file(&path)).unwrap(),
            "programs",
            "is not there",
            "fail",
            "bch setup",
        );
        let not_executable = |home: &UserHome| {
            fs::set_permissions(home.file(&path), fs::Permissions::from_mode(0o644)).unwrap();
        };
        finds(not_executable, "programs", "no program", "fail", "bch setup");
        let nonsense = |home: &UserHome| replace_program(home, name, "\u{7f}ELF");
        finds(nonsense, "programs", name, "fail", "bch setup");
    }
}

#[test]
fn where_nothing_is_set_up_no_program_is_missed() {
    let home = UserHome::new();
    assert!(home.bch(&["init", "bob"]).status.success());
    let found = doctor(&home);
    assert!(found.ok && found.bad.is_empty(), "mail is read by commands alone: {:#?}", found.bad);
    fs::create_dir(home.file(".codex")).unwrap();
    let found = doctor(&home);
    found.expect("set up", "Codex is not set up", "fail", "bch setup");
    assert_eq!(found.bad.len(), 1, "{:#?}", found.bad);
    // Set up, the programs are missed.
    assert!(home.run(&["setup"]).0);
    fs::remove_dir_all(home.file(BIN)).unwrap();
    doctor(&home).expect("programs", "is not there", "fail", "bch setup");
}

#[test]
fn doctor_finds_programs_that_do_not_answer() {
    for (name, script, detail) in [
        ("bch-hook", "#!/bin/sh\nexit 2", "failed: exit status: 2"),
        ("bch-hook", "#!/bin/sh\necho hello", "what no harness understands"),
        ("bch-hook", "#!/bin/sh\necho '{} {}'", "what no harness understands"),
        ("bch-hook", "#!/bin/sh\nkill -9 $$", "failed: signal: 9"),
        ("bch", "#!/bin/sh\nexit 1", "failed: exit status: 1"),
        ("bch", "#!/bin/sh\necho tools 1.0", "does not tell its version"),
        ("bch", "#!/nowhere/sh", "does not start"),
    ] {
        finds(|home| replace_program(home, name, script), "programs", detail, "fail", "bch setup");
    }
}

#[test]
fn a_program_that_hangs_is_ended_with_all_that_it_started() {
    let home = well();
    let mark = home.file("lives-on");
    let script = format!("#!/bin/sh\n(/bin/sleep 7; echo x >{}) &\nwait", mark.display());
    replace_program(&home, "bch-hook", &script);
    let start = Instant::now();
    doctor(&home).expect("programs", "did not end within 5 s", "fail", "bch setup");
    assert!(start.elapsed() < Duration::from_secs(60));
    std::thread::sleep(Duration::from_secs(8).saturating_sub(start.elapsed()));
    assert!(!mark.exists());
}

#[test]
fn doctor_finds_programs_of_another_version_or_build() {
    let other = |home: &UserHome| replace_program(home, "bch", "#!/bin/sh\necho bch 0.0.9");
    finds(other, "programs", "is version 0.0.9, this is ", "warn", "bch setup");
    let same = concat!("#!/bin/sh\necho bch ", env!("CARGO_PKG_VERSION"));
    finds(|home| replace_program(home, "bch", same), "programs", "another build", "warn", "bch setup");
    let silent = |home: &UserHome| replace_program(home, "bch-hook", "#!/bin/sh\n");
    finds(silent, "programs", "another build", "warn", "bch setup");
}

#[test]
fn what_is_started_reads_no_mail_and_changes_nothing() {
    let home = well();
    let before = home.snapshot_of_all();
    assert!(doctor(&home).ok);
    assert_eq!(home.snapshot_of_all(), before);
    // It is told of no mail, and of nothing but words of ours.
    let seen = home.file("seen");
    let script = format!("#!/bin/sh\necho \"$@\" >>{}", seen.display());
    replace_program(&home, "bch-hook", &script);
    doctor(&home);
    let bin = home.file(BIN);
    assert_eq!(fs::read_to_string(seen).unwrap(), format!("doctor doctor --home {}\n", bin.display()));
}
