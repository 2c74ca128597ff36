//! The log: one line for each request and for each thing that an operator should know, on standard error.
//!
//! No body, no token, no query, no path of a client's own making is ever in it: names are parsed, routes are ours.

use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

use super::caller::Who;
use super::store::Bearer;

/// How a line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// The least that is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Least {
    /// Failures of the relay itself.
    Error,
    /// And what was refused.
    Warn,
    /// And what changed something.
    #[default]
    Info,
    /// And what only looked.
    Debug,
}

/// Begins the log; once in a process.
pub fn begin(format: Format, least: Least) {
    let level = match least {
        Least::Error => Level::ERROR,
        Least::Warn => Level::WARN,
        Least::Info => Level::INFO,
        Least::Debug => Level::DEBUG,
    };
    // Only our own words: what a library writes may quote what it was sent.
    let ours = tracing_subscriber::filter::Targets::new().with_target(TARGET, LevelFilter::from_level(level));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    let registry = tracing_subscriber::registry();
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    // A second call, by a test, changes nothing.
    let _ = match format {
        Format::Text => registry.with(lines.with_filter(ours)).try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true).with_filter(ours)).try_init(),
    };
}

/// The target of every line.
pub(super) const TARGET: &str = "backchannel::relay";

/// Writes what a request came to.
pub(super) fn answered(method: &str, route: &str, status: StatusCode, span: Duration, who: &Who) {
    let (room, agent) = match who {
        Who::Bearer(Bearer::Agent(room, agent)) => (room.as_str(), agent.as_str()),
        Who::Bearer(Bearer::Room(room) | Bearer::Invited(room, _)) => (room.as_str(), "-"),
        Who::Admin => ("-", "(admin)"),
        Who::Nobody | Who::Unknown => ("-", "-"),
    };
    let status = status.as_u16();
    let ms = (span.as_secs_f64() * 1e5).round() / 100.0;
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(target: TARGET, method, route, status, ms, agent, room, "request")
        };
    }
    match status {
        500.. => line!(error),
        400.. => line!(warn),
        _ if method == "GET" => line!(debug),
        _ => line!(info),
    }
}
