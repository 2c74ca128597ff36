//! What a model is shown, and when: the fence around other agents' text, and the rules of the hooks.

pub mod canary;
mod fence;
pub mod hook;
mod invocation;
mod parcel;
mod payload;
mod witness;

pub use payload::read as read_payload;

pub use fence::{Fence, Item};
pub use invocation::Invocation;
pub use parcel::Parcel;
