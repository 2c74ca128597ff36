//! Agents and channels of the caller's room.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State as Of;

use super::done;
use crate::message::ChannelName;
use crate::relay::answer::{Answer, Input};
use crate::relay::caller::ByAgent;
use crate::relay::state::Shared;
use crate::relay::wire::{Done, Subscription};
use crate::spool::Agent;

pub(super) async fn agents(Of(state): Of<Shared>, by: ByAgent) -> Answer<Json<Vec<Agent>>> {
    let mut agents = state.store.agents(&by.room).await?;
    for agent in &mut agents {
        agent.other.remove("tokenHash");
    }
    Ok(Json(agents))
}

pub(super) async fn channels(Of(state): Of<Shared>, by: ByAgent) -> Answer<Json<BTreeSet<ChannelName>>> {
    let agents = state.store.agents(&by.room).await?;
    Ok(Json(agents.into_iter().flat_map(|agent| agent.subscriptions).collect()))
}

pub(super) async fn subscribe(
    Of(state): Of<Shared>,
    by: ByAgent,
    Input(input): Input<Subscription>,
) -> Answer<Json<Done>> {
    state.store.subscribe(&by.room, &by.name, &input.channel).await?;
    Ok(done())
}

pub(super) async fn unsubscribe(
    Of(state): Of<Shared>,
    by: ByAgent,
    Input(input): Input<Subscription>,
) -> Answer<Json<Done>> {
    let changed = state.store.unsubscribe(&by.room, &by.name, &input.channel).await?;
    Ok(Json(Done { ok: true, changed: Some(changed) }))
}
