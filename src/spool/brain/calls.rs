//! Calls of a brain's service by the bearer of one token, each bounded by a deadline.
//!
//! What only reads is tried again here. A write is made once: whether it may be made again is for those to know who look
//! what became of it. The service's paths, bodies and errors are those of its `SPEC.md` (repository
//! unison-labs-ai/unison-brain, 2026-11-29) and of the first version.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::blocking::Client;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::answer;
use super::document::{Document, List};
use super::pace::Later;
use super::refusal::Refusal;
use crate::client::{Deadline, client_for, jittered, outside_of_a_runtime, read, why};
use crate::env::Env;
use crate::message;
use crate::relay::url::RelayUrl;
use crate::secret::Secret;

/// Tries of what only reads.
const TRIES: u32 = 4;
/// What lies between the first two tries, about; it doubles.
const PAUSE: Duration = Duration::from_millis(150);
/// Bytes of an answer at most: a full list of the longest messages.
const LARGEST: u64 = 256 * 1024 * 1024;
/// Documents that are asked for in one list.
pub(super) const MOST: usize = 1_000;

/// What a write may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Put<'a> {
    pub(super) path: &'a str,
    pub(super) body: &'a str,
    pub(super) title: &'a str,
    /// The hash of what is to be replaced; else whatever is there is.
    pub(super) expected: Option<&'a str>,
}

/// Whose token it is, as far as the service tells.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Who {
    pub(super) user: Option<User>,
    pub(super) scopes: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) email: Option<String>,
}

/// Who calls, and where.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) url: RelayUrl,
    token: Secret,
    client: Client,
    deadline: Deadline,
    later: Later,
    env: Env,
}

#[derive(Deserialize)]
struct Deleted {
    deleted: bool,
}

impl Calls {
    /// Calls by the bearer of this token; what this machine keeps of its mail is in `root`. Nothing is asked yet.
    pub(super) fn new(
        url: RelayUrl,
        token: Secret,
        deadline: Deadline,
        root: &Path,
        env: &Env,
    ) -> Result<Self, Refusal> {
        let client = client_for(&url).map_err(|error| {
            let (reason, is_heard) = why(&error);
            Refusal::Unreachable { url: url.clone(), reason, is_heard }
        })?;
        Ok(Self { url, token, client, deadline, later: Later::new(root, env), env: env.clone() })
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// For how long a call that begins now may take.
    pub(super) fn left(&self) -> Duration {
        match self.deadline {
            Deadline::Each(span) => span,
            Deadline::At(until) => until.saturating_duration_since(Instant::now()),
        }
    }

    /// For how long the service wants not to be asked.
    pub(super) fn wait_wanted(&self) -> Option<Duration> {
        self.later.wait()
    }

    /// Waits where the service wants not to be asked now, and that is over soon.
    fn keep_pause(&self) -> Result<(), Refusal> {
        let Some(wait) = self.wait_wanted() else { return Ok(()) };
        // A prompt waits for nobody.
        if matches!(self.deadline, Deadline::At(_)) || wait >= self.left() {
            let (url, reason) = (self.url.clone(), "it asked for a pause".to_owned());
            return Err(Refusal::Busy { url, reason, wait: Some(wait), is_heard: false });
        }
        std::thread::sleep(wait);
        Ok(())
    }

    /// Whose token it is.
    pub(super) fn who(&self) -> Result<Who, Refusal> {
        let bytes = self.reads("/v1/auth/whoami".to_owned())?;
        self.parse::<Option<Who>>(&bytes)?.ok_or_else(|| self.no_brain("it does not say whose token this is"))
    }

    /// One document; `None` where there is none.
    pub(super) fn read(&self, path: &str) -> Result<Option<Document>, Refusal> {
        match self.reads(format!("/v1/brain/doc?{}", query(&[("path", path)]))) {
            Ok(bytes) => self.document(&bytes),
            Err(refusal) if refusal.status() == Some(404) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The documents under a prefix, [`MOST`] at most, in no order.
    pub(super) fn list(&self, prefix: &str) -> Result<Vec<Document>, Refusal> {
        let query = query(&[("prefix", prefix), ("limit", &MOST.to_string())]);
        let bytes = self.reads(format!("/v1/brain/list?{query}"))?;
        let list: Option<List> = self.parse(&bytes)?;
        // A gateway's literal null is no empty list.
        list.map(List::documents).ok_or_else(|| self.unheard_of("it answers with nothing"))
    }

    /// Writes once; the document as it is now, `None` where the answer does not tell.
    pub(super) fn write(&self, put: Put<'_>) -> Result<Option<Document>, Refusal> {
        let mut body = json!({ "path": put.path, "bodyMd": put.body, "title": put.title });
        if let Some(expected) = put.expected {
            body["expectedContentHash"] = expected.into();
        }
        let body = body.to_string();
        let bytes = self.once(Method::PUT, "/v1/brain/doc", Some(&body))?;
        self.document(&bytes)
    }

    /// Deletes once; whether it was this call that deleted it, `None` where the answer does not tell.
    pub(super) fn delete(&self, path: &str) -> Result<Option<bool>, Refusal> {
        let route = format!("/v1/brain/doc?{}", query(&[("path", path)]));
        match self.once(Method::DELETE, &route, None) {
            Ok(bytes) => Ok(message::from_json::<Deleted>(&bytes).ok().map(|answer| answer.deleted)),
            Err(refusal) if refusal.status() == Some(404) => Ok(Some(false)),
            Err(refusal) => Err(refusal),
        }
    }

    /// Waits as long as the service wants before another try, where there is time for it; `false` where there is none.
    pub(super) fn may_try_again(&self, refusal: &Refusal, number: u32, until: Instant) -> bool {
        let wait = match refusal {
            Refusal::Busy { wait: Some(wait), .. } => *wait,
            Refusal::Busy { .. } | Refusal::Unreachable { .. } => jittered(PAUSE * 2u32.pow(number)),
            _ => return false,
        };
        if number + 1 >= TRIES || wait >= until.saturating_duration_since(Instant::now()) {
            return false;
        }
        std::thread::sleep(wait);
        true
    }

    /// Until when a call that begins now may be tried again.
    pub(super) fn until(&self) -> Instant {
        Instant::now() + self.left()
    }

    fn reads(&self, route: String) -> Result<Vec<u8>, Refusal> {
        let until = self.until();
        for number in 0.. {
            match self.once(Method::GET, &route, None) {
                Err(refusal) if self.may_try_again(&refusal, number, until) => {}
                answer => return answer,
            }
        }
        Err(self.unheard_of("it was not asked"))
    }

    /// One try.
    fn once(&self, method: Method, route: &str, body: Option<&str>) -> Result<Vec<u8>, Refusal> {
        outside_of_a_runtime(|| self.ask(method, route, body))
    }

    fn ask(&self, method: Method, route: &str, body: Option<&str>) -> Result<Vec<u8>, Refusal> {
        self.keep_pause()?;
        let left = self.left();
        if left.is_zero() {
            return Err(self.unheard_of("the time for it is over"));
        }
        let mut request = self.client.request(method, self.url.route(route)).timeout(left);
        request = request.bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let url = self.url.clone();
        let response = request.send().map_err(|error| {
            let (reason, is_heard) = why(&error);
            Refusal::Unreachable { url: url.clone(), reason, is_heard }
        })?;
        let (status, wait) = (response.status(), answer::retry_after(response.headers(), self.env.now()));
        let bytes = read(response, LARGEST).map_err(|reason| Refusal::Unreachable {
            url: url.clone(),
            reason,
            is_heard: true,
        })?;
        if status.is_success() {
            return Ok(bytes);
        }
        if let Some(wait) = wait.filter(|_| status == StatusCode::TOO_MANY_REQUESTS) {
            self.later.remember(wait);
        }
        Err(answer::refusal(url, status, wait, &bytes, &self.token))
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Refusal> {
        message::from_json(bytes)
            .map_err(|error| self.no_brain(&format!("its answer is of another shape: {error}")))
    }

    fn document(&self, bytes: &[u8]) -> Result<Option<Document>, Refusal> {
        Document::from_answer(bytes)
            .map_err(|error| self.no_brain(&format!("its answer is of another shape: {error}")))
    }

    /// An answer that does not tell what was done.
    pub(super) fn says_nothing(&self) -> Refusal {
        self.no_brain("it does not say what it did")
    }

    /// A document that is not what it has to be.
    pub(super) fn damaged(&self, path: &str) -> Refusal {
        self.no_brain(&format!("{path} has no front matter, and is left as it is"))
    }

    fn no_brain(&self, reason: &str) -> Refusal {
        Refusal::NoBrain { url: self.url.clone(), reason: reason.to_owned() }
    }

    /// The time is for others.
    pub(super) fn no_time(&self) -> Refusal {
        self.unheard_of("the time for it is over")
    }

    fn unheard_of(&self, reason: &str) -> Refusal {
        Refusal::Unreachable { url: self.url.clone(), reason: reason.to_owned(), is_heard: false }
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Calls({})", self.url)
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
