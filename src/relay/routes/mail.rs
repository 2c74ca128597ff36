//! Mail as the first version has it: send, look, take.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State as Of};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use crate::message::{Address, Message, Scope};
use crate::relay::answer::{Answer, Input, Refusal};
use crate::relay::caller::ByAgent;
use crate::relay::limits::Limits;
use crate::relay::state::Shared;
use crate::relay::store::{self, Page};
use crate::relay::wire::{Send, Take, Taken};

/// Bytes of the id of what a message answers; the first version does not say that it is a UUID.
const LONGEST_THREAD: usize = 128;

/// Bytes after which a list ends: a client holds it in memory.
const MOST_LISTED: usize = 32 * 1024 * 1024;

pub(super) async fn send(
    Of(state): Of<Shared>,
    by: ByAgent,
    Input(input): Input<Send>,
) -> Answer<Json<Message>> {
    let durable = input.durable;
    let mut message = read(input, &by, &state.limits)?;
    message.ts = state.store.stamp(&by.room, &by.name)?;
    state.store.send(&by.room, message.clone(), durable).await?;
    state.metrics.sent.inc();
    Ok(Json(message))
}

/// The message that a request asks to send; whose it is says the token.
fn read(input: Send, by: &ByAgent, limits: &Limits) -> Answer<Message> {
    let to: Address = input.to.parse().map_err(|error| malformed(&error))?;
    let mut message = Message::new(by.name.clone(), to, input.body, jiff::Timestamp::UNIX_EPOCH);
    if let Some(id) = input.id {
        message.id = id;
    }
    message.priority = input.priority;
    if let Some(scope) = input.scope {
        message.scope = Some(Scope::parse(&scope).map_err(|error| malformed(&error))?);
    }
    message.thread = input.thread;
    message.refs = input.refs.unwrap_or_default();
    within_limits(&message, limits)?;
    Ok(message)
}

/// That a message is no larger than this relay takes.
pub(in crate::relay) fn within_limits(message: &Message, limits: &Limits) -> Answer<()> {
    if message.thread.as_ref().is_some_and(|thread| thread.len() > LONGEST_THREAD) {
        return Err(Refusal::malformed(format!("a thread has {LONGEST_THREAD} bytes at most")));
    }
    let (bytes, most) = (message.body.len(), limits.body_bytes);
    if bytes > most {
        return Err(Refusal::too_large(format!("the body has {bytes} bytes; {most} is the limit here")));
    }
    let (refs, most) = (message.refs.len(), limits.refs);
    if refs > most {
        return Err(Refusal::too_large(format!(
            "the message has {refs} references; {most} is the limit here"
        )));
    }
    message.check().map_err(|error| malformed(&error))
}

fn malformed(error: &dyn std::error::Error) -> Refusal {
    Refusal::malformed(error.to_string())
}

pub(super) async fn inbox(Of(state): Of<Shared>, by: ByAgent, Path(agent): Path<String>) -> Answer<Response> {
    by.is_self(&agent)?;
    let page = state.store.inbox(&by.room, &by.name, None).await?;
    if page.more.is_none() {
        return Ok(Json(page.messages).into_response());
    }
    let listing = Listing { state, by, page, before: '[', bytes: 0 };
    Ok(([(CONTENT_TYPE, "application/json")], listing.body()).into_response())
}

/// A list of much mail, which is read as its client reads it.
struct Listing {
    state: Shared,
    by: ByAgent,
    /// What comes next.
    page: Page,
    /// What comes before the next message.
    before: char,
    bytes: usize,
}

impl Listing {
    fn body(self) -> Body {
        Body::from_stream(stream::unfold(Some(self), async |listing| {
            let mut listing = listing?;
            match listing.piece().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(listing))),
                Ok(None) => Some((Ok("]".to_owned()), None)),
                // Half a list is none: the connection breaks off.
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    async fn piece(&mut self) -> store::Result<Option<String>> {
        let Page { messages, more } = std::mem::take(&mut self.page);
        if messages.is_empty() {
            return Ok(None);
        }
        let mut piece = String::new();
        for message in &messages {
            piece.push(std::mem::replace(&mut self.before, ','));
            piece.push_str(&message.to_json());
        }
        self.bytes += piece.len();
        if more.is_some() && self.bytes < MOST_LISTED {
            self.page = self.state.store.inbox(&self.by.room, &self.by.name, more).await?;
        }
        Ok(Some(piece))
    }
}

pub(super) async fn take(
    Of(state): Of<Shared>,
    by: ByAgent,
    Input(input): Input<Take>,
) -> Answer<Json<Taken>> {
    let message = state.store.take(&by.room, &by.name, input.id, input.keep).await?;
    if message.is_some() {
        state.metrics.claimed.inc();
        state.metrics.acknowledged.inc();
    }
    Ok(Json(Taken { message }))
}
