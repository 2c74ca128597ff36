//! JSON, with or without comments: each entry is put in and cut out as a piece of text, so that whatever is
//! not ours keeps its bytes.

mod document;
mod layout;
mod ours;
mod spelling;

use jsonc_parser::common::Ranged;
use serde_json::Value;

use super::lines::{self, Gap};
use super::place::{Reason, Refusal};
use super::{Entry, Format, Holder, Presence, bears_any, holds, merged};
use document::Document;
use ours::{Ours, ours, value_of};

/// How often one entry's place may be mended: more than that is a fault of ours, and must not go on for ever.
const MOST_STEPS: usize = 100;

pub(super) fn insert(
    format: Format,
    text: &str,
    entries: &[Entry],
) -> Result<(String, Vec<Holder>), Refusal> {
    let (mut edited, mut holders) = (text.to_owned(), Vec::new());
    Document::parse(format, text)?.root()?;
    for entry in entries {
        edited = repeat(format, edited, |document| step(document, entry, &mut holders))?;
    }
    Ok((edited, holders))
}

/// Edits a text step by step, until there is nothing more to do.
fn repeat(
    format: Format,
    mut text: String,
    mut step: impl FnMut(&Document<'_>) -> Result<Option<String>, Refusal>,
) -> Result<String, Refusal> {
    for _ in 0..MOST_STEPS {
        match step(&Document::parse(format, &text)?)? {
            Some(next) => text = next,
            None => return Ok(text),
        }
    }
    Err(Refusal::new(Reason::Syntax("there is no place for our entry".into()), &text, 0))
}

/// The text one step nearer to holding the entry as it has to be; `None` once it does.
fn step(
    document: &Document<'_>,
    entry: &Entry,
    holders: &mut Vec<Holder>,
) -> Result<Option<String>, Refusal> {
    match entry {
        Entry::Member { path, .. } if path.is_empty() => Ok(None),
        Entry::Member { path, value, replaces, .. } => match document.find(path)? {
            None => with(document, path, value.clone(), holders).map(Some),
            Some(member) if holds(&value_of(member.value), value) => Ok(None),
            Some(member) if !bears_any(&value_of(member.value), replaces) => {
                let reason = Reason::NotOurs(path.join("."));
                Err(Refusal::new(reason, document.text, member.value.start()))
            }
            Some(member) => {
                let place = member.value.start()..member.value.end();
                let value = merged(&value_of(member.value), value);
                Ok(Some(layout::replace(document.text, place, &value)))
            }
        },
        Entry::Element { path, value, mark } => {
            let Some(array) = document.find_array(path)? else {
                let edited = with(document, path, Value::Array(vec![value.clone()]), holders)?;
                holders.push(Holder { path: path.clone(), before: None });
                return Ok(Some(edited));
            };
            Ok(match &ours(array, value, mark)[..] {
                [] => {
                    let array = document.elements(array);
                    holders.extend(array.held(path));
                    Some(array.append(None, value))
                }
                // The first keeps its place: Codex trusts a hook by its position.
                [.., _, last] => Some(last.cut(document, array)),
                [one] if one.is(value, mark) => None,
                [one] => Some(one.mended(document, array, value, mark)),
            })
        }
        Entry::Section { .. } | Entry::Heading { .. } => Ok(None),
    }
}

/// The text with a new value at a path that is not there, and with the objects above it.
fn with(
    document: &Document<'_>,
    path: &[String],
    value: Value,
    holders: &mut Vec<Holder>,
) -> Result<String, Refusal> {
    let Some((_, above)) = path.split_last() else { return Ok(document.text.to_owned()) };
    let way = document.way(above)?;
    let Some(object) = way.last() else {
        // Nothing but white space and comments: the object comes behind them.
        holders.push(Holder { path: Vec::new(), before: None });
        let text = lines::with(document.text, "{}", Gap::None);
        return with(&Document::parse(Format::Jsonc, &text)?, path, value, holders);
    };
    let depth = way.len() - 1;
    let object = document.members(object);
    holders.extend(object.held(&path[..depth]));
    holders
        .extend((depth + 1..path.len()).map(|length| Holder { path: path[..length].to_vec(), before: None }));
    let nested = path[depth + 1..]
        .iter()
        .rev()
        .fold(value, |value, key| Value::Object(serde_json::Map::from_iter([(key.clone(), value)])));
    Ok(object.append(Some(&path[depth]), &nested))
}

pub(super) fn remove(
    format: Format,
    text: &str,
    entries: &[Entry],
    holders: &[Holder],
) -> Result<String, Refusal> {
    Document::parse(format, text)?.root()?;
    let mut edited = text.to_owned();
    // The last comes out first, as it went in last.
    for entry in entries.iter().rev() {
        edited = repeat(format, edited, |document| cut_step(document, entry))?;
    }
    let mut holders: Vec<_> = holders.iter().collect();
    holders.sort_by_key(|holder| std::cmp::Reverse(holder.path.len()));
    for holder in holders {
        let document = Document::parse(format, &edited)?;
        if let Some(next) = emptied(&document, holder) {
            edited = next;
        }
    }
    Document::parse(format, &edited)?;
    Ok(edited)
}

/// The text without one thing of the entry; `None` once nothing of it is there.
fn cut_step(document: &Document<'_>, entry: &Entry) -> Result<Option<String>, Refusal> {
    match entry {
        Entry::Member { path, mark, .. } => {
            let found = document.find(path)?.filter(|member| bears_any(&value_of(member.value), mark));
            Ok(found.map(|member| document.members(member.object).without(member.number)))
        }
        Entry::Element { path, value, mark } => {
            let found = document.find_array(path)?.map(|array| (array, ours(array, value, mark)));
            if let Some((array, Some(last))) = found.as_ref().map(|(array, ours)| (array, ours.last())) {
                return Ok(Some(last.cut(document, array)));
            }
            // One that was moved to another list beside its own is ours still.
            if value.is_string() || value.is_null() {
                return Ok(None);
            }
            let above = &path[..path.len().saturating_sub(1)];
            let Some(object) = document.way(above)?.get(above.len()).copied() else { return Ok(None) };
            let lists = object.properties.iter().filter_map(|property| property.value.as_array());
            Ok(lists.into_iter().find_map(|list| Some(ours(list, value, mark).last()?.cut(document, list))))
        }
        Entry::Section { .. } | Entry::Heading { .. } => Ok(None),
    }
}

/// The text with a holder as it was before our entries, where it holds nothing any more. What is something else
/// by now, or holds a comment that was not there, is the user's.
fn emptied(document: &Document<'_>, holder: &Holder) -> Option<String> {
    let member = document.find(&holder.path).ok()?;
    let value = match &member {
        Some(member) => member.value,
        None if holder.path.is_empty() => document.root.as_ref()?,
        None => return None,
    };
    let container = match (value.as_object(), value.as_array()) {
        (Some(object), _) => document.members(object),
        (_, Some(array)) => document.elements(array),
        _ => return None,
    };
    match (&holder.before, member) {
        (Some(before), _) => container.holding(before),
        (None, _) if !container.is_blank() => None,
        (None, Some(member)) => Some(document.members(member.object).without(member.number)),
        (None, None) => Some(lines::without(document.text, container.range, Gap::None)),
    }
}

pub(super) fn find(format: Format, text: &str, entries: &[Entry]) -> Result<Vec<Presence>, Refusal> {
    let document = Document::parse(format, text)?;
    document.root()?;
    entries
        .iter()
        .map(|entry| match entry {
            Entry::Member { path, value, .. } => Ok(match document.find(path)? {
                None => Presence::Absent,
                Some(member) if holds(&value_of(member.value), value) => Presence::AsWritten,
                Some(_) => Presence::Different,
            }),
            Entry::Element { path, value, mark } => {
                let Some(array) = document.find_array(path)? else { return Ok(Presence::Absent) };
                Ok(match &ours(array, value, mark)[..] {
                    [] => Presence::Absent,
                    [one] if one.is(value, mark) => Presence::AsWritten,
                    [_] => Presence::Different,
                    _ => Presence::Repeated,
                })
            }
            Entry::Section { .. } | Entry::Heading { .. } => Ok(Presence::Absent),
        })
        .collect()
}

pub(super) fn extract(format: Format, text: &str, entries: &[Entry]) -> Result<Vec<Entry>, Refusal> {
    let document = Document::parse(format, text)?;
    let mut found = Vec::new();
    for entry in entries {
        match entry {
            Entry::Member { path, mark, replaces, .. } => {
                let value = document.find(path)?.map(|member| value_of(member.value));
                let value = value.filter(|value| bears_any(value, mark));
                found.extend(value.map(|value| Entry::Member {
                    path: path.clone(),
                    value,
                    mark: mark.clone(),
                    replaces: replaces.clone(),
                }));
            }
            Entry::Element { path, value, mark } => {
                let Some(array) = document.find_array(path)? else { continue };
                found.extend(ours(array, value, mark).iter().filter_map(|ours| match ours {
                    Ours::Whole(_, node) => {
                        Some(Entry::Element { path: path.clone(), value: value_of(node), mark: mark.clone() })
                    }
                    Ours::Part(..) => None,
                }));
            }
            Entry::Section { .. } | Entry::Heading { .. } => {}
        }
    }
    Ok(found)
}

pub(super) fn value(format: Format, text: &str) -> Result<Value, Refusal> {
    Ok(Document::parse(format, text)?.root.as_ref().map(value_of).unwrap_or_default())
}
