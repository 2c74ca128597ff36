//! What cron jobs need so that they can use the mail: the search path, who they are, and which home is theirs.
//!
//! cron expands nothing in a setting, and takes all behind the `=` for the value, quotes, `%` and `#` among it, but for
//! quotes around the whole and blanks at its ends. In a command `%` is a line end unless `\` stands before it, between
//! quotes of the shell, too (crontab(5); each run on Debian's cron 3.0pl1-162, 2026-11-25).

use std::fs;
use std::path::Path;

use super::Ground;
use crate::edit::crontab::{Setting, programs, settings};
use crate::edit::{Entry, Format};
use crate::install::{CRON, CRONTAB, Content, Error, Fault, Store, Wish};
use crate::shell::quoted;

/// Where cron looks for a job's programs unless a crontab says so: `/usr/bin:/bin` (run on Debian, even where PAM or
/// its own environment have others), and the directories beside them that other crons have for root. Ours comes last,
/// so that it hides no program of the user's.
const PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";
/// Debian's cron takes no longer line (run).
const LONGEST: usize = 998;
/// The programs that run crontabs: of Debian and FreeBSD, cronie and BusyBox, fcron.
const DAEMONS: [&str; 3] = ["cron", "crond", "fcron"];

/// What goes into the crontab; a job for the notifier among it where that is wanted, and no service manager answers
/// that could run it.
///
/// # Errors
/// Where a path of ours has letters that a crontab cannot hold.
pub fn wish(ground: &Ground<'_>, notifier: bool) -> Result<Wish, Fault> {
    let agent = ground.identities.get(CRON).or(ground.agent.as_ref());
    let mut lines = vec![format!("PATH={PATH}:{}", ground.programs.display())];
    lines.extend(agent.map(|agent| format!("BACKCHANNEL_AGENT={agent}")));
    if ground.env.default_home().as_ref() != Some(&ground.home) {
        lines.push(format!("BACKCHANNEL_HOME={}", ground.home.display()));
    }
    if notifier && ground.manager.is_none() {
        let program = quoted(&ground.programs.join("bch"));
        let line = format!("{program} notify --once --home {} >/dev/null 2>&1 || true", quoted(&ground.home));
        lines.push(format!("* * * * * {}", line.replace('%', "\\%")));
    }
    for path in [&ground.programs, &ground.home] {
        let text = path.to_string_lossy();
        // A `:` parts the search path; what a `\` becomes is each cron's own.
        let is_strange = |letter: char| letter.is_control() || letter == '\\' || letter == ':';
        if text.contains(is_strange) || text.ends_with(' ') || lines.iter().any(|line| line.len() > LONGEST) {
            return Err(Fault::Path { path: path.clone() });
        }
    }
    let entries = vec![Entry::Section { text: lines.join("\n") }];
    let content = Content::Entries { format: Format::Crontab, entries, outdated: Vec::new() };
    Ok(Wish { owner: CRON.to_owned(), path: CRONTAB.into(), content, lock: None })
}

/// Any block of ours, to be taken out.
#[must_use]
pub fn any() -> Wish {
    let entries = vec![Entry::Section { text: String::new() }];
    let content = Content::Entries { format: Format::Crontab, entries, outdated: Vec::new() };
    Wish { owner: CRON.to_owned(), path: CRONTAB.into(), content, lock: None }
}

/// Whether the crontab has a block for our programs as they lie here, and not for those of another home.
///
/// # Errors
/// Where it cannot be read.
pub fn is_there(ground: &Ground<'_>, store: &Store) -> Result<bool, Error> {
    let found = store.bytes(Path::new(CRONTAB))?.unwrap_or_default();
    Ok(programs(&String::from_utf8_lossy(&found)).is_some_and(|programs| programs == ground.programs))
}

/// Whether the crontab is free for a block of ours.
///
/// # Errors
/// Where it cannot be read, or has the block of another backchannel that is still there.
pub fn check(ground: &Ground<'_>, store: &Store) -> Result<(), Error> {
    let found = store.bytes(Path::new(CRONTAB))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&found);
    match programs(&text).filter(|programs| *programs != ground.programs && programs.join("bch").exists()) {
        Some(programs) => Err(Fault::Another { programs: programs.to_owned() }.into()),
        None => Ok(()),
    }
}

/// What a person has to do yet, and by which command.
#[derive(Debug, Clone)]
pub struct Step {
    /// What, and why.
    pub what: String,
    /// The command.
    pub how: &'static str,
}

impl std::fmt::Display for Step {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} ({})", self.what, self.how)
    }
}

/// What a person has to do yet: settings of the user's hold in place of ours, and nobody may run the jobs.
#[must_use]
pub fn steps(ground: &Ground<'_>) -> Vec<Step> {
    let found = Store::crontab(ground.env).find(Path::new(CRONTAB)).ok().and_then(|found| found.bytes);
    let text = String::from_utf8(found.unwrap_or_default()).unwrap_or_default();
    let mut steps = hidden(ground, &text);
    if !has_daemon() {
        steps.push(Step {
            what: "start cron: it does not seem to run here, so that no job is run".into(),
            how: "sudo service cron start",
        });
    }
    steps
}

/// Whether a cron daemon runs; where processes cannot be looked at, as on macOS, one does.
fn has_daemon() -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let name = |process: fs::DirEntry| fs::read_to_string(process.path().join("comm")).ok();
    let mut names = processes.flatten().filter_map(name);
    names.any(|name| DAEMONS.contains(&name.trim_end()))
}

fn hidden(ground: &Ground<'_>, crontab: &str) -> Vec<Step> {
    let programs = ground.programs.to_string_lossy();
    let step = |Setting { name, line, value }: &Setting<'_>| match *name {
        "PATH" if value.contains(&*programs) => None,
        "PATH" => Some(format!(
            "line {line} of your crontab sets PATH: add `:{programs}` to it, so that the jobs below find `bch`"
        )),
        "BACKCHANNEL_AGENT" | "BACKCHANNEL_HOME" => Some(format!(
            "line {line} of your crontab sets {name}: it holds for the jobs below, in place of ours"
        )),
        _ => None,
    };
    settings(crontab).iter().filter_map(step).map(|what| Step { what, how: "crontab -e" }).collect()
}
