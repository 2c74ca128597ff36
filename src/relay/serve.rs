//! A relay that runs: it listens, sweeps, and ends in order.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::connection::Gate;
use super::limits;
use super::log::TARGET;
use super::options::{Options, TlsFiles};
use super::routes::serving;
use super::state::{Shared, State};
use super::store::Store;
use super::store::maildir::{self, Admission, Maildir};
use crate::env::Env;
use crate::secret::NoRandomness;

/// How long running requests may take after the relay was asked to end.
const GRACE: Duration = Duration::from_secs(10);
/// How often leases are looked through, and what is old.
const SWEEP: Duration = Duration::from_secs(60);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;
/// Open files that are kept for the store.
const FILES: u64 = 256;
/// Bytes that are read ahead on one connection, and so of a request's line and headers.
const BUFFER: usize = 64 * 1024;

/// Why a relay does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not this machine's.
    #[error("could not listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate or its key.
    #[error("could not use the certificate {} with its key: {source}", certificate.display())]
    Tls {
        /// The chain.
        certificate: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The data directory.
    #[error("could not open the relay's data in {}: {source}", path.display())]
    Store {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        source: maildir::OpenError,
    },
    /// The system refused threads, signals or sockets.
    #[error("could not run the relay: {0}")]
    System(#[from] io::Error),
    /// No random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Error {
    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("bch relay --port 0   # any port that is free".into())
            }
            Self::Listen { .. } => Some("bch relay --listen 127.0.0.1".into()),
            Self::Store { source, .. } => source.hint(),
            _ => None,
        }
    }
}

/// Runs a relay until it is asked to end; `listening` is told its URL once it answers.
///
/// # Errors
/// Where it cannot begin; what goes wrong later is in the log.
pub fn run(options: Options, env: Env, listening: impl FnOnce(&str)) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(options, env, listening))
}

async fn serve(options: Options, env: Env, listening: impl FnOnce(&str)) -> Result<(), Error> {
    let tls = match &options.tls {
        Some(files) => Some((tls(files).await?, files.clone())),
        None => None,
    };
    // Before the data is touched: a taken port changes nothing.
    let listener =
        listen(options.listen).map_err(|source| Error::Listen { address: options.listen, source })?;
    let address = listener.local_addr()?;
    let store = open(&options, &env).await?;
    let state = Arc::new(State::new(Arc::clone(&store), options.rules, &options.limits, env)?);
    let most = most_connections(options.limits.connections);
    let handle = Handle::new();
    let gate = Gate::new(Arc::clone(&state), most, tls.is_none());
    let signals = Signals::new()?;
    let sweeping = tokio::spawn(sweep(Arc::clone(&state)));
    let ending = tokio::spawn(signals.wait(Arc::clone(&state), handle.clone(), tls.clone()));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let server = server(listener, handle, &options.limits);
    tracing::info!(target: TARGET, %address, connections = most, "the relay listens");
    listening(&format!("{scheme}://{address}"));
    let routes = serving(state).into_make_service_with_connect_info::<SocketAddr>();
    let served = match tls {
        Some((config, _)) => {
            let acceptor = RustlsAcceptor::new(config).handshake_timeout(options.limits.header_time);
            server.acceptor(acceptor.acceptor(gate)).serve(routes).await
        }
        None => server.acceptor(gate).serve(routes).await,
    };
    sweeping.abort();
    ending.abort();
    store.close().await;
    tracing::info!(target: TARGET, "the relay has ended");
    Ok(served?)
}

/// Opens the data; that waits for the disk.
async fn open(options: &Options, env: &Env) -> Result<Arc<dyn Store>, Error> {
    let (data, limits, env) = (options.data.clone(), options.store.clone(), env.clone());
    let admission = Admission::Token(options.room_token.hash());
    let open = move || Maildir::open(&data, admission, limits, &env);
    let opened = tokio::task::spawn_blocking(open).await.map_err(io::Error::other)?;
    match opened {
        Ok(store) => Ok(Arc::new(store)),
        Err(source) => Err(Error::Store { path: options.data.clone(), source }),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn server(
    listener: TcpListener,
    handle: Handle<SocketAddr>,
    limits: &limits::Settings,
) -> Server<SocketAddr> {
    let failed = |address: Option<&SocketAddr>, error: &io::Error| match address {
        // One client's, such as a handshake that it broke off.
        Some(_) => tracing::debug!(target: TARGET, %error, "a connection failed"),
        // Everybody's, such as no more open files.
        None => tracing::error!(target: TARGET, %error, "could not accept connections"),
    };
    let mut server = Server::from_listener(listener)
        .handle(handle)
        .http1_only()
        .first_request_timeout(limits.header_time)
        .accept_error_handler(failed);
    // The same clock runs while a kept connection waits for its next request.
    server.http_builder().http1().header_read_timeout(limits.idle_time).max_buf_size(BUFFER);
    server
}

/// Raises the limit on open files as far as it may, and says how many connections fit in.
fn most_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(target: TARGET, %error, "could not raise the limit on open files");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fit = usize::try_from(files.saturating_sub(FILES).max(16)).unwrap_or(usize::MAX);
    if fit < wanted {
        tracing::warn!(target: TARGET, connections = fit, wanted, "the limit on open files allows fewer connections");
    }
    wanted.min(fit)
}

async fn tls(files: &TlsFiles) -> Result<RustlsConfig, Error> {
    // A second relay in the process, in a test, finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = RustlsConfig::from_pem_file(&files.certificate, &files.key).await;
    let config = config.map_err(|source| Error::Tls { certificate: files.certificate.clone(), source })?;
    speak_http1(&config);
    Ok(config)
}

/// Offers the one version of HTTP that is spoken.
fn speak_http1(config: &RustlsConfig) {
    let mut settings = rustls::ServerConfig::clone(&config.get_inner());
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.reload_from_config(Arc::new(settings));
}

async fn sweep(state: Shared) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first comes at once: what lapsed while no relay ran is given back.
    let mut revoked = state.revoked.subscribe();
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                state.limits.sweep();
                if let Err(error) = state.store.sweep().await {
                    tracing::error!(target: TARGET, %error, "could not sweep");
                }
            }
            // The state has the sender: this ends with the process.
            _ = revoked.changed() => {}
        }
        state.mcp.sweep(&state).await;
    }
}

/// What the process may be asked for.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Ends the server in order at the first signal that asks for it, at once at the second.
    async fn wait(
        mut self,
        state: Shared,
        handle: Handle<SocketAddr>,
        tls: Option<(RustlsConfig, TlsFiles)>,
    ) {
        let mut is_ending = false;
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = self.hang_up.recv() => {
                    if let Some((config, files)) = &tls {
                        reload(config, files).await;
                    }
                    continue;
                }
            }
            if is_ending {
                handle.shutdown();
                return;
            }
            is_ending = true;
            tracing::info!(target: TARGET, "the relay ends");
            state.stopping.send_replace(true);
            state.mcp.end();
            handle.graceful_shutdown(Some(GRACE));
        }
    }
}

/// Takes a renewed certificate up; the old one stays where the new one cannot be used.
async fn reload(config: &RustlsConfig, files: &TlsFiles) {
    match config.reload_from_pem_file(&files.certificate, &files.key).await {
        Ok(()) => {
            speak_http1(config);
            tracing::info!(target: TARGET, "took the certificate up again");
        }
        Err(error) => tracing::error!(target: TARGET, %error, "could not take the certificate up again"),
    }
}
