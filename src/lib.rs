//! backchannel: mail between coding agents, across harnesses, machines and people.
//!
//! Dependencies point downward: `cli` and the hook stand on [`delivery`], [`mcp`], [`notify`], [`relay`], [`doctor`] and
//! [`install`], those on [`credentials`], [`invite`], [`attention`], [`harness`], [`edit`] and [`spool`], those on [`message`]. Only [`env`] reads the process's surroundings.

pub mod attention;
pub mod cli;
pub mod client;
pub mod config;
pub mod credentials;
pub mod delivery;
pub mod doctor;
pub mod edit;
pub mod env;
pub mod harness;
pub mod install;
pub mod invite;
pub mod mcp;
pub mod message;
pub mod notify;
pub mod redaction;
pub mod relay;
pub mod repository;
pub mod secret;
pub mod shell;
pub mod spool;

/// What an agent learns of us: the skill, with its front matter.
pub const SKILL: &str = include_str!("../SKILL.md");
