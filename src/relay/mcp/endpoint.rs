//! The route: who calls, in which session, and what becomes of the reply.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest as _, Request, State as Of};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use rmcp::ServerHandler;
use rmcp::model::RequestId;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Deserialize;
use serde_json::Value;

use super::mailbox::RoomMailbox;
use super::open::Open;
use super::reply::{Pending, news, reply};
use super::sessions::Sessions;
use crate::mcp::{Server, Session};
use crate::relay::answer::{self, Answer, Refusal};
use crate::relay::caller::{ByAgent, Caller};
use crate::relay::link::Link;
use crate::relay::routes::KEEPALIVE;
use crate::relay::state::{Rules, Shared};

/// The header that names a session (MCP 2025-11-25, "Session Management").
const SESSION: &str = "mcp-session-id";
/// Where a browser's page may come from; the scheme stands before, any port may follow.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

type Service = StreamableHttpService<Server, LocalSessionManager>;

/// All that the route keeps.
pub(in crate::relay) struct Endpoint {
    service: Service,
    sessions: Sessions,
}

impl Endpoint {
    pub(in crate::relay) fn new(most_bytes: usize, rules: &Rules) -> Self {
        let (service, manager) = service(Server::of_requests, most_bytes, rules.hosts.as_deref());
        let cancel = service.config.cancellation_token.clone();
        Self { service, sessions: Sessions::new(manager, Box::new(move || cancel.cancel())) }
    }

    /// Ends what is idle, or whose token is nobody's any more.
    pub(in crate::relay) async fn sweep(&self, state: &Shared) {
        self.sessions.sweep(&*state.store).await;
    }

    /// Ends every stream: the relay ends.
    pub(in crate::relay) fn end(&self) {
        self.sessions.end_streams();
    }
}

/// The transport as the relay has it: servers of `make` over HTTP, for clients that call it by one of `hosts` or of
/// loopback; where `hosts` is `None`, by any name.
pub fn service<S>(
    make: impl Fn() -> S + Send + Sync + 'static,
    most_bytes: usize,
    hosts: Option<&[String]>,
) -> (StreamableHttpService<S, LocalSessionManager>, Arc<LocalSessionManager>)
where
    S: ServerHandler,
{
    // No empty event at the start of a stream, which 2025-11-25 has: Gemini CLI 0.61 reads each event as JSON, and
    // leaves a server that sends it (run, 2026-11-29).
    let config = StreamableHttpServerConfig::default()
        .with_sse_keep_alive(Some(KEEPALIVE))
        .with_sse_retry(None)
        .with_max_request_body_bytes(most_bytes);
    // A session's age is ours to know: an open stream keeps it, and so does what it was given.
    let mut manager = LocalSessionManager::default();
    manager.session_config.keep_alive = None;
    manager.session_config.sse_retry = None;
    let manager = Arc::new(manager);
    (StreamableHttpService::new(move || Ok(make()), Arc::clone(&manager), restrict(config, hosts)), manager)
}

/// A page in a browser must not reach a relay through its user's network: the name that it is called by, and the page's
/// origin, are known ones.
fn restrict(config: StreamableHttpServerConfig, hosts: Option<&[String]>) -> StreamableHttpServerConfig {
    let mut origins: Vec<String> = Vec::new();
    for host in LOOPBACK {
        origins.extend(["http", "https"].map(|scheme| format!("{scheme}://{host}:*")));
    }
    let Some(hosts) = hosts else {
        return config.disable_allowed_hosts().with_allowed_origins(origins);
    };
    origins.extend(hosts.iter().map(|host| format!("https://{host}:*")));
    let known = config.allowed_hosts.iter().chain(hosts).cloned().collect::<Vec<_>>();
    config.with_allowed_hosts(known).with_allowed_origins(origins)
}

/// What is read of a request before the transport reads it, which refuses what is none.
#[derive(Default, Deserialize)]
struct Envelope {
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
}

impl Envelope {
    fn of(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    /// Its id, where it is a request.
    fn call(&self) -> Answer<Option<RequestId>> {
        let (Some(id), Some(_)) = (&self.id, &self.method) else { return Ok(None) };
        id_of(id)
            .map(Some)
            .ok_or_else(|| Refusal::malformed("the request's id is neither a text nor a whole number"))
    }
}

fn id_of(value: &Value) -> Option<RequestId> {
    RequestId::deserialize(value).ok()
}

pub(in crate::relay) async fn mcp(
    Of(state): Of<Shared>,
    by: ByAgent,
    mut request: Request,
) -> Answer<Response> {
    let link = match request.extensions().get::<ConnectInfo<SocketAddr>>() {
        Some(info) => state.links.of(info.0),
        None => Arc::default(),
    };
    let id = named(request.headers()).map(str::to_owned);
    let open = match &id {
        Some(id) => Some(state.mcp.sessions.find(id, &by.token).ok_or_else(no_session)?),
        None => None,
    };
    match (request.method().clone(), open) {
        (Method::POST, Some(open)) => of_session(&state, open, link, request).await,
        (Method::POST, None) => without_session(state, by, request).await,
        (Method::GET, Some(open)) => {
            let place = state.limits.stream_of(&by.room, &by.name)?;
            // A stream that broke off is not taken up again: what it carried is on its way back by then.
            request.headers_mut().remove("last-event-id");
            let (streaming, ended) = open.stream().await;
            let response = state.mcp.service.handle(request).await;
            Ok(news(response, (streaming, place), ended))
        }
        (Method::DELETE, Some(open)) => {
            open.is_called(&link).await;
            let response = state.mcp.service.handle(request).await;
            if let Some(id) = id
                && response.status().is_success()
            {
                tokio::spawn(async move { state.mcp.sessions.end(&id, true).await });
            }
            Ok(response.map(Body::new))
        }
        (Method::GET | Method::DELETE, None) => Err(needs_session()),
        _ => Ok(state.mcp.service.handle(request).await.map(Body::new).into_response()),
    }
}

async fn of_session(state: &Shared, open: Arc<Open>, link: Arc<Link>, request: Request) -> Answer<Response> {
    let (parts, bytes) = read(request, state).await?;
    let envelope = Envelope::of(&bytes);
    let pending = match envelope.call()? {
        Some(call) => {
            open.begins(&call)?;
            Some(Pending::new(Arc::clone(&open), call, Arc::clone(&link)))
        }
        None => None,
    };
    open.used();
    if envelope.is("tools/call") {
        open.is_called(&link).await;
    } else if envelope.is("notifications/cancelled")
        && let Some(call) = id_of(&envelope.params["requestId"])
    {
        open.session.cancelled(&call);
    }
    let mut request = Request::from_parts(parts, Body::from(bytes));
    request.extensions_mut().insert(Arc::clone(&open.session));
    let response = state.mcp.service.handle(request).await;
    Ok(match pending {
        Some(pending) => reply(response, pending),
        None => response.map(Body::new),
    })
}

/// What begins a session, or asks which versions are spoken. Nothing else: it would have no session in which one could
/// know what became of it.
async fn without_session(state: Shared, by: ByAgent, request: Request) -> Answer<Response> {
    let (parts, bytes) = read(request, &state).await?;
    let envelope = Envelope::of(&bytes);
    if !envelope.is("initialize") && !envelope.is("server/discover") {
        return Err(needs_session());
    }
    let session = Arc::new(Session::new(Box::new(RoomMailbox::new(&state, &by))));
    let mut request = Request::from_parts(parts, Body::from(bytes));
    request.extensions_mut().insert(Arc::clone(&session));
    // To its end, though the client hangs up: a session that began is known here, and ends here.
    let beginning = tokio::spawn(async move {
        let response = state.mcp.service.handle(request).await;
        if let Some(id) = named(response.headers()) {
            state.mcp.sessions.begin(id, Open::new(by, session)).await;
        }
        response.map(Body::new)
    });
    beginning.await.map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the session did not begin"))
}

fn needs_session() -> Refusal {
    Refusal::malformed(format!("the header {SESSION} is missing: POST initialize begins a session"))
}

fn named(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION)?.to_str().ok()
}

/// Of another's session no more is told than of one that never was.
fn no_session() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such session: POST initialize begins one")
}

/// Reads the body, within the relay's limits.
async fn read(request: Request, state: &Shared) -> Answer<(Parts, Bytes)> {
    let (parts, body) = request.into_parts();
    let mut request = Request::new(body);
    request.headers_mut().clone_from(&parts.headers);
    // Its limits are those of who calls.
    if let Some(caller) = parts.extensions.get::<Caller>() {
        request.extensions_mut().insert(caller.clone());
    }
    let answer::Body(bytes) = answer::Body::from_request(request, state).await?;
    Ok((parts, bytes))
}
