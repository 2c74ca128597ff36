//! `invite`: a line that admits somebody to a room, or a document by which an agent alone can join.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::args::InviteArguments;
use super::{mistake, output, secrets};
use crate::env::Env;
use crate::invite::Invite;
use crate::message::ChannelName;
use crate::relay::store::RoomId;
use crate::relay::url::{InvalidUrl, NotSecure, RelayUrl};
use crate::shell::word;
use crate::spool;
use crate::spool::local::files;
use crate::spool::relay::{Newcomer, Refusal};

/// The document, with places for what is told.
const DOCUMENT: &str = include_str!("../../templates/onboarding.md");
/// What every such document begins with.
const TITLE: &str = "# Join the mail of the agents at ";

pub(super) fn invite(arguments: &InviteArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let again = |url: &str| format!("bch invite --url {url} --token-file FILE");
    let url: RelayUrl = arguments.url.parse().map_err(|error: InvalidUrl| {
        mistake(format!("could not use the URL: {error}"), again(InvalidUrl::example()))
    })?;
    url.check_secure(arguments.insecure).map_err(|error| {
        let NotSecure(url) = &error;
        let hint = again(&format!("https://{}", url.host()));
        mistake(error.to_string(), format!("{hint}   # or --insecure, where nobody reads along"))
    })?;
    let channels = channels(&arguments.channel)?;
    if let Some(path) = &arguments.out {
        check_place(path)?;
    }
    let seconds = arguments.expires.as_secs().unsigned_abs();
    let room = arguments.room.clone();
    if let Some(room) = room.as_ref().filter(|room| RoomId::parse(room).is_none()) {
        return Err(mistake(format!("`{room}` is no room's id"), "bch room list"));
    }
    let room_token =
        secrets::token(&secrets::ROOM, arguments.token_file.as_deref(), &again(url.as_str()), env)?;
    let newcomer = Newcomer::meet(url.clone(), room.clone(), room_token.clone()).map_err(refused)?;
    let (invite, id) = if newcomer.may_invite() {
        let invited = newcomer.invite(seconds, arguments.uses).map_err(refused)?;
        let exp = invited.expires_at.parse::<Timestamp>().ok();
        let is_default = invited.room_id == RoomId::default_room().as_str();
        let room = room.or((!is_default).then_some(invited.room_id));
        (Invite { url, token: invited.token, room, channels, exp }, Some(invited.id))
    } else {
        output::remark(
            "warning",
            "this relay makes no tokens for invites: the invite carries the room's own, which holds until it is changed",
        );
        (Invite { url, token: room_token, room, channels, exp: None }, None)
    };
    let expires = invite.exp.map(|exp| exp.to_string());
    match &arguments.out {
        Some(path) => {
            files::replace(path, document(&invite, arguments.insecure).as_bytes())?;
            if json {
                output::print_json(&json!({ "file": path, "id": id, "expiresAt": expires }))?;
            } else {
                output::print(&format!("written to {}; whoever reads it can join\n", path.display()))?;
            }
        }
        None if json => {
            output::print_json(&json!({ "invite": invite.to_string(), "id": id, "expiresAt": expires }))?;
        }
        None => output::print(&format!("{invite}\n"))?,
    }
    if !json && let Some(exp) = invite.exp {
        let uses = arguments.uses;
        output::remark(
            "note",
            &format!("it holds until {exp:.0} and for {uses} agents: bch join INVITE --as NAME"),
        );
    }
    Ok(())
}

fn channels(texts: &[String]) -> anyhow::Result<Vec<ChannelName>> {
    let name = |text: &String| if text.starts_with('#') { text.clone() } else { format!("#{text}") };
    let read = |text: &String| {
        name(text).parse().map_err(|error: crate::message::InvalidName| {
            mistake(format!("could not invite to `{text}`: {error}"), "bch invite --channel '#team' …")
        })
    };
    texts.iter().map(read).collect()
}

/// Refuses to write over what is no such document.
fn check_place(path: &Path) -> anyhow::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.is_file() => {
            let is_ours =
                files::read(path).ok().flatten().is_some_and(|bytes| bytes.starts_with(TITLE.as_bytes()));
            if is_ours {
                return Ok(());
            }
        }
        _ => {}
    }
    Err(mistake(
        format!("{} is there already, and is no invite's document", path.display()),
        format!("bch invite --out ANOTHER …   # or look: ls -l {}", word(path)),
    ))
}

fn refused(refusal: Refusal) -> anyhow::Error {
    match refusal {
        Refusal::Unknown { url, reason } | Refusal::Refused { url, status: 403, reason } => mistake(
            format!("the relay at {url} lets nobody invite by this token: {reason}"),
            "bch invite --url URL --token-file FILE   # with the room's token, without --room; the operator makes \
             another by: bch room rotate ROOM",
        ),
        Refusal::Refused { url, status: 400, reason } => {
            mistake(format!("the relay at {url} refuses: {reason}"), "bch invite --expires 7d --uses 10 …")
        }
        refusal => anyhow::Error::new(spool::Error::from(refusal)).context("could not invite"),
    }
}

fn document(invite: &Invite, is_insecure: bool) -> String {
    let until =
        invite.exp.map_or_else(|| "the room's token is changed".to_owned(), |exp| format!("{exp:.0}"));
    let needs = is_insecure && !invite.url.is_secure();
    let (to, whom) = match invite.channels.first() {
        Some(channel) => (
            format!("'{channel}'"),
            format!("to {channel}; where nobody else reads it yet, the command says so"),
        ),
        None => ("@SOMEBODY".to_owned(), "to SOMEBODY of the list".to_owned()),
    };
    DOCUMENT
        .replace("{invite}", &invite.to_string())
        .replace("{insecure}", if needs { " --insecure" } else { "" })
        .replace("{url}", invite.url.as_str())
        .replace("{to}", &to)
        .replace("{whom}", &whom)
        .replace("{until}", &until)
}
