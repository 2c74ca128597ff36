//! `mcp`: the MCP server over standard input and output, until the client closes it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rmcp::ServiceExt as _;
use tokio::signal::unix::{SignalKind, signal};

use super::open_spool;
use crate::config::Config;
use crate::delivery::canary;
use crate::env::Env;
use crate::mcp::Server;
use crate::message::AgentName;
use crate::spool::Spool as _;

/// Waits for a signal that asks for an end.
async fn signalled() {
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
}

pub(super) fn mcp(agent: Option<AgentName>, home: Option<PathBuf>, env: &Env) -> anyhow::Result<()> {
    let config = match &home {
        // An installed entry does not listen to the environment: a project's could redirect mail.
        Some(home) => Config::load_from(home)?,
        None => Config::load(env)?,
    };
    let agent = match agent {
        Some(agent) => agent,
        None if home.is_some() => config.agent()?,
        None => super::agent(&config, env)?,
    };
    let spool = open_spool(&config, env)?;
    if spool.agent(&agent)?.is_none() {
        return Err(super::mistake(format!("there is no agent @{agent}"), format!("bch init {agent}")));
    }
    let agent = canary::asked_for(&spool, env).unwrap_or(agent);
    let server = Arc::new(Server::new(Box::new(spool), agent, config.home, env.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the server")?;
    runtime.block_on(async {
        let transport = (tokio::io::stdin(), tokio::io::stdout());
        let Ok(service) = Arc::clone(&server).serve(transport).await else {
            // The client left before it said hello.
            return;
        };
        // Claude Code, Codex and Gemini CLI end their servers by a signal, not by closing their side (run,
        // 2026-11-24); both are orderly. What goes wrong with the transport ends it, too.
        tokio::select! {
            _ = service.waiting() => {}
            () = signalled() => {}
        }
    });
    // Standard input may still be waited for by a thread of the runtime; the client has nothing more to say.
    runtime.shutdown_background();
    server.settle();
    Ok(())
}
