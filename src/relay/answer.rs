//! What a request brings, and what it is answered when it is refused: JSON both, the second with its status.

use std::time::Duration;

use axum::body::{self, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use super::caller::{Caller, Who};
use super::state::Shared;
use super::store;
use super::wire::Failure;
use crate::message;

/// What a route returns.
pub(super) type Answer<T> = Result<T, Refusal>;

/// A request that is not done, with the reason for its sender.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    reason: String,
    retry_after: Option<Duration>,
}

/// A request's body, within the limits of size and time.
#[derive(Debug)]
pub(super) struct Body(pub(super) Bytes);

/// The JSON of a request's body; an empty one reads as `{}`.
#[derive(Debug)]
pub(super) struct Input<T>(pub(super) T);

/// Bytes of a body that is too large which are read and dropped.
const DRAINED: usize = 32 * 1024 * 1024;
/// A body of more bytes than this waits for one of the few places that are held for such.
const LARGE: u64 = 64 * 1024;

/// Reads a body to its end, or as far as is bearable, and keeps nothing of it.
async fn drain(body: body::Body, most: usize) {
    let mut pieces = body.into_data_stream();
    let mut read = 0;
    while read < most
        && let Some(Ok(piece)) = pieces.next().await
    {
        read += piece.len();
    }
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), retry_after: None }
    }

    pub(super) fn malformed(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// No token, or one that nobody has.
    pub(super) fn unauthorized(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, reason)
    }

    /// Another's.
    pub(super) fn forbidden(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason)
    }

    pub(super) fn too_large(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
    }

    /// Too often; the same request may succeed after that time.
    pub(super) fn too_many(reason: impl Into<String>, wait: Duration) -> Self {
        let retry_after = Some(wait);
        Self { status: StatusCode::TOO_MANY_REQUESTS, reason: reason.into(), retry_after }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.reason)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(Failure { error: self.reason })).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            // Whole seconds, never 0: who comes at once would only hear the same.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        use store::Error;
        let status = match error {
            Error::UnknownAgent(_) | Error::UnknownRoom(_) | Error::UnknownInvite => StatusCode::NOT_FOUND,
            Error::NoSubscribers(_) => StatusCode::NOT_FOUND,
            Error::Taken(_) | Error::Duplicate(_) => StatusCode::CONFLICT,
            Error::NotLowerCase(_) | Error::Invalid(_) => StatusCode::BAD_REQUEST,
            Error::Spent(_) => StatusCode::UNAUTHORIZED,
            Error::Many { .. } | Error::Full => StatusCode::INSUFFICIENT_STORAGE,
            Error::System { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl FromRequest<Shared> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Refusal> {
        let caller = request.extensions().get::<Caller>();
        // A stranger has nothing large to say, and no place among those who have.
        let is_known = caller.is_some_and(|caller| matches!(caller.who, Who::Bearer(_) | Who::Admin));
        let token = caller.and_then(|caller| caller.token).filter(|_| is_known);
        let most = if is_known { state.limits.request_bytes() } else { LARGE as usize };
        let too_large = || Refusal::too_large(format!("a request has {most} bytes at most"));
        let declared = request.headers().get(CONTENT_LENGTH);
        let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > most as u64) {
            // Who is still writing when the connection closes would not read the answer.
            let _ = tokio::time::timeout(state.limits.body_time(), drain(request.into_body(), DRAINED)).await;
            return Err(too_large());
        }
        let read = async {
            let _place = match (declared, token) {
                (Some(length), _) if length <= LARGE => None,
                (_, None) => None,
                (_, Some(token)) => Some(state.limits.large_body(token).await?),
            };
            if !is_known {
                return body::to_bytes(request.into_body(), most).await.map_err(|_| too_large());
            }
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => too_large(),
                _ => Refusal::malformed("the request broke off"),
            })
        };
        match tokio::time::timeout(state.limits.body_time(), read).await {
            Ok(read) => read.map(Self),
            Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request took too long")),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<Shared> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Refusal> {
        let Body(bytes) = Body::from_request(request, state).await?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        message::from_json(bytes)
            .map(Self)
            .map_err(|error| Refusal::malformed(format!("the request cannot be read: {error}")))
    }
}
