//! The relay's figures for Prometheus: how much, how long, and nothing of what.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::store::Figures;

/// Seconds; a request that waits for a disk takes milliseconds.
const BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    latencies: Family<Route, Histogram>,
    pub(super) sent: Counter,
    pub(super) claimed: Counter,
    pub(super) acknowledged: Counter,
    pub(super) events: Counter,
    pub(super) streams: Gauge,
    pub(super) connections: Gauge,
    pub(super) turned_away: Counter,
    rooms: Gauge,
    agents: Gauge,
    unread: Gauge,
    under_lease: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("backchannel");
        let requests = Family::default();
        registry.register("requests", "Requests by route and status", requests.clone());
        let latencies = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register_with_unit(
            "request_duration",
            "Time until the answer began",
            Unit::Seconds,
            latencies.clone(),
        );
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let sent = counter("messages_sent", "Messages that were accepted");
        let claimed = counter("messages_claimed", "Messages that claims and takes handed out");
        let acknowledged = counter("messages_acknowledged", "Messages that are gone for good");
        let events = counter("events", "Messages written to event streams");
        let turned_away = counter("connections_turned_away", "Connections beyond the limit");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let streams = gauge("event_streams", "Open event streams");
        let connections = gauge("connections", "Open connections");
        let rooms = gauge("rooms", "Rooms");
        let agents = gauge("agents", "Agents in all rooms");
        let unread = gauge("messages_unread", "Unread messages");
        let under_lease = gauge("messages_under_lease", "Messages that a reader holds");
        Self {
            registry,
            requests,
            latencies,
            sent,
            claimed,
            acknowledged,
            events,
            streams,
            connections,
            turned_away,
            rooms,
            agents,
            unread,
            under_lease,
        }
    }

    /// Counts an answer.
    pub(super) fn answered(&self, route: &str, status: StatusCode, span: Duration) {
        let route = route.to_owned();
        self.requests.get_or_create(&Answered { route: route.clone(), status: status.as_u16() }).inc();
        self.latencies.get_or_create(&Route { route }).observe(span.as_secs_f64());
    }

    /// All of it, in the text format of OpenMetrics.
    pub(super) fn text(&self, figures: Figures) -> String {
        let set = |gauge: &Gauge, count: usize| gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        set(&self.rooms, figures.rooms);
        set(&self.agents, figures.agents);
        set(&self.unread, figures.unread);
        set(&self.under_lease, figures.claimed);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
