//! What a model is shown, and when: the fence around other agents' text, and the rules of the hooks.

pub mod canary;
mod fence;
pub mod hook;
mod invocation;
mod item;
mod means;
mod parcel;
mod payload;
pub mod program;
mod session;
mod witness;

pub use payload::read as read_payload;

pub use fence::Fence;
pub use invocation::Invocation;
pub use item::Item;
pub use means::Means;
pub use parcel::Parcel;
