//! The routes: what is asked, what is wrong with it, and what is done.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{ConnectInfo, Query, Request, State as With};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::fault::{Given, Wait};
use super::shape::{Gone, Hashes};
use super::store::Bearer;
use super::wire::{Cut, Line, Lines};
use super::{Shared, State};

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `PUT /v1/brain/doc`
    Write,
    /// `GET /v1/brain/doc`
    Read,
    /// `DELETE /v1/brain/doc`
    Delete,
    /// `GET /v1/brain/list`
    List,
    /// `GET /v1/auth/whoami`
    WhoAmI,
    /// There is no such call.
    Unknown,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub operation: Operation,
    /// The document's path, or a list's prefix.
    pub path: String,
    /// The URL from its path on, as it came.
    pub url: String,
    pub token: Option<String>,
    pub limit: Option<String>,
    pub expected_hash: Option<String>,
    pub body: Option<String>,
    /// When it had come as a whole.
    pub at: Instant,
    /// What it was answered; `None` while it is under way, and where it was cut.
    pub status: Option<u16>,
}

/// What the client sent along.
struct Call {
    query: HashMap<String, String>,
    is_json: bool,
    body: Value,
}

type Reply = Result<Value, Refusal>;

/// A status, a code and what it says.
struct Refusal(u16, &'static str, String);

/// Serves until the sender is dropped.
pub(super) fn start(shared: Arc<Shared>) -> (SocketAddr, tokio::sync::oneshot::Sender<()>) {
    let router = Router::new().fallback(answer).with_state(shared);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lines = Lines(tokio::net::TcpListener::from_std(listener).unwrap());
            let service = router.into_make_service_with_connect_info::<Line>();
            tokio::select! {
                served = axum::serve(lines, service) => served.unwrap(),
                _ = ended => {}
            }
        });
    });
    (address, end)
}

async fn answer(
    With(shared): With<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 16 << 20).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let query = Query::try_from_uri(&parts.uri).map(|Query(query)| query).unwrap_or_default();
    let (asked, call) =
        read(&parts.method, &parts.uri.to_string(), parts.uri.path(), &parts.headers, query, &body);
    // What has begun is done, even where the client does not wait for it.
    tokio::spawn(async move { handle(&shared, &line, asked, &call).await }).await.unwrap()
}

fn read(
    method: &Method,
    url: &str,
    route: &str,
    headers: &HeaderMap,
    query: HashMap<String, String>,
    bytes: &Bytes,
) -> (Asked, Call) {
    let operation = match (method.as_str(), route) {
        ("PUT", "/v1/brain/doc") => Operation::Write,
        ("GET", "/v1/brain/doc") => Operation::Read,
        ("DELETE", "/v1/brain/doc") => Operation::Delete,
        ("GET", "/v1/brain/list") => Operation::List,
        ("GET", "/v1/auth/whoami") => Operation::WhoAmI,
        _ => Operation::Unknown,
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_json = header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let path = match operation {
        Operation::Write => text("path"),
        Operation::List => query.get("prefix").cloned(),
        _ => query.get("path").cloned(),
    };
    let asked = Asked {
        operation,
        path: path.unwrap_or_default(),
        url: url.to_owned(),
        token: header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned),
        limit: query.get("limit").cloned(),
        expected_hash: text("expectedContentHash"),
        body: text("bodyMd"),
        at: Instant::now(),
        status: None,
    };
    (asked, Call { query, is_json, body })
}

async fn handle(shared: &Shared, line: &Line, asked: Asked, call: &Call) -> Response {
    let (number, fault) = {
        let mut state = shared.state.lock().unwrap();
        let fault = state.plan.take(&asked);
        state.asked.push(asked.clone());
        (state.forgotten + state.asked.len() - 1, fault)
    };
    shared.changed.notify_all();
    let act = || perform(&mut shared.state.lock().unwrap(), &asked, call);
    let Some(fault) = fault else { return finish(shared, line, number, Cut::None, given(act())) };
    let mut reply = fault.is_done.then(act);
    match fault.wait {
        Some(Wait::For(time)) => tokio::time::sleep(time).await,
        Some(Wait::UntilReleased) => held(shared).await,
        None => {}
    }
    if fault.is_done_later() {
        reply = Some(act());
    }
    let usual = || given(reply.unwrap_or_else(|| Ok(Value::Null)));
    finish(shared, line, number, fault.cut, fault.given.unwrap_or_else(usual))
}

async fn held(shared: &Shared) {
    let mut released = shared.released.subscribe();
    shared.state.lock().unwrap().held += 1;
    shared.changed.notify_all();
    let _ = released.changed().await;
    shared.state.lock().unwrap().held -= 1;
}

/// Answers, and notes what was answered.
fn finish(shared: &Shared, line: &Line, number: usize, cut: Cut, given: Given) -> Response {
    if cut == Cut::None {
        let mut state = shared.state.lock().unwrap();
        // It may have been forgotten meanwhile.
        if let Some(at) = number.checked_sub(state.forgotten) {
            state.asked[at].status = Some(given.status);
        }
    } else {
        line.cut(cut);
    }
    let mut response = (StatusCode::from_u16(given.status).unwrap(), given.body).into_response();
    response.headers_mut().clear();
    for (name, value) in &given.headers {
        let name: axum::http::HeaderName = name.parse().unwrap();
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn given(reply: Reply) -> Given {
    let (status, body) = match reply {
        Ok(body) => (200, body),
        Err(Refusal(status, code, message)) => {
            (status, json!({ "error": { "code": code, "message": message } }))
        }
    };
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Given { status, headers, body: body.to_string() }
}

fn refuse(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal(status, code, message.into())
}

fn perform(state: &mut State, asked: &Asked, call: &Call) -> Reply {
    let bearer = asked.token.as_deref().and_then(|token| state.store.bearer(token));
    let bearer = bearer.ok_or_else(|| refuse(401, "unauthenticated", "invalid or missing token"))?;
    let scope = match asked.operation {
        Operation::Write | Operation::Delete => "brain:write",
        _ => "brain:read",
    };
    if !bearer.scopes.iter().any(|given| given == scope) {
        return Err(refuse(403, "forbidden", format!("this needs the scope {scope}")));
    }
    match asked.operation {
        Operation::Write => write(state, &bearer, asked, call),
        Operation::Read => document(state, &bearer, asked),
        Operation::Delete => delete(state, &bearer, asked),
        Operation::List => list(state, &bearer, asked, call),
        Operation::WhoAmI => Ok(json!({
            "user": { "id": bearer.user, "email": "user@example.com" },
            "workspace": { "id": "workspace", "name": "Workspace", "verified": true },
            "scopes": bearer.scopes,
        })),
        Operation::Unknown => Err(refuse(404, "not_found", "there is no such call")),
    }
}

fn write(state: &mut State, bearer: &Bearer, asked: &Asked, call: &Call) -> Reply {
    let body = asked.body.as_deref().filter(|_| call.is_json);
    let body = body.ok_or_else(|| refuse(400, "bad_request", "bodyMd is required"))?;
    check_path(&asked.path)?;
    let length = body.chars().count();
    if length > state.shape.longest_body {
        let message =
            format!("bodyMd has {length} characters, at most {} are taken", state.shape.longest_body);
        return Err(refuse(400, "bad_request", message));
    }
    let kind = call.body["kind"].as_str();
    if kind.is_some_and(|kind| !["wiki_page", "raw", "log", "index"].contains(&kind)) {
        return Err(refuse(400, "bad_request", "no such kind"));
    }
    if let Some(expected) = asked.expected_hash.as_deref().filter(|_| state.shape.hashes == Hashes::Given) {
        match (state.store.document(&bearer.user, &asked.path), state.shape.gone) {
            (Some(there), _) if there.hash == expected => {}
            (None, Gone::Written) => {}
            (None, Gone::NotFound) => return Err(refuse(404, "not_found", "there is no such document")),
            _ => return Err(refuse(409, "conflict", "content hash mismatch")),
        }
    }
    let title = call.body["title"].as_str();
    Ok(state.store.put(&bearer.user, &asked.path, body, title, kind).answer(&state.shape))
}

/// SPEC.md 3, "Write constraints".
fn check_path(path: &str) -> Result<(), Refusal> {
    let starts = |roots: &[&str]| roots.iter().any(|root| path.starts_with(root));
    if starts(&["/system/", "/sources/", "/private/sources/"]) {
        return Err(refuse(403, "forbidden", format!("{path} is read-only")));
    }
    if !path.ends_with(".md") || !starts(&["/private/", "/workspace/", "/wiki/", "/skills/"]) {
        return Err(refuse(400, "invalid_path", format!("{path} is no path of a document")));
    }
    Ok(())
}

fn document(state: &State, bearer: &Bearer, asked: &Asked) -> Reply {
    match state.store.document(&bearer.user, &asked.path) {
        Some(document) => Ok(document.answer(&state.shape)),
        None if state.shape.is_missing_null => Ok(Value::Null),
        None => Err(refuse(404, "not_found", format!("there is no document {}", asked.path))),
    }
}

fn delete(state: &mut State, bearer: &Bearer, asked: &Asked) -> Reply {
    check_path(&asked.path)?;
    let is_deleted = state.store.remove(&bearer.user, &asked.path);
    if !is_deleted && state.shape.is_missing_delete_an_error {
        return Err(refuse(404, "not_found", format!("there is no document {}", asked.path)));
    }
    Ok(json!({ "deleted": is_deleted }))
}

fn list(state: &State, bearer: &Bearer, asked: &Asked, call: &Call) -> Reply {
    let limit = match call.query.get("limit").map(|limit| limit.parse::<usize>()) {
        None => state.shape.usual_limit,
        Some(Ok(limit)) if limit > 0 => limit.min(state.shape.greatest_limit),
        Some(_) => return Err(refuse(400, "bad_request", "limit is no number")),
    };
    let documents = state.store.list(&bearer.user, &asked.path, limit);
    let entries: Vec<_> = documents.iter().map(|document| document.entry(&state.shape)).collect();
    Ok(json!({ "documents": entries }))
}
