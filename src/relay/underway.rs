//! Large answers under way: each holds memory until its client has read it, so that one agent has only so many.
//!
//! The place is taken before the request is done, for what it does may be done once alone.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State as Of};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, StreamExt as _};

use super::caller::{Caller, Who};
use super::state::Shared;
use super::store::Bearer;

/// Bytes that are handed to a connection at once; as much of an answer is no more under way.
const PIECE: usize = 32 * 1024;

/// Lets an agent's request through where it has not too many under way; its answer is one until it was written.
pub(super) async fn bounded(Of(state): Of<Shared>, request: Request, next: Next) -> Response {
    let token = match request.extensions().get::<Caller>() {
        Some(Caller { who: Who::Bearer(Bearer::Agent(..)), token: Some(token), .. }) => *token,
        _ => return next.run(request).await,
    };
    match state.limits.request_under_way(token) {
        Ok(place) => held(next.run(request).await, place),
        Err(refusal) => refusal.into_response(),
    }
}

/// The same for lists of agents, of all askers together.
pub(super) async fn one_of_few(Of(state): Of<Shared>, request: Request, next: Next) -> Response {
    match state.limits.directory() {
        Ok(place) => held(next.run(request).await, place),
        Err(refusal) => refusal.into_response(),
    }
}

/// The answer in pieces, of which the last gives the place free.
fn held<P: Send + 'static>(response: Response, place: P) -> Response {
    let length = response.body().size_hint().exact();
    if length.is_some_and(|length| length <= PIECE as u64) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    if let Some(length) = length {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let pieces =
        stream::unfold((body.into_data_stream(), Bytes::new(), place), async |(mut body, rest, place)| {
            let mut rest = rest;
            if rest.is_empty() {
                match body.next().await? {
                    Ok(piece) => rest = piece,
                    broken => return Some((broken, (body, rest, place))),
                }
            }
            let piece = rest.split_to(rest.len().min(PIECE));
            Some((Ok(piece), (body, rest, place)))
        });
    Response::from_parts(head, Body::from_stream(pieces))
}
