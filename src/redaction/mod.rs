//! Secrets are replaced before a message is kept for good: keys, tokens and passwords by the forms that they have, and by
//! a person's own patterns. What was replaced is told by kind and number, never by the secret.
//!
//! ```
//! use backchannel::redaction::Redaction;
//!
//! let redacted = Redaction::default().redact("deploy with PASSWORD=hunter2! then tell me");
//! assert_eq!(redacted.text, "deploy with PASSWORD=[redacted: password] then tell me");
//! assert_eq!(redacted.found.to_string(), "password");
//! ```
//!
//! It takes time in proportion to the text: `regex` never goes back, no rule looks further than what it takes plus a few
//! hundred bytes, and all places of all secrets are found in one pass.

mod accept;
mod found;
mod private_key;
mod rules;
mod settings;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::memmem;
use regex::Regex;
use serde::Deserialize;

pub use found::Found;
use rules::{RULES, Rule};
use settings::Settings;

/// Bytes of a secret from which on it is replaced wherever it stands, and not only where it was recognised: shorter ones
/// are parts of words.
const SPREADS_FROM: usize = 6;

/// What is replaced. In `bch.toml` it is the table `[redaction]`; without one it is on, with every rule.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Redaction {
    kinds: Vec<Kind>,
}

/// A text without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted<'text> {
    /// The text, with `[redacted: kind]` for each secret. Borrowed where there is none: then it is the same text.
    pub text: Cow<'text, str>,
    /// What was replaced.
    pub found: Found,
}

/// One rule that is on. Those that come first name what several have found.
#[derive(Debug)]
enum Kind {
    PrivateKey,
    /// A person's own: the first group that took part, or all of it.
    Own(String, Regex),
    /// One of ours. Most texts have none of its words, and it is never compiled.
    Ours(&'static Rule, OnceLock<Option<Regex>>),
}

/// A secret in a text: where, and which of the kinds.
struct Place {
    bytes: Range<usize>,
    kind: usize,
}

impl Default for Redaction {
    fn default() -> Self {
        Self::with(Vec::new(), |_| true)
    }
}

impl Redaction {
    /// Replaces nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { kinds: Vec::new() }
    }

    fn with(own: Vec<(String, Regex)>, is_on: impl Fn(&str) -> bool) -> Self {
        let ours = RULES.iter().map(|rule| Kind::Ours(rule, OnceLock::new()));
        let own = own.into_iter().map(|(name, pattern)| Kind::Own(name, pattern));
        let all = std::iter::once(Kind::PrivateKey).chain(own).chain(ours);
        Self { kinds: all.filter(|kind| matches!(kind, Kind::Own(..)) || is_on(kind.name())).collect() }
    }

    /// Replaces the secrets of a text, each wherever it stands.
    #[must_use]
    pub fn redact<'text>(&self, text: &'text str) -> Redacted<'text> {
        let mut places: Vec<Place> = Vec::new();
        for (kind, rule) in self.kinds.iter().enumerate() {
            let found = rule.find(text).into_iter().filter(|bytes| !bytes.is_empty());
            places.extend(found.map(|bytes| Place { bytes, kind }));
        }
        if places.is_empty() {
            return Redacted { text: Cow::Borrowed(text), found: Found::default() };
        }
        places.extend(other_places(text, &places));
        let places = merged(places);
        let (mut redacted, mut found, mut done) = (String::with_capacity(text.len()), Found::default(), 0);
        for place in places {
            let name = self.kinds[place.kind].name();
            redacted.push_str(&text[done..place.bytes.start]);
            redacted.push_str("[redacted: ");
            redacted.push_str(name);
            redacted.push(']');
            found.add(name, 1);
            done = place.bytes.end;
        }
        redacted.push_str(&text[done..]);
        Redacted { text: Cow::Owned(redacted), found }
    }
}

impl Kind {
    fn name(&self) -> &str {
        match self {
            Self::PrivateKey => private_key::NAME,
            Self::Own(name, _) => name,
            Self::Ours(rule, _) => rule.kind,
        }
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::PrivateKey => private_key::find(text),
            Self::Own(_, pattern) => matches(pattern, text).collect(),
            Self::Ours(rule, compiled) => {
                let is_here = |word: &&str| memmem::find(text.as_bytes(), word.as_bytes()).is_some();
                if !rule.words.is_empty() && !rule.words.iter().any(is_here) {
                    return Vec::new();
                }
                // That every rule compiles is tested.
                let Some(pattern) = compiled.get_or_init(|| rule.compile().ok()) else { return Vec::new() };
                matches(pattern, text).filter(|bytes| (rule.accept)(&text[bytes.clone()])).collect()
            }
        }
    }
}

/// What a pattern means in a text: the first group that took part in each match, or all of it.
fn matches(pattern: &Regex, text: &str) -> impl Iterator<Item = Range<usize>> {
    pattern.captures_iter(text).map(|captures| {
        let mut groups = captures.iter().flatten();
        let whole = groups.next();
        groups.next().or(whole).map_or(0..0, |group| group.range())
    })
}

/// The places in their order; of those that overlap one, named by the rule that comes first.
fn merged(mut places: Vec<Place>) -> Vec<Place> {
    places.sort_by_key(|place| (place.bytes.start, place.kind));
    let mut all: Vec<Place> = Vec::with_capacity(places.len());
    for place in places {
        match all.last_mut() {
            Some(last) if place.bytes.start < last.bytes.end => {
                last.bytes.end = last.bytes.end.max(place.bytes.end);
                last.kind = last.kind.min(place.kind);
            }
            _ => all.push(place),
        }
    }
    all
}

/// Where else the same secrets stand, such as a password that is named once and then used.
fn other_places(text: &str, places: &[Place]) -> Vec<Place> {
    let mut kinds = BTreeMap::new();
    for place in places.iter().filter(|place| place.bytes.len() >= SPREADS_FROM) {
        kinds.entry(&text[place.bytes.clone()]).or_insert(place.kind);
    }
    // What one rule finds does not overlap: all secrets together are a few times as long as the text at most, and this
    // kind of automaton is no larger than they are.
    let automaton = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .match_kind(MatchKind::LeftmostLongest)
        .build(kinds.keys());
    let Ok(automaton) = automaton else { return Vec::new() };
    let kinds: Vec<usize> = kinds.into_values().collect();
    let found = automaton.find_iter(text);
    found.map(|found| Place { bytes: found.range(), kind: kinds[found.pattern().as_usize()] }).collect()
}
