//! How much mail there is, against how much there may be: messages, and the bytes that their senders wrote.

use std::ops::{Add, AddAssign, SubAssign};

use super::super::Error;
use super::envelope::Envelope;

/// Messages, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Amount {
    /// The message so many times.
    pub(super) fn of(copies: usize, envelope: &Envelope) -> Self {
        Self { messages: copies, bytes: copies.saturating_mul(envelope.weight) }
    }

    /// Refuses what is more than `most`; `whose` begins the error: `the room has`.
    pub(super) fn within(self, most: Self, whose: impl FnOnce() -> String) -> Result<(), Error> {
        let (what, most) = if self.messages > most.messages {
            ("too much unread mail", most.messages)
        } else if self.bytes > most.bytes {
            ("too many bytes of unread mail", most.bytes)
        } else {
            return Ok(());
        };
        Err(Error::Many { what: format!("{} {what}", whose()), most })
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes.saturating_add(other.bytes) }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        self.messages = self.messages.saturating_sub(other.messages);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}
