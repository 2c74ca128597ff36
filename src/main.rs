//! `bch`: parse, run, print the chain of errors, exit.

use std::process::ExitCode;

use backchannel::cli;
use backchannel::env::Env;
use backchannel::spool::local::files;

fn main() -> ExitCode {
    files::set_umask();
    cli::run(std::env::args_os(), &Env::system())
}
