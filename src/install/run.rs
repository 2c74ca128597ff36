//! Running a program of the system's with words of ours: bounded in time and output, and in no terminal's way.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// More than this is no answer.
const LONGEST: u64 = 16 * 1024 * 1024;
/// Between two looks at whether a program ended.
const PAUSE: Duration = Duration::from_millis(2);

/// How a program ended, and what it said.
pub(super) struct Answer {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    pub(super) errors: Vec<u8>,
}

impl Answer {
    /// What it said of its failure, in a line.
    pub(super) fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.errors);
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() { self.status.to_string() } else { lines.join(" ") }
    }
}

/// Runs a program with these words, this standard input, and the environment without those variables.
///
/// # Errors
/// Where it does not start, or does not end in time: it is killed then.
#[expect(
    clippy::disallowed_methods,
    reason = "a program of the system's, with words of ours, on the user's command; nothing received leads here"
)]
pub(super) fn run(
    program: &Path,
    words: &[&OsStr],
    input: &[u8],
    environment: &[(&str, &str)],
    limit: Duration,
) -> io::Result<Answer> {
    let end = Instant::now() + limit;
    let mut command = Command::new(program);
    command.args(words).envs(environment.iter().copied()).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: a Ctrl-C that is meant for us must not stop it halfway.
    let mut child = command.process_group(0).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        let input = input.to_vec();
        // It may end without reading it all.
        thread::spawn(move || drop(pipe.write_all(&input)));
    }
    let (output, errors) = (read(child.stdout.take()), read(child.stderr.take()));
    let status = wait(&mut child, end);
    let left = || end.saturating_duration_since(Instant::now()).max(PAUSE);
    let (output, errors) = (output.recv_timeout(left()).ok(), errors.recv_timeout(left()).ok());
    match (status, output, errors) {
        (Some(_), Some(output), Some(_)) if output.len() as u64 > LONGEST => {
            Err(io::Error::new(io::ErrorKind::FileTooLarge, "it says more than 16 MiB"))
        }
        (Some(status), Some(output), Some(errors)) => Ok(Answer { status, output, errors }),
        _ => {
            kill(&mut child);
            let text = format!("it did not end within {} s", limit.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        }
    }
}

/// Reads all of a pipe meanwhile.
fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.map(|pipe| pipe.take(LONGEST + 1).read_to_end(&mut bytes));
        let _ = tell.send(bytes);
    });
    told
}

fn wait(child: &mut Child, end: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => thread::sleep(PAUSE),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Ends a program and whatever it started. One that was waited for is not killed: its number may be another's.
fn kill(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.wait();
    }
}
