//! `bch-hook`: what a harness starts at every prompt. It links nothing that speaks with relays and brains: where mail is
//! there, and the notifier did not say that nothing waits, `bch` beside it takes its place.

use std::os::unix::process::CommandExt;
use std::time::Instant;

use backchannel::config::Config;
use backchannel::delivery::hook::{Elsewhere, Error};
use backchannel::delivery::program;
use backchannel::env::Env;
use backchannel::message::AgentName;
use backchannel::spool::Spool;

/// The program beside this one.
struct Beside<'a>(&'a Env);

impl Elsewhere for Beside<'_> {
    #[expect(
        clippy::disallowed_methods,
        reason = "our own program takes this one's place: no process is started"
    )]
    fn prepare(&mut self, config: &Config) -> Result<(), Error> {
        let program = self.0.program().map_or_else(|| "bch".into(), |hook| hook.with_file_name("bch"));
        let arguments = std::env::args_os().skip(1);
        let mut bch = std::process::Command::new(&program);
        bch.arg("hook").args(arguments);
        // A repository's environment chooses no proxy and no certificates.
        config.keep_network(&mut bch);
        let source = bch.exec();
        Err(Error::Program { program, source })
    }

    fn open(&mut self, _: &Config, _: &AgentName, _: Instant) -> Result<Box<dyn Spool>, Error> {
        Err(Error::Backend("relay"))
    }
}

fn main() {
    let env = Env::system();
    program::run(std::env::args_os().skip(1), &mut Beside(&env), &env);
}
