//! The identity of a message: a UUID, and nothing else is ever part of a path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A message's id, written as a lower-case hyphenated UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(Uuid);

/// Which delivery a text belongs to: the mark on both lines of its fence, 16 lower-case hexadecimal
/// digits that nobody can know before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryId(u64);

/// A text that is not a UUID.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not a message id")]
pub struct InvalidId(String);

impl MessageId {
    /// Makes a new random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The first eight characters: what people and agents type.
    #[must_use]
    pub fn short(&self) -> String {
        let mut full = self.to_string();
        full.truncate(8);
        full
    }

    /// Reads the id from a file name such as `<uuid>.json`; only the canonical spelling counts,
    /// because the path is rebuilt from the id.
    #[must_use]
    pub fn from_file_name(name: &str, suffix: &str) -> Option<Self> {
        let stem = name.strip_suffix(suffix)?;
        let id: Self = stem.parse().ok()?;
        (stem.len() == 36 && stem.bytes().all(|byte| !byte.is_ascii_uppercase())).then_some(id)
    }

    /// Whether the id begins with `prefix` (hexadecimal digits and hyphens, any case).
    #[must_use]
    pub fn starts_with(&self, prefix: &str) -> bool {
        self.to_string().starts_with(&prefix.to_ascii_lowercase())
    }
}

impl DeliveryId {
    /// Makes a new random one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().as_u64_pair().1)
    }

    /// Reads what [`fmt::Display`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if fits { u64::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

impl FromStr for MessageId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidId(text.to_owned()))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(out)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "MessageId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_of_a_file_name_is_an_id() {
        let id = MessageId::random();
        assert_eq!(MessageId::from_file_name(&format!("{id}.json"), ".json"), Some(id));
        for name in [
            format!("{}.json", id.to_string().to_uppercase()),
            format!("{}.json", id.to_string().replace('-', "")),
            format!("{{{id}}}.json"),
            "../../etc/passwd.json".to_owned(),
            id.to_string(),
        ] {
            assert_eq!(MessageId::from_file_name(&name, ".json"), None, "{name}");
        }
    }
}
