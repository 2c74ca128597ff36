//! What a harness gives to its hooks, as it was seen, and how it is driven: `harnesses/proof/<id>.toml`.
//!
//! `bch doctor --prove` gives the installed hooks the same. These facts are no part of the manifest, which each hook
//! reads that has mail. Texts hold placeholders, which [`Values`] fills in.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::LiveFacts;

/// The facts that are built in, by the harness's id.
const FACTS: [(&str, &str); 3] = [
    ("claude-code", include_str!("../../harnesses/proof/claude-code.toml")),
    ("codex", include_str!("../../harnesses/proof/codex.toml")),
    ("gemini-cli", include_str!("../../harnesses/proof/gemini-cli.toml")),
];

/// How a harness runs hooks, and how it is run itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProofFacts {
    /// What runs a hook's line, by `-c`.
    pub shell: HookShell,
    /// Variables of every hook's environment; all that mark this harness are among them.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Fields of every event's payload.
    pub payload: Map<String, Value>,
    /// What of an injected text reaches the model whole; all of it where nothing is said.
    pub cap: Option<Cap>,
    /// What its transcript holds in the course of a turn.
    #[serde(default)]
    pub transcript: TranscriptSample,
    /// Further fields of each event's payload.
    pub samples: BTreeMap<String, Map<String, Value>>,
    /// How it is driven once without a person.
    pub live: LiveFacts,
}

impl ProofFacts {
    /// The facts of a harness.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        let (_, text) = FACTS.iter().find(|(known, _)| *known == id)?;
        toml::from_str(text).ok()
    }
}

/// What runs a hook's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookShell {
    /// `/bin/sh`.
    Sh,
    /// `bash`, by the search path.
    Bash,
    /// The user's shell, as the system's list of users names it.
    Login,
}

/// The longest text that a harness passes on whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cap {
    /// So many characters.
    Characters(usize),
    /// So many bytes.
    Bytes(usize),
}

/// JSON lines of a transcript, made short.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TranscriptSample {
    /// When the prompt's hook runs.
    pub opening: Vec<String>,
    /// What each text that a hook injected adds.
    pub shown: Vec<String>,
    /// What an answer of the model adds.
    pub answer: Vec<String>,
}

impl Cap {
    /// Whether so much is passed on whole, of a harness that writes an angle bracket with that many bytes.
    #[must_use]
    pub fn holds(self, text: &str, angle_brackets: usize) -> bool {
        let brackets = text.matches(['<', '>']).count() * angle_brackets.saturating_sub(1);
        match self {
            Self::Characters(most) => text.chars().count() + brackets <= most,
            Self::Bytes(most) => text.len() + brackets <= most,
        }
    }
}

/// What takes the placeholders' places.
#[derive(Debug, Clone, Default)]
pub struct Values(BTreeMap<&'static str, String>);

impl Values {
    /// Says what `{name}` stands for.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.insert(name, value.into());
    }

    /// What `{name}` stands for now; nothing where that was never said.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A text with every placeholder filled in.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// The same in every string of a value.
    #[must_use]
    pub fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.fill(text).into(),
            Value::Array(list) => list.iter().map(|value| self.fill_value(value)).collect(),
            Value::Object(fields) => Value::Object(self.fill_fields(fields)),
            other => other.clone(),
        }
    }

    /// The same in every field.
    #[must_use]
    pub fn fill_fields(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        fields.iter().map(|(name, value)| (name.clone(), self.fill_value(value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Manifest;

    #[test]
    fn what_a_harness_writes_longer_counts_so() {
        assert!(!Cap::Bytes(4).holds("é<é", 1) && Cap::Characters(3).holds("é<é", 1));
        assert!(!Cap::Characters(3).holds("é<é", 4) && Cap::Bytes(8).holds("é<é", 4));
    }

    #[test]
    fn every_manifest_says_what_marks_its_hooks() {
        for manifest in Manifest::all() {
            let (_, text) = FACTS.iter().find(|(id, _)| *id == manifest.id).unwrap();
            let facts: ProofFacts = toml::from_str(text).unwrap();
            let marks =
                manifest.genuine.environment.iter().chain(&manifest.process).chain(&manifest.genuine.session);
            for name in marks {
                assert!(facts.environment.contains_key(name), "{}: {name}", manifest.id);
            }
            for line in
                facts.transcript.opening.iter().chain(&facts.transcript.shown).chain(&facts.transcript.answer)
            {
                serde_json::from_str::<Value>(line).unwrap();
            }
            for event in &manifest.events {
                let payload: Vec<_> = facts.payload.keys().chain(facts.samples[&event.name].keys()).collect();
                let needed = event.payload.as_ref().unwrap_or(&manifest.genuine.payload);
                assert!(needed.iter().all(|name| payload.contains(&name)), "{}: {}", manifest.id, event.name);
            }
        }
    }
}
