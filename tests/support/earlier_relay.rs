//! A relay of the first version, written from `docs/protocol.md`: the calls that are marked v1, and nothing else. It keeps
//! all in memory, takes no id from a sender, and lends nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::served::Served;

/// A running one. It ends with its value.
pub struct EarlierRelay {
    pub address: SocketAddr,
    room: Shared,
    _served: Served,
}

#[derive(Default)]
struct Room {
    agents: BTreeMap<String, Agent>,
    /// Sends whose answers are cut off, and takes.
    sent: usize,
}

struct Agent {
    token: String,
    subscriptions: Vec<String>,
    unread: Vec<Value>,
    events: broadcast::Sender<Value>,
}

type Shared = Arc<Mutex<Room>>;
type Answer = Result<Json<Value>, Refusal>;

/// A status, and what the error says.
struct Refusal(u16, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(self.0).unwrap(), Json(json!({ "error": self.1 }))).into_response()
    }
}

impl EarlierRelay {
    pub fn start() -> Self {
        let room = Shared::default();
        let router = Router::new()
            .route(
                "/v1/health",
                get(|| async { Json(json!({ "ok": true, "service": "backchannel-relay" })) }),
            )
            .route("/v1/register", post(register))
            .route("/v1/agents", get(agents))
            .route("/v1/channels", get(channels))
            .route("/v1/subscribe", post(subscribe))
            .route("/v1/unsubscribe", post(unsubscribe))
            .route("/v1/send", post(send))
            .route("/v1/inbox/{agent}", get(inbox))
            .route("/v1/take", post(take))
            .route("/v1/events/{agent}", get(events))
            .fallback(|| async { refuse(404, "not found") })
            .with_state(Arc::clone(&room));
        let served = Served::start(router);
        Self { address: served.address, room, _served: served }
    }

    /// Registers an agent, and returns its token.
    pub fn register(&self, name: &str) -> String {
        let answer =
            super::http::Api::of(self.address, Some("room")).post("/v1/register", &json!({ "name": name }));
        answer.ok()["token"].as_str().unwrap().to_owned()
    }

    /// How many messages were sent.
    pub fn sent(&self) -> usize {
        self.room.lock().unwrap().sent
    }
}

fn refuse(status: u16, reason: &str) -> Refusal {
    Refusal(status, reason.to_owned())
}

fn caller(room: &Room, headers: &HeaderMap) -> Result<String, Refusal> {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let known = room.agents.iter().find(|(_, agent)| Some(agent.token.as_str()) == token);
    known.map(|(name, _)| name.clone()).ok_or_else(|| refuse(401, "unauthorized"))
}

async fn register(State(room): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut room = room.lock().unwrap();
    let name = body["name"].as_str().unwrap().to_owned();
    let token = headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    if let Some(agent) = room.agents.get(&name) {
        let record = json!({ "name": name, "subscriptions": agent.subscriptions, "createdAt": "2026-01-01T00:00:00.000Z" });
        return if agent.token == token { Ok(Json(record)) } else { Err(refuse(409, "name taken")) };
    }
    if token != "room" {
        return Err(refuse(401, "unauthorized"));
    }
    let token = format!("token-of-{name}");
    let agent = Agent {
        token: token.clone(),
        subscriptions: Vec::new(),
        unread: Vec::new(),
        events: broadcast::channel(64).0,
    };
    room.agents.insert(name.clone(), agent);
    Ok(Json(
        json!({ "name": name, "subscriptions": [], "createdAt": "2026-01-01T00:00:00.000Z", "token": token }),
    ))
}

async fn agents(State(room): State<Shared>, headers: HeaderMap) -> Answer {
    let room = room.lock().unwrap();
    caller(&room, &headers)?;
    let record = |(name, agent): (&String, &Agent)| json!({ "name": name, "subscriptions": agent.subscriptions, "createdAt": "2026-01-01T00:00:00.000Z" });
    Ok(Json(room.agents.iter().map(record).collect()))
}

async fn channels(State(room): State<Shared>, headers: HeaderMap) -> Answer {
    let room = room.lock().unwrap();
    caller(&room, &headers)?;
    let mut channels: Vec<_> = room.agents.values().flat_map(|agent| agent.subscriptions.clone()).collect();
    channels.sort();
    channels.dedup();
    Ok(Json(json!(channels)))
}

async fn subscribe(State(room): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut room = room.lock().unwrap();
    let name = caller(&room, &headers)?;
    let channel = body["channel"].as_str().unwrap().to_owned();
    let subscriptions = &mut room.agents.get_mut(&name).unwrap().subscriptions;
    if !subscriptions.contains(&channel) {
        subscriptions.push(channel);
    }
    Ok(Json(json!({ "ok": true })))
}

async fn unsubscribe(State(room): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut room = room.lock().unwrap();
    let name = caller(&room, &headers)?;
    room.agents.get_mut(&name).unwrap().subscriptions.retain(|channel| body["channel"] != **channel);
    Ok(Json(json!({ "ok": true })))
}

async fn send(State(room): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut room = room.lock().unwrap();
    let from = caller(&room, &headers)?;
    let mut message = json!({ "id": uuid(), "from": from, "priority": "normal" });
    for field in ["to", "body", "priority", "scope", "thread", "refs"] {
        if !body[field].is_null() {
            message[field] = body[field].clone();
        }
    }
    message["ts"] = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string().into();
    let to = body["to"].as_str().unwrap().to_owned();
    let is_meant = |name: &str, agent: &Agent| match to.strip_prefix('@') {
        Some(one) => one == name,
        None => name != from && agent.subscriptions.contains(&to),
    };
    let mut reached = 0;
    for (name, agent) in &mut room.agents {
        if is_meant(name, agent) {
            agent.unread.push(message.clone());
            let _ = agent.events.send(message.clone());
            reached += 1;
        }
    }
    room.sent += 1;
    match reached {
        0 if to.starts_with('@') => Err(refuse(404, &format!("unknown agent {to}"))),
        0 => Err(refuse(404, &format!("no one is subscribed to {to}"))),
        _ => Ok(Json(message)),
    }
}

fn uuid() -> String {
    backchannel::message::MessageId::random().to_string()
}

async fn inbox(State(room): State<Shared>, Path(agent): Path<String>, headers: HeaderMap) -> Answer {
    let room = room.lock().unwrap();
    if caller(&room, &headers)? != agent {
        return Err(refuse(403, "forbidden"));
    }
    Ok(Json(json!(room.agents[&agent].unread)))
}

async fn take(State(room): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut room = room.lock().unwrap();
    let name = caller(&room, &headers)?;
    let unread = &mut room.agents.get_mut(&name).unwrap().unread;
    let at = unread.iter().position(|message| message["id"] == body["id"]);
    Ok(Json(json!({ "message": at.map(|at| unread.remove(at)) })))
}

async fn events(
    State(room): State<Shared>,
    Path(agent): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let room = room.lock().unwrap();
    if caller(&room, &headers)? != agent {
        return Err(refuse(403, "forbidden"));
    }
    let agent = &room.agents[&agent];
    let live = stream::unfold(agent.events.subscribe(), async |mut events| {
        Some((events.recv().await.ok()?, events))
    });
    let all = stream::iter(agent.unread.clone()).chain(live);
    let all =
        all.map(|message| Ok::<_, std::convert::Infallible>(Event::default().data(message.to_string())));
    Ok(Sse::new(all).keep_alive(KeepAlive::default()).into_response())
}
