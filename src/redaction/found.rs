//! What was replaced: kinds and numbers, and nothing of the secrets.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// How many secrets of each kind were replaced, by the kind's name. As JSON: `{"aws-access-key": 1}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Found(BTreeMap<String, usize>);

impl Found {
    /// Nothing was replaced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many places of a text were replaced.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// Each kind and its number, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(kind, count)| (kind.as_str(), *count))
    }

    /// Adds what was replaced in another text, such as another field of the same message.
    pub fn extend(&mut self, other: &Self) {
        for (kind, count) in other.iter() {
            self.add(kind, count);
        }
    }

    pub(super) fn add(&mut self, kind: &str, count: usize) {
        *self.0.entry(kind.to_owned()).or_default() += count;
    }
}

impl fmt::Display for Found {
    /// Writes `aws-access-key, password (2)`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (kind, count)) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(out, "{comma}{kind}")?;
            if count > 1 {
                write!(out, " ({count})")?;
            }
        }
        Ok(())
    }
}
