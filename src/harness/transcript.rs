//! A harness's own record of the conversation, asked for one thing: does the model's answer follow on a
//! delivery, in what the next turn will hold?
//!
//! The formats are undocumented, so an unknown one says nothing, and the event alone decides. This module
//! never writes, and never waits.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;

use super::{claude_code, gemini_cli};
use crate::message::DeliveryId;

/// Bytes of a transcript's end that are read; a turn that is longer is shown its mail again.
const LONGEST: u64 = 64 * 1024 * 1024;

/// How a transcript is written: JSON lines, of which each harness makes its own sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A tree of records, each naming its parent.
    ClaudeCode,
    /// A list of records, which some record replaces.
    GeminiCli,
}

/// One entry of the conversation as it stands.
pub(super) struct Entry<'a> {
    /// Its line.
    pub(super) line: &'a [u8],
    pub(super) kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The model's words or calls.
    Answer,
    /// What may hold mail.
    Context,
    /// Neither.
    Other,
}

/// The end of a transcript.
#[derive(Debug)]
pub struct Transcript {
    format: Format,
    bytes: Vec<u8>,
}

impl Transcript {
    /// Reads its end; `None` where there is none: some runs keep no transcript.
    #[must_use]
    pub fn read(path: &Path, format: Format) -> Option<Self> {
        // A pipe in its place must not hold up the turn.
        let non_blocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut file = File::options().read(true).custom_flags(non_blocking).open(path).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() {
            return None;
        }
        file.seek(SeekFrom::Start(metadata.len().saturating_sub(LONGEST))).ok()?;
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Some(Self { format, bytes })
    }

    /// Whether the conversation as it stands holds the delivery and an answer after it; `None` where the
    /// transcript is not written as it was when its format was looked at.
    #[must_use]
    pub fn answers(&self, delivery: DeliveryId) -> Option<bool> {
        let lines = || self.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let conversation = match self.format {
            Format::ClaudeCode => claude_code::conversation(lines()),
            Format::GeminiCli => gemini_cli::conversation(lines()),
        };
        if conversation.is_empty() {
            return None;
        }
        let mark = delivery.to_string();
        let holds = |entry: &Entry<'_>| {
            entry.kind != Kind::Other && memchr::memmem::find(entry.line, mark.as_bytes()).is_some()
        };
        let after = conversation.iter().position(holds).map(|place| &conversation[place + 1..]);
        Some(after.is_some_and(|after| after.iter().any(|entry| entry.kind == Kind::Answer)))
    }
}
