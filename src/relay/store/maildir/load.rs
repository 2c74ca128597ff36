//! The start: reads all that lies in the directory, mends what a crash left, and sets aside what is damaged, so that
//! no file stands in the way of the others.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, RwLock};

use jiff::{SignedDuration, Timestamp};

use super::super::{Bearer, InviteId, Limits, RoomId};
use super::agents::Member;
use super::load_mailbox::{Load, Unrecorded};
use super::records;
use super::remembered::{Content, Key, Remembered};
use super::rooms::{Room, RoomFile, remove_all};
use super::tokens::Tokens;
use super::{Admission, Engine, OpenError, lock, write};
use crate::env::Env;
use crate::message::AgentName;
use crate::spool::local::files;

/// What a crash left unrecorded was sent within so long of the last record.
const SLACK: SignedDuration = SignedDuration::from_mins(1);
/// Sends that can have been on their way at once.
const MOST_UNRECORDED: usize = 4096;

pub(super) fn load(
    directory: &Path,
    admission: Admission,
    limits: Limits,
    env: &Env,
) -> Result<Engine, OpenError> {
    files::make_directory(directory)?;
    files::make_private(directory);
    let lock = files::lock_if_free(directory.join("relay.lock"))?
        .ok_or_else(|| OpenError::Busy(directory.to_owned()))?;
    let engine = Engine {
        root: directory.to_owned(),
        env: env.clone(),
        remembered: Remembered::open(directory.join("sends"), limits.remembered_sends)?,
        limits,
        tokens: Tokens::default(),
        rooms: RwLock::new(BTreeMap::new()),
        change: Arc::new(tokio::sync::Mutex::default()),
        _lock: lock,
    };
    for name in files::names(directory)? {
        if name.starts_with(".removed-") {
            remove_all(&directory.join(name));
        }
    }
    let mut revoked = Vec::new();
    let newest = engine.remembered.newest();
    let mut unrecorded = Unrecorded {
        from: newest.and_then(|newest| newest.checked_sub(SLACK).ok()).unwrap_or(Timestamp::UNIX_EPOCH),
        sends: Vec::new(),
    };
    let default = default_room(&engine, admission)?;
    load_room(&engine, default, &mut revoked, &mut unrecorded)?;
    let parent = directory.join("rooms");
    for name in files::names(&parent)? {
        let directory = parent.join(&name);
        // Without its file it was never made.
        if let Some(id) = RoomId::parse(&name)
            && id != RoomId::default_room()
            && directory.join("room.json").exists()
        {
            let file = room_file(&directory);
            let room = Arc::new(Room::new(id, directory, file.clone()));
            give_token(&engine, &room, file.token_hash);
            load_room(&engine, room, &mut revoked, &mut unrecorded)?;
        }
    }
    adopt(&engine, unrecorded.sends);
    for (room, member) in revoked {
        engine.bounce_all(&room, &member);
    }
    Ok(engine)
}

/// What is said of a room; nothing where that is damaged: its agents still have their own tokens.
fn room_file(directory: &Path) -> RoomFile {
    let path = directory.join("room.json");
    let bytes = files::read(&path).ok().flatten().unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_else(|_| {
        tracing::warn!(path = %path.display(), "the room's file is damaged: rotate its token");
        let _ = fs::copy(&path, directory.join("room.json.damaged"));
        RoomFile::default()
    })
}

fn give_token(engine: &Engine, room: &Room, token: Option<crate::secret::TokenHash>) {
    let Some(token) = token else { return };
    if engine.tokens.insert(&token, Bearer::Room(room.id.clone())) {
        *lock(&room.token) = Some(token);
    } else {
        tracing::warn!(room = %room.id, "the room's token is another's: rotate it");
    }
}

fn default_room(engine: &Engine, admission: Admission) -> Result<Arc<Room>, OpenError> {
    let path = engine.root.join("room.json");
    let mut file = if path.exists() {
        room_file(&engine.root)
    } else {
        RoomFile { created_at: format!("{:.3}", engine.env.now()), ..RoomFile::default() }
    };
    let token = match admission {
        Admission::Token(given) if file.retired.contains(&given) => {
            tracing::warn!("the token that was given for room default was rotated away: it admits nobody");
            file.token_hash
        }
        Admission::Token(given) => {
            // Another token than before the rotation was given on purpose.
            file.token_hash = file.token_hash.filter(|rotated| *rotated == given);
            Some(given)
        }
        Admission::Open => file.token_hash,
    };
    let text = serde_json::to_string_pretty(&file).unwrap_or_default();
    if files::read(&path).ok().flatten().as_deref() != Some(text.as_bytes()) {
        files::replace(&path, text.as_bytes())?;
    }
    let room = Arc::new(Room::new(RoomId::default_room(), engine.root.clone(), file));
    give_token(engine, &room, token);
    Ok(room)
}

fn load_room(
    engine: &Engine,
    room: Arc<Room>,
    revoked: &mut Vec<(Arc<Room>, Arc<Member>)>,
    unrecorded: &mut Unrecorded,
) -> Result<(), OpenError> {
    load_invites(engine, &room);
    let mut load = Load { engine, room: &room, undone: HashSet::new(), unrecorded };
    let drafts = load.read_drafts()?;
    for record in read_records(&room)? {
        let (token, is_revoked) = (record.token, record.revoked_at.is_some());
        let member = Arc::new(Member::new(record, &room));
        if is_revoked {
            write(&room.names).taken.insert(member.name.clone());
            if member.place.root().exists() {
                load.read_mailbox(&member);
                revoked.push((room.clone(), member));
            }
            continue;
        }
        load.read_mailbox(&member);
        if let Some(token) = token {
            let bearer = Bearer::Agent(room.id.clone(), member.name.clone());
            if !engine.tokens.insert(&token, bearer) {
                tracing::warn!(agent = %member.name, room = %room.id, "its token is another's: nobody gets in by it here");
            }
        }
        let mut names = write(&room.names);
        for channel in lock(&member.record).agent.subscriptions.clone() {
            names.subscribe(channel, &member);
        }
        names.members.insert(member.name.clone(), member);
    }
    // Only now is nothing left of an undone send but its draft.
    for draft in drafts {
        let _ = fs::remove_file(draft);
    }
    write(&engine.rooms).insert(room.id.clone(), room);
    Ok(())
}

/// Remembers what a crash left delivered and unrecorded: the last sends, for no more can have been on their way.
fn adopt(engine: &Engine, mut sends: Vec<(Timestamp, Key, Content)>) {
    sends.sort_by_key(|(ts, ..)| *ts);
    let surplus = sends.len().saturating_sub(MOST_UNRECORDED);
    let sends: Vec<_> = sends.drain(surplus..).map(|(_, key, content)| (key, content)).collect();
    if let Err(error) = engine.remembered.adopt(&sends, engine.env.now()) {
        tracing::warn!(%error, "what a crash left unrecorded stays so: sent again it is delivered again");
    }
}

fn load_invites(engine: &Engine, room: &Room) {
    let path = room.directory.join("invites.json");
    let Some(bytes) = files::read(&path).ok().flatten() else { return };
    let Ok(invites) = serde_json::from_slice::<super::invites::Invites>(&bytes) else {
        tracing::warn!(path = %path.display(), "the room's invites are damaged: make new ones");
        return;
    };
    for (name, invite) in &invites.0 {
        if let Some(id) = InviteId::parse(name) {
            let _ = engine.tokens.insert(&invite.token_hash, Bearer::Invited(room.id.clone(), id));
        }
    }
    *lock(&room.invites) = invites;
}

/// All records of a room but the damaged ones, whose names stay taken: nobody else is to get their mail.
fn read_records(room: &Room) -> Result<Vec<records::Record>, OpenError> {
    let directory = room.directory.join("agents");
    let mut names = files::names(&directory)?;
    // Where the first version made both `Bob` and `bob`, the one in lower case is found.
    names.sort_by(|one, other| other.cmp(one));
    let (mut read, mut seen) = (Vec::new(), HashSet::new());
    for file in names {
        let path = directory.join(&file);
        if file.starts_with('.') {
            if file.ends_with(".tmp") {
                let _ = fs::remove_file(&path);
            }
            continue;
        }
        let Some(name) = file.strip_suffix(".json").and_then(|name| name.parse::<AgentName>().ok()) else {
            tracing::warn!(path = %path.display(), "no agent can have this name: the record is left alone");
            continue;
        };
        let bytes = files::read(&path).map_err(|error| error.to_string());
        let record = bytes.and_then(|bytes| records::parse(name.clone(), &bytes.unwrap_or_default()));
        match record {
            Ok(record) if seen.insert(name.clone()) => read.push(record),
            Ok(_) => tracing::warn!(path = %path.display(), "the name is taken in another spelling"),
            Err(reason) => {
                tracing::warn!(path = %path.display(), reason, "the record is damaged: the agent cannot be reached");
                write(&room.names).taken.insert(name);
            }
        }
    }
    read.reverse();
    Ok(read)
}
