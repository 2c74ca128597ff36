//! What tests stand on: a throw-away home, the real harnesses, a model for them, a terminal.
#![allow(dead_code, reason = "each group of tests uses a part")]

pub mod harness;
pub mod home;
pub mod laws;
pub mod mock_model;
pub mod tmux;
pub mod user;
