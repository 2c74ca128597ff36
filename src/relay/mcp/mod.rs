//! `/mcp`: the tools of `bch mcp` over streamable HTTP, for clients that cannot run a process of ours.
//!
//! The transport is rmcp's. What is ours: a session belongs to the token that began it, counts against its agent, ends
//! with its token, and knows which of its replies arrived.

mod endpoint;
mod mailbox;
mod open;
mod reply;
mod sessions;

pub use endpoint::service;
pub(super) use endpoint::{Endpoint, mcp};
