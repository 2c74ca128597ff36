//! One message as a model is shown it: a header of one line a field, and the body, each line prefixed.

use std::fmt::Write as _;

use super::Means;
use crate::message::{Message, Priority, visible};

/// Bytes of a scope or of all references that a header shows.
const LONGEST_HEADER: usize = 300;

/// One message as a model is shown it.
#[derive(Debug, Clone)]
pub struct Item {
    pub(super) text: String,
    /// Whether only its head is in the text.
    pub is_head: bool,
}

impl Item {
    /// Renders a message; one that takes more than `room` bytes is cut, with what shows the rest.
    #[must_use]
    pub fn new(message: &Message, repeat: bool, stray: bool, room: usize, means: Means) -> Self {
        let mut text = header(message, repeat, stray);
        let lines = message.body.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let whole = text.len();
        for line in lines.clone() {
            push_line(&mut text, line);
        }
        if text.len() <= room {
            return Self { text, is_head: false };
        }
        text.truncate(whole);
        let rest = format!(
            "(cut here: {} bytes in all; read it whole with: {})\n",
            message.body.len(),
            means.whole(&message.id.short())
        );
        let room = room.saturating_sub(rest.len());
        'lines: for line in lines {
            for piece in pieces(line) {
                if text.len() + piece.len() * 6 + 3 > room {
                    // A piece of a long line may still fit when it needs no escapes.
                    let shown = visible::line(piece);
                    if text.len() + shown.len() + 3 > room {
                        break 'lines;
                    }
                }
                push_line(&mut text, piece);
            }
        }
        text.push_str(&rest);
        Self { text, is_head: true }
    }

    /// Bytes that the item takes of a delivery.
    #[must_use]
    pub fn weight(&self, angle_brackets: usize) -> usize {
        weight(&self.text, angle_brackets)
    }
}

/// Bytes of a text after a harness wrote each angle bracket with `angle_brackets` bytes.
fn weight(text: &str, angle_brackets: usize) -> usize {
    let brackets = text.bytes().filter(|byte| matches!(byte, b'<' | b'>')).count();
    text.len() + brackets * angle_brackets.saturating_sub(1)
}

/// A long line in pieces of 200 characters, so that its head can be shown.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = line.char_indices().nth(200).map(|(end, _)| end);
        rest = end.map(|end| &line[end..]);
        Some(&line[..end.unwrap_or(line.len())])
    })
}

fn push_line(text: &mut String, line: &str) {
    text.push_str("| ");
    text.push_str(&visible::line(line));
    text.push('\n');
}

fn header(message: &Message, repeat: bool, stray: bool) -> String {
    let mut text = format!(
        "message {} from @{} to {}, {}Z",
        message.id.short(),
        message.from,
        message.to,
        // RFC 3339, to the minute.
        &format!("{:.0}", message.ts)[..16],
    );
    if message.priority == Priority::Urgent {
        text.push_str(", urgent");
    }
    if repeat {
        text.push_str(", may have been shown before");
    }
    if stray {
        text.push_str(", waited 7 days for a reader in its scope");
    }
    text.push('\n');
    let mut field = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}: {}", clip(&visible::line(value)));
    };
    if let Some(scope) = &message.scope {
        field("scope", scope.as_str());
    }
    if let Some(thread) = &message.thread {
        field("answers", thread);
    }
    if !message.refs.is_empty() {
        field("refs", &message.refs.join(", "));
    }
    text
}

fn clip(text: &str) -> String {
    match text.char_indices().find(|(start, _)| *start >= LONGEST_HEADER) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_long_message_is_shown_by_its_head() {
        for body in
            ["x".repeat(256 * 1024), "\n".repeat(100_000), "\u{202e}".repeat(50_000), "<>\n".repeat(9000)]
        {
            let to = "@bob".parse().unwrap();
            let message = Message::new("alice".parse().unwrap(), to, body, Timestamp::UNIX_EPOCH);
            let item = Item::new(&message, true, true, 2000, Means::Commands);
            assert!(item.is_head && item.text.len() <= 2000, "{}", item.text.len());
            assert!(item.text.contains("bch read "));
        }
    }
}
