//! Mail as MCP tools, for clients that call tools: on the desk over standard input and output (`bch mcp`), and at a
//! relay over HTTP.
//!
//! [`Server`] speaks MCP, a [`Session`] keeps what one client was given and did not yet take for certain, and a
//! [`Mailbox`] is whose mail it is: a [`Desk`] stands on a spool, the relay has its own. Nothing here opens a connection.

mod arguments;
mod bell;
mod desk;
mod inbox;
mod mailbox;
mod server;
mod session;
mod tools;
mod transport;

pub use desk::{Desk, Opened};
pub use inbox::INBOX;
pub use mailbox::{Answer, Delivery, Draft, Mailbox, Place, Posted, Waiting, not_one};
pub use server::Server;
pub use session::Session;
pub use transport::Heard;
