//! How soon a message wants to be read.

use serde::{Deserialize, Deserializer, Serialize};

/// `urgent` mail is also shown between the tool calls of a running turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Shown at the next prompt.
    #[default]
    Normal,
    /// Shown at the next prompt or tool call, before all normal mail.
    Urgent,
}

/// An unknown word reads as normal, so that a later version may add one; anything but a string is
/// refused.
impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Ok(if word == "urgent" { Self::Urgent } else { Self::Normal })
    }
}
