//! `POST /v1/register`: a name becomes an agent's, with a token of its own.

use axum::Json;
use axum::extract::State as Of;
use axum::http::StatusCode;

use crate::relay::answer::{Answer, Input, Refusal};
use crate::relay::caller::{Caller, Who};
use crate::relay::state::Shared;
use crate::relay::store::Bearer;
use crate::relay::wire::{Register, Registered};
use crate::secret::Secret;

/// Characters of a token that a client made: nobody may guess it. Ours have 32, the first version's 64.
const SHORTEST: usize = 22;

pub(super) async fn register(
    Of(state): Of<Shared>,
    caller: Caller,
    Input(input): Input<Register>,
) -> Answer<Json<Registered>> {
    let by = match caller.who {
        Who::Bearer(bearer) => bearer,
        Who::Admin => Bearer::Room(crate::relay::store::RoomId::default_room()),
        Who::Nobody | Who::Unknown => {
            return Err(Refusal::unauthorized("registration needs the room's token, or an invite"));
        }
    };
    let (hash, token) = match (&by, caller.token, input.token) {
        // Again, by its own token: there is nothing to hand out.
        (Bearer::Agent(_, own), Some(hash), _) if *own == input.name => (hash, None),
        (Bearer::Agent(_, own), ..) => {
            return Err(Refusal::forbidden(format!("the token is @{own}'s: another name needs the room's")));
        }
        (_, _, Some(token)) if token.expose().len() < SHORTEST => {
            return Err(Refusal::malformed(format!("a token has {SHORTEST} characters at least")));
        }
        (_, _, Some(token)) => (token.hash(), Some(token)),
        (_, _, None) => {
            let token = Secret::random()
                .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
            (token.hash(), Some(token))
        }
    };
    let registered = state.store.register(&by, &input.name, &hash).await?;
    let mut agent = registered.agent;
    agent.other.remove("tokenHash");
    Ok(Json(Registered { agent, token: token.filter(|_| registered.is_new) }))
}
