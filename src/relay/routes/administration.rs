//! Who may come, and who has to go: join tokens, and agents that are revoked.

use axum::Json;
use axum::extract::{Path, Query, State as Of};
use axum::http::StatusCode;
use jiff::SignedDuration;

use super::done;
use super::rooms::{read, rotated};
use crate::message::AgentName;
use crate::relay::answer::{Answer, Input, Refusal};
use crate::relay::caller::{ByAdmin, Caller, Who};
use crate::relay::state::Shared;
use crate::relay::store::{Bearer, InviteId, RoomId};
use crate::relay::wire::{Done, InRoom, Invited, NewInvite, Revoke, Revoked};

/// How long a join token holds where nothing is said, and at most.
const WEEK: u64 = 7 * 24 * 3600;
const YEAR: u64 = 366 * 24 * 3600;
/// How many agents may join by one where nothing is said, and at most.
const USES: u32 = 10;
const MOST_USES: u32 = 10_000;

pub(super) async fn invite(
    Of(state): Of<Shared>,
    caller: Caller,
    Input(input): Input<NewInvite>,
) -> Answer<Json<Invited>> {
    let room = inviting(&caller, input.room.as_deref())?;
    let (seconds, uses) = (input.expires_s.unwrap_or(WEEK), input.uses.unwrap_or(USES));
    if !(1..=YEAR).contains(&seconds) || !(1..=MOST_USES).contains(&uses) {
        return Err(Refusal::malformed(format!(
            "an invite holds for 1 to {YEAR} seconds and for 1 to {MOST_USES} agents"
        )));
    }
    let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let expires = state.env.now().checked_add(seconds).map_err(|_| Refusal::malformed("that is no time"))?;
    let (id, token) = state.store.invite(&room, expires, uses).await?;
    Ok(Json(Invited {
        id: id.as_str().to_owned(),
        token,
        room_id: room.to_string(),
        expires_at: format!("{expires:.3}"),
    }))
}

pub(super) async fn revoke_invite(
    Of(state): Of<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Query(of): Query<InRoom>,
) -> Answer<Json<Done>> {
    let room = inviting(&caller, of.room.as_deref())?;
    let id = InviteId::parse(&id).ok_or_else(|| Refusal::malformed("that is no invite's id"))?;
    state.store.revoke_invite(&room, &id).await?;
    Ok(done())
}

/// The room whose invites this token may make and take back.
fn inviting(caller: &Caller, named: Option<&str>) -> Answer<RoomId> {
    let named = named.map(read).transpose()?;
    match &caller.who {
        Who::Admin => Ok(named.unwrap_or_else(RoomId::default_room)),
        Who::Bearer(Bearer::Room(room)) => match named {
            Some(named) if named != *room => Err(Refusal::forbidden("the token is another room's")),
            _ => Ok(room.clone()),
        },
        Who::Bearer(_) => {
            Err(Refusal::forbidden("invites are made with the room's token, or the admin token"))
        }
        Who::Nobody | Who::Unknown => Err(Refusal::unauthorized("invites are made with the room's token")),
    }
}

pub(super) async fn revoke_agent(
    Of(state): Of<Shared>,
    _: ByAdmin,
    Path(name): Path<String>,
    Query(revoke): Query<Revoke>,
) -> Answer<Json<Revoked>> {
    let room = revoke.room.as_deref().map_or_else(|| Ok(RoomId::default_room()), read)?;
    let name: AgentName =
        name.parse().map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("{error}")))?;
    state.store.revoke_agent(&room, &name).await?;
    state.tell_revoked();
    // Whoever knows the room's token could come back by another name.
    let room_token = if revoke.keep_token { None } else { Some(rotated(&state, &room).await?) };
    Ok(Json(Revoked { ok: true, room_token }))
}
