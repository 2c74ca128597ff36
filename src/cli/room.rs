//! `room new|list|rotate|revoke`: a relay's rooms, by its admin token.

use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use super::args::{RoomAction, RoomArguments};
use super::{mistake, output};
use crate::env::Env;
use crate::message::AgentName;
use crate::relay::administrator::Administrator;
use crate::relay::options::secret_file;
use crate::relay::store::RoomId;
use crate::relay::url::RelayUrl;
use crate::relay::wire::{RoomInfo, RoomToken};
use crate::secret::Secret;

/// Where the admin token is, where no file has it.
const TOKEN: &str = "BACKCHANNEL_ADMIN_TOKEN";

pub(super) fn room(arguments: RoomArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let administrator = administrator(&arguments, env)?;
    match arguments.action {
        RoomAction::New { name } => told(&administrator.make_room(name)?, json),
        RoomAction::List => list(&administrator.rooms()?, json),
        RoomAction::Rotate { room } => told(&administrator.rotate(&id(&room)?)?, json),
        RoomAction::Revoke { room, agent: Some(agent), keep_token, .. } => {
            let (room, agent) = (id(&room)?, agent.parse().context("could not revoke the agent")?);
            revoke(&administrator, &room, &agent, keep_token, json)
        }
        RoomAction::Revoke { room, agent: None, yes: true, .. } => {
            let room = id(&room)?;
            administrator.remove_room(&room)?;
            said(
                json,
                &json!({ "ok": true, "roomId": room.as_str() }),
                &format!("room {room} is gone, with its mail\n"),
            )
        }
        RoomAction::Revoke { room, .. } => Err(mistake(
            format!("that would take room {room} away, with all its agents and mail"),
            format!("bch room revoke {room} --yes   # or one agent: bch room revoke {room} --agent NAME"),
        )),
    }
}

/// The relay that is meant, and who we are there. Both come from the same place, unless a flag names the relay: what a
/// repository puts into the environment must not send a person's token somewhere.
fn administrator(arguments: &RoomArguments, env: &Env) -> anyhow::Result<Administrator> {
    let from_file = |path: &Path| secret_file(path).context("could not use the admin token");
    let (url, token) = match (&arguments.url, env.text("BACKCHANNEL_URL"), &arguments.token_file) {
        (Some(url), _, Some(file)) => (url.clone(), from_file(file)?),
        (Some(url), _, None) => (url.clone(), from_environment(env)?),
        (None, Some(url), None) => (url, from_environment(env)?),
        (None, Some(_), Some(_)) => {
            return Err(mistake(
                "a URL from the environment needs a token from the environment",
                "bch room --url URL …",
            ));
        }
        (None, None, _) => {
            return Err(mistake("which relay is meant?", "bch room --url https://relay.example.com …"));
        }
    };
    let url: RelayUrl = url.parse().context("could not use the relay's URL")?;
    Ok(Administrator::new(url, token, arguments.insecure)?)
}

fn from_environment(env: &Env) -> anyhow::Result<Secret> {
    let token = env.text(TOKEN).ok_or_else(|| {
        mistake("the admin token is needed", "bch room --token-file FILE …   # or in BACKCHANNEL_ADMIN_TOKEN")
    })?;
    Secret::parse(&token).context("could not use BACKCHANNEL_ADMIN_TOKEN")
}

fn id(room: &str) -> anyhow::Result<RoomId> {
    RoomId::parse(room).ok_or_else(|| mistake(format!("`{room}` is no room's id"), "bch room list"))
}

/// A token, this once.
fn told(room: &RoomToken, json: bool) -> anyhow::Result<()> {
    let text = format!("room:  {}\ntoken: {}\n", room.room_id, room.room_token.expose());
    said(json, &serde_json::to_value(room)?, &text)
}

fn revoke(
    administrator: &Administrator,
    room: &RoomId,
    agent: &AgentName,
    keep_token: bool,
    json: bool,
) -> anyhow::Result<()> {
    let revoked = administrator.revoke_agent(room, agent, keep_token)?;
    let mut text = format!("@{agent} is revoked in room {room}; unread mail goes back to its senders\n");
    match &revoked.room_token {
        Some(token) => text.push_str(&format!("the room's new token: {}\n", token.expose())),
        None => text.push_str("the room's token is the old one\n"),
    }
    said(json, &serde_json::to_value(&revoked)?, &text)
}

fn list(rooms: &[RoomInfo], json: bool) -> anyhow::Result<()> {
    let line = |room: &RoomInfo| {
        let name = room.name.as_deref().unwrap_or("");
        format!(
            "{}  {} agents  {} waiting  {}  {name}\n",
            room.room_id, room.agents, room.waiting, room.created_at
        )
    };
    said(json, &serde_json::to_value(rooms)?, &rooms.iter().map(line).collect::<String>())
}

fn said(json: bool, value: &serde_json::Value, text: &str) -> anyhow::Result<()> {
    if json {
        output::print_json(value)?;
    } else {
        output::print(&output::plain(text))?;
    }
    Ok(())
}
