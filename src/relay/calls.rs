//! Calls of a relay by the bearer of one token: each bounded by a deadline, tried again where that does no harm.
//!
//! A token goes to the URL that it was issued for: redirects are not followed. No error repeats a token.

use std::fmt;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::blocking::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::{Deadline, client_for, jittered, outside_of_a_runtime, read, retry_after, said, why};
use crate::message;
use crate::relay::url::RelayUrl;
use crate::relay::wire::{Failure, ROOM_HEADER};
use crate::secret::Secret;

/// Tries of one call.
const TRIES: u32 = 4;
/// What lies between the first two tries, about; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes of an answer at most: a relay's inbox is cut at 32 MiB of bodies, which JSON may lengthen.
const LARGEST: u64 = 256 * 1024 * 1024;
/// And to a hook, which asks for a prompt's worth and gets the longest message of each kind at worst.
const LARGEST_TO_A_HOOK: u64 = 8 * 1024 * 1024;

/// Who calls, and where.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) url: RelayUrl,
    pub(crate) room: Option<String>,
    pub(crate) token: Secret,
    client: Client,
    deadline: Deadline,
}

/// What may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// A call that comes to the same when it is made twice.
    Always,
    /// Only what the relay cannot have heard.
    Unheard,
}

/// Why a relay did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nobody answers, or not in time.
    #[error("could not reach the relay at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: RelayUrl,
        /// Why; it bears no token.
        reason: String,
        /// Whether the relay may have done it all the same.
        is_heard: bool,
    },
    /// The relay cannot do it now: too many calls, a full disk, a restart.
    #[error("the relay at {url} cannot do it now: {reason}")]
    Busy {
        /// Where.
        url: RelayUrl,
        /// What it says.
        reason: String,
    },
    /// The relay does not know the token: it was revoked, or is of another relay.
    #[error("the relay at {url} does not know this token: {reason}")]
    Unknown {
        /// Where.
        url: RelayUrl,
        /// What it says.
        reason: String,
    },
    /// The relay refuses, and would again.
    #[error("the relay at {url} refuses: {reason}")]
    Refused {
        /// Where.
        url: RelayUrl,
        /// The status.
        status: u16,
        /// What it says.
        reason: String,
    },
    /// What answers is no relay.
    #[error("what answers at {url} is no relay: {reason}")]
    NoRelay {
        /// Where.
        url: RelayUrl,
        /// Why not.
        reason: String,
    },
}

impl Refusal {
    /// Whether the same may succeed later without anybody mending anything here.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { url, .. } | Self::Busy { url, .. } | Self::NoRelay { url, .. } => {
                Some(format!("curl {url}/v1/health   # then the same command again"))
            }
            Self::Unknown { .. } => {
                Some("bch join INVITE --as NAME   # with a new invite from whoever keeps the room".into())
            }
            Self::Refused { .. } => None,
        }
    }
}

impl Calls {
    /// Calls of the bearer of this token; nothing is asked yet.
    ///
    /// # Errors
    /// Where no client can be made: the system's certificates cannot be read, say.
    pub(crate) fn new(
        url: RelayUrl,
        room: Option<String>,
        token: Secret,
        deadline: Deadline,
    ) -> Result<Self, Refusal> {
        let client = client_for(&url).map_err(|error| unreachable(&url, &error))?;
        Ok(Self { url, room, token, client, deadline })
    }

    pub(crate) fn get<T: DeserializeOwned + Send>(&self, path: &str) -> Result<T, Refusal> {
        self.call(Method::GET, path, None, Again::Always)
    }

    pub(crate) fn delete<T: DeserializeOwned + Send>(&self, path: &str) -> Result<T, Refusal> {
        self.call(Method::DELETE, path, None, Again::Unheard)
    }

    pub(crate) fn post<T: DeserializeOwned + Send>(
        &self,
        path: &str,
        body: &impl Serialize,
        again: Again,
    ) -> Result<T, Refusal> {
        // What is serialised here has string keys and no maps of its own: it never fails.
        let body = serde_json::to_vec(body).unwrap_or_default();
        self.call(Method::POST, path, Some(&body), again)
    }

    fn call<T: DeserializeOwned + Send>(
        &self,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
        again: Again,
    ) -> Result<T, Refusal> {
        let bytes = outside_of_a_runtime(|| self.bytes(&method, path, body, again))?;
        message::from_json(&bytes).map_err(|error| Refusal::NoRelay {
            url: self.url.clone(),
            reason: format!("its answer is of another shape: {error}"),
        })
    }

    fn bytes(
        &self,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
        again: Again,
    ) -> Result<Vec<u8>, Refusal> {
        let until = match self.deadline {
            Deadline::Each(span) => Instant::now() + span,
            Deadline::At(until) => until,
        };
        let (mut pause, mut was_heard) = (PAUSE, false);
        for number in 1.. {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.unreachable("the time for it is over", was_heard));
            }
            let (error, wait) = match self.once(method, path, body, left) {
                Ok(bytes) => return Ok(bytes),
                Err(failed) => failed,
            };
            was_heard |= matches!(error, Refusal::Unreachable { is_heard: true, .. });
            let may_repeat = match &error {
                Refusal::Unreachable { is_heard, .. } => again == Again::Always || !is_heard,
                // The relay says that it did nothing.
                Refusal::Busy { .. } => true,
                _ => false,
            };
            let wait = wait.unwrap_or_else(|| jittered(pause));
            if !may_repeat || number >= TRIES || wait >= until.saturating_duration_since(Instant::now()) {
                return Err(match error {
                    // An earlier try may have come to something.
                    Refusal::Unreachable { url, reason, .. } => {
                        Refusal::Unreachable { url, reason, is_heard: was_heard }
                    }
                    Refusal::Busy { url, reason } if was_heard => {
                        Refusal::Unreachable { url, reason, is_heard: true }
                    }
                    error => error,
                });
            }
            std::thread::sleep(wait);
            pause *= 2;
        }
        Err(self.unreachable("it was not tried", was_heard))
    }

    /// One try; a failure comes with how long the relay wants us to wait.
    fn once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
        left: Duration,
    ) -> Result<Vec<u8>, (Refusal, Option<Duration>)> {
        let mut request = self.client.request(method.clone(), self.url.route(path)).timeout(left);
        request = request.bearer_auth(self.token.expose());
        if let Some(room) = &self.room {
            request = request.header(ROOM_HEADER, room);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().map_err(|error| (unreachable(&self.url, &error), None))?;
        let (status, wait) = (response.status(), retry_after(&response));
        let most = if matches!(self.deadline, Deadline::At(_)) { LARGEST_TO_A_HOOK } else { LARGEST };
        let bytes = read(response, most).map_err(|reason| {
            (Refusal::Unreachable { url: self.url.clone(), reason, is_heard: true }, None)
        })?;
        if status.is_success() {
            return Ok(bytes);
        }
        let url = self.url.clone();
        let told = message::from_json::<Failure>(&bytes).ok().map(|failure| said(&failure.error));
        let reason = told.clone().unwrap_or_else(|| status.to_string());
        Err(match (status.as_u16(), told) {
            (401, Some(_)) => (Refusal::Unknown { url, reason }, None),
            (429 | 507, Some(_)) => (Refusal::Busy { url, reason }, wait),
            // A proxy in front of it speaks for a relay that is away, or did it and could not say so.
            (408 | 425 | 429 | 500 | 502..=504 | 507, _) => {
                (Refusal::Unreachable { url, reason, is_heard: true }, wait)
            }
            (status, Some(_)) => (Refusal::Refused { url, status, reason }, None),
            (_, None) => (Refusal::NoRelay { url, reason }, None),
        })
    }

    fn unreachable(&self, reason: &str, is_heard: bool) -> Refusal {
        Refusal::Unreachable { url: self.url.clone(), reason: reason.to_owned(), is_heard }
    }

    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Calls({})", self.url)
    }
}

fn unreachable(url: &RelayUrl, error: &reqwest::Error) -> Refusal {
    let (reason, is_heard) = why(error);
    Refusal::Unreachable { url: url.clone(), reason, is_heard }
}
