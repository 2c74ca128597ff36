//! `bch`: parse, run, print the chain of errors, exit.

use std::process::ExitCode;

use backchannel::cli;
use backchannel::env::Env;
use backchannel::spool::local::files;

fn main() -> ExitCode {
    files::set_umask();
    let (mut arguments, env) = (std::env::args_os(), Env::system());
    if std::env::args_os().nth(1).is_some_and(|word| word == "hook") {
        arguments.nth(1);
        cli::hook(arguments, &env);
        return ExitCode::SUCCESS;
    }
    cli::run(arguments, &env)
}
