//! Harnesses: facts in `harnesses/<id>.toml`, read into a [`Manifest`]; what data cannot say is code.

mod claude_code;
mod folder_trust;
mod gemini_cli;
mod installation;
mod layers;
mod live;
mod manifest;
mod proof;
mod transcript;

pub use folder_trust::{FolderTrust, Standing};
pub use installation::{
    Folder, FolderApproval, FolderInstructions, Installation, Instructions, Place, Switch, Tools,
};
pub use layers::{Layer, LayerOwner, Settings, TrustedProjects};
pub use live::LiveFacts;
pub use manifest::{Event, Genuine, Gives, Manifest, Proves, TimeoutUnit, TranscriptFacts, Variable};
pub use proof::{Cap, HookShell, ProofFacts, TranscriptSample, Values};
pub use transcript::Transcript;
