//! What the relay is asked for: a name, and whether it knows one still.

use super::Admission;
use crate::cli::mail;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::env::Env;
use crate::message::AgentName;
use crate::secret::Secret;
use crate::spool::local::files;
use crate::spool::relay::{Newcomer, Refusal};
use crate::spool::{self, Spool as _};

/// Whether the relay says that it knows the agent no more: it was revoked, or its room was.
pub(super) fn is_gone(config: &Config, credentials: &Credentials, env: &Env) -> bool {
    let asked = mail::open_relay(config, credentials.clone(), env).map(|spool| spool.channels());
    matches!(asked, Ok(Err(spool::Error::Relay(Refusal::Unknown { .. }))))
}

/// Registers the name with a token that is kept before the relay is asked: where the answer is lost, the same again is
/// the same registration.
pub(super) fn register(
    name: &AgentName,
    admission: &Admission,
    config: &Config,
) -> anyhow::Result<Credentials> {
    let Admission { url, token, room, insecure, .. } = admission;
    let meet = |token: &Secret| Newcomer::meet(url.clone(), room.clone(), token.clone());
    let newcomer = meet(token).map_err(|refusal| admission.refused(refusal, name))?;
    files::make_directory(&config.home)?;
    let (mut credentials, is_new) = Credentials {
        url: url.clone(),
        room: room.clone(),
        agent: name.clone(),
        token: Secret::random()?,
        insecure: *insecure,
        pending: true,
        brain: false,
    }
    .begin(&config.home)?;
    if !credentials.pending {
        return Ok(credentials);
    }
    let registered = newcomer.register(name, &credentials.token).or_else(|refusal| {
        let own = match &refusal {
            // The name may be ours: by the token that this home has of the same relay.
            Refusal::Refused { status: 409, .. } => {
                let own = Credentials::kept(config, name).ok().flatten().filter(|own| own.url == *url);
                own.map(|own| own.token)
            }
            // An earlier try may have come to something that its answer did not tell.
            Refusal::Unknown { .. } | Refusal::Refused { .. } if !is_new => Some(credentials.token.clone()),
            _ => None,
        };
        match own {
            Some(own) if meet(&own).and_then(|again| again.register_again(name)).is_ok() => Ok(own),
            _ => Err(refusal),
        }
    });
    match registered {
        Ok(token) => {
            (credentials.token, credentials.pending) = (token, false);
            credentials.keep(&config.home)?;
            Ok(credentials)
        }
        Err(refusal) => {
            let is_anothers = matches!(refusal, Refusal::Refused { status: 409, .. });
            let may_be_ours = !is_new
                || matches!(refusal, Refusal::Unreachable { is_heard: true, .. } | Refusal::NoRelay { .. });
            if is_anothers || !may_be_ours {
                // Nothing came of it, and nothing stays.
                credentials.forget(&config.home);
            }
            Err(admission.refused(refusal, name))
        }
    }
}
