//! Harnesses: facts in `harnesses/<id>.toml`, read into a [`Manifest`]; what data cannot say is code.

mod manifest;

pub use manifest::{Event, Gives, Manifest, Proves};
