//! Where a room's documents lie in a brain [v1]. Paths are built from names that were checked, and from nothing else.

use std::fmt;
use std::str::FromStr;

use crate::message::{AgentName, MessageId};

/// Bytes that a room's name may have at most.
const LONGEST: usize = 64;

/// A room's name [v1]: letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room(Box<str>);

/// A text that names no room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a room's name has 1 to {LONGEST} letters, digits, `.`, `_` and `-`, and begins with a letter or digit"
)]
pub struct InvalidRoom;

impl Room {
    /// The room where none is named [v1].
    pub const DEFAULT: &str = "default";

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `/private/backchannel/<room>/`: only the user whose token it is sees what lies there.
    pub(super) fn root(&self) -> String {
        format!("/private/backchannel/{}/", self.0)
    }

    pub(super) fn agents(&self) -> String {
        format!("{}agents/", self.root())
    }

    pub(super) fn agent(&self, name: &AgentName) -> String {
        format!("{}{name}.md", self.agents())
    }

    pub(super) fn inbox(&self, agent: &AgentName) -> String {
        format!("{}inbox/{agent}/", self.root())
    }

    /// A message in an inbox, or a further part of it, counted from 1.
    pub(super) fn unread(&self, agent: &AgentName, id: MessageId, part: usize) -> String {
        format!("{}{}", self.inbox(agent), name(id, part))
    }

    pub(super) fn log(&self, id: MessageId, part: usize) -> String {
        format!("{}log/{}", self.root(), name(id, part))
    }

    /// Where a document goes that is no message.
    pub(super) fn bad(&self, agent: &AgentName, name: &str) -> String {
        format!("{}bad/{agent}/{name}", self.root())
    }
}

impl FromStr for Room {
    type Err = InvalidRoom;

    fn from_str(text: &str) -> Result<Self, InvalidRoom> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = text.len() <= LONGEST
            && text.bytes().all(is_word)
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if fits { Ok(Self(text.into())) } else { Err(InvalidRoom) }
    }
}

impl fmt::Display for Room {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// `<id>.md`, and `<id>-2.md` of a second part.
fn name(id: MessageId, part: usize) -> String {
    if part == 1 { format!("{id}.md") } else { format!("{id}-{part}.md") }
}

/// Reads the name of a message's document: its id, and which part it is.
pub(super) fn parse_name(name: &str) -> Option<(MessageId, usize)> {
    let stem = name.strip_suffix(".md")?;
    let (id, part) = match stem.get(36..) {
        Some("") => (stem, 1),
        Some(rest) => (&stem[..36], rest.strip_prefix('-')?.parse().ok().filter(|part| *part > 1)?),
        None => return None,
    };
    Some((MessageId::from_file_name(id, "")?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_one_step_of_a_path() {
        for name in ["", ".", "..", "a/b", "-a", ".a", "a b", "é", "a\n", &"x".repeat(65)] {
            assert_eq!(name.parse::<Room>(), Err(InvalidRoom), "{name:?}");
        }
        let room: Room = "My-team.2".parse().unwrap();
        let id = MessageId::random();
        let bob = "bob".parse().unwrap();
        assert_eq!(room.unread(&bob, id, 1), format!("/private/backchannel/My-team.2/inbox/bob/{id}.md"));
        assert_eq!(room.log(id, 3), format!("/private/backchannel/My-team.2/log/{id}-3.md"));
    }

    #[test]
    fn only_our_own_names_are_read() {
        let id = MessageId::random();
        assert_eq!(parse_name(&format!("{id}.md")), Some((id, 1)));
        assert_eq!(parse_name(&format!("{id}-2.md")), Some((id, 2)));
        for name in [
            format!("{id}"),
            format!("{id}-1.md"),
            format!("{id}-x.md"),
            "notes.md".into(),
            format!("é{id}.md"),
        ] {
            assert_eq!(parse_name(&name), None, "{name}");
        }
    }
}
