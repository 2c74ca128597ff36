//! The hook ends by itself, with status 0 and a whole answer or none, whatever it is given and whatever it
//! has to wait for; and no message is lost by it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags};
use serde_json::Value;

use crate::support::home::{HOOK, Home, feed, marks, succeed};

/// The hook ends at 2 s; a machine under load may take longer to see it.
const SOON: Duration = Duration::from_secs(4);
/// After this long a hook hangs.
const NEVER: Duration = Duration::from_secs(15);

fn with_mail() -> Home {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "hello", &[]);
    home
}

fn prompt(home: &Home) -> Vec<u8> {
    home.payload("UserPromptSubmit", "s", &home.work()).to_string().into_bytes()
}

fn hook(home: &Home, event: &str) -> Command {
    let mut command = home.command(HOOK);
    command.args(["claude-code", event, "--agent", "bob", "--home"]).arg(home.path());
    marks(&mut command, "claude-code");
    command
}

/// Waits until the hook ends, and fails where it does not; returns how long it took.
fn ends(mut child: Child, place: &str) -> Duration {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0), "{place}");
            return start.elapsed();
        }
        if start.elapsed() > NEVER {
            child.kill().unwrap();
            panic!("it hangs: {place}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a prompt of the session shows now.
fn shown(home: &Home) -> String {
    home.hook("claude-code", "UserPromptSubmit", "bob", &home.payload("UserPromptSubmit", "s", &home.work()))
        .unwrap_or_default()
}

/// Runs a hook on a prompt; it must end with 0 and print one JSON object or nothing.
fn run(home: &Home, event: &str, place: &str) -> (Output, Duration) {
    let payload = home.payload(event, "s", &home.work()).to_string();
    let start = Instant::now();
    let output = feed(&mut hook(home, event), payload.as_bytes());
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{place}: {output:?}");
    let is_whole = serde_json::from_slice::<Value>(&output.stdout).is_ok();
    assert!(output.stdout.is_empty() || is_whole, "{place}: {output:?}");
    (output, start.elapsed())
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn w12_a_harness_that_does_not_read_holds_nothing_up() {
    let home = with_mail();
    let (reader, mut writer) = std::io::pipe().unwrap();
    // Filled to the brim, so that the hook's answer does not fit.
    rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b' '; 4096]).is_ok() {}
    while writer.write(b" ").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, OFlags::empty()).unwrap();
    let payload = home.work().join("payload");
    fs::write(&payload, prompt(&home)).unwrap();
    let mut command = hook(&home, "UserPromptSubmit");
    let took = ends(command.stdin(fs::File::open(payload).unwrap()).stdout(writer).spawn().unwrap(), "pipe");
    drop(reader);
    assert!(took > Duration::from_millis(1500) && took < SOON, "{took:?}");
    println!("nobody reads: {took:?}");
    let text = shown(&home);
    assert!(text.contains("| hello") && text.contains("may have been shown before"), "{text}");
}

#[test]
fn a_lock_that_another_holds_holds_nothing_up() {
    let home = with_mail();
    let lock = fs::File::open(home.path().join("agents/.lock")).unwrap();
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
    for event in ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd"] {
        let (output, took) = run(&home, event, event);
        assert!(took < Duration::from_millis(1500), "{event}: {took:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains("hello"), event == "UserPromptSubmit", "{event}: {text}");
    }
}

#[test]
fn a_pipe_in_place_of_any_file_holds_nothing_up() {
    let day = &succeed(&Command::new("date").args(["-u", "+%Y-%m-%d"]).output().unwrap())[..10];
    let places = [
        "config.json",
        "bch.toml",
        "attention.json",
        "agents/.lock",
        "agents/bob.json",
        "agents/zed.json",
        "spool/bob/contexts.json",
        "spool/bob/new/00000007-0000-4000-8000-000000000000.json",
        &format!("spool/bob/records/{day}.jsonl"),
        "spool/bob/claimed",
        "spool/bob/records",
        "spool/bob/recent",
        "spool/bob/bad",
    ];
    for place in places {
        let home = with_mail();
        let path = home.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let original = fs::read(&path).ok();
        let _ = fs::remove_dir(&path);
        let _ = fs::remove_file(&path);
        make_pipe(&path);
        // Where it fails, it wants to say so there.
        make_pipe(&home.path().join("hook.log"));
        let mut was_shown = false;
        for event in ["SessionStart", "UserPromptSubmit", "Stop"] {
            let (output, took) = run(&home, event, place);
            was_shown |= String::from_utf8(output.stdout).unwrap().contains("| hello");
            assert!(took < SOON, "{place} {event}: {took:?}");
        }
        let there = path.exists().then(|| fs::remove_file(&path));
        assert!(there.is_none_or(|removed| removed.is_ok()), "{place}");
        if let Some(bytes) = original {
            fs::write(&path, bytes).unwrap();
        }
        assert!(was_shown || shown(&home).contains("| hello"), "{place}");
    }
}

#[test]
fn a_standard_input_that_never_ends_holds_nothing_up() {
    for mail in [true, false] {
        let home = if mail { with_mail() } else { Home::with(&["bob"]) };
        let unread = home.unread("bob").len();
        // Open, and silent: a harness that forgot to close it, or a terminal.
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = hook(&home, "UserPromptSubmit");
        let took = ends(command.stdin(reader).stdout(Stdio::null()).spawn().unwrap(), "a silent pipe");
        assert!(took < SOON, "{took:?}");
        drop(writer);
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut command = hook(&home, "UserPromptSubmit");
        let input = std::os::fd::OwnedFd::from(theirs);
        assert!(ends(command.stdin(input).stdout(Stdio::null()).spawn().unwrap(), "a silent socket") < SOON);
        drop(ours);
        for endless in ["/dev/zero", "/dev/tty", "/"] {
            let Ok(file) = fs::File::open(endless) else { continue };
            let mut command = hook(&home, "UserPromptSubmit");
            let took = ends(command.stdin(file).stdout(Stdio::null()).spawn().unwrap(), endless);
            assert!(took < SOON, "{endless}: {took:?}");
        }
        assert_eq!(home.unread("bob").len(), unread);
    }
}

#[test]
fn no_descriptors_no_home_and_no_arguments_are_no_error() {
    let home = with_mail();
    for redirections in ["<&-", "<&- >&-", "<&- >&- 2>&-", "2>&-"] {
        for arguments in ["claude-code UserPromptSubmit", "claude-code Stop", "claude-code", ""] {
            let script = format!("exec \"$0\" {arguments} {redirections}");
            let mut command = home.command("/bin/sh");
            command.args(["-c", &script, HOOK]).env_remove("HOME").env_remove("BACKCHANNEL_HOME");
            let output = command.output().unwrap();
            let told = (output.status.code(), output.stdout.len(), output.stderr.len());
            assert_eq!(told, (Some(0), 0, 0), "{arguments} {redirections}");
        }
    }
    let mut gone = hook(&home, "UserPromptSubmit");
    gone.current_dir("/").args(["--home", "/dev/null"]);
    assert_eq!(succeed(&feed(&mut gone, &prompt(&home))), "");
    assert_eq!(home.unread("bob").len(), 1);
}

#[test]
fn a_panic_is_no_error_to_the_harness_and_loses_nothing() {
    let home = with_mail();
    let trace = home.work().join("trace");
    let (mut command, program) = (home.command("strace"), hook(&home, "UserPromptSubmit"));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("CLAUDECODE", "1");
    // Ids are random: without random numbers the library that makes them panics.
    command
        .args(["-f", "-qq", "-e", "trace=getrandom", "-e", "inject=getrandom:error=EIO", "-o"])
        .arg(&trace);
    command.arg(program.get_program()).args(program.get_args());
    let output = feed(&mut command, &prompt(&home));
    let told = (output.status.code(), output.stdout.len(), output.stderr.len());
    assert_eq!(told, (Some(0), 0, 0), "{output:?}");
    assert!(fs::read_to_string(trace).unwrap().contains("(INJECTED)"));
    let log = fs::read_to_string(home.path().join("hook.log")).unwrap();
    assert!(log.contains("claude-code UserPromptSubmit: the hook panicked"), "{log}");
    assert_eq!(home.unread("bob").len(), 1);
    assert!(shown(&home).contains("| hello"));
}

#[test]
fn a_harness_that_ends_before_it_reads_leaves_the_mail() {
    let home = with_mail();
    let mut child =
        hook(&home, "UserPromptSubmit").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Its reader is gone before it has the payload.
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    input.write_all(&prompt(&home)).unwrap();
    drop(input);
    assert!(ends(child, "nobody there") < SOON);
    assert_eq!(home.unread("bob").len(), 1);
    let mut log = String::new();
    fs::File::open(home.path().join("hook.log")).unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("could not print to the harness"), "{log}");
}
