//! How data looks: on a terminal and in a pipe, with nothing in it that steers a terminal.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use crate::message::{Message, Priority, visible};

/// Text of ours that quotes others' text; line ends stay, those of two characters too.
pub(super) fn plain(text: &str) -> String {
    let line = |line: &str| match line.strip_suffix('\r') {
        Some(bare) => format!("{}\r", visible::line(bare)),
        None => visible::line(line).into_owned(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A value as indented JSON that is safe to print.
pub(super) fn json(value: &impl Serialize) -> String {
    visible::json(&serde_json::to_string_pretty(value).unwrap_or_default()).into_owned()
}

/// Prints a text and flushes it.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Tells a person something beside the data; where standard error is gone, nobody listens.
pub(super) fn remark(kind: &str, text: &str) {
    let _ = writeln!(io::stderr(), "{kind}: {}", plain(text));
}

/// Prints a value as JSON.
pub(super) fn print_json(value: &impl Serialize) -> io::Result<()> {
    print(&(json(value) + "\n"))
}

/// A message for a person: a header, then each line of the body behind a mark.
pub(super) fn message(message: &Message) -> String {
    let mut text = summary(message);
    text.push('\n');
    for (name, value) in [
        ("scope", message.scope.as_ref().map(|scope| scope.as_str())),
        ("answers", message.thread.as_deref()),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "  {name}: {}", visible::line(value));
        }
    }
    for reference in &message.refs {
        let _ = writeln!(text, "  ref: {}", visible::line(reference));
    }
    for line in message.body.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let _ = writeln!(text, "  | {}", visible::line(line));
    }
    text
}

/// One line: id, time, who, to whom, and how urgent.
pub(super) fn summary(message: &Message) -> String {
    let urgent = if message.priority == Priority::Urgent { "  urgent" } else { "" };
    let time = format!("{:.0}", message.ts);
    format!("{}  {}Z  @{} to {}{urgent}", message.id.short(), &time[..16], message.from, message.to)
}

/// The first line of a body, clipped for a list.
pub(super) fn first_line(message: &Message) -> String {
    let line = message.body.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let shown: String = visible::line(line).chars().take(80).collect();
    shown
}
