//! Rooms: made, listed, given another token, taken away.

use axum::Json;
use axum::extract::{Path, State as Of};

use super::done;
use crate::relay::answer::{Answer, Input, Refusal};
use crate::relay::caller::{ByAdmin, Caller, Who};
use crate::relay::log::TARGET;
use crate::relay::state::{DefaultToken, Shared, State};
use crate::relay::store::RoomId;
use crate::relay::wire::{Done, NewRoom, RoomInfo, RoomToken, Rotate};
use crate::secret::Secret;
use crate::spool::local::files;

/// Bytes of what a room is called.
const LONGEST_NAME: usize = 200;

pub(super) async fn make(
    Of(state): Of<Shared>,
    caller: Caller,
    Input(input): Input<NewRoom>,
) -> Answer<Json<RoomToken>> {
    if caller.who != Who::Admin {
        if !state.rules.open_rooms {
            return Err(match caller.who {
                Who::Nobody => Refusal::unauthorized("rooms are made with the admin token"),
                _ => Refusal::forbidden("rooms are made with the admin token"),
            });
        }
        state.limits.room_from(caller.address)?;
    }
    if input.name.as_ref().is_some_and(|name| name.len() > LONGEST_NAME) {
        return Err(Refusal::malformed(format!("a room's name has {LONGEST_NAME} bytes at most")));
    }
    let (room, room_token) = state.store.make_room(input.name).await?;
    Ok(Json(RoomToken { room_id: room.to_string(), room_token }))
}

pub(super) async fn list(Of(state): Of<Shared>, _: ByAdmin) -> Json<Vec<RoomInfo>> {
    let rooms = state.store.rooms().await.into_iter().map(|room| RoomInfo {
        room_id: room.id.to_string(),
        name: room.title,
        created_at: room.created_at,
        agents: room.agents,
        waiting: room.waiting,
    });
    Json(rooms.collect())
}

pub(super) async fn rotate(
    Of(state): Of<Shared>,
    _: ByAdmin,
    Input(input): Input<Rotate>,
) -> Answer<Json<RoomToken>> {
    let room = read(&input.room)?;
    let room_token = rotated(&state, &room).await?;
    Ok(Json(RoomToken { room_id: room.to_string(), room_token }))
}

pub(super) async fn remove(
    Of(state): Of<Shared>,
    _: ByAdmin,
    Path(room): Path<String>,
) -> Answer<Json<Done>> {
    state.store.remove_room(&read(&room)?).await?;
    state.tell_revoked();
    Ok(done())
}

/// Gives a room another token. The store keeps its hash, and no longer takes the one that was given at the start; a
/// token that the relay made itself is kept for the operator to read.
pub(super) async fn rotated(state: &State, room: &RoomId) -> Answer<Secret> {
    let token = state.store.rotate_room(room).await?;
    if *room == RoomId::default_room()
        && let DefaultToken::Made(path) = &state.rules.default_token
        && let Err(error) = files::replace(path, format!("{}\n", token.expose()).as_bytes())
    {
        // The answer says the token, and the store knows it: only the operator's file is behind.
        tracing::error!(target: TARGET, %error, "could not keep the room's new token in its file");
    }
    Ok(token)
}

pub(super) fn read(room: &str) -> Answer<RoomId> {
    RoomId::parse(room).ok_or_else(|| Refusal::malformed("that is no room's id"))
}
