//! Editors: pure functions from a file's bytes to its bytes, that put entries of ours in and take them out.
//!
//! Everything else in the file stays as it is. What cannot be parsed in the dialect that its reader
//! understands is refused with its line and column: there is no falling back to an empty file.

pub mod crontab;
mod json;
mod lines;
mod markdown;
mod marked;
mod place;
mod toml;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use place::{Reason, Refusal};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// JSON and nothing more.
    Json,
    /// JSON with comments, but without trailing commas: what Gemini CLI reads.
    JsonWithComments,
    /// JSON with comments and trailing commas.
    Jsonc,
    /// TOML.
    Toml,
    /// Markdown.
    Markdown,
    /// A user's crontab.
    Crontab,
}

/// One thing of ours in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entry {
    /// A member of an object or table that is ours by its key, the last of the path.
    Member {
        /// Keys from the root.
        path: Vec<String>,
        /// What it has to be.
        value: Value,
        /// Where it is given, a member is taken out only if a string in it contains this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<String>,
        /// Where there are any, another value is replaced only if a string in it contains one of these.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        replaces: Vec<String>,
    },
    /// An element of an array, recognised by a text in it that survives a reformatting.
    Element {
        /// Keys from the root to the array.
        path: Vec<String>,
        /// What it has to be.
        value: Value,
        /// A string somewhere in it contains this; a bare word is the same, or is not ours.
        mark: String,
    },
    /// A section of a Markdown file or a block of a crontab, between two lines of ours.
    Section {
        /// Its text.
        text: String,
    },
    /// A section of a Markdown file under this line, without marks; only ever taken out.
    Heading {
        /// The whole line.
        line: String,
    },
}

/// Whether a string anywhere in the value contains the mark.
fn bears(value: &Value, mark: &str) -> bool {
    match value {
        Value::String(text) => text.contains(mark),
        Value::Array(values) => values.iter().any(|value| bears(value, mark)),
        Value::Object(fields) => fields.values().any(|value| bears(value, mark)),
        _ => false,
    }
}

/// Whether a member that is found may be taken: there are no marks, or it bears one.
fn bears_any<'a>(value: &Value, marks: impl IntoIterator<Item = &'a String>) -> bool {
    let mut marks = marks.into_iter().peekable();
    marks.peek().is_none() || marks.any(|mark| bears(value, mark))
}

/// Whether a member is as it has to be: further fields in it are the user's.
fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| found.get(key) == Some(wanted))
        }
        (found, wanted) => found == wanted,
    }
}

/// A member as it has to be, with the further fields that are in it.
fn merged(found: &Value, wanted: &Value) -> Value {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            let mut merged = found.clone();
            merged.extend(wanted.clone());
            Value::Object(merged)
        }
        _ => wanted.clone(),
    }
}

/// Whether an element that is found is ours: by its mark, or a bare word by being the same.
fn is_marked(found: &Value, wanted: &Value, mark: &str) -> bool {
    if wanted.is_string() { found == wanted } else { bears(found, mark) }
}

impl Entry {
    /// Whether it is an element that is a bare word, and can be anybody's.
    #[must_use]
    pub fn is_word(&self) -> bool {
        matches!(self, Self::Element { value: Value::String(_), .. })
    }

    /// The keys of what holds it.
    #[must_use]
    pub fn container(&self) -> &[String] {
        match self {
            Self::Member { path, .. } => path.split_last().map_or(&[], |(_, container)| container),
            Self::Element { path, .. } => path,
            Self::Section { .. } | Self::Heading { .. } => &[],
        }
    }

    /// Whether the other stands where this one stands, whatever its value.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Member { path, .. }, Self::Member { path: other, .. }) => path == other,
            (Self::Element { path, mark, .. }, Self::Element { path: other, mark: other_mark, .. }) => {
                path == other && mark == other_mark
            }
            (Self::Section { .. }, Self::Section { .. }) => true,
            _ => false,
        }
    }
}

/// A file after an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Objects and arrays that were made or filled.
    pub holders: Vec<Holder>,
}

/// An object or array that nothing was in before entries of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Keys from the root.
    pub path: Vec<String>,
    /// The white space and comments in it; `None` where it was not there.
    pub before: Option<String>,
}

/// How an entry is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Not at all.
    Absent,
    /// As it has to be.
    AsWritten,
    /// With another value.
    Different,
    /// More than once.
    Repeated,
}

/// Puts the entries in, each where it is not yet as it has to be; `None` is a file that is not there.
///
/// # Errors
/// Where the file is not what its reader takes, or something else is in our place.
pub fn insert(format: Format, bytes: Option<&[u8]>, entries: &[Entry]) -> Result<Edited, Refusal> {
    let bytes = bytes.unwrap_or_default();
    // Gemini CLI does not start with one (run on 0.61.0, 2026-11-23).
    if format == Format::JsonWithComments && place::has_mark(bytes) {
        let what = "it begins with a byte order mark, with which its harness does not start";
        return Err(Refusal { reason: Reason::Syntax(what.to_owned()), line: 1, column: 1 });
    }
    edit(bytes, |text| match format {
        Format::Json | Format::JsonWithComments | Format::Jsonc => json::insert(format, text, entries),
        Format::Toml => toml::insert(text, entries).map(|text| (text, Vec::new())),
        Format::Markdown => markdown::insert(text, entries).map(|text| (text, Vec::new())),
        Format::Crontab => crontab::insert(text, entries).map(|text| (text, Vec::new())),
    })
}

/// Takes the entries out. Holders that are empty then become what they were.
///
/// # Errors
/// As [`insert`].
pub fn remove(
    format: Format,
    bytes: &[u8],
    entries: &[Entry],
    holders: &[Holder],
) -> Result<Edited, Refusal> {
    edit(bytes, |text| {
        let text = match format {
            Format::Json | Format::JsonWithComments | Format::Jsonc => {
                json::remove(format, text, entries, holders)
            }
            Format::Toml => toml::remove(text, entries),
            Format::Markdown => markdown::remove(text, entries),
            Format::Crontab => crontab::remove(text, entries),
        };
        Ok((text?, Vec::new()))
    })
}

/// How each entry is found.
///
/// # Errors
/// As [`insert`].
pub fn find(format: Format, bytes: &[u8], entries: &[Entry]) -> Result<Vec<Presence>, Refusal> {
    let (_, text) = place::text(bytes)?;
    match format {
        Format::Json | Format::JsonWithComments | Format::Jsonc => json::find(format, text, entries),
        Format::Toml => toml::find(text, entries),
        Format::Markdown => markdown::find(text, entries),
        Format::Crontab => crontab::find(text, entries),
    }
}

/// The entries of these places that are there, with the values that they have; sections are left out.
///
/// # Errors
/// As [`insert`].
pub fn extract(format: Format, bytes: &[u8], entries: &[Entry]) -> Result<Vec<Entry>, Refusal> {
    let (_, text) = place::text(bytes)?;
    match format {
        Format::Json | Format::JsonWithComments | Format::Jsonc => json::extract(format, text, entries),
        Format::Toml => toml::extract(text, entries),
        Format::Markdown | Format::Crontab => Ok(Vec::new()),
    }
}

/// The file's value, for reading a setting; never written back.
///
/// # Errors
/// Where it does not parse. Markdown and crontabs have none.
pub fn value(format: Format, bytes: &[u8]) -> Result<Value, Refusal> {
    let (_, text) = place::text(bytes)?;
    match format {
        Format::Json | Format::JsonWithComments | Format::Jsonc => json::value(format, text),
        Format::Toml => toml::value(text),
        Format::Markdown | Format::Crontab => Ok(Value::Null),
    }
}

/// Whether nothing is left in the file.
#[must_use]
pub fn is_empty(format: Format, bytes: &[u8]) -> bool {
    let Ok((_, text)) = place::text(bytes) else { return false };
    match format {
        Format::Json | Format::JsonWithComments | Format::Jsonc => {
            text.split_whitespace().collect::<String>() == "{}" || text.trim().is_empty()
        }
        Format::Toml | Format::Markdown | Format::Crontab => text.trim().is_empty(),
    }
}

/// Edits the text behind a byte order mark, which stays.
fn edit(
    bytes: &[u8],
    change: impl FnOnce(&str) -> Result<(String, Vec<Holder>), Refusal>,
) -> Result<Edited, Refusal> {
    let (mark, text) = place::text(bytes)?;
    let (text, holders) = change(text)?;
    Ok(Edited { bytes: [mark, text.as_bytes()].concat(), holders })
}
