//! Mail in a brain; and the brain that the tests start: what it does right, how it fails, and what the service's own client
//! says to it.

mod archive;
mod claims;
mod commands;
mod damage;
mod fake;
mod hook;
mod official;
mod outcomes;
mod pause;
mod races;
mod room;
mod sends;
mod watch;
