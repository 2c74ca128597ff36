//! The processes that doctor starts: our own two programs, what is installed of ours in a harness, and with `--live`
//! the harness itself. Nothing that was received leads here.
//!
//! Each has a group of its own and a time by which it must have ended: what hangs is killed with all that it started.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at whether a program ended.
const PAUSE: Duration = Duration::from_micros(200);
/// Between two looks at whether Ctrl-C was pressed.
const LOOK: Duration = Duration::from_millis(100);
/// More than this of a program's output is not kept.
const LONGEST: u64 = 256 * 1024;

/// How a process ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// From its start until it had ended.
    pub(super) time: Duration,
}

/// Why nothing is known of its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It could not be started.
    #[error("does not start: {0}")]
    Start(#[from] io::Error),
    /// It was killed at this time, with all that it started.
    #[error("did not end within {} s", .0.as_secs())]
    Hangs(Duration),
    /// It said nothing more while an answer was awaited.
    #[error("ended without an answer")]
    Silent,
    /// Ctrl-C.
    #[error("was stopped")]
    Stopped,
}

/// How long a process may take, and what stops it before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) patience: Duration,
    pub(super) stop: Option<&'a AtomicBool>,
}

/// A command of doctor's; who makes one says which program it may be.
#[expect(
    clippy::disallowed_methods,
    reason = "what is installed of ours, and the user's own harness; see the head"
)]
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

/// A process that runs. Dropped, it is killed with its group.
struct Running<'a> {
    child: Child,
    input: Option<ChildStdin>,
    start: Instant,
    limits: Limits<'a>,
    is_over: bool,
}

/// Runs a command to its end, with this on its standard input.
pub(super) fn run(command: &mut Command, input: &[u8], limits: Limits<'_>) -> Result<Ended, Failure> {
    let mut running = Running::start(command, limits)?;
    let outputs = [running.child.stdout.take().map(read), running.child.stderr.take().map(read)];
    if let Some(mut stdin) = running.input.take() {
        let bytes = input.to_vec();
        // It may end without reading it all.
        thread::spawn(move || stdin.write_all(&bytes));
    }
    let mut texts = Vec::new();
    for output in outputs.into_iter().flatten() {
        texts.push(running.wait_for(&output)?.unwrap_or_default());
    }
    let status = running.end()?;
    let (stderr, stdout) = (texts.pop().unwrap_or_default(), texts.pop().unwrap_or_default());
    Ok(Ended { status, stdout, stderr, time: running.start.elapsed() })
}

impl<'a> Running<'a> {
    fn start(command: &mut Command, limits: Limits<'a>) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = Instant::now();
        // A group of its own, so that whatever it started ends with it.
        let mut child = command.process_group(0).spawn()?;
        Ok(Self { input: child.stdin.take(), child, start, limits, is_over: false })
    }

    fn left(&self) -> Duration {
        self.limits.patience.saturating_sub(self.start.elapsed())
    }

    fn is_stopped(&self) -> bool {
        self.limits.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// The next thing that a reader sends; `None` where it has ended.
    fn wait_for<T>(&self, reader: &Receiver<T>) -> Result<Option<T>, Failure> {
        loop {
            match reader.recv_timeout(self.left().min(LOOK)) {
                Ok(read) => return Ok(Some(read)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if self.is_stopped() => return Err(Failure::Stopped),
                Err(RecvTimeoutError::Timeout) if self.left().is_zero() => {
                    return Err(Failure::Hangs(self.limits.patience));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn end(&mut self) -> Result<ExitStatus, Failure> {
        loop {
            // A program that has been waited for is not killed: its number may be another's by then.
            if let Some(status) = self.child.try_wait()? {
                self.is_over = true;
                return Ok(status);
            }
            if self.is_stopped() {
                return Err(Failure::Stopped);
            }
            if self.left().is_zero() {
                return Err(Failure::Hangs(self.limits.patience));
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads to the end; a beginning of it is kept.
fn read(mut output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.by_ref().take(LONGEST).read_to_end(&mut bytes);
        // The rest too: a full pipe would hold the program up.
        let _ = io::copy(&mut output, &mut io::sink());
        let _ = tell.send(bytes);
    });
    told
}

/// A process that is spoken with, line by line.
pub(super) struct Dialogue<'a> {
    running: Running<'a>,
    lines: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
}

impl<'a> Dialogue<'a> {
    pub(super) fn start(command: &mut Command, limits: Limits<'a>) -> Result<Self, Failure> {
        let mut running = Running::start(command, limits)?;
        let (tell, lines) = mpsc::channel();
        if let Some(output) = running.child.stdout.take() {
            thread::spawn(move || {
                let mut output = BufReader::new(output);
                loop {
                    let mut line = Vec::new();
                    let is_read = output.by_ref().take(LONGEST).read_until(b'\n', &mut line);
                    if !matches!(is_read, Ok(1..)) || tell.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let stderr = running.child.stderr.take().map(read).unwrap_or_else(|| mpsc::channel().1);
        Ok(Self { running, lines, stderr })
    }

    /// Writes a line; one that nobody reads is lost, as the answer will tell.
    pub(super) fn say(&mut self, line: &str) {
        if let Some(input) = &mut self.running.input {
            let _ = input.write_all(line.as_bytes()).and_then(|()| input.write_all(b"\n"));
        }
    }

    /// The next line.
    pub(super) fn hear(&self) -> Result<Vec<u8>, Failure> {
        self.running.wait_for(&self.lines)?.ok_or(Failure::Silent)
    }

    /// Closes our side, and waits for the end.
    pub(super) fn close(mut self) -> Result<Ended, Failure> {
        drop(self.running.input.take());
        let stderr = self.running.wait_for(&self.stderr)?.unwrap_or_default();
        let status = self.running.end()?;
        Ok(Ended { status, stdout: Vec::new(), stderr, time: self.running.start.elapsed() })
    }
}
