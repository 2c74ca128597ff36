//! Harnesses: facts in `harnesses/<id>.toml`, read into a [`Manifest`]; what data cannot say is code.

mod claude_code;
mod gemini_cli;
mod manifest;
mod transcript;

pub use manifest::{Event, Gives, Manifest, Proves, TranscriptFacts};
pub use transcript::Transcript;
