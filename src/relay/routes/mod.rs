//! The routes, and what stands around all of them.

mod administration;
mod claim;
mod directory;
mod events;
mod mail;
mod register;
mod rooms;

use axum::extract::{DefaultBodyLimit, State as Of};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router, middleware};

use super::answer::{Answer, Refusal};
use super::caller::{Caller, Who, observe};
use super::mcp::mcp;
use super::state::{Shared, State};
use super::underway::{bounded, one_of_few};
use super::wire::{Done, Health, SERVICE, feature};

pub(super) use events::KEEPALIVE;
pub(super) use mail::within_limits;

/// All routes of a relay. It starts nothing and listens nowhere.
pub fn router(state: State) -> Router {
    serving(Shared::new(state))
}

pub(super) fn serving(state: Shared) -> Router {
    let most = state.limits.request_bytes();
    let few = middleware::from_fn_with_state(Shared::clone(&state), one_of_few);
    large()
        .merge(directories().route_layer(few))
        .route_layer(middleware::from_fn_with_state(Shared::clone(&state), bounded))
        .route("/v1/health", get(health))
        .route("/v1/register", post(register::register))
        .route("/v1/agents/{name}", delete(administration::revoke_agent))
        .route("/v1/subscribe", post(directory::subscribe))
        .route("/v1/unsubscribe", post(directory::unsubscribe))
        .route("/v1/send", post(mail::send))
        .route("/v1/claim/ack", post(claim::acknowledge))
        .route("/v1/claim/release", post(claim::release))
        .route("/v1/events/{agent}", get(events::events))
        .route("/v1/rooms", get(rooms::list).post(rooms::make))
        .route("/v1/rooms/rotate", post(rooms::rotate))
        .route("/v1/rooms/{room}", delete(rooms::remove))
        .route("/v1/invites", post(administration::invite))
        .route("/v1/invites/{id}", delete(administration::revoke_invite))
        // Its streams have a limit of their own.
        .route("/mcp", get(mcp).delete(mcp))
        .route("/metrics", get(figures))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(Shared::clone(&state), observe))
        .layer(DefaultBodyLimit::max(most))
        .with_state(state)
}

/// What an agent may be answered with much.
fn large() -> Router<Shared> {
    Router::new()
        .route("/v1/inbox/{agent}", get(mail::inbox))
        .route("/v1/take", post(mail::take))
        .route("/v1/claim", post(claim::claim))
        .route("/mcp", post(mcp))
}

/// Where the answer grows with the room.
fn directories() -> Router<Shared> {
    Router::new().route("/v1/agents", get(directory::agents)).route("/v1/channels", get(directory::channels))
}

async fn health() -> Json<Health> {
    Json(Health {
        ok: true,
        service: SERVICE.to_owned(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        features: feature::ALL.map(str::to_owned).to_vec(),
    })
}

async fn figures(Of(state): Of<Shared>, caller: Caller) -> Answer<Response> {
    if !caller.is_local && caller.who != Who::Admin {
        return Err(Refusal::forbidden("figures are for this machine, and for the admin token"));
    }
    let text = state.metrics.text(state.store.figures());
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

async fn nowhere() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not found")
}

async fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
}

/// That it was done.
fn done() -> Json<Done> {
    Json(Done { ok: true, changed: None })
}
