//! A section of ours in a Markdown file, between two lines that only we write.
//!
//! The lines are recognised outside fenced code blocks alone: a page that quotes them is no section.

use super::place::{Reason, Refusal};
use super::{Entry, Presence};

const BEGIN: &str = "<!-- backchannel:begin (bch setup writes this section, bch uninstall removes it) -->";
/// What a beginning line starts with, whatever a later version adds.
const BEGIN_MARK: &str = "<!-- backchannel:begin";
const END: &str = "<!-- backchannel:end -->";

/// The section's place, from its first line's start to the end of its last line.
fn section(text: &str) -> Result<Option<std::ops::Range<usize>>, Refusal> {
    let (mut found, mut begin, mut fence): (Option<std::ops::Range<usize>>, Option<usize>, Option<&str>) =
        (None, None, None);
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let ticks = bare.len() - bare.trim_start_matches('`').len();
        let tildes = bare.len() - bare.trim_start_matches('~').len();
        match fence {
            Some(open) if bare.starts_with(open) && bare.chars().all(|letter| open.starts_with(letter)) => {
                fence = None
            }
            Some(_) => {}
            None if ticks >= 3 => fence = Some(&bare[..ticks]),
            None if tildes >= 3 => fence = Some(&bare[..tildes]),
            None if bare.starts_with(BEGIN_MARK) => {
                if begin.is_some() || found.is_some() {
                    return Err(Refusal::new(
                        Reason::Section("a second section of backchannel begins"),
                        text,
                        offset,
                    ));
                }
                begin = Some(offset);
            }
            None if bare == END => match begin.take() {
                Some(start) => found = Some(start..offset + line.len()),
                None => {
                    return Err(Refusal::new(
                        Reason::Section("a section of backchannel ends that never began"),
                        text,
                        offset,
                    ));
                }
            },
            None => {}
        }
        offset += line.len();
    }
    match begin {
        Some(start) => {
            Err(Refusal::new(Reason::Section("the section of backchannel has no end"), text, start))
        }
        None => Ok(found),
    }
}

fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

fn wanted(entries: &[Entry], line_end: &str) -> Option<String> {
    entries.iter().find_map(|entry| match entry {
        Entry::Section { text } => {
            let lines = std::iter::once(BEGIN).chain(text.trim_end().lines()).chain(std::iter::once(END));
            Some(lines.flat_map(|line| [line, line_end]).collect())
        }
        _ => None,
    })
}

pub(super) fn insert(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let line_end = line_end(text);
    let Some(wanted) = wanted(entries, line_end) else { return Ok(text.to_owned()) };
    if let Some(place) = section(text)? {
        return Ok([&text[..place.start], &wanted, &text[place.end..]].concat());
    }
    let separator = match text {
        "" => String::new(),
        text if text.ends_with('\n') => line_end.to_owned(),
        _ => line_end.repeat(2),
    };
    Ok([text, &separator, &wanted].concat())
}

/// Takes the sections out, each with one empty line before it.
pub(super) fn remove(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let mut edited = text.to_owned();
    for entry in entries {
        let place = match entry {
            Entry::Section { .. } => section(&edited)?,
            Entry::Heading { line } => under_heading(&edited, line),
            _ => None,
        };
        if let Some(place) = place {
            edited = without(&edited, &place);
        }
    }
    Ok(edited)
}

/// The section under a heading: to the next one of its level or above.
fn under_heading(text: &str, heading: &str) -> Option<std::ops::Range<usize>> {
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let (mut start, mut offset) = (None, 0);
    for line in text.split_inclusive('\n') {
        match start {
            None if line.trim_end() == heading => start = Some(offset),
            Some(start) if (1..=level(heading)).contains(&level(line)) || line.starts_with(BEGIN_MARK) => {
                return Some(start..offset);
            }
            _ => {}
        }
        offset += line.len();
    }
    Some(start?..offset)
}

fn without(text: &str, place: &std::ops::Range<usize>) -> String {
    let before = &text[..place.start];
    let shorter = before.strip_suffix('\n').map(|rest| rest.strip_suffix('\r').unwrap_or(rest));
    // Only an empty line is taken: the line before it keeps its end.
    let before = match shorter {
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => rest,
        _ => before,
    };
    [before, &text[place.end..]].concat()
}

pub(super) fn find(text: &str, entries: &[Entry]) -> Result<Vec<Presence>, Refusal> {
    let found = section(text)?.map(|place| &text[place]);
    let normal = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let wanted = wanted(entries, "\n").unwrap_or_default();
    Ok(entries
        .iter()
        .map(|entry| match found {
            _ if !matches!(entry, Entry::Section { .. }) => Presence::Absent,
            None => Presence::Absent,
            Some(text) if normal(text) == normal(&wanted) => Presence::AsWritten,
            Some(_) => Presence::Different,
        })
        .collect())
}
