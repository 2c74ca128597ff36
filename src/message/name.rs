//! Names of agents and channels, parsed once at the edge: paths are built from them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that a name may have at most.
const LONGEST: usize = 64;
/// What the name of a canary begins with.
const CANARY: &str = "canary-";

/// An agent's name without its `@`: `[A-Za-z0-9][A-Za-z0-9._-]*`, 64 bytes at most.
///
/// New names are lower case ([`AgentName::is_lower_case`]); the first version may have made `Bob`, so
/// two names are the same without regard to case, and a record keeps its spelling.
#[derive(Debug, Clone)]
pub struct AgentName(Box<str>);

/// A channel's name without its `#`, of the same characters as an agent's; always lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Box<str>);

/// Where a message goes: one agent, or everybody who is subscribed to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `@name`
    Agent(AgentName),
    /// `#name`
    Channel(ChannelName),
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// No text.
    #[error("a name cannot be empty")]
    Empty,
    /// More than 64 bytes.
    #[error("the name `{0}…` is longer than {LONGEST} bytes")]
    TooLong(String),
    /// A character that a name cannot have.
    #[error("`{0}` is not a name: use letters, digits, `.`, `_` and `-`, and begin with a letter or digit")]
    Character(String),
    /// A trailing dot, which Windows drops.
    #[error("the name `{0}` ends with a dot")]
    TrailingDot(String),
    /// A device of Windows, such as `con` or `lpt1`.
    #[error("`{0}` names a device on Windows; choose another name")]
    Device(String),
    /// An address without `@` or `#`.
    #[error("`{0}` is no address: write `@agent` or `#channel`")]
    NoSigil(String),
}

fn check(name: &str) -> Result<(), InvalidName> {
    // What an error repeats is somebody else's text too: a bounded, printable piece of it.
    let shown = || name.chars().take(LONGEST).flat_map(char::escape_default).collect::<String>();
    let first = name.bytes().next().ok_or(InvalidName::Empty)?;
    if !first.is_ascii_alphanumeric()
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    {
        return Err(InvalidName::Character(shown()));
    }
    if name.len() > LONGEST {
        return Err(InvalidName::TooLong(shown()));
    }
    if name.ends_with('.') {
        return Err(InvalidName::TrailingDot(shown()));
    }
    if is_device(name) {
        return Err(InvalidName::Device(shown()));
    }
    Ok(())
}

/// Windows gives these names to devices, with any extension and in any case.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    match stem.as_str() {
        "con" | "prn" | "aux" | "nul" => true,
        _ => {
            let (device, number) = stem.split_at(stem.len().min(3));
            matches!(device, "com" | "lpt") && matches!(number.as_bytes(), [b'1'..=b'9'])
        }
    }
}

impl AgentName {
    /// The name as it was spelled, without `@`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name may be given to a new agent.
    #[must_use]
    pub fn is_lower_case(&self) -> bool {
        !self.0.bytes().any(|byte| byte.is_ascii_uppercase())
    }

    /// A new name of an agent that lives as long as a proof does: `canary-` and 32 hexadecimal digits.
    #[must_use]
    pub fn random_canary() -> Self {
        Self(format!("{CANARY}{}", uuid::Uuid::new_v4().as_simple()).into())
    }

    /// Whether it is such a name: `bch doctor --prove` made the agent, nobody is told of it, and its mail is nobody's.
    #[must_use]
    pub fn is_canary(&self) -> bool {
        let random = self.0.strip_prefix(CANARY).unwrap_or_default();
        random.len() == 32 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The same name in lower case.
    #[must_use]
    pub fn to_lower_case(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into())
    }
}

impl FromStr for AgentName {
    type Err = InvalidName;

    /// Reads `name` or `@name`.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let name = text.strip_prefix('@').unwrap_or(text);
        check(name)?;
        Ok(Self(name.into()))
    }
}

impl PartialEq for AgentName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for AgentName {}

impl Hash for AgentName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl ChannelName {
    /// The name without `#`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChannelName {
    type Err = InvalidName;

    /// Reads `name` or `#name`; capitals become lower case.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let name = text.strip_prefix('#').unwrap_or(text);
        check(name)?;
        Ok(Self(name.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "#{}", self.0)
    }
}

impl FromStr for Address {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.chars().next() {
            Some('@') => text.parse().map(Self::Agent),
            Some('#') => text.parse().map(Self::Channel),
            _ => Err(match check(text) {
                Ok(()) => InvalidName::NoSigil(text.to_owned()),
                Err(error) => error,
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(name) => write!(out, "@{name}"),
            Self::Channel(name) => name.fmt(out),
        }
    }
}

macro_rules! as_json_string {
    ($($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

as_json_string!(AgentName, ChannelName, Address);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_leave_a_directory_is_no_name() {
        for text in ["", "@", ".", "..", "../x", "a/b", "a\\b", "-a", ".a", "a.", "a b", "a\n", "é", "a\0"] {
            assert!(text.parse::<AgentName>().is_err(), "{text:?}");
            assert!(text.parse::<ChannelName>().is_err(), "{text:?}");
        }
        for text in ["con", "CON", "nul.txt", "com1", "lpt9.log", &"a".repeat(65)] {
            assert!(text.parse::<AgentName>().is_err(), "{text:?}");
        }
        for text in ["a", "0", "bob-codex", "@bob", "a.b_c", "console", "com10", "com", &"a".repeat(64)] {
            assert!(text.parse::<AgentName>().is_ok(), "{text:?}");
        }
    }

    #[test]
    fn nobody_is_taken_for_a_canary() {
        let canary = AgentName::random_canary();
        assert!(canary.is_canary() && canary.as_str().parse::<AgentName>().is_ok());
        assert_ne!(canary, AgentName::random_canary());
        for name in
            ["canary-bob", "canary-", "canary-0123456789ABCDEF0123456789ABCDEF", &canary.as_str()[7..]]
        {
            assert!(!name.parse::<AgentName>().is_ok_and(|name| name.is_canary()), "{name}");
        }
        assert!(!format!("{canary}0").parse::<AgentName>().unwrap().is_canary());
    }

    #[test]
    fn case_tells_no_two_agents_apart() {
        let (upper, lower): (AgentName, AgentName) = ("Bob".parse().unwrap(), "bob".parse().unwrap());
        assert_eq!(upper, lower);
        assert_eq!(upper.to_string(), "Bob");
        assert_eq!("#Proj".parse::<ChannelName>().unwrap().to_string(), "#proj");
    }

    #[test]
    fn an_address_says_what_it_is() {
        assert_eq!("@Bob".parse::<Address>().unwrap().to_string(), "@Bob");
        assert_eq!("#proj".parse::<Address>().unwrap().to_string(), "#proj");
        assert_eq!("bob".parse::<Address>(), Err(InvalidName::NoSigil("bob".into())));
        assert!("@../agents/mallory".parse::<Address>().is_err());
    }
}
