//! What a service says where it does not do what it was asked for. Nothing of it repeats a token.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use super::refusal::Refusal;
use crate::client::said;
use crate::message;
use crate::relay::url::RelayUrl;
use crate::secret::Secret;

/// As long as a service may ask us to wait before we take it for a mistake.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// `{"error": {"message"}}`, or a plain text in its place.
#[derive(Deserialize)]
struct Failure {
    error: serde_json::Value,
}

/// After how long it may be asked again: seconds, or a date (RFC 9110, 10.2.3); what is neither is nothing.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = rfc2822::parse(text).ok()?;
            date.timestamp().duration_since(now).try_into().unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Why it was not done.
pub(super) fn refusal(
    url: RelayUrl,
    status: StatusCode,
    wait: Option<Duration>,
    body: &[u8],
    token: &Secret,
) -> Refusal {
    // A service may repeat what it was sent.
    let told = told(body).map(|text| text.replace(token.expose(), "(token)"));
    let reason = told.clone().unwrap_or_else(|| status.to_string());
    match (status.as_u16(), told) {
        (429, _) => Refusal::Busy { url, reason, wait, is_heard: true },
        (401, _) => Refusal::Unknown { url, reason },
        (408 | 425 | 500..=599, _) => Refusal::Unreachable { url, reason, is_heard: true },
        (status, Some(_)) => Refusal::Refused { url, status, reason },
        (_, None) => Refusal::NoBrain { url, reason },
    }
}

/// What an error of the service says; `None` where it is somebody else's.
fn told(body: &[u8]) -> Option<String> {
    let error = message::from_json::<Failure>(body).ok()?.error;
    let text = error["message"].as_str().or_else(|| error["code"].as_str()).or_else(|| error.as_str());
    Some(text.map_or_else(|| "it does not say why".to_owned(), said))
}
