//! A delivery in one round trip: what earlier leases came to, and what this one gets.

use std::time::Duration;

use axum::Json;
use axum::extract::State as Of;

use super::done;
use crate::message::{Address, Context, Priority};
use crate::relay::answer::{Answer, Input, Refusal};
use crate::relay::caller::ByAgent;
use crate::relay::state::Shared;
use crate::relay::store::{self, Claimed};
use crate::relay::wire::{self, Claim, Done, Ending, HeldBack, Left};

/// The longest quiet turn of a session.
const LONGEST_LEASE: u32 = 2 * 3600;
/// Of ids, names and leases in one claim.
const MOST: usize = 10_000;

pub(super) async fn claim(
    Of(state): Of<Shared>,
    by: ByAgent,
    Input(input): Input<Claim>,
) -> Answer<Json<wire::Claimed>> {
    let asked = asked(&input)?;
    // What is over comes first: a failure leaves it to be said again, and saying it twice does no harm.
    for ending in &input.ack {
        end_well(&state, &by, ending).await?;
    }
    for ending in &input.release {
        end_unread(&state, &by, ending).await?;
    }
    let claimed = state.store.claim(&by.room, &by.name, asked).await?;
    state.metrics.claimed.inc_by(claimed.messages.len() as u64);
    Ok(Json(told(claimed)))
}

pub(super) async fn acknowledge(
    Of(state): Of<Shared>,
    by: ByAgent,
    Input(ending): Input<Ending>,
) -> Answer<Json<Done>> {
    end_well(&state, &by, &ending).await?;
    Ok(done())
}

pub(super) async fn release(
    Of(state): Of<Shared>,
    by: ByAgent,
    Input(ending): Input<Ending>,
) -> Answer<Json<Done>> {
    end_unread(&state, &by, &ending).await?;
    Ok(done())
}

async fn end_well(state: &Shared, by: &ByAgent, ending: &Ending) -> Answer<()> {
    let ended = state.store.acknowledge(&by.room, &by.name, &ending.lease, ending.ids.as_deref()).await?;
    state.metrics.acknowledged.inc_by(ended as u64);
    Ok(())
}

async fn end_unread(state: &Shared, by: &ByAgent, ending: &Ending) -> Answer<()> {
    let ids = ending.ids.as_deref();
    state.store.release(&by.room, &by.name, &ending.lease, ids, ending.unseen).await?;
    Ok(())
}

fn asked(input: &Claim) -> Answer<store::Claim> {
    let counts =
        [input.ids.as_ref().map_or(0, Vec::len), input.except.len(), input.ack.len(), input.release.len()];
    if counts.iter().any(|count| *count > MOST) {
        return Err(Refusal::too_large(format!("each list in a claim has {MOST} entries at most")));
    }
    let except: Result<Vec<Address>, _> = input.except.iter().map(|address| address.parse()).collect();
    let contexts = input.contexts.as_ref();
    Ok(store::Claim {
        lease: input.lease.clone(),
        span: Duration::from_secs(input.lease_s.unwrap_or(LONGEST_LEASE).clamp(1, LONGEST_LEASE).into()),
        contexts: contexts.map(|texts| texts.iter().filter_map(|text| Context::new(text)).collect()),
        urgent: input.priority == Some(Priority::Urgent),
        ids: input.ids.clone(),
        except: except.map_err(|error| Refusal::malformed(error.to_string()))?,
        bytes: input.max_bytes.map(|bytes| bytes as usize),
    })
}

fn told(claimed: Claimed) -> wire::Claimed {
    let ids = |which: fn(&(crate::message::Message, bool, bool)) -> bool| {
        claimed.messages.iter().filter(|entry| which(entry)).map(|(message, ..)| message.id).collect()
    };
    let (repeats, strays) = (ids(|(_, is_repeat, _)| *is_repeat), ids(|(_, _, is_stray)| *is_stray));
    let left = claimed.left;
    let held_back = left.held_back.into_iter().map(|(from, count)| HeldBack { from, count }).collect();
    wire::Claimed {
        messages: claimed.messages.into_iter().map(|(message, ..)| message).collect(),
        repeats,
        strays,
        left: Left { matching: left.matching, other_scopes: left.other_scopes, held_back },
    }
}
