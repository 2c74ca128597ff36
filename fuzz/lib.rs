//! The editors alone, under the package's name: what the fuzzer runs needs nothing else of it, and is built in a
//! fraction of the time.

#[path = "../src/edit/mod.rs"]
pub mod edit;
#[path = "../src/shell.rs"]
pub mod shell;
