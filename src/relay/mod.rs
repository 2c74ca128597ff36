//! The relay: mail between machines, over HTTP.
//!
//! [`wire`] is the API in types, and [`url`] where a relay is, for both sides; [`store`] keeps the mail. The rest is the
//! server: [`router`] is a pure function of its [`State`], and [`run`] gives it a listener, limits on connections, and an
//! end.

pub mod administrator;
mod answer;
mod caller;
pub mod calls;
mod connection;
pub mod limits;
mod link;
pub mod log;
pub mod mcp;
mod metrics;
pub mod options;
mod routes;
mod serve;
mod settings;
mod state;
pub mod store;
mod underway;
pub mod url;
pub mod wire;

pub use routes::router;
pub use serve::{Error, run};
pub use state::{DefaultToken, Rules, State};
