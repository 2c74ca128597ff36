//! Our two programs: that they are where every entry names them, start, answer, and are of this version.
//!
//! This is the one place where doctor starts anything: the installed `bch --version`, and the installed `bch-hook`
//! for an event that no harness has, in a home without an agent, so that it reads no mail and changes nothing.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Sheet;
use crate::env::Env;
use crate::install::setup;
use crate::install::wishes::Ground;

/// The hook ends itself at 2 s: one that takes longer on a machine that is busy is broken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at whether a program ended.
const PAUSE: Duration = Duration::from_millis(2);
/// More than this is no answer.
const LONGEST: u64 = 64 * 1024;
const VERSION: &str = env!("CARGO_PKG_VERSION");
const HINT: &str = "bch setup";

pub(super) fn look(sheet: &mut Sheet, ground: &Ground<'_>) {
    for name in ["bch", "bch-hook"] {
        let path = ground.programs.join(name);
        let shown = path.display();
        let is_program =
            fs::metadata(&path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        if !is_program {
            sheet.fail("programs", format!("{shown} is not there, or is no program"), HINT);
            continue;
        }
        let answer = if name == "bch" { ask_version(&path) } else { ask_hook(&path, &ground.programs) };
        match answer {
            Err(fault) => sheet.fail("programs", format!("{shown} {fault}"), HINT),
            Ok(Some(version)) if version != VERSION => {
                sheet.warn("programs", format!("{shown} is version {version}, this is {VERSION}"), HINT);
            }
            Ok(_) if is_other_build(&path, ground.env) => {
                sheet.warn("programs", format!("{shown} is another build than this bch"), HINT);
            }
            Ok(version) => {
                let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
                sheet.ok("programs", format!("{shown} answers{version}"));
            }
        }
    }
}

/// The version that `bch` says it is.
fn ask_version(program: &Path) -> Result<Option<String>, String> {
    let output = run(program, &[OsStr::new("--version")])?;
    let text = String::from_utf8_lossy(&output);
    let version = text.trim().strip_prefix("bch ").filter(|version| !version.contains(char::is_whitespace));
    version.map(|version| Some(version.to_owned())).ok_or_else(|| "does not tell its version".to_owned())
}

/// The hook prints nothing, or one JSON object; it has no version to tell.
fn ask_hook(program: &Path, home: &Path) -> Result<Option<String>, String> {
    let words = ["doctor", "doctor", "--home"].map(OsStr::new);
    let output = run(program, &[&words[..], &[home.as_os_str()]].concat())?;
    let is_answer =
        output.trim_ascii().is_empty() || matches!(serde_json::from_slice(&output), Ok(Value::Object(_)));
    if is_answer { Ok(None) } else { Err("prints what no harness understands".to_owned()) }
}

/// Whether the program that lies beside the one that runs has other bytes.
fn is_other_build(installed: &Path, env: &Env) -> bool {
    let beside = || -> Option<PathBuf> {
        let own = fs::canonicalize(env.program()?).ok()?;
        Some(own.with_file_name(installed.file_name()?))
    };
    beside().is_some_and(|beside| beside.is_file() && !setup::is_copy(&beside, installed))
}

/// What a program of ours prints; how it failed where it does not exit 0 in time.
fn run(program: &Path, arguments: &[&OsStr]) -> Result<Vec<u8>, String> {
    let mut child = start(program, arguments).map_err(|error| format!("does not start: {error}"))?;
    let end = Instant::now() + PATIENCE;
    let (tell, told) = mpsc::channel();
    let output = child.stdout.take();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.map(|output| output.take(LONGEST).read_to_end(&mut bytes));
        let _ = tell.send(read.is_some().then_some(bytes));
    });
    // A program that has been waited for is not killed: its number may be another's by then.
    let bytes = told.recv_timeout(PATIENCE).ok();
    let status = bytes.as_ref().and_then(|_| wait(&mut child, end));
    match (bytes.flatten(), status) {
        (Some(bytes), Some(status)) if status.success() => Ok(bytes),
        (_, Some(status)) => Err(format!("failed: {status}")),
        (_, None) => {
            kill(&mut child);
            Err(format!("did not end within {} s", PATIENCE.as_secs()))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "our own programs, with words of ours; nothing received leads here"
)]
fn start(program: &Path, arguments: &[&OsStr]) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // A group of its own, so that whatever it started ends with it.
    command.process_group(0).spawn()
}

/// How the program ended; `None` where it runs on.
fn wait(child: &mut Child, end: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => thread::sleep(PAUSE),
            Ok(None) | Err(_) => return None,
        }
    }
}

fn kill(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}
