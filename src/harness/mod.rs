//! Harnesses: facts in `harnesses/<id>.toml`, read into a [`Manifest`]; what data cannot say is code.

mod claude_code;
mod gemini_cli;
mod installation;
mod manifest;
mod transcript;

pub use installation::{
    Folder, FolderApproval, FolderInstructions, Installation, Instructions, Place, Switch, Tools,
};
pub use manifest::{Event, Gives, Manifest, Proves, TimeoutUnit, TranscriptFacts};
pub use transcript::Transcript;
