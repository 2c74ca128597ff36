//! `join`: an agent of this machine at a relay by an invite, its harnesses set up, and a table of what works.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::args::JoinArguments;
use super::enrol::{Admission, Way, enrol};
use super::setup::{self, is_a_person_here};
use super::{harnesses, mistake, output, secrets};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::env::Env;
use crate::invite::{InvalidInvite, Invite};
use crate::message::AgentName;
use crate::shell::word;
use crate::spool::local::files::NO_WAIT;

/// Bytes that are read of a file with an invite.
const LONGEST: u64 = 64 * 1024;

pub(super) fn join(arguments: &JoinArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let name: AgentName = arguments.name.parse().map_err(|error: crate::message::InvalidName| {
        mistake(format!("could not join: {error}"), "bch join INVITE --as bob-claude")
    })?;
    if arguments.setup.plan.dry_run {
        return Err(mistake("joining cannot be tried without doing it", "bch setup --dry-run"));
    }
    if !arguments.setup.plan.yes && !is_a_person_here(env) {
        return Err(mistake(
            "nobody is here to answer what setup asks",
            format!("bch join INVITE --as {name} --yes"),
        ));
    }
    let of_harnesses = setup::check(&arguments.setup, env)?;
    let invite = read_invite(arguments.invite.as_deref(), &name, env)?;
    let hint = "bch invite --url URL   # whoever keeps the room makes a new one";
    invite.check(env.now()).map_err(|error| mistake(format!("could not join: {error}"), hint))?;
    let Invite { url, token, room, channels, .. } = invite;
    let admission = Admission { url, token, room, channels, insecure: arguments.insecure, way: Way::Invite };
    let told = |text: &str| if json { Ok(()) } else { output::print(&output::plain(text)) };
    told(&enrol(&name, &admission, false, env)?.text(&name))?;
    for further in of_harnesses.iter().filter(|further| **further != name) {
        if Credentials::kept(&Config::load(env)?, further).ok().flatten().is_none() {
            let enrolled = enrol(further, &admission, true, env)
                .with_context(|| format!("@{name} has joined, and @{further} has not"))?;
            told(&enrolled.text(further))?;
        }
    }
    // The agent is there whatever becomes of the harnesses.
    match setup::setup(&arguments.setup, json, env) {
        Err(error) if super::chain(&error).contains(setup::NO_HARNESS) => {
            if json {
                output::print_json(&serde_json::json!({ "harnesses": [] }))?;
            }
            let told = "mail is read by `bch drain`, and `bch setup` tells a harness later";
            output::remark("note", &format!("{}: {told}", setup::NO_HARNESS));
            Ok(())
        }
        Err(error) => Err(error.context(format!("@{name} has joined, but the harnesses were not set up"))),
        Ok(()) if json => Ok(()),
        Ok(()) => {
            output::print("\n")?;
            harnesses::harnesses(false, env)
        }
    }
}

/// The invite: as it stands, from standard input, from a file, or typed.
fn read_invite(given: Option<&str>, name: &AgentName, env: &Env) -> anyhow::Result<Invite> {
    let again = format!("bch join - --as {name}");
    let text = match given {
        Some("-") => secrets::from_stdin()?,
        Some(given) => match given.strip_prefix('@') {
            Some(file) => read_file(Path::new(file)).map_err(|error| {
                let hint = format!("ls -l {}", word(Path::new(file)));
                mistake(format!("could not read the invite in {file}: {error}"), hint)
            })?,
            None => given.to_owned(),
        },
        None if is_a_person_here(env) => secrets::typed("The invite", &again)?,
        None => return Err(mistake("an invite is needed", format!("{again} --yes <FILE"))),
    };
    text.parse().map_err(|error: InvalidInvite| {
        mistake(format!("could not join: {error}"), format!("{again}   # then paste it whole, and Ctrl-D"))
    })
}

/// A file of whomever it is: a pipe in its place must not hold us up.
fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = File::options().read(true).custom_flags(NO_WAIT).open(path)?;
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}
