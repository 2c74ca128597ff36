//! Agents: registered by a token, subscribed to channels, revoked.
//!
//! A record is replaced whole on the disk before memory says so, one record of a room at a time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::super::{Bearer, Error, Registered, Result, RoomId};
use super::mailbox::Mailbox;
use super::place::Place;
use super::records::{self, Record};
use super::rooms::Room;
use super::{Engine, blocking, lock, read, write};
use crate::message::{AgentName, ChannelName};
use crate::secret::TokenHash;
use crate::spool::Agent;

/// One agent of a room.
#[derive(Debug)]
pub(super) struct Member {
    /// In the spelling that it was made with.
    pub(super) name: AgentName,
    pub(super) place: Place,
    pub(super) mailbox: Mutex<Mailbox>,
    /// Held by who changes what lies in the mailbox, but for landings.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    pub(super) record: Mutex<Record>,
    /// Milliseconds since 1970; goes into the record when that is written for another reason.
    seen: AtomicI64,
    /// The time of the last message that it sent, in milliseconds since 1970.
    stamped: AtomicI64,
}

/// Whoever sends more than one message in a millisecond may be ahead of the clock by so many.
const MOST_AHEAD: i64 = 1000;

impl Member {
    pub(super) fn new(record: Record, room: &Room) -> Self {
        let name = record.agent.name.clone();
        let place = Place::of(&room.directory, &name);
        let seen = record.agent.last_seen.as_ref().and_then(|seen| seen.parse::<Timestamp>().ok());
        Self {
            name,
            place,
            mailbox: Mutex::default(),
            turn: Arc::default(),
            record: Mutex::new(record),
            seen: AtomicI64::new(seen.map_or(0, Timestamp::as_millisecond)),
            stamped: AtomicI64::new(0),
        }
    }

    pub(super) fn note_seen(&self, now: Timestamp) {
        self.seen.fetch_max(now.as_millisecond(), Ordering::Relaxed);
    }

    /// The time of a message that it sends now. A flood is in the order of the clock alone.
    pub(super) fn stamp(&self, now: Timestamp) -> Timestamp {
        let now = now.as_millisecond();
        let next = |last: i64| if last - now < MOST_AHEAD { now.max(last + 1) } else { now };
        let order = (Ordering::AcqRel, Ordering::Acquire);
        let last = match self.stamped.fetch_update(order.0, order.1, |last| Some(next(last))) {
            Ok(last) | Err(last) => last,
        };
        // No clock that could be read is out of range, and a second more of it is not.
        Timestamp::from_millisecond(next(last)).unwrap_or(Timestamp::MAX)
    }

    /// The record with what is newer in memory.
    fn current(&self) -> Record {
        let mut record = lock(&self.record).clone();
        if let Ok(seen) = Timestamp::from_millisecond(self.seen.load(Ordering::Relaxed))
            && seen > Timestamp::UNIX_EPOCH
        {
            record.agent.last_seen = Some(format!("{seen:.3}"));
        }
        record
    }

    /// The record without the token's hash.
    pub(super) fn agent(&self) -> Agent {
        self.current().agent
    }
}

impl Engine {
    pub(super) async fn register(
        self: Arc<Self>,
        by: &Bearer,
        name: &AgentName,
        token: &TokenHash,
    ) -> Result<Registered> {
        let (Bearer::Agent(room, _) | Bearer::Room(room) | Bearer::Invited(room, _)) = by;
        let room = self.room(room)?;
        let guard = room.change.clone().lock_owned().await;
        let (by, name, token) = (by.clone(), name.clone(), *token);
        blocking(move || {
            let _guard = guard;
            self.register_now(&room, &by, &name, &token)
        })
        .await
    }

    fn register_now(
        &self,
        room: &Arc<Room>,
        by: &Bearer,
        name: &AgentName,
        token: &TokenHash,
    ) -> Result<Registered> {
        room.check_present()?;
        if let Some(member) = read(&room.names).members.get(name) {
            let is_own = lock(&member.record).token.is_some_and(|known| known.is_same(token))
                || matches!(by, Bearer::Agent(_, own) if own == name);
            return if is_own {
                Ok(Registered { agent: member.agent(), is_new: false })
            } else {
                Err(Error::Taken(name.clone()))
            };
        }
        if matches!(by, Bearer::Agent(..)) || room.is_taken(name) {
            return Err(Error::Taken(name.clone()));
        }
        if !name.is_lower_case() {
            return Err(Error::NotLowerCase(name.clone()));
        }
        let most = self.limits.agents_per_room;
        if read(&room.names).members.len() >= most {
            return Err(Error::Many { what: "the room has too many agents".into(), most });
        }
        let bearer = Bearer::Agent(room.id.clone(), name.clone());
        if !self.tokens.insert(token, bearer) {
            return Err(Error::Taken(name.clone()));
        }
        let now = format!("{:.3}", self.env.now());
        let agent = Agent {
            name: name.clone(),
            subscriptions: Vec::new(),
            created_at: now.clone(),
            last_seen: Some(now),
            other: serde_json::Map::new(),
        };
        let record = Record { agent, token: Some(*token), revoked_at: None };
        let made = self.clear(room, name).and_then(|()| self.spend(room, by)).and_then(|()| {
            records::write(&room.directory, &record).inspect_err(|_| self.give_back(room, by))
        });
        if let Err(error) = made {
            self.tokens.remove(token);
            return Err(error);
        }
        let member = Arc::new(Member::new(record, room));
        let agent = member.agent();
        write(&room.names).members.insert(name.clone(), member);
        Ok(Registered { agent, is_new: true })
    }

    /// Takes a mailbox away that is nobody's: in the first version, an agent was revoked by removing its record. Its
    /// mail is not the next one's of that name.
    fn clear(&self, room: &Room, name: &AgentName) -> Result<()> {
        let place = Place::of(&room.directory, name);
        if place.root().exists() {
            tracing::warn!(agent = %name, room = %room.id, "mail of an agent without a record is removed");
            self.put_away(place.root())?;
        }
        Ok(())
    }

    pub(super) async fn subscribe(
        self: Arc<Self>,
        room: &RoomId,
        agent: &AgentName,
        channel: &ChannelName,
    ) -> Result<()> {
        let (room, member) = self.member(room, agent)?;
        if lock(&member.record).agent.subscriptions.contains(channel) {
            return Ok(());
        }
        let (guard, channel) = (room.change.clone().lock_owned().await, channel.clone());
        blocking(move || {
            let _guard = guard;
            let most = self.limits.subscriptions_per_agent;
            if lock(&member.record).agent.subscriptions.len() >= most {
                return Err(Error::Many {
                    what: format!("@{} has too many subscriptions", member.name),
                    most,
                });
            }
            let most = self.limits.subscriptions_per_room;
            if read(&room.names).subscriptions >= most {
                return Err(Error::Many { what: "the room has too many subscriptions".into(), most });
            }
            change(&room, &member, |agent| {
                if !agent.subscriptions.contains(&channel) {
                    agent.subscriptions.push(channel.clone());
                }
            })?;
            write(&room.names).subscribe(channel, &member);
            Ok(())
        })
        .await
    }

    pub(super) async fn unsubscribe(
        self: Arc<Self>,
        room: &RoomId,
        agent: &AgentName,
        channel: &ChannelName,
    ) -> Result<bool> {
        let (room, member) = self.member(room, agent)?;
        let (guard, channel) = (room.change.clone().lock_owned().await, channel.clone());
        blocking(move || {
            let _guard = guard;
            if !lock(&member.record).agent.subscriptions.contains(&channel) {
                return Ok(false);
            }
            change(&room, &member, |agent| agent.subscriptions.retain(|other| *other != channel))?;
            write(&room.names).unsubscribe(&channel, &member.name);
            Ok(true)
        })
        .await
    }

    pub(super) async fn revoke_agent(self: Arc<Self>, room: &RoomId, name: &AgentName) -> Result<()> {
        let (room, name) = (self.room(room)?, name.clone());
        let guard = room.change.clone().lock_owned().await;
        blocking(move || {
            let _guard = guard;
            self.revoke_now(&room, &name)
        })
        .await
    }

    fn revoke_now(&self, room: &Arc<Room>, name: &AgentName) -> Result<()> {
        let member = room.member(name)?;
        // Its token first: should the disk refuse the rest, nobody gets in by it until the relay starts again.
        if let Some(token) = lock(&member.record).token {
            self.tokens.remove(&token);
        }
        let tombstone = Record {
            agent: Agent { subscriptions: Vec::new(), ..member.agent() },
            token: None,
            revoked_at: Some(format!("{:.3}", self.env.now())),
        };
        records::write(&room.directory, &tombstone)?;
        write(&room.names).revoke(&member);
        // Who is at work in the mailbox ends first.
        let _turn = member.turn.blocking_lock();
        self.bounce_all(room, &member);
        Ok(())
    }
}

/// Writes a changed record, then says so in memory; call with the room's `change` held.
fn change(room: &Room, member: &Member, change: impl FnOnce(&mut Agent)) -> Result<()> {
    room.member(&member.name)?;
    let mut record = member.current();
    change(&mut record.agent);
    records::write(&room.directory, &record)?;
    *lock(&member.record) = record;
    Ok(())
}
