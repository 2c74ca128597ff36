//! What one hook does: claim, show, mark — and acknowledge only on evidence that the model saw it. Here is whether there
//! is anything to do, and for whom; what is done is in `session`.
//!
//! The rules are in `docs/delivery.md`; what differs between harnesses is in their manifests.

use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::payload::Payload;
use super::session::Session;
use super::{Invocation, canary};
use crate::attention::Attention;
use crate::config::{self, Config};
use crate::credentials;
use crate::env::Env;
use crate::harness::{Gives, Manifest, Proves};
use crate::message::AgentName;
use crate::spool::local::LocalSpool;
use crate::spool::relay::quiet;
use crate::spool::{self, Lease, Spool};

/// A hook that has not printed by then gives its mail back and prints nothing.
pub const DEADLINE: Duration = Duration::from_millis(1500);
/// For how long the end of a turn or of a session waits for a relay: nobody is shown anything then.
const FAREWELL: Duration = Duration::from_millis(800);

/// What a hook could not do; it goes to the log that `doctor` reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The mail.
    #[error(transparent)]
    Spool(#[from] spool::Error),
    /// The harness's pipe.
    #[error("could not print to the harness: {0}")]
    Print(io::Error),
    /// A home that another backend serves.
    #[error("this home uses the {0} backend, which this version does not have")]
    Backend(&'static str),
    /// Who the agent is at its relay.
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    /// What speaks with relays cannot be had.
    #[error("could not run {}: {source}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Mail that is not on this machine: a lean hook leaves it to a program that can speak with a relay or a brain.
pub trait Elsewhere {
    /// Comes before the payload is read: another program may take this one's place.
    ///
    /// # Errors
    /// Where there is no such program.
    fn prepare(&mut self, config: &Config) -> Result<(), Error>;
    /// Opens the agent's mail; all its calls end by then.
    ///
    /// # Errors
    /// Where there is no token of the agent.
    fn open(&mut self, config: &Config, agent: &AgentName, until: Instant) -> Result<Box<dyn Spool>, Error>;
}

/// Runs one hook. `is_busy` is called where there is mail, before anything that may wait.
///
/// # Errors
/// Where mail could not be read, written or printed; nothing of it is lost then.
pub fn run(
    invocation: &Invocation,
    is_busy: impl FnOnce(),
    read_payload: impl FnOnce() -> Vec<u8>,
    elsewhere: &mut dyn Elsewhere,
    out: &mut dyn Write,
    env: &Env,
    deadline: Instant,
) -> Result<(), Error> {
    let Some(home) = invocation.home.clone().or_else(|| env.default_home()) else { return Ok(()) };
    let config = Config::load_from(&home)?;
    let agent = match &invocation.agent {
        Some(agent) => agent.clone(),
        None => match config.agent() {
            Err(config::Error::NoAgent) => {
                drop(read_payload());
                return Ok(());
            }
            agent => agent?,
        },
    };
    let local = LocalSpool::open(&home, env, 0);
    let canary = canary::asked_for(&local, env);
    let backend = config.remote().filter(|_| canary.is_none());
    let agent = canary.unwrap_or(agent);
    let is_quiet = match backend {
        None => local.is_quiet(&agent),
        Some("relay") => quiet::is_quiet(&home, &agent, env),
        // Nobody can say that nothing waits in a brain: it tells nothing by itself.
        Some("brain") => false,
        Some(backend) => {
            drop(read_payload());
            return Err(Error::Backend(backend));
        }
    };
    let is_over = is_quiet && !Manifest::may_start_a_session(&invocation.event);
    if backend.is_some() && !is_over {
        elsewhere.prepare(&config)?;
    }
    if !is_over && (backend.is_some() || !is_quiet) {
        is_busy();
    }
    // The payload is read to its end even where it does not matter: a harness may not expect its pipe to break.
    let bytes = read_payload();
    if is_over {
        return Ok(());
    }
    let Some(manifest) = Manifest::find(&invocation.harness) else { return Ok(()) };
    let (Some(event), Some(payload)) = (manifest.event(&invocation.event), Payload::parse(&bytes)) else {
        return Ok(());
    };
    let is_allowed = invocation.unattended || env.text("BACKCHANNEL_UNATTENDED").as_deref() == Some("1");
    if !manifest.is_genuine(event, |name| payload.text(name), |name| payload.has(name), env)
        || (!is_allowed && manifest.is_unattended(env, |name| payload.text(name)))
    {
        return Ok(());
    }
    // Where it cannot be read nothing is shown: a blocked sender must not profit from a damaged file.
    let attention = Attention::load(&home)?;
    // A person's pause is no fault of what is installed.
    let attention = if agent.is_canary() { Attention::default() } else { attention };
    let Some(session) = payload.text("session_id").filter(|id| !id.is_empty()) else { return Ok(()) };
    let process = manifest.process(env);
    let lease = Lease::of_session(&manifest.id, session, process, env.now());
    let is_end = event.proves == Proves::Turn || event.gives == Gives::Back;
    // Its end might wait for a name that is being resolved; the process ends without it.
    let spool: ManuallyDrop<Box<dyn Spool>> = ManuallyDrop::new(match backend {
        None => Box::new(local),
        Some(_) => {
            let until = if is_end { deadline.min(Instant::now() + FAREWELL) } else { deadline };
            elsewhere.open(&config, &agent, until)?
        }
    });
    let session = Session {
        spool: &**spool,
        agent: &agent,
        lease,
        manifest: &manifest,
        event,
        payload: &payload,
        attention: &attention,
        now: env.now(),
        deadline,
    };
    session.run(out)?;
    if is_end {
        // What cannot be told now is told with the next claim.
        let _ = spool.settle();
    }
    Ok(())
}
