//! One binary with all tests: what a user sees is tested through the built programs.
#![expect(clippy::disallowed_methods, reason = "tests start programs and read their own environment")]
#![allow(clippy::allow_attributes, clippy::unwrap_used, clippy::expect_used, unreachable_pub, missing_docs)]

mod attention;
mod behaviours;
mod brain;
mod commands;
mod crash;
mod docs;
mod edit_corpus;
mod edit_laws;
mod harnesses;
mod hook;
mod install;
mod mcp;
mod model;
mod nothing_runs;
#[cfg(not(target_os = "macos"))]
mod notify;
mod prove;
mod relay;
mod support;
mod transcript;
