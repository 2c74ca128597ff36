//! `mcp`: the MCP server over standard input and output, until the client closes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rmcp::ServiceExt as _;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::signal::unix::{SignalKind, signal};

use super::{mail, network, unread};
use crate::config::Config;
use crate::delivery::canary;
use crate::env::Env;
use crate::mcp::{Desk, Heard, Opened, Server, Session};
use crate::message::AgentName;

/// For how long an end waits for what is being written.
const LAST_WRITE: Duration = Duration::from_millis(200);
/// How often a claim is renewed that lapses after a minute.
const RENEWAL: Duration = Duration::from_secs(20);

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
    // Where it cannot be read, the first call says so.
    if let Some(config) = home.as_deref().and_then(|home| Config::load_from(home).ok()) {
        network::as_kept(&config, env)?;
    }
    let opening = env.clone();
    let open = move || {
        let opened = open(agent.clone(), home.as_deref(), &opening);
        opened.map_err(|error| in_one_line(&error))
    };
    serve(Arc::new(Session::new(Box::new(Desk::new(open, env.clone())))))
}

/// An error as a tool tells it.
fn in_one_line(error: &anyhow::Error) -> String {
    match super::hint(error) {
        Some(hint) => format!("{error:#}; try: {hint}"),
        None => format!("{error:#}"),
    }
}

/// Opens the mail of the agent that the arguments, or the configuration, name.
fn open(agent: Option<AgentName>, home: Option<&Path>, env: &Env) -> anyhow::Result<Opened> {
    let config = match home {
        // An installed entry does not listen to the environment: a project's could redirect mail.
        Some(home) => Config::load_from(home)?,
        None => Config::load(env)?,
    };
    let agent = match agent {
        Some(agent) => agent,
        None if home.is_some() => config.agent()?,
        None => super::agent(&config, env)?,
    };
    let local = mail::open_local(&config, env)?;
    if let Some(canary) = canary::asked_for(&local, env) {
        return Ok(Opened { spool: Arc::new(local), agent: canary, home: config.home });
    }
    let spool = if home.is_some() {
        mail::open_kept(&config, &agent, env)
    } else {
        mail::open(&config, &agent, env)
    }?;
    if spool.agent(&agent)?.is_none() {
        return Err(super::mistake(format!("there is no agent @{agent}"), format!("bch init {agent}")));
    }
    Ok(Opened { spool: spool.into(), agent, home: config.home })
}

fn serve(session: Arc<Session>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the server")?;
    runtime.block_on(async {
        let transport = AsyncRwTransport::new_server(tokio::io::stdin(), tokio::io::stdout());
        let transport = Heard::new(transport, Arc::clone(&session), unread::is_read);
        if let Ok(service) = Server::of_one(Arc::clone(&session)).serve(transport).await {
            // Claude Code, Codex and Gemini CLI end their servers by a signal, not by closing their side (run,
            // 2026-11-24); both are orderly. What goes wrong with the transport ends it, too.
            tokio::select! {
                _ = service.waiting() => {}
                () = signalled() => {}
                () = renew(&session) => {}
            }
        }
        // A client that reads has read a moment later what is being written now.
        let _ = tokio::time::timeout(LAST_WRITE, session.written()).await;
        session.end(unread::is_read()).await;
    });
    // Standard input may still be waited for by a thread of the runtime; the client has nothing more to say.
    runtime.shutdown_background();
    Ok(())
}

/// Holds what the client was given, for as long as it lives: where nobody can see that a process lives, its claims lapse.
async fn renew(session: &Session) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        session.renew().await;
    }
}
