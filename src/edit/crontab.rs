//! A block of ours in a crontab, between two comments that only we write.
//!
//! It stands first: a setting in a crontab holds for the jobs below it alone (crontab(5); run on Debian's cron
//! 3.0pl1-162, 2026-11-25), and the jobs are to profit of ours. Its lines end in `\n` even where others do not: cron
//! takes a `\r` for a part of the value. Whether the lines are what cron takes is not asked here: `crontab` says so.

use std::ops::Range;
use std::path::Path;

use super::marked::Marks;
use super::place::Refusal;
use super::{Entry, Presence};

const BEGIN: &str = "# >>> backchannel >>> (bch setup writes these lines, bch uninstall removes them)";
const END: &str = "# <<< backchannel <<<";
const MARKS: Marks = Marks {
    begin: "# >>> backchannel >>>",
    end: END,
    second: "a second block of backchannel begins",
    stray_end: "a block of backchannel ends that never began",
    endless: "the block of backchannel has no end",
};

/// The settings that setup writes, and what its job is told by.
const OWN_SETTINGS: [&str; 3] = ["PATH", "BACKCHANNEL_AGENT", "BACKCHANNEL_HOME"];
const OWN_JOB: &str = " notify --once --home ";

/// The block's place, from its first line's start to the end of its last line.
fn block(text: &str) -> Result<Option<Range<usize>>, Refusal> {
    let mut offset = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        offset += line.len();
        (offset - line.len(), line)
    });
    MARKS.find(text, lines, str::trim)
}

/// The lines of the block that is wanted, each with its end.
fn wanted(entries: &[Entry]) -> Option<String> {
    entries.iter().find_map(|entry| match entry {
        Entry::Section { text } => Some(format!("{BEGIN}\n{}\n{END}\n", text.trim_end())),
        _ => None,
    })
}

/// What of a block is the user's: lines that somebody put between the two marks.
fn strangers(block: &str, wanted: &str) -> String {
    let lines: Vec<_> = block.split_inclusive('\n').collect();
    let inner = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
    let is_ours = |line: &str| wanted.lines().any(|wanted| wanted == line) || is_of_setup(line);
    inner.iter().filter(|line| !is_ours(line.trim())).copied().collect()
}

/// Whether setup writes such a line, whatever the value in it.
fn is_of_setup(line: &str) -> bool {
    let is_setting = line.split_once('=').is_some_and(|(name, _)| OWN_SETTINGS.contains(&name));
    line.is_empty() || is_setting || line.starts_with("* * * * * ") && line.contains(OWN_JOB)
}

pub(super) fn insert(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let Some(wanted) = wanted(entries) else { return Ok(text.to_owned()) };
    // One that was moved keeps its place: whoever moved it knows which jobs it is for.
    let place = block(text)?.unwrap_or(0..0);
    let strangers = strangers(&text[place.clone()], &wanted);
    Ok([&text[..place.start], &wanted, &strangers, &text[place.end..]].concat())
}

pub(super) fn remove(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let Some(wanted) = wanted(entries) else { return Ok(text.to_owned()) };
    let place = block(text)?.unwrap_or(0..0);
    let strangers = strangers(&text[place.clone()], &wanted);
    Ok([&text[..place.start], &strangers, &text[place.end..]].concat())
}

pub(super) fn find(text: &str, entries: &[Entry]) -> Result<Vec<Presence>, Refusal> {
    let found = block(text)?.map(|place| &text[place]);
    let wanted = wanted(entries).unwrap_or_default();
    let presence = |entry: &Entry| match found {
        Some(found) if matches!(entry, Entry::Section { .. }) => match found == wanted {
            true => Presence::AsWritten,
            false => Presence::Different,
        },
        _ => Presence::Absent,
    };
    Ok(entries.iter().map(presence).collect())
}

/// The directory of the programs that a block of ours leads to: the last of its `PATH`.
#[must_use]
pub fn programs(text: &str) -> Option<&Path> {
    let block = &text[block(text).ok()??];
    let path = block.lines().find_map(|line| line.strip_prefix("PATH="))?;
    path.rsplit(':').next().map(Path::new)
}

/// A setting in a crontab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The line, from 1.
    pub line: usize,
    /// The variable.
    pub name: &'a str,
    /// All behind the `=`.
    pub value: &'a str,
}

/// The settings of the user's own: they hold in place of ours, for the jobs below them.
#[must_use]
pub fn settings(text: &str) -> Vec<Setting<'_>> {
    let ours = block(text).ok().flatten().unwrap_or(0..0);
    let (mut settings, mut offset) = (Vec::new(), 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if let Some((name, value)) = line.split_once('=').filter(|_| !ours.contains(&offset)) {
            let (name, value) = (name.trim().trim_matches(['"', '\'']), value.trim());
            if !name.is_empty() && name.chars().all(is_letter) {
                settings.push(Setting { line: number + 1, name, value });
            }
        }
        offset += line.len();
    }
    settings
}
