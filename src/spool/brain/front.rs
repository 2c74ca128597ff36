//! Front matter [v1]: between two lines `---` one `key: value` on each line, the value as JSON, the body among them. The
//! markdown under it is for people, and never parsed.
//!
//! Ours are `claim` (who holds the message, and until when), `shown` (somebody may have seen it) and `parts`. The first
//! version passes over keys that it does not know.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::message::{self, AgentName, ChannelName, Message};
use crate::spool::{Agent, LeaseId};

/// Bytes that a document has at most: the service takes 200,000 characters (`SPEC.md` 5.1, 2026-11-29), and a claim adds
/// a line to it.
const LONGEST: usize = 199_500;
/// Bytes of a body, as JSON, in one document; what is longer goes on in further ones.
const PIECE: usize = 180_000;
/// A claim holds for two hours, and clocks differ.
const LONGEST_CLAIM: SignedDuration = SignedDuration::from_hours(24);
/// Bytes of what stands under and around a body.
const FOOT: usize = 1_000;
/// Documents of one message at most: the longest body has fewer.
const MOST_PARTS: usize = 16;
/// The keys that are ours.
const OURS: [&str; 4] = ["claim", "shown", "parts", "part"];

/// Who holds a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The claim's name, which nobody else has.
    pub(super) nonce: LeaseId,
    /// After this time it is anybody's again.
    pub(super) until: Timestamp,
}

impl Mark {
    /// Whether it holds now. One that would hold for days is a mistake, and hides no message.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        self.until > now && self.until.duration_since(now) < LONGEST_CLAIM
    }
}

/// What a message's document says beside the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Notes {
    pub(super) mark: Option<Mark>,
    /// Somebody may have been shown it.
    pub(super) is_shown: bool,
    /// How many documents hold the body.
    pub(super) parts: usize,
}

/// Why a document is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("it has no front matter")]
    NoFront,
    #[error("its front matter is no message: {0}")]
    NoMessage(String),
}

/// The lines of a front matter, each key with its value.
fn lines(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut lines =
        text.strip_prefix('\u{feff}').unwrap_or(text).split('\n').map(|line| line.trim_end_matches('\r'));
    if lines.next() != Some("---") {
        return None;
    }
    let mut found = Vec::new();
    for line in lines {
        if line == "---" {
            return Some(found);
        }
        if let Some((key, value)) = line.split_once(": ") {
            found.push((key.trim(), value.trim()));
        }
    }
    None
}

/// A value as JSON: the first version takes what is none for a text.
fn as_json(value: &str) -> String {
    match serde_json::from_str::<&RawValue>(value) {
        Ok(raw) => raw.get().to_owned(),
        Err(_) => json(&value),
    }
}

/// One line of JSON.
fn json(value: &(impl Serialize + ?Sized)) -> String {
    // Texts, numbers and lists of them always serialise, and on one line.
    serde_json::to_string(value).unwrap_or_default()
}

fn value_of<T: serde::de::DeserializeOwned>(lines: &[(&str, &str)], key: &str) -> Option<T> {
    // Of a key that stands twice the last counts, as in JavaScript.
    let (_, value) = lines.iter().rev().find(|(other, _)| *other == key)?;
    message::from_json(value.as_bytes()).ok()
}

/// Reads a message, with the first piece of its body.
pub(super) fn read(text: &str) -> Result<(Message, Notes), Damage> {
    let lines = lines(text).ok_or(Damage::NoFront)?;
    let fields: Vec<_> = lines
        .iter()
        .filter(|(key, _)| !OURS.contains(key))
        .map(|(key, value)| format!("{}:{}", json(key), as_json(value)))
        .collect();
    let message = Message::from_json(format!("{{{}}}", fields.join(",")).as_bytes())
        .map_err(|error| Damage::NoMessage(error.to_string()))?;
    let is_marked = lines.iter().any(|(key, _)| *key == "claim");
    let mark: Option<Mark> = value_of(&lines, "claim");
    let parts = match lines.iter().any(|(key, _)| *key == "parts") {
        true => value_of(&lines, "parts").filter(|parts| (1..=MOST_PARTS).contains(parts)),
        false => Some(1),
    };
    let parts = parts.ok_or_else(|| Damage::NoMessage("nobody can tell how many parts it has".to_owned()))?;
    let notes = Notes {
        // A mark that nobody can read holds for nobody, and somebody may have seen the message.
        is_shown: value_of(&lines, "shown").unwrap_or(false) || (is_marked && mark.is_none()),
        mark,
        parts,
    };
    Ok((message, notes))
}

/// The piece of a body that a further part holds.
pub(super) fn read_part(text: &str) -> Option<String> {
    value_of(&lines(text)?, "body")
}

/// The document with this line in its front matter in place of the one of the same key; without it for `None`. All else
/// stays to the letter.
fn with_line(text: &str, key: &str, value: Option<&str>) -> String {
    let (start, rest) = match text.find('\n') {
        Some(end) => text.split_at(end + 1),
        None => (text, ""),
    };
    let mut changed = start.to_owned();
    if let Some(value) = value {
        changed.push_str(&format!("{key}: {value}\n"));
    }
    let mut is_front = true;
    for line in rest.split_inclusive('\n') {
        is_front &= line.trim_end_matches(['\r', '\n']) != "---";
        // By the rule by which it is read.
        let is_it = line.split_once(": ").is_some_and(|(other, _)| other.trim() == key);
        if !(is_front && is_it) {
            changed.push_str(line);
        }
    }
    changed
}

/// The document as somebody's. Where the mark makes it too long, what is there for people alone goes.
pub(super) fn claimed(text: &str, mark: &Mark) -> String {
    let mut claimed = with_line(text, "claim", Some(&json(mark)));
    if claimed.len() > LONGEST
        && let Some(end) = claimed.find("\n---\n")
    {
        claimed.truncate(end + "\n---\n".len());
    }
    claimed
}

/// The document as nobody's.
pub(super) fn released(text: &str, is_shown: bool) -> String {
    let text = with_line(text, "claim", None);
    if is_shown { with_line(&text, "shown", Some("true")) } else { text }
}

/// The document of a message that somebody may have seen already.
pub(super) fn perhaps_shown(text: &str) -> String {
    with_line(text, "shown", Some("true"))
}

/// The documents of a message: one, and more where its body is long.
pub(super) fn documents(message: &Message) -> Vec<String> {
    let mut front = format!(
        "---\nid: {}\nfrom: {}\nto: {}\npriority: {}\nts: {}\n",
        json(&message.id),
        json(&message.from),
        json(&message.to.to_string()),
        json(&message.priority),
        json(&format!("{:.3}", message.ts)),
    );
    let mut add = |key: &str, value: &str| front.push_str(&format!("{key}: {value}\n"));
    if let Some(scope) = &message.scope {
        add("scope", &json(scope));
    }
    if let Some(thread) = &message.thread {
        add("thread", &json(thread));
    }
    if !message.refs.is_empty() {
        add("refs", &json(&message.refs));
    }
    for (key, value) in &message.unknown {
        // A line end stands in JSON only where it means nothing. A key that is no word has no place in front matter.
        let is_word =
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if is_word && !OURS.contains(&key.as_str()) {
            add(key, &value.get().replace(['\n', '\r'], " "));
        }
    }
    let pieces = pieces(&message.body, LONGEST.saturating_sub(front.len() + 2 * FOOT).clamp(FOOT, PIECE));
    let mut add = |key: &str, value: &str| front.push_str(&format!("{key}: {value}\n"));
    if pieces.len() > 1 {
        add("parts", &pieces.len().to_string());
    }
    let mut documents = Vec::with_capacity(pieces.len());
    for (number, piece) in (1..).zip(&pieces) {
        if number > 1 {
            documents.push(format!(
                "---\npart: {number}\nof: {}\nts: {}\nbody: {}\n---\n",
                json(&message.id),
                json(&format!("{:.3}", message.ts)),
                json(piece),
            ));
            continue;
        }
        let title = title(message);
        let mut text = format!("{front}body: {}\n---\n# {title}\n", json(piece));
        // For people who look into the brain, where there is room for it twice.
        if pieces.len() == 1 && text.len() + message.body.len() + FOOT < LONGEST {
            text.push_str(&format!("\n{}\n", message.body));
        }
        documents.push(text);
    }
    documents
}

/// `from → to`
fn title(message: &Message) -> String {
    format!("{} → {}", message.from, message.to)
}

/// A message's title in the brain [v1].
pub(super) fn title_of(message: &Message) -> String {
    format!("bch: {}", title(message))
}

/// A body in pieces, each of which is short enough as JSON; there may be less room for the first.
fn pieces(body: &str, first: usize) -> Vec<&str> {
    let (mut pieces, mut start, mut size) = (Vec::new(), 0, 0);
    for (at, letter) in body.char_indices() {
        let width = match letter {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            letter => letter.len_utf8(),
        };
        if size + width > if pieces.is_empty() { first } else { PIECE } {
            pieces.push(&body[start..at]);
            (start, size) = (at, 0);
        }
        size += width;
    }
    pieces.push(&body[start..]);
    pieces
}

/// An agent's document [v1].
pub(super) fn agent_document(agent: &Agent) -> String {
    let seen = agent.last_seen.as_deref().unwrap_or(&agent.created_at);
    format!(
        "---\nsubscriptions: {}\ncreatedAt: {}\nlastSeen: {}\n---\n# Agent: {}\n",
        json(&agent.subscriptions),
        json(&agent.created_at),
        json(seen),
        agent.name
    )
}

/// Whether it is an agent's document, or anything that has front matter.
pub(super) fn is_agent(text: &str) -> bool {
    lines(text).is_some()
}

/// An agent's document with what is ours in it changed.
pub(super) fn agent_changed(text: &str, agent: &Agent) -> String {
    let seen = agent.last_seen.as_deref().unwrap_or(&agent.created_at);
    let text = with_line(text, "subscriptions", Some(&json(&agent.subscriptions)));
    with_line(&text, "lastSeen", Some(&json(seen)))
}

/// Reads an agent's document as forgivingly as the first version: the name in its path is what counts.
pub(super) fn read_agent(name: AgentName, text: &str) -> Agent {
    let lines = lines(text).unwrap_or_default();
    let names: Vec<String> = value_of(&lines, "subscriptions").unwrap_or_default();
    let subscriptions: Vec<ChannelName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    Agent {
        name,
        subscriptions,
        created_at: value_of(&lines, "createdAt").unwrap_or_default(),
        last_seen: value_of(&lines, "lastSeen"),
        other: serde_json::Map::new(),
    }
}

#[cfg(test)]
mod tests;
