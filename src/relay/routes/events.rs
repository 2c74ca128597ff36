//! `GET /v1/events/:agent`: unread mail first, then each message as it lands. A stream claims nothing.
//!
//! An event's id is `<run>-<number>`: the number grows within one run of the relay, so that a stream that broke off
//! goes on where it was; after a restart it begins with all that is unread.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State as Of};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::message::Message;
use crate::relay::answer::Answer;
use crate::relay::caller::ByAgent;
use crate::relay::limits::Streaming;
use crate::relay::state::Shared;
use crate::relay::store::Bearer;

/// How often an idle stream says that it lives [v1].
pub(in crate::relay) const KEEPALIVE: Duration = Duration::from_secs(25);
/// Bytes after which a piece of a stream is written, though more waits.
const PIECE: usize = 32 * 1024;

/// One open stream.
struct Events {
    state: Shared,
    by: ByAgent,
    bell: watch::Receiver<u64>,
    revoked: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    /// The number of the last message that was written.
    after: u64,
    waiting: VecDeque<(u64, Message)>,
    _place: Streaming,
    _open: Open,
}

/// Counts a stream while it is open.
struct Open(prometheus_client::metrics::gauge::Gauge);

pub(super) async fn events(
    Of(state): Of<Shared>,
    by: ByAgent,
    Path(agent): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    by.is_self(&agent)?;
    let events = Events {
        _place: state.limits.stream_of(&by.room, &by.name)?,
        _open: Open::new(&state),
        bell: state.store.bell(&by.room, &by.name)?,
        revoked: state.revoked.subscribe(),
        stopping: state.stopping.subscribe(),
        after: resumed(&headers, &state.run),
        waiting: VecDeque::new(),
        by,
        state,
    };
    let pieces = stream::unfold(events, async |mut events| {
        let piece = events.piece().await?;
        Some((Ok::<_, Infallible>(piece), events))
    });
    let headers =
        [(CONTENT_TYPE, "text/event-stream; charset=utf-8"), (CACHE_CONTROL, "no-cache, no-transform")];
    // nginx keeps an answer back until it is whole, unless it is told not to.
    Ok((headers, [("x-accel-buffering", "no")], Body::from_stream(pieces)).into_response())
}

/// After which message of this run the client wants to go on; 0 is before the first.
fn resumed(headers: &HeaderMap, run: &str) -> u64 {
    let last = || {
        let id = headers.get("last-event-id")?.to_str().ok()?;
        id.strip_prefix(run)?.strip_prefix('-')?.parse().ok()
    };
    last().unwrap_or(0)
}

impl Events {
    /// The next piece of the stream; `None` at its end.
    async fn piece(&mut self) -> Option<String> {
        loop {
            if *self.stopping.borrow_and_update() {
                return None;
            }
            // Heard before the question: what lands after the answer rings again.
            self.bell.borrow_and_update();
            if self.waiting.is_empty() {
                let landed = self.state.store.landed(&self.by.room, &self.by.name, self.after).await;
                // In the place of the emptied one: an idle stream keeps no memory of a full mailbox.
                self.waiting = landed.ok()?.messages.into();
            }
            if !self.waiting.is_empty() {
                return Some(self.written());
            }
            tokio::select! {
                biased;
                _ = self.stopping.changed() => return None,
                _ = self.revoked.changed() => self.still_counts()?,
                rung = self.bell.changed() => rung.ok()?,
                () = sleep(KEEPALIVE) => {
                    self.still_counts()?;
                    return Some(": keepalive\n\n".to_owned());
                }
            }
        }
    }

    /// Events of what waits, some of it where it is much.
    fn written(&mut self) -> String {
        let mut piece = String::new();
        while piece.len() < PIECE
            && let Some((number, message)) = self.waiting.pop_front()
        {
            self.after = number;
            self.state.metrics.events.inc();
            // Writing to a string cannot fail.
            let _ = write!(piece, "id: {}-{number}\ndata: {}\n\n", self.state.run, message.to_json());
        }
        piece
    }

    /// `None` once the token is nobody's or another's.
    fn still_counts(&self) -> Option<()> {
        let bearer = self.state.store.bearer(&self.by.token);
        let is_same =
            matches!(bearer, Some(Bearer::Agent(room, name)) if room == self.by.room && name == self.by.name);
        is_same.then_some(())
    }
}

impl Open {
    fn new(state: &Shared) -> Self {
        state.metrics.streams.inc();
        Self(state.metrics.streams.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
