//! Unread mail as it lands at the relay: its event stream, kept open, resumed where it broke off, and asked for again
//! with growing pauses where it cannot be had.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::sync::watch as signal;

use super::events::{Event, Events};
use super::{RelaySpool, Result, quiet};
use crate::client::{PATIENCE, jittered};
use crate::message::{Message, MessageId};
use crate::relay::calls::Refusal;
use crate::relay::wire::ROOM_HEADER;
use crate::spool::remote::{Landing, Ring};
use crate::spool::{Error, Spool as _};

/// A stream that is silent for longer has broken off: a relay says each 25 s that it lives.
const SILENCE: Duration = Duration::from_secs(60);
/// The first pause before the stream is asked for again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How soon after an event one asks whether it was read, and how seldom at last.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LAST_LOOK: Duration = Duration::from_secs(30);

/// Keeps the stream open on a thread of its own, until what is returned is dropped.
pub(super) fn listen(spool: RelaySpool, landing: Landing, ring: Ring) -> Result<signal::Sender<()>> {
    let (end, ended) = signal::channel(());
    let root = spool.here.root.clone();
    let stream = Stream { spool, landing, ring, last: None, run: None, replay: None };
    let thread = std::thread::Builder::new().name("events".to_owned());
    let started = thread.spawn(move || stream.run(ended));
    started.map_err(|source| Error::Io { verb: "start the event stream of", path: root, source })?;
    Ok(end)
}

/// The stream's thread.
struct Stream {
    spool: RelaySpool,
    landing: Landing,
    ring: Ring,
    /// The id of the last event.
    last: Option<String>,
    /// The relay's run that it is of.
    run: Option<String>,
    /// What came over this connection, where it began with all that is unread: what came over an earlier one may come
    /// again.
    replay: Option<HashSet<MessageId>>,
}

impl Stream {
    fn run(mut self, mut ended: signal::Receiver<()>) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            tokio::select! {
                // The other side is only ever dropped.
                _ = ended.changed() => {}
                () = self.keep_open() => {}
            }
        });
        quiet::take_back(&self.spool.here.root, &self.spool.here.agent);
    }

    async fn keep_open(&mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let was_open = self.open().await;
            quiet::take_back(&self.spool.here.root, &self.spool.here.agent);
            if self.landing.state().refusal.is_some() {
                return (self.ring)();
            }
            pause = if was_open { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep(jittered(pause)).await;
        }
    }

    /// Opens the stream and reads it to its end; whether it was open.
    async fn open(&mut self) -> bool {
        let calls = &self.spool.calls;
        let builder = Client::builder().redirect(Policy::none()).connect_timeout(PATIENCE);
        let builder = if calls.url.is_loopback() { builder.no_proxy() } else { builder };
        let builder = if calls.url.is_https() { builder } else { builder.tls_certs_only(std::iter::empty()) };
        let Ok(client) = builder.build() else { return false };
        let mut request = client.get(calls.url.route(&format!("/v1/events/{}", self.spool.here.agent)));
        request = request.bearer_auth(calls.token.expose()).header("accept", "text/event-stream");
        if let Some(room) = &calls.room {
            request = request.header(ROOM_HEADER, room);
        }
        if let Some(last) = &self.last {
            request = request.header("last-event-id", last);
        }
        let Ok(Ok(mut response)) = tokio::time::timeout(PATIENCE, request.send()).await else {
            return false;
        };
        let (status, url) = (response.status(), calls.url.clone());
        if !status.is_success() {
            let reason = status.to_string();
            self.landing.state().refusal = match status.as_u16() {
                401 => Some(Refusal::Unknown { url, reason }.into()),
                status @ (403 | 404) => Some(Refusal::Refused { url, status, reason }.into()),
                _ => None,
            };
            return false;
        }
        // A stream that cannot go on from an event begins with all that is unread.
        self.replay = self.last.is_none().then(HashSet::new);
        self.settle();
        let (mut events, mut heard, mut look) = (Events::default(), quiet::now(), Some(Duration::ZERO));
        loop {
            let piece = tokio::select! {
                biased;
                piece = tokio::time::timeout(SILENCE, response.chunk()) => piece,
                () = tokio::time::sleep(look.unwrap_or(SILENCE)), if look.is_some() => {
                    let is_empty = self.is_empty().await;
                    if is_empty {
                        // What lands after the question, the stream tells.
                        let _ = quiet::say(&self.spool.here.root, &self.spool.here.agent, heard);
                    }
                    let next = look.map(|pause| (pause * 2).clamp(FIRST_LOOK, LAST_LOOK));
                    look = next.filter(|_| !is_empty);
                    continue;
                }
            };
            // It fell silent, broke off, or ended.
            let Ok(Ok(Some(piece))) = piece else { return true };
            heard = quiet::now();
            let mut landed = Vec::new();
            if events.take_in(&piece, &mut |event| landed.push(event)).is_err() {
                return true;
            }
            if !landed.is_empty() {
                quiet::take_back(&self.spool.here.root, &self.spool.here.agent);
                look = Some(FIRST_LOOK);
                landed.into_iter().for_each(|event| self.land(event));
                (self.ring)();
                continue;
            }
            self.settle();
            if look.is_none() {
                let _ = quiet::say(&self.spool.here.root, &self.spool.here.agent, heard);
            }
        }
    }

    /// The relay answers: what waits for it goes out.
    fn settle(&self) {
        let spool = self.spool.clone();
        drop(tokio::task::spawn_blocking(move || {
            // What fails waits for the next time.
            let _ = spool.settle();
        }));
    }

    fn land(&mut self, event: Event) {
        let run = event.id.as_deref().and_then(|id| Some(id.rsplit_once('-')?.0.to_owned()));
        if run.is_some() && run != self.run {
            self.replay = Some(HashSet::new());
        }
        if event.id.is_some() {
            (self.last, self.run) = (event.id, run);
        }
        let Ok(message) = Message::from_json(&event.data) else { return };
        let mut state = self.landing.state();
        let is_known = !state.known.insert(message.id);
        let is_first = self.replay.as_mut().is_some_and(|came| came.insert(message.id));
        // What comes a second time over one connection is unread again.
        if !(is_known && is_first) {
            state.landed.insert(message.id, message);
        }
    }

    /// Whether nothing is unread at the relay.
    async fn is_empty(&mut self) -> bool {
        let spool = self.spool.clone();
        let asked = tokio::task::spawn_blocking(move || {
            spool.calls.get::<Vec<Message>>(&format!("/v1/inbox/{}", spool.here.agent))
        });
        let Ok(Ok(unread)) = asked.await else { return false };
        let ids: HashSet<_> = unread.iter().map(|message| message.id).collect();
        self.landing.state().known.retain(|id| ids.contains(id));
        unread.is_empty()
    }
}
