//! HTTP as it is spoken to a relay and to a brain: bounded in time and size, to the one place that a token is for.

use std::io;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, ClientBuilder, Response};
use reqwest::redirect::Policy;

use crate::message::visible;
use crate::relay::url::RelayUrl;

/// For how long a command waits for an answer, all tries together.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// As long as we may be asked to wait before we take it for a mistake.
const LONGEST_PAUSE: u64 = 3600;

/// Until when a call may take.
#[derive(Debug, Clone, Copy)]
pub enum Deadline {
    /// For each call from its beginning.
    Each(Duration),
    /// For all calls together: a prompt waits for them.
    At(Instant),
}

/// A client for this URL, which follows no redirects.
///
/// # Errors
/// Where none can be made: the system's certificates cannot be read, say.
pub(crate) fn client_for(url: &RelayUrl) -> Result<Client, reqwest::Error> {
    // A second one in the process finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    for_url(Client::builder().redirect(Policy::none()).tcp_nodelay(true), url).build()
}

/// A client for this URL alone: no proxy stands before loopback, and what speaks no TLS reads no certificates.
fn for_url(builder: ClientBuilder, url: &RelayUrl) -> ClientBuilder {
    let builder = if url.is_loopback() { builder.no_proxy() } else { builder };
    if url.is_https() { builder } else { builder.tls_certs_only(std::iter::empty()) }
}

/// Why no answer came, and whether the other side may have heard the question.
pub(crate) fn why(error: &reqwest::Error) -> (String, bool) {
    let is_heard = !(error.is_connect() || error.is_builder());
    let reason = if error.is_timeout() { "it does not answer in time".to_owned() } else { innermost(error) };
    (reason, is_heard)
}

/// The innermost cause: what is around it only repeats the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

pub(crate) fn read(response: Response, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = io::Read::read_to_end(&mut io::Read::take(response, most), &mut bytes);
    read.map_err(|error| format!("its answer broke off: {error}"))?;
    Ok(bytes)
}

/// What a server says of itself: it goes to a terminal, and to a model, as one line that is not long.
pub(crate) fn said(text: &str) -> String {
    const LONGEST: usize = 300;
    let line: String =
        text.chars().take(LONGEST).map(|one| if one.is_control() { ' ' } else { one }).collect();
    visible::line(&line).into_owned()
}

pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_PAUSE)))
}

/// Between half of it and all of it, so that many who failed together do not come back together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness they come back together, and no worse.
    let _ = getrandom::fill(&mut byte);
    pause / 2 + pause / 2 * u32::from(byte[0]) / 255
}

/// A blocking client must not wait on a thread of an asynchronous runtime, as that of an MCP server is.
pub(crate) fn outside_of_a_runtime<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return call();
    }
    std::thread::scope(|scope| match scope.spawn(call).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
