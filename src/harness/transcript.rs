//! A harness's own record of the conversation, asked whether the model's answer follows on a delivery, in
//! what the next turn will hold, and how the session was started.
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

/// Bytes of its first line that are read.
const LONGEST_START: u64 = 64 * 1024;

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

/// A transcript with its length; a pipe in its place must not hold up the turn.
fn open(path: &Path) -> Option<(File, u64)> {
    let non_blocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(non_blocking).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    metadata.is_file().then_some((file, metadata.len()))
}

/// Whether the first line of the transcript holds this text.
pub(super) fn starts_with(path: &Path, text: &str) -> bool {
    let mut bytes = Vec::new();
    let read = open(path).and_then(|(file, _)| file.take(LONGEST_START).read_to_end(&mut bytes).ok());
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    read.is_some() && memchr::memmem::find(line, text.as_bytes()).is_some()
}

impl Transcript {
    /// Reads its end; `None` where there is none: some runs keep no transcript.
    #[must_use]
    pub fn read(path: &Path, format: Format) -> Option<Self> {
        let (mut file, length) = open(path)?;
        file.seek(SeekFrom::Start(length.saturating_sub(LONGEST))).ok()?;
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
