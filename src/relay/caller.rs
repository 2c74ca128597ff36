//! Who calls: the address, and what the token says. Every request passes here, and is logged here.
//!
//! An agent's own token cannot be guessed and is always heard. A room's, a join or the admin token may be a person's
//! choice: from an address with too many failures they are not looked at until it has waited.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State as Of};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::{Answer, Refusal};
use super::log;
use super::state::{Rules, Shared};
use super::store::{Bearer, RoomId};
use super::wire::ROOM_HEADER;
use crate::message::AgentName;
use crate::secret::{Secret, TokenHash};

/// What is known of whoever sent a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The client's, or the one that a trusted proxy names.
    pub(super) address: IpAddr,
    /// Whether it is on this machine and comes through no proxy.
    pub(super) is_local: bool,
    pub(super) token: Option<TokenHash>,
    pub(super) who: Who,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// There is none.
    Nobody,
    /// It is nobody's.
    Unknown,
    /// The operator's.
    Admin,
    /// An agent's, a room's, or a join token.
    Bearer(Bearer),
}

/// An agent, by its own token.
#[derive(Debug)]
pub(super) struct ByAgent {
    pub(super) room: RoomId,
    pub(super) name: AgentName,
    pub(super) token: TokenHash,
}

/// The operator, by the admin token.
#[derive(Debug)]
pub(super) struct ByAdmin;

/// Lets a request through with what is known of its sender, and logs what became of it.
pub(super) async fn observe(Of(state): Of<Shared>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let caller = Caller::of(&request, &state);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let counted = state.limits.request_from(caller.address);
    let response = match counted {
        Ok(()) => {
            request.extensions_mut().insert(caller.clone());
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    let span = begun.elapsed();
    state.metrics.answered(route, response.status(), span);
    log::answered(loggable(&method), route, response.status(), span, &caller.who);
    response
}

/// A method's name; what is none is the sender's own word.
fn loggable(method: &Method) -> &str {
    match method.as_str() {
        name @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => name,
        _ => "-",
    }
}

impl Caller {
    fn of(request: &Request, state: &Shared) -> Self {
        let connection = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = connection.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
        let (address, is_local) = address(peer, request.headers(), &state.rules);
        let token = bearer(request.headers()).map(|token| token.hash());
        let who = match &token {
            None if request.headers().contains_key(AUTHORIZATION) => Who::Unknown,
            None => Who::Nobody,
            Some(token) if state.rules.admin.as_ref().is_some_and(|admin| admin.is_same(token)) => Who::Admin,
            Some(token) => state.store.bearer(token).map_or(Who::Unknown, Who::Bearer),
        };
        Self { address, is_local, token, who }
    }

    /// The same, where its token may be looked at and contradicts no header.
    pub(super) fn checked(self, headers: &HeaderMap, state: &Shared) -> Answer<Self> {
        let room = match &self.who {
            Who::Nobody => return Ok(self),
            Who::Unknown => {
                state.limits.may_try(self.address)?;
                return Err(state.limits.failed(self.address));
            }
            Who::Admin => {
                state.limits.may_try(self.address)?;
                return Ok(self);
            }
            Who::Bearer(Bearer::Agent(room, _)) => {
                if let Some(token) = &self.token {
                    state.limits.request_by(token)?;
                }
                room
            }
            Who::Bearer(Bearer::Room(room) | Bearer::Invited(room, _)) => {
                state.limits.may_try(self.address)?;
                room
            }
        };
        match headers.get(ROOM_HEADER) {
            Some(named) if named != room.as_str() => {
                Err(Refusal::forbidden(format!("the token is not of the room that {ROOM_HEADER} names")))
            }
            _ => Ok(self),
        }
    }
}

/// The sender's address. A proxy appends the one that it saw; what stands before was written by anybody.
fn address(peer: IpAddr, headers: &HeaderMap, rules: &Rules) -> (IpAddr, bool) {
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let last = || forwarded?.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok();
    let address = if rules.behind_proxy { last().unwrap_or(peer) } else { peer };
    // Through a proxy that nobody told us of, everybody seems to be on this machine.
    (address, address.to_canonical().is_loopback() && (rules.behind_proxy || forwarded.is_none()))
}

/// The token in `Authorization: Bearer …`; the word in any case, as in the first version.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { Secret::parse(token).ok() } else { None }
}

fn caller(parts: &Parts, state: &Shared) -> Answer<Caller> {
    let caller = parts.extensions.get::<Caller>().cloned();
    caller.ok_or_else(no_token)?.checked(&parts.headers, state)
}

fn no_token() -> Refusal {
    Refusal::unauthorized("a token is needed: Authorization: Bearer TOKEN")
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Answer<Self> {
        caller(parts, state)
    }
}

impl FromRequestParts<Shared> for ByAgent {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Answer<Self> {
        let caller = caller(parts, state)?;
        match (caller.who, caller.token) {
            (Who::Bearer(Bearer::Agent(room, name)), Some(token)) => Ok(Self { room, name, token }),
            (Who::Nobody | Who::Unknown, _) | (_, None) => Err(no_token()),
            _ => Err(Refusal::unauthorized("an agent's own token is needed: POST /v1/register gives one")),
        }
    }
}

impl FromRequestParts<Shared> for ByAdmin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Answer<Self> {
        match caller(parts, state)?.who {
            Who::Admin => Ok(Self),
            Who::Nobody | Who::Unknown => Err(no_token()),
            Who::Bearer(_) if state.rules.admin.is_none() => Err(Refusal::forbidden(
                "this relay has no admin token: set BACKCHANNEL_ADMIN_TOKEN at its start",
            )),
            Who::Bearer(_) => Err(Refusal::forbidden("the admin token is needed")),
        }
    }
}

impl ByAgent {
    /// That the name in a path is the agent's own.
    pub(super) fn is_self(&self, name: &str) -> Answer<()> {
        match name.parse::<AgentName>() {
            Ok(name) if name == self.name => Ok(()),
            Ok(name) => Err(Refusal::forbidden(format!("the token is @{}'s, not @{name}'s", self.name))),
            Err(error) => Err(Refusal::malformed(error.to_string())),
        }
    }
}
