//! Join tokens: they admit new names to a room, for a time and a number of uses. Kept as hashes in `invites.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::{Bearer, Error, InviteId, Result, RoomId};
use super::rooms::{Room, new_token, random_name};
use super::{Engine, blocking, lock};
use crate::secret::{Secret, TokenHash};
use crate::spool::local::files;

/// Join tokens of one room at most.
const MOST: usize = 1_000;
/// For so long an expired one is told from an unknown one.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One join token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invite {
    pub(super) token_hash: TokenHash,
    expires_at: Timestamp,
    uses_left: u32,
}

/// The join tokens of a room, by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Invites(pub(super) BTreeMap<String, Invite>);

impl Engine {
    pub(super) async fn invite(
        self: Arc<Self>,
        room: &RoomId,
        expires: Timestamp,
        uses: u32,
    ) -> Result<(InviteId, Secret)> {
        let room = self.room(room)?;
        let guard = room.change.clone().lock_owned().await;
        blocking(move || {
            let _guard = guard;
            room.check_present()?;
            let token = new_token()?;
            let name = random_name()?;
            let id = InviteId::parse(&name).ok_or(Error::UnknownInvite)?;
            let invite = Invite { token_hash: token.hash(), expires_at: expires, uses_left: uses };
            change(&room, |invites| {
                if invites.len() >= MOST {
                    return Err(Error::Many { what: "the room has too many invites".into(), most: MOST });
                }
                invites.insert(name, invite);
                Ok(())
            })?;
            let _ = self.tokens.insert(&token.hash(), Bearer::Invited(room.id.clone(), id.clone()));
            Ok((id, token))
        })
        .await
    }

    pub(super) async fn revoke_invite(self: Arc<Self>, room: &RoomId, invite: &InviteId) -> Result<()> {
        let (room, invite) = (self.room(room)?, invite.clone());
        let guard = room.change.clone().lock_owned().await;
        blocking(move || {
            let _guard = guard;
            let known = lock(&room.invites).0.get(invite.as_str()).cloned().ok_or(Error::UnknownInvite)?;
            // Its token first: should the disk refuse the rest, nobody gets in by it until the relay starts again.
            self.tokens.remove(&known.token_hash);
            change(&room, |invites| {
                invites.remove(invite.as_str());
                Ok(())
            })
        })
        .await
    }

    /// Takes one use off the join token that a new name is registered by.
    pub(super) fn spend(&self, room: &Room, by: &Bearer) -> Result<()> {
        let Bearer::Invited(_, id) = by else { return Ok(()) };
        let now = self.env.now();
        change(room, |invites| {
            let invite = invites.get_mut(id.as_str()).ok_or(Error::UnknownInvite)?;
            if invite.expires_at <= now {
                return Err(Error::Spent("expired"));
            }
            invite.uses_left = invite.uses_left.checked_sub(1).ok_or(Error::Spent("no uses left"))?;
            Ok(())
        })
    }

    /// Gives the use back where nothing came of it.
    pub(super) fn give_back(&self, room: &Room, by: &Bearer) {
        if let Bearer::Invited(_, id) = by {
            let _ = change(room, |invites| {
                if let Some(invite) = invites.get_mut(id.as_str()) {
                    invite.uses_left += 1;
                }
                Ok(())
            });
        }
    }

    /// Forgets join tokens that expired long ago; call with the room's `change` held.
    pub(super) fn sweep_invites(&self, room: &Room) -> Result<()> {
        let now = self.env.now();
        let is_old = |invite: &Invite| now.duration_since(invite.expires_at) > KEPT;
        let old: Vec<_> = lock(&room.invites)
            .0
            .values()
            .filter(|invite| is_old(invite))
            .map(|old| old.token_hash)
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        old.iter().for_each(|token| self.tokens.remove(token));
        change(room, |invites| {
            invites.retain(|_, invite| !is_old(invite));
            Ok(())
        })
    }
}

/// Changes the join tokens on the disk, then in memory; call with the room's `change` held.
fn change(room: &Room, change: impl FnOnce(&mut BTreeMap<String, Invite>) -> Result<()>) -> Result<()> {
    let mut invites = lock(&room.invites).clone();
    change(&mut invites.0)?;
    let text = serde_json::to_string_pretty(&invites).unwrap_or_default();
    files::replace(&room.directory.join("invites.json"), text.as_bytes())?;
    *lock(&room.invites) = invites;
    Ok(())
}
