//! Rooms: each a namespace of agents, channels and mail, in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::super::{Bearer, Error, Figures, Result, Room as RoomSummary, RoomId};
use super::agents::Member;
use super::amount::Amount;
use super::invites::Invites;
use super::names::Names;
use super::{Engine, blocking, lock, read, write};
use crate::message::AgentName;
use crate::secret::{Secret, TokenHash};
use crate::spool::Agent;
use crate::spool::error::OnPath;
use crate::spool::local::files;

/// Random bytes of a room's name, as in the first version.
const NAME_BYTES: usize = 6;
/// Tokens that were given at starts, and rotated away, at most.
const MOST_RETIRED: usize = 64;

/// `room.json` [v1, later].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RoomFile {
    /// Of room `default` only where it was rotated: it is given at each start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_hash: Option<TokenHash>,
    pub(super) created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Tokens of room `default` that were rotated away: given at a start again, they admit nobody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) retired: Vec<TokenHash>,
    #[serde(flatten)]
    pub(super) other: serde_json::Map<String, serde_json::Value>,
}

/// One room.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: RoomId,
    pub(super) directory: PathBuf,
    pub(super) file: Mutex<RoomFile>,
    /// The token that admits new names now.
    pub(super) token: Mutex<Option<TokenHash>>,
    pub(super) invites: Mutex<Invites>,
    pub(super) names: RwLock<Names>,
    /// Messages that are unread, claimed or on their way.
    pub(super) waiting: Mutex<Amount>,
    /// Records and tokens of the room change one at a time.
    pub(super) change: Arc<tokio::sync::Mutex<()>>,
    is_gone: AtomicBool,
}

impl Room {
    pub(super) fn new(id: RoomId, directory: PathBuf, file: RoomFile) -> Self {
        Self {
            id,
            directory,
            file: Mutex::new(file),
            token: Mutex::default(),
            invites: Mutex::default(),
            names: RwLock::default(),
            waiting: Mutex::default(),
            change: Arc::default(),
            is_gone: AtomicBool::new(false),
        }
    }

    pub(super) fn member(&self, name: &AgentName) -> Result<Arc<Member>> {
        let member = read(&self.names).members.get(name).cloned();
        member.ok_or_else(|| Error::UnknownAgent(name.clone()))
    }

    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        read(&self.names).members.values().cloned().collect()
    }

    pub(super) fn is_taken(&self, name: &AgentName) -> bool {
        read(&self.names).taken.contains(name)
    }

    /// An error where the room was removed while somebody waited for it.
    pub(super) fn check_present(&self) -> Result<()> {
        if self.is_gone.load(Ordering::Acquire) { Err(Error::UnknownRoom(self.id.clone())) } else { Ok(()) }
    }

    pub(super) fn agents(&self) -> Vec<Agent> {
        let mut agents: Vec<_> = self.members().iter().map(|member| member.agent()).collect();
        agents.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        agents
    }

    fn write_file(&self, file: &RoomFile) -> Result<()> {
        let mut text = serde_json::to_string_pretty(file).unwrap_or_default();
        text.push('\n');
        Ok(files::replace(&self.directory.join("room.json"), text.as_bytes())?)
    }

    fn is_default(&self) -> bool {
        self.id == RoomId::default_room()
    }
}

/// A new token, or why there is none.
pub(super) fn new_token() -> Result<Secret> {
    Secret::random().map_err(|_| Error::System { verb: "make", kind: std::io::ErrorKind::Other })
}

/// A new name of a room or join token.
///
/// None begins with `-`: a command line would take it for an option.
pub(super) fn random_name() -> Result<String> {
    loop {
        let mut bytes = [0; NAME_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|_| Error::System { verb: "make", kind: std::io::ErrorKind::Other })?;
        let name = URL_SAFE_NO_PAD.encode(bytes);
        if !name.starts_with('-') {
            return Ok(name);
        }
    }
}

impl Engine {
    pub(super) fn summaries(&self) -> Vec<RoomSummary> {
        let rooms: Vec<_> = read(&self.rooms).values().cloned().collect();
        let mut summaries: Vec<_> = rooms
            .iter()
            .map(|room| {
                let file = lock(&room.file);
                RoomSummary {
                    id: room.id.clone(),
                    title: file.name.clone(),
                    created_at: file.created_at.clone(),
                    agents: read(&room.names).members.len(),
                    waiting: lock(&room.waiting).messages,
                }
            })
            .collect();
        summaries.sort_by_key(|room| room.id != RoomId::default_room());
        summaries
    }

    pub(super) fn figures(&self) -> Figures {
        let rooms: Vec<_> = read(&self.rooms).values().cloned().collect();
        let mut figures = Figures { rooms: rooms.len(), ..Figures::default() };
        for member in rooms.iter().flat_map(|room| room.members()) {
            let mailbox = lock(&member.mailbox);
            figures.agents += 1;
            figures.unread += mailbox.unread_count();
            figures.claimed += mailbox.amount().messages - mailbox.unread_count();
        }
        figures
    }

    pub(super) async fn make_room(self: Arc<Self>, title: Option<String>) -> Result<(RoomId, Secret)> {
        let guard = self.change.clone().lock_owned().await;
        blocking(move || {
            let _guard = guard;
            let most = self.limits.rooms;
            if read(&self.rooms).len() >= most {
                return Err(Error::Many { what: "the relay has too many rooms".into(), most });
            }
            let token = new_token()?;
            let (id, directory) = self.new_directory()?;
            let file = RoomFile {
                token_hash: Some(token.hash()),
                created_at: format!("{:.3}", self.env.now()),
                name: title,
                ..RoomFile::default()
            };
            let room = Arc::new(Room::new(id.clone(), directory, file.clone()));
            room.write_file(&file).inspect_err(|_| remove_all(&room.directory))?;
            *lock(&room.token) = Some(token.hash());
            write(&self.rooms).insert(id.clone(), room);
            let _ = self.tokens.insert(&token.hash(), Bearer::Room(id.clone()));
            Ok((id, token))
        })
        .await
    }

    fn new_directory(&self) -> Result<(RoomId, PathBuf)> {
        let parent = self.root.join("rooms");
        files::make_directory(&parent)?;
        loop {
            let Some(id) = RoomId::parse(&random_name()?) else { continue };
            let directory = parent.join(id.as_str());
            // Where case tells no two files apart, another room's directory is in the way.
            if !directory.exists() {
                files::make_directory(&directory)?;
                return Ok((id, directory));
            }
        }
    }

    pub(super) async fn rotate_room(self: Arc<Self>, room: &RoomId) -> Result<Secret> {
        let room = self.room(room)?;
        let guard = room.change.clone().lock_owned().await;
        blocking(move || {
            let _guard = guard;
            room.check_present()?;
            let token = new_token()?;
            let mut file = lock(&room.file).clone();
            let old = *lock(&room.token);
            if room.is_default() {
                file.retired.extend(old);
                let surplus = file.retired.len().saturating_sub(MOST_RETIRED);
                file.retired.drain(..surplus);
            }
            file.token_hash = Some(token.hash());
            room.write_file(&file)?;
            *lock(&room.file) = file;
            *lock(&room.token) = Some(token.hash());
            if let Some(old) = old {
                self.tokens.remove(&old);
            }
            let _ = self.tokens.insert(&token.hash(), Bearer::Room(room.id.clone()));
            Ok(token)
        })
        .await
    }

    pub(super) async fn remove_room(self: Arc<Self>, id: &RoomId) -> Result<()> {
        let guards =
            (self.change.clone().lock_owned().await, self.room(id)?.change.clone().lock_owned().await);
        let id = id.clone();
        blocking(move || {
            let _guards = guards;
            self.remove_now(&self.room(&id)?)
        })
        .await
    }

    fn remove_now(&self, room: &Arc<Room>) -> Result<()> {
        for invite in std::mem::take(&mut *lock(&room.invites)).0.values() {
            self.tokens.remove(&invite.token_hash);
        }
        let members = std::mem::take(&mut *write(&room.names)).members;
        for member in members.values() {
            if let Some(token) = lock(&member.record).token {
                self.tokens.remove(&token);
            }
            // Who is at work in the mailbox ends first.
            let _turn = member.turn.blocking_lock();
            let mut mailbox = lock(&member.mailbox);
            mailbox.close();
            *lock(&room.waiting) -= mailbox.amount();
            for id in mailbox.ids() {
                mailbox.remove(id);
            }
        }
        if room.is_default() {
            for name in ["agents", "spool", "tmp", "invites.json"] {
                self.put_away(&room.directory.join(name))?;
            }
            return Ok(());
        }
        room.is_gone.store(true, Ordering::Release);
        if let Some(token) = *lock(&room.token) {
            self.tokens.remove(&token);
        }
        write(&self.rooms).remove(&room.id);
        self.put_away(&room.directory)
    }

    /// Takes a file or directory away: first, at once, from where a start would find it.
    pub(super) fn put_away(&self, path: &Path) -> Result<()> {
        let aside = self.root.join(format!(".removed-{}", uuid::Uuid::new_v4().as_simple()));
        match fs::rename(path, &aside) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            result => result.on("remove", path)?,
        }
        files::sync_directory(&self.root)?;
        remove_all(&aside);
        Ok(())
    }
}

/// Removes what stands in nobody's way any more; what stays is removed at the next start.
pub(super) fn remove_all(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}
