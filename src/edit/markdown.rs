//! A section of ours in a Markdown file, between two lines that only we write.
//!
//! The lines are recognised outside fenced code blocks alone: a page that quotes them is no section.

use super::lines::{self, Gap, line_end};
use super::marked::Marks;
use super::place::Refusal;
use super::{Entry, Presence};

const BEGIN: &str = "<!-- backchannel:begin (bch setup writes this section, bch uninstall removes it) -->";
const END: &str = "<!-- backchannel:end -->";
const MARKS: Marks = Marks {
    begin: "<!-- backchannel:begin",
    end: END,
    second: "a second section of backchannel begins",
    stray_end: "a section of backchannel ends that never began",
    endless: "the section of backchannel has no end",
};

/// A line and its place.
type Line<'a> = (usize, &'a str);

/// The lines outside fenced code blocks, each with its place. A fence that nothing closes is a line like others.
fn open_lines(text: &str) -> Vec<Line<'_>> {
    let (mut lines, mut fence) = (Vec::new(), None::<(&str, Vec<Line<'_>>)>);
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let ticks = bare.len() - bare.trim_start_matches('`').len();
        let tildes = bare.len() - bare.trim_start_matches('~').len();
        match &mut fence {
            Some((open, _))
                if bare.starts_with(*open) && bare.chars().all(|letter| open.starts_with(letter)) =>
            {
                fence = None;
            }
            Some((_, inside)) => inside.push((offset, line)),
            // The words behind the ticks of a fence have none of their own.
            None if tildes >= 3 || ticks >= 3 && !bare[ticks..].contains('`') => {
                fence = Some((&bare[..ticks.max(tildes)], vec![(offset, line)]))
            }
            None => lines.push((offset, line)),
        }
        offset += line.len();
    }
    lines.extend(fence.into_iter().flat_map(|(_, inside)| inside));
    lines
}

/// The section's place, from its first line's start to the end of its last line.
fn section(text: &str) -> Result<Option<std::ops::Range<usize>>, Refusal> {
    // An indented one is code.
    MARKS.find(text, open_lines(text), str::trim_end)
}

/// The lines of the section that is wanted, each with its end.
fn wanted(entries: &[Entry]) -> Option<String> {
    entries.iter().find_map(|entry| match entry {
        Entry::Section { text } => Some(format!("{BEGIN}\n{}\n{END}\n", text.trim_end())),
        _ => None,
    })
}

pub(super) fn insert(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let Some(wanted) = wanted(entries) else { return Ok(text.to_owned()) };
    let Some(place) = section(text)? else { return Ok(lines::with(text, &wanted, Gap::Line)) };
    if is_alike(&text[place.clone()], &wanted) {
        return Ok(text.to_owned());
    }
    let wanted = wanted.replace('\n', line_end(text));
    // At the end of a file without a final line end it has none, either.
    let wanted = if text[place.clone()].ends_with('\n') { &wanted } else { wanted.trim_end() };
    Ok([&text[..place.start], wanted, &text[place.end..]].concat())
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
            edited = lines::without(&edited, place, Gap::Line);
        }
    }
    Ok(edited)
}

/// The section under a heading: the lines that follow it without an empty one.
fn under_heading(text: &str, heading: &str) -> Option<std::ops::Range<usize>> {
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let (mut start, mut offset) = (None, 0);
    for (place, line) in open_lines(text) {
        match start {
            None if line.trim_end() == heading => start = Some(place),
            // What follows an empty line, another heading or a section of ours is the user's own.
            Some(start) if line.trim().is_empty() || level(line) > 0 || line.starts_with(MARKS.begin) => {
                return Some(start..place);
            }
            _ => {}
        }
        offset = place + line.len();
    }
    Some(start?..offset)
}

/// Whether two texts have the same lines, but for white space at their ends.
fn is_alike(one: &str, other: &str) -> bool {
    one.lines().map(str::trim_end).eq(other.lines().map(str::trim_end))
}

pub(super) fn find(text: &str, entries: &[Entry]) -> Result<Vec<Presence>, Refusal> {
    let found = section(text)?.map(|place| &text[place]);
    let wanted = wanted(entries).unwrap_or_default();
    Ok(entries
        .iter()
        .map(|entry| match found {
            _ if !matches!(entry, Entry::Section { .. }) => Presence::Absent,
            None => Presence::Absent,
            Some(text) if is_alike(text, &wanted) => Presence::AsWritten,
            Some(_) => Presence::Different,
        })
        .collect())
}
