//! `bch-hook`: what a harness starts at every prompt. It always exits 0 and prints one JSON object or
//! nothing; what went wrong goes to `hook.log` in the home.

use std::io::{self, Write};
use std::panic;
use std::path::Path;
use std::time::Instant;

use backchannel::delivery::hook::{self, DEADLINE};
use backchannel::delivery::{Invocation, read_payload};
use backchannel::env::Env;
use backchannel::spool::local::files;

fn main() {
    files::set_umask();
    // A panic is a fault of ours, never a reason to hold up a prompt or to print on it.
    panic::set_hook(Box::new(|_| ()));
    let deadline = Instant::now() + DEADLINE;
    let env = Env::system();
    let Some(invocation) = Invocation::parse(std::env::args_os().skip(1)) else { return };
    let result = panic::catch_unwind(|| {
        let mut input = io::stdin().lock();
        let read = || read_payload(&mut input, deadline).unwrap_or_default();
        hook::run(&invocation, read, &mut io::stdout().lock(), &env, deadline)
    });
    let problem = match result {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the hook panicked".to_owned(),
    };
    if let Some(home) = invocation.home.clone().or_else(|| env.default_home()) {
        log(&home, &format!("{} {} {}: {problem}\n", env.now(), invocation.harness, invocation.event));
    }
}

/// Appends a line; a log that has grown large starts anew. Where it cannot be written there is nobody to tell.
fn log(home: &Path, line: &str) {
    let path = home.join("hook.log");
    let is_large = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 256 * 1024);
    let file =
        std::fs::File::options().create(true).append(!is_large).write(true).truncate(is_large).open(path);
    if let Ok(mut file) = file {
        let _ = file.write_all(line.as_bytes());
    }
}
