//! A hook as a program: it always exits 0 and prints one JSON object or nothing; what went wrong goes to `hook.log` in
//! the home.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::hook::{self, DEADLINE, Elsewhere};
use super::{Invocation, read_payload};
use crate::env::Env;
use crate::spool::local::files;

/// After this long the hook ends, whatever it waits for.
const LIMIT: Duration = Duration::from_secs(2);

/// Runs the hook that the arguments name.
pub fn run(arguments: impl IntoIterator<Item = OsString>, elsewhere: &mut dyn Elsewhere, env: &Env) {
    let start = Instant::now();
    files::set_umask();
    // A panic is a fault of ours, never a reason to hold up a prompt or to print on it.
    panic::set_hook(Box::new(|_| ()));
    let Some(invocation) = Invocation::parse(arguments) else { return };
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let read = || read_payload(rustix::stdio::stdin(), start + DEADLINE).unwrap_or_default();
        let is_busy = || end_at(start + LIMIT);
        hook::run(&invocation, is_busy, read, elsewhere, &mut io::stdout().lock(), env, start + DEADLINE)
    }));
    let problem = match result {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the hook panicked".to_owned(),
    };
    if let Some(home) = invocation.home.clone().or_else(|| env.default_home()) {
        log(&home, &format!("{} {} {}: {problem}\n", env.now(), invocation.harness, invocation.event));
    }
}

/// Ends the process at that time: a pipe that nobody reads or a disk that is gone must not hold up a prompt.
/// What was claimed is the session's then, and shown again at its next prompt.
fn end_at(time: Instant) {
    let end = move || {
        thread::sleep(time.saturating_duration_since(Instant::now()));
        std::process::exit(0);
    };
    // Where no thread can be had, the hook goes on without this.
    let _ = thread::Builder::new().stack_size(64 * 1024).spawn(end);
}

/// Appends a line; a log that has grown large starts anew. Where it cannot be written there is nobody to tell.
fn log(home: &Path, line: &str) {
    let path = home.join("hook.log");
    let is_large = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 256 * 1024);
    let mut options = std::fs::File::options();
    options.create(true).append(!is_large).write(true).truncate(is_large).custom_flags(files::NO_WAIT);
    if let Ok(mut file) = options.open(path) {
        let _ = file.write_all(line.as_bytes());
    }
}
