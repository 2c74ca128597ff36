//! The mailbox of a proof: `BACKCHANNEL_CANARY` turns an installed hook or MCP server to a canary's mail, so that
//! `bch doctor --prove` can run it as it is installed and touch nobody's messages.
//!
//! It is the one variable that moves what is installed, and it can only lead away from mail: a name that no person's
//! agent can have, of an agent that doctor made in this very home.

use crate::env::Env;
use crate::message::AgentName;
use crate::spool::Spool;

/// The variable.
pub const VARIABLE: &str = "BACKCHANNEL_CANARY";

/// The canary whose mail is meant instead of the agent's, where one is asked for and is there.
#[must_use]
pub fn asked_for(spool: &dyn Spool, env: &Env) -> Option<AgentName> {
    let name: AgentName = env.text(VARIABLE)?.parse().ok()?;
    (name.is_canary() && matches!(spool.agent(&name), Ok(Some(_)))).then_some(name)
}
