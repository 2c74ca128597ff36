//! `--fix` mends what is ours and says so, and leaves alone what is not: trust, switches, mail, other people's lines.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use backchannel::edit;
use serde_json::{Value, json};

use super::super::assert_same;
use super::{
    CLAUDE, FOLDER, GEMINI, UserHome, change, codex, doctor, fix, group, replace_program, well, well_by,
};

/// What a home comes to: the receipt may know anew what a file was before, and a plant may lay settings out anew.
fn meaning(home: &UserHome) -> super::super::Snapshot {
    let mut snapshot = home.snapshot_of_all();
    let data = Path::new(".local/share/backchannel");
    snapshot
        .retain(|name, _| name != &data.join("receipt.json") && !name.starts_with(data.join("originals")));
    let mut settings = value(home, GEMINI);
    settings.sort_all_objects();
    snapshot.insert(GEMINI.into(), settings.to_string());
    snapshot
}

fn value(home: &UserHome, file: &str) -> Value {
    edit::value(edit::Format::Jsonc, home.read(file).as_bytes()).unwrap()
}

/// Plants a fault in a home that is well, and expects it mended, said, and no other thing changed: the home is well
/// for the next one.
#[track_caller]
fn mends(home: &UserHome, plant: impl FnOnce(&UserHome), said: &str) {
    let before = meaning(home);
    plant(home);
    assert!(!doctor(home).bad.is_empty(), "nothing was planted");
    let found = fix(home);
    assert!(found.ok && found.bad.is_empty(), "{:#?}", found.bad);
    assert!(found.fixed.iter().any(|line| line.contains(said)), "{:?}", found.fixed);
    assert_same(&meaning(home), &before, said);
    let mended = home.snapshot_of_all();
    assert_eq!(fix(home).fixed, Vec::<String>::new(), "a second time");
    assert_same(&home.snapshot_of_all(), &mended, "a second time");
}

fn old(path: &Path, age: Duration) {
    fs::File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn each_mendable_fault_is_mended_and_said() {
    let home = well();
    let mode = |name: &'static str, mode: u32| {
        move |home: &UserHome| {
            fs::set_permissions(home.file(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    mends(&home, mode(".backchannel", 0o755), "chmod 700 ");
    mends(&home, mode(".backchannel/config.json", 0o644), "chmod 600 ");
    mends(&home, mode(".backchannel/spool/bob/new", 0o500), "chmod 700 ");
    let hook = ".local/share/backchannel/bin/bch-hook";
    mends(&home, |home| fs::remove_file(home.file(hook)).unwrap(), "made ");
    mends(&home, |home| replace_program(home, "bch", "#!/bin/sh\necho bch 0.0.9"), "mended ");
    mends(&home, mode(hook, 0o644), "mended ");
    let missing = |value: &mut Value| drop(value["hooks"].as_object_mut().unwrap().remove("AfterAgent"));
    mends(&home, move |home| change(home, GEMINI, missing), "Gemini CLI: mended ");
    mends(&home, |home| fs::remove_file(home.file(".gemini/skills/backchannel/SKILL.md")).unwrap(), "made ");
    for (name, age) in [
        (".backchannel/.0123456789abcdef0123456789abcdef.tmp", 2),
        (".backchannel/spool/bob/.0123456789abcdef0123456789abcdef.tmp", 2),
        (".backchannel/spool/bob/tmp/00000001-0000-4000-8000-000000000000.json", 40),
        (".local/share/backchannel/.0123456789abcdef0123456789abcdef.tmp", 2),
        (".gemini/.settings.json.bch-0123456789abcdef0123456789abcdef.tmp", 2),
    ] {
        let leave = |home: &UserHome| {
            let path = home.write(name, "half");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            old(&path, Duration::from_secs(age * 3600));
        };
        mends(&home, leave, "removed ");
    }
}

#[test]
fn files_of_a_writer_that_may_live_and_of_others_stay() {
    let home = well();
    let names = [
        ".backchannel/.0123456789abcdef0123456789abcdef.tmp",
        ".gemini/.settings.json.bch-mine.tmp",
        ".gemini/.0123456789abcdef0123456789abcdef.tmp",
    ];
    for (index, name) in names.iter().enumerate() {
        let path = home.write(name, "half");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        old(&path, Duration::from_secs(if index == 0 { 60 } else { 7200 }));
    }
    let found = fix(&home);
    assert!(found.bad.is_empty() && found.fixed.is_empty(), "{found:#?}");
    assert!(names.iter().all(|name| home.file(name).exists()));
}

const OWN: &str = r#"{"hooks": [{"type":"command","command":"my-hook"}]}"#;

/// A home whose user has hooks and comments of their own in the same files.
fn shared(vehicle: &str, approval: &[&str]) -> UserHome {
    let home = UserHome::new();
    home.write(".gemini/trustedFolders.json", r#"{"/": "TRUST_FOLDER"}"#);
    home.write(
        GEMINI,
        format!("{{\n  // mine\n  \"hooks\": {{\"BeforeAgent\": [{OWN}]}},\n  \"n\": 1.0\n}}\n"),
    );
    home.write(
        CLAUDE,
        format!("{{\n\t\"hooks\": {{\"Stop\": [{OWN}]}},\n\t\"permissions\": {{\"allow\": []}}\n}}"),
    );
    assert!(home.bch(&["init", "bob"]).status.success());
    assert!(home.run(&[&["setup", "--vehicle", vehicle], approval].concat()).0);
    assert!(doctor(&home).bad.is_empty(), "{:#?}", doctor(&home).bad);
    home
}

#[test]
fn the_users_own_lines_and_the_choices_of_setup_stay() {
    let both = |home: &UserHome| [CLAUDE, GEMINI].map(|file| value(home, file));
    for approval in [&[][..], &["--approve-tools"]] {
        let home = shared("settings", approval);
        let set_up = both(&home);
        for (file, event) in [(GEMINI, "BeforeAgent"), (CLAUDE, "UserPromptSubmit")] {
            let text = home.read(file);
            home.write(file, text.replace(&format!(" {event} --home"), " Wrong --home"));
        }
        assert_ne!(both(&home), set_up);
        assert!(!doctor(&home).ok);
        let found = fix(&home);
        assert!(found.bad.is_empty() && found.fixed.len() == 2, "{found:#?}");
        assert_eq!(both(&home), set_up, "the same choices");
        assert!(home.read(GEMINI).contains("// mine"));
        assert!([CLAUDE, GEMINI].iter().all(|file| home.read(file).contains(OWN)), "to the byte");
        // Where our files are whole ones, nothing else is touched at all.
        let home = shared("folder", approval);
        let set_up = home.snapshot();
        fs::remove_file(home.file(FOLDER).join("hooks/hooks.json")).unwrap();
        assert!(fix(&home).bad.is_empty());
        assert_same(&home.snapshot(), &set_up, "the folder");
    }
}

#[test]
fn entries_that_are_there_twice_and_those_of_the_first_version_are_mended() {
    let home = well();
    let set_up: Value = serde_json::from_str(&home.read(CLAUDE)).unwrap();
    change(&home, CLAUDE, |value| {
        let groups = value["hooks"]["UserPromptSubmit"].as_array_mut().unwrap();
        groups.push(groups[0].clone());
        groups.push(group("bch drain --hook --match x"));
    });
    let found = fix(&home);
    assert!(found.bad.is_empty() && found.fixed.len() == 1, "{found:#?}");
    assert_eq!(serde_json::from_str::<Value>(&home.read(CLAUDE)).unwrap(), set_up);
}

/// Plants what is not ours to mend: it stays, to the byte, and is told still.
#[track_caller]
fn leaves(home: &UserHome, plant: impl FnOnce(&UserHome), check: &str) {
    plant(home);
    let before = home.snapshot_of_all();
    let found = fix(home);
    assert!(found.bad.iter().any(|bad| bad["check"] == check), "{check}: {:#?}", found.bad);
    assert_eq!(found.fixed, Vec::<String>::new(), "{check}");
    assert_same(&home.snapshot_of_all(), &before, check);
}

#[test]
fn what_is_not_ours_is_left_alone_and_told() {
    let off = |home: &UserHome| change(home, CLAUDE, |value| value["disableAllHooks"] = true.into());
    leaves(&well(), off, "switched off");
    let disabled = |home: &UserHome| {
        change(home, GEMINI, |value| value["hooksConfig"] = json!({"disabled": ["backchannel"]}));
    };
    leaves(&well(), disabled, "switched off");
    leaves(&codex(), |_| (), "trust");
    leaves(&well(), |home| drop(home.write(".gemini/trustedFolders.json", "{}")), "folder trust");
    let own = |home: &UserHome| {
        change(home, CLAUDE, |value| {
            value["hooks"]["Stop"].as_array_mut().unwrap().push(group("bch-hook claude-code Stop"));
        });
    };
    leaves(&well(), own, "copies");
    let bad = |home: &UserHome| {
        let path = home.write(".backchannel/spool/bob/new/x.json", "{");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    leaves(&well(), bad, "bad message");
    leaves(&well(), |home| drop(home.write(GEMINI, "{\"a\": 1,}")), "entries");
    let skill = format!("{FOLDER}/skills/backchannel/SKILL.md");
    leaves(&well_by("folder"), |home| drop(home.write(&skill, "in my words")), "entries");
    leaves(&well(), |home| fs::create_dir(home.file(".codex")).unwrap(), "set up");
}

#[test]
fn a_home_in_which_nothing_was_set_up_gets_nothing() {
    let home = UserHome::new();
    fs::create_dir(home.file(".claude")).unwrap();
    assert!(home.bch(&["init", "bob"]).status.success());
    leaves(&home, |_| (), "set up");
}

#[test]
fn hooks_that_read_another_home_are_not_moved() {
    let home = well();
    let before = home.snapshot();
    let mut command = home.command(&["doctor", "--fix", "--json"]);
    let output = command.env("BACKCHANNEL_HOME", home.file("elsewhere")).output().unwrap();
    super::Diagnosis::of(&output).expect("home", "elsewhere", "fail", "bch setup --only");
    assert_same(&home.snapshot(), &before, "another home");
}

#[test]
fn people_read_what_was_fixed() {
    let home = well();
    fs::set_permissions(home.file(".backchannel/config.json"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = home.bch(&["doctor", "--fix"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("fixed  chmod 600 ") && text.ends_with("all is well\n"), "{text}");
}
