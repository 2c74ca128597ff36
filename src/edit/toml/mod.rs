//! TOML: a table of ours is added at the end of the text, or as a member of an inline table, and cut out where it
//! stands. Every other byte stays.

mod cut;
mod value;

use serde_json::Value;
use toml_edit::{Document, InlineTable, Item, Key};

use super::lines::{self, Gap};
use super::place::{Reason, Refusal};
use super::{Entry, Presence, bears_any, holds, merged};
use cut::cut;
use value::{json_value, table_text, toml_value};

fn parse(text: &str) -> Result<Document<&str>, Refusal> {
    Document::parse(text).map_err(|error| {
        let what = error.message().lines().next().unwrap_or_default().to_owned();
        Refusal::new(Reason::Syntax(what), text, error.span().map_or(0, |span| span.start))
    })
}

/// The item at a path; an error where something on the way is no table.
fn find_item<'a>(
    document: &'a Document<&str>,
    text: &str,
    path: &[String],
) -> Result<Option<&'a Item>, Refusal> {
    let mut item = document.as_item();
    for (depth, key) in path.iter().enumerate() {
        let Some(table) = item.as_table_like() else {
            let path = path[..depth].join(".");
            let offset = item.span().map_or(0, |span| span.start);
            return Err(Refusal::new(Reason::Type { path, wanted: "a table" }, text, offset));
        };
        match table.get(key) {
            Some(next) => item = next,
            None => return Ok(None),
        }
    }
    Ok(Some(item))
}

/// The text with the member in an inline table, behind the last one.
fn with_piece(text: &str, table: &InlineTable, path: &[String], value: &Value) -> Option<String> {
    let key = Key::new(path.last()?.as_str());
    let piece = format!("{key} = {}", toml_value(value));
    let start = table.span()?.start + 1;
    let (at, piece) = match last_end(table) {
        Some(end) => (end, format!(", {piece}")),
        None if text[start..].starts_with('}') => (start, piece),
        None => (start, format!(" {piece}")),
    };
    Some([&text[..at], &piece, &text[at..]].concat())
}

/// Behind the last value of an inline table; one made by dotted keys has no place of its own.
fn last_end(table: &InlineTable) -> Option<usize> {
    let end = |(_, value): (&str, &toml_edit::Value)| match value.as_inline_table() {
        Some(below) if below.is_dotted() => last_end(below),
        _ => Some(value.span()?.end),
    };
    table.iter().filter_map(end).max()
}

pub(super) fn insert(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let mut edited = text.to_owned();
    for entry in entries {
        let Entry::Member { path, value, replaces, .. } = entry else { continue };
        let Some((_, above)) = path.split_last() else { continue };
        let document = parse(&edited)?;
        let mut wanted = value.clone();
        match find_item(&document, &edited, path)? {
            Some(item) if holds(&json_value(item), value) => continue,
            Some(item) if !bears_any(&json_value(item), replaces) => {
                let start = item.span().map_or(0, |span| span.start);
                return Err(Refusal::new(Reason::NotOurs(path.join(".")), &edited, start));
            }
            Some(item) => {
                wanted = merged(&json_value(item), value);
                edited = cut(&edited, path)?;
            }
            None => {}
        }
        let document = parse(&edited)?;
        let holder = find_item(&document, &edited, above)?;
        let inline = holder.and_then(Item::as_inline_table);
        let next = match inline {
            Some(table) => with_piece(&edited, table, path, &wanted),
            None => Some(lines::with(&edited, &table_text(path, &wanted), Gap::Line)),
        };
        let next = next.unwrap_or_default();
        let is_there = parse(&next).is_ok_and(|document| {
            find_item(&document, &next, path).is_ok_and(|item| item.map(json_value).as_ref() == Some(&wanted))
        });
        if !is_there {
            let what = format!("there is no place for `{}`", path.join("."));
            return Err(Refusal::new(Reason::Syntax(what), text, text.len()));
        }
        edited = next;
    }
    Ok(edited)
}

pub(super) fn remove(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let mut edited = text.to_owned();
    parse(text)?;
    for entry in entries.iter().rev() {
        let Entry::Member { path, mark, .. } = entry else { continue };
        let document = parse(&edited)?;
        let value = find_item(&document, &edited, path)?.map(json_value);
        let is_ours = value.is_some_and(|value| bears_any(&value, mark));
        if is_ours {
            edited = cut(&edited, path)?;
        }
    }
    parse(&edited)?;
    Ok(edited)
}

pub(super) fn find(text: &str, entries: &[Entry]) -> Result<Vec<Presence>, Refusal> {
    let document = parse(text)?;
    entries
        .iter()
        .map(|entry| match entry {
            Entry::Member { path, value, .. } => Ok(match find_item(&document, text, path)? {
                None => Presence::Absent,
                Some(item) if holds(&json_value(item), value) => Presence::AsWritten,
                Some(_) => Presence::Different,
            }),
            _ => Ok(Presence::Absent),
        })
        .collect()
}

pub(super) fn extract(text: &str, entries: &[Entry]) -> Result<Vec<Entry>, Refusal> {
    let document = parse(text)?;
    let mut found = Vec::new();
    for entry in entries {
        let Entry::Member { path, mark, replaces, .. } = entry else { continue };
        let value = find_item(&document, text, path)?.map(json_value);
        found.extend(value.filter(|value| bears_any(value, mark)).map(|value| Entry::Member {
            path: path.clone(),
            value,
            mark: mark.clone(),
            replaces: replaces.clone(),
        }));
    }
    Ok(found)
}

pub(super) fn value(text: &str) -> Result<Value, Refusal> {
    Ok(json_value(parse(text)?.as_item()))
}
