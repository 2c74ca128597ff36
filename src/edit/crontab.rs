//! A block of ours in a crontab, between two comments that only we write.
//!
//! It stands first: a setting in a crontab holds for the jobs below it alone (crontab(5); run on Debian's cron
//! 3.0pl1-162, 2026-11-25), and the jobs are to profit of ours. Its lines end in `\n` even where others do not: cron
//! takes a `\r` for a part of the value. Whether the lines are what cron takes is not asked here: `crontab` says so.

use std::ops::Range;

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

pub(super) fn insert(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let Some(wanted) = wanted(entries) else { return Ok(text.to_owned()) };
    // One that was moved keeps its place: whoever moved it knows which jobs it is for.
    let place = block(text)?.unwrap_or(0..0);
    Ok([&text[..place.start], &wanted, &text[place.end..]].concat())
}

pub(super) fn remove(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    if wanted(entries).is_none() {
        return Ok(text.to_owned());
    }
    let place = block(text)?.unwrap_or(0..0);
    Ok([&text[..place.start], &text[place.end..]].concat())
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
