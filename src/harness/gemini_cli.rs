//! Gemini CLI's transcript: JSON lines; a record with an id is a message, a later one with the same id
//! takes its place, and `{"$set": {"messages": […]}}` replaces all before it, as a roll-back does before
//! the hook of its end runs (run on 0.61.0, 2026-11-24; undocumented).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::transcript::{Entry, Kind};

#[derive(Deserialize)]
struct Record<'a> {
    id: Option<&'a str>,
    r#type: Option<&'a str>,
    #[serde(rename = "$set", borrow)]
    set: Option<Set<'a>>,
}

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    messages: Option<Vec<&'a RawValue>>,
}

/// The messages as they stand, oldest first.
pub(super) fn conversation<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<Entry<'a>> {
    let mut messages: Vec<(&str, Entry<'_>)> = Vec::new();
    let add = |messages: &mut Vec<(&'a str, Entry<'a>)>, line: &'a [u8]| {
        let Ok(record) = serde_json::from_slice::<Record<'_>>(line) else { return None };
        if let Some(id) = record.id {
            let kind = if record.r#type == Some("gemini") { Kind::Answer } else { Kind::Context };
            match messages.iter_mut().find(|(other, _)| *other == id) {
                Some((_, entry)) => *entry = Entry { line, kind },
                None => messages.push((id, Entry { line, kind })),
            }
        }
        record.set?.messages
    };
    for line in lines {
        if let Some(replaced) = add(&mut messages, line) {
            messages.clear();
            for message in replaced {
                add(&mut messages, message.get().as_bytes());
            }
        }
    }
    messages.into_iter().map(|(_, entry)| entry).collect()
}
