//! No code path from a received message leads to a process: the system's own word for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::home::{BCH, HOOK, Home, marks, succeed};

/// A body that a shell would run.
const EVIL: &str = "hi $(touch PWNED) `touch PWNED`; touch PWNED\n' \" | sh";

/// Runs a program of ours under strace, and returns the calls that start a process. A thread is a
/// `clone` with `CLONE_THREAD` and does not count, nor does the first `execve`, of the program itself, nor the
/// call in which it was killed, which strace cannot name.
fn processes(home: &Home, limit: &str, program: &str, arguments: &[&str], stdin: Stdio) -> Vec<String> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut command = home.command("strace");
    command.args(["-f", "-qq", "-s", "1000", "-e", STARTS, "-o"]).arg(trace.path());
    command.args(["timeout", "--foreground", "-s", "KILL", limit]).arg(program).args(arguments);
    command.env("PATH", "/usr/bin:/bin").env("BACKCHANNEL_AGENT", "bob").stdin(stdin).stdout(Stdio::null());
    marks(&mut command, "claude-code");
    command.stderr(Stdio::null()).status().unwrap();
    started(trace.path(), program)
}

/// What to trace, and the calls in a trace that start a process, after the program itself was started.
pub const STARTS: &str = "trace=execve,execveat,fork,vfork,clone,clone3";

pub fn started(trace: &Path, program: &str) -> Vec<String> {
    let text = fs::read_to_string(trace).unwrap();
    let begin = text.lines().position(|line| line.contains(&format!("execve(\"{program}\"")));
    let after = text.lines().skip(begin.expect("the program was not started") + 1);
    let own =
        |line: &&str| !["CLONE_THREAD", "+++", "resumed", "???("].iter().any(|other| line.contains(other));
    after.filter(own).filter(|line| line.contains('(')).map(str::to_owned).collect()
}

#[test]
fn w5_reading_hostile_mail_starts_no_process() {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        eprintln!("LEFT OUT: strace is missing, so nobody saw that nothing runs");
        return;
    }
    let home = Home::with(&["bob", "alice"]);
    let prompt = home.payload("UserPromptSubmit", "s", &home.work()).to_string();
    let file = home.work().join("payload");
    fs::write(&file, prompt).unwrap();
    let path = home.path();
    let hook = ["claude-code", "UserPromptSubmit", "--agent", "bob", "--home", path.to_str().unwrap()];
    let runs: [(&str, &[&str]); 5] = [
        (BCH, &["inbox", "--all"]),
        (BCH, &["watch", "--all"]),
        (BCH, &["read", "00000001"]),
        (HOOK, &hook),
        (BCH, &["drain", "--all"]),
    ];
    for (program, arguments) in runs {
        home.send("alice", "@bob", EVIL, &["--urgent", "--ref", EVIL]);
        let planted = format!(
            r#"{{"id":"00000001-0000-4000-8000-000000000000","from":"alice","to":"@bob","body":{},"scope":"$(touch PWNED)","ts":"2026-01-01T00:00:00Z"}}"#,
            serde_json::json!(EVIL)
        );
        let target = home.path().join("spool/bob/new/00000001-0000-4000-8000-000000000000.json");
        fs::write(target, planted).unwrap();
        let stdin = fs::File::open(&file).unwrap().into();
        assert_eq!(processes(&home, "2", program, arguments, stdin), Vec::<String>::new(), "{arguments:?}");
    }
    assert!(!home.work().join("PWNED").exists());
}

/// A machine with Claude Code set up and with mail that wants to be run, and its user's home; `None` where nobody can
/// see what is started.
fn attacked(what: &str) -> Option<(Home, PathBuf)> {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        eprintln!("LEFT OUT: strace is missing, so nobody saw what {what} starts");
        return None;
    }
    let home = Home::with(&["bob", "alice"]);
    let user = home.path().parent().unwrap().to_owned();
    fs::create_dir(user.join(".claude")).unwrap();
    succeed(&home.as_agent("bob", &["setup", "--yes"]));
    home.send("alice", "@bob", EVIL, &["--urgent", "--ref", EVIL]);
    Some((home, user))
}

#[test]
fn w5_doctor_starts_our_own_programs_alone_and_tells_them_nothing_of_the_mail() {
    let Some((home, user)) = attacked("doctor") else { return };
    fs::write(home.path().join("spool/bob/new/$(touch PWNED).json"), EVIL).unwrap();
    fs::write(home.path().join("hook.log"), EVIL).unwrap();
    for arguments in [&["doctor"][..], &["doctor", "--fix"]] {
        let started = processes(&home, "60", BCH, arguments, Stdio::null());
        let started: Vec<_> = started.iter().filter(|line| line.contains("execve")).collect();
        let bin = user.join(".local/share/backchannel/bin");
        let words = [
            format!(r#"["{0}/bch", "--version"]"#, bin.display()),
            format!(r#"["{0}/bch-hook", "doctor", "doctor", "--home", "{0}"]"#, bin.display()),
        ];
        // Once to mend and once to look, where it mends.
        assert_eq!(started.len(), words.len() * arguments.len(), "{started:?}");
        for line in started {
            assert!(words.iter().any(|words| line.contains(words)), "{line}");
        }
    }
    assert!(!home.work().join("PWNED").exists());
}

/// A proof starts shells, and each with the line that stands in the harness's file.
#[test]
fn w5_a_proof_runs_what_is_installed_and_nothing_of_the_mail() {
    let Some((home, user)) = attacked("a proof") else { return };
    let started = processes(&home, "60", BCH, &["doctor", "--prove"], Stdio::null());
    let started: Vec<_> = started.iter().filter(|line| line.contains("execve")).collect();
    let hook = user.join(".local/share/backchannel/bin/bch-hook");
    let shell = format!(r#"execve("/bin/sh", ["/bin/sh", "-c", "'{}' claude-code "#, hook.display());
    let (shells, others): (Vec<&String>, Vec<&String>) =
        started.into_iter().partition(|line| line.contains("/bin/sh"));
    assert!(shells.len() > 15 && shells.iter().all(|line| line.contains(&shell)), "{shells:#?}");
    for line in others {
        assert!(line.contains("/backchannel/bin/bch") && !line.contains("PWNED"), "{line}");
    }
    assert!(!home.work().join("PWNED").exists());
    assert_eq!(home.unread("bob").len(), 1);
}
