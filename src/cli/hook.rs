//! `hook`: what `bch-hook` leaves to this program where mail is at a relay or in a brain.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::credentials::Credentials;
use crate::delivery::hook::{Elsewhere, Error};
use crate::delivery::program;
use crate::env::Env;
use crate::message::AgentName;
use crate::spool::Spool;
use crate::spool::brain::BrainSpool;
use crate::spool::relay::{Deadline, RelaySpool};

/// What is kept of a hook's time for showing what was claimed: a brain marks each message by a call of its own.
const FOR_SHOWING: Duration = Duration::from_millis(200);

/// The relay or brain that the home names.
pub(super) struct AsKept<'a>(pub(super) &'a Env);

impl Elsewhere for AsKept<'_> {
    fn prepare(&mut self, _: &Config) -> Result<(), Error> {
        Ok(())
    }

    fn open(&mut self, config: &Config, agent: &AgentName, until: Instant) -> Result<Box<dyn Spool>, Error> {
        // An installed hook does not listen to the environment.
        let Some(credentials) = Credentials::kept(config, agent)? else {
            return Err(Error::Backend("relay"));
        };
        let root = credentials.root(&config.home);
        if credentials.brain {
            let until = Deadline::At(until.checked_sub(FOR_SHOWING).unwrap_or(until));
            let identity = credentials.identity_in_brain()?;
            let spool = BrainSpool::open(&root, identity, until, 0, self.0)?;
            return Ok(Box::new(spool.with_redaction(config.redaction())));
        }
        Ok(Box::new(RelaySpool::open(&root, credentials.identity(), Deadline::At(until), 0, self.0)?))
    }
}

/// Runs a hook with the arguments of `bch-hook`.
pub fn hook(arguments: impl IntoIterator<Item = OsString>, env: &Env) {
    program::run(arguments, &mut AsKept(env), env);
}
