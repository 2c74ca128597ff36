//! The relay: mail between machines, over HTTP.
//!
//! [`wire`] is the API in types, for both sides; [`store`] keeps the mail.

pub mod store;
pub mod wire;
