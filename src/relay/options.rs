//! How a relay is started: its data directory, its settings, its secrets, and what it refuses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::limits;
use super::log::{Format, Least};
pub use super::settings::{FILE, LIMITS, LimitSettings, Settings};
use super::state::{DefaultToken, Rules};
use super::store;
use crate::env::Env;
use crate::message::LONGEST_BODY;
use crate::secret::{InvalidSecret, NoRandomness, Secret};
use crate::shell::word;
use crate::spool::local::files;

/// The first version's.
const PORT: u16 = 7117;
/// The token of room `default` that the relay made, in the data directory.
const ROOM_TOKEN: &str = "room-token";

/// Everything that is decided before a relay listens.
#[derive(Debug)]
pub struct Options {
    /// Where its data is.
    pub data: PathBuf,
    /// Where it listens; port 0 is any.
    pub listen: SocketAddr,
    /// Its certificate.
    pub tls: Option<TlsFiles>,
    /// Who may do what.
    pub rules: Rules,
    /// The token of room `default`.
    pub room_token: Secret,
    /// Whether that token was made just now.
    pub is_new: bool,
    /// How the log is written.
    pub log: (Format, Least),
    /// How much the store takes in.
    pub store: store::Limits,
    /// How often, and for how long.
    pub limits: limits::Settings,
}

/// A certificate chain and its key, PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `--data` nor a home.
    #[error("there is no data directory: neither --data nor HOME is set")]
    NoHome,
    /// The system refused a file.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that does not parse, or has a setting that nobody knows.
    #[error("could not use the settings in {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        reason: String,
    },
    /// A variable that does not parse.
    #[error("could not use {name}: {reason}")]
    Variable {
        /// Which.
        name: String,
        /// What the parser said.
        reason: String,
    },
    /// Flags that do not fit together.
    #[error("could not use the options: {0}")]
    Flags(String),
    /// A secret that is none.
    #[error("could not use the token in {place}: {source}")]
    Token {
        /// The file or the variable.
        place: String,
        /// What is wrong.
        source: InvalidSecret,
    },
    /// Others than its owner may read a secret.
    #[error("others may read the token in {}", .0.display())]
    Readable(PathBuf),
    /// The room's and the admin token are one.
    #[error("the admin token is the room's token: whoever may join could take the rooms away")]
    SameTokens,
    /// Tokens would cross a network in the clear.
    #[error("will not listen on {0} without TLS: tokens and mail would cross the network in the clear")]
    Clear(IpAddr),
    /// The data directory.
    #[error(transparent)]
    Data(#[from] crate::spool::Error),
    /// No random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Error {
    /// A command that mends it, or tells more.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoHome => Some("bch relay --data DIRECTORY".into()),
            Self::File { path, .. } => Some(format!("${{EDITOR:-vi}} {}", word(path))),
            Self::Readable(path) => Some(format!("chmod 600 {}", word(path))),
            Self::Clear(address) => Some(format!(
                "bch relay --listen {address} --tls-cert CERTIFICATE --tls-key KEY   # or --behind-proxy, where one does TLS"
            )),
            Self::Data(error) => error.hint(),
            _ => None,
        }
    }
}

impl Options {
    /// Reads everything, makes the data directory, and the room's token where none is given.
    ///
    /// # Errors
    /// See [`Error`]: nothing is listened on then.
    pub fn load(data: Option<PathBuf>, flags: &Settings, env: &Env) -> Result<Self, Error> {
        let data = data_directory(data, env)?;
        let settings = Settings::load(flags, &data, env)?;
        let address = settings.listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let tls = tls(&settings)?;
        let is_behind_proxy = settings.behind_proxy.unwrap_or(false);
        if !address.is_loopback() && tls.is_none() && !is_behind_proxy && !settings.insecure.unwrap_or(false)
        {
            return Err(Error::Clear(address));
        }
        files::make_directory(&data)?;
        files::make_private(&data);
        let admin = secret("BACKCHANNEL_ADMIN_TOKEN", settings.admin_token_file.as_deref(), env)?;
        let given = secret("BACKCHANNEL_TOKEN", settings.token_file.as_deref(), env)?;
        let (room_token, default_token, is_new) = match given {
            Some(token) => (token, DefaultToken::Given, false),
            None => {
                let path = data.join(ROOM_TOKEN);
                let (token, is_new) = kept_token(&path)?;
                (token, DefaultToken::Made(path), is_new)
            }
        };
        if admin.as_ref() == Some(&room_token) {
            return Err(Error::SameTokens);
        }
        let hosts = match settings.hosts {
            Some(hosts) => Some(hosts),
            // Nobody but this machine calls, or should.
            None if address.is_loopback() && !is_behind_proxy => Some(Vec::new()),
            None => None,
        };
        let rules = Rules {
            admin: admin.map(|token| token.hash()),
            open_rooms: settings.open_rooms.unwrap_or(false),
            behind_proxy: is_behind_proxy,
            hosts,
            default_token,
        };
        Ok(Self {
            listen: SocketAddr::new(address, settings.port.unwrap_or(PORT)),
            log: (settings.log.unwrap_or_default(), settings.log_level.unwrap_or_default()),
            store: store_limits(&settings.limits)?,
            limits: server_limits(&settings.limits),
            data,
            tls,
            rules,
            room_token,
            is_new,
        })
    }
}

/// `--data`, else the home that the environment names [v1], else a directory of the relay's own.
fn data_directory(data: Option<PathBuf>, env: &Env) -> Result<PathBuf, Error> {
    let named = data.or_else(|| env.variable("BACKCHANNEL_HOME").map(PathBuf::from));
    let path = named.or_else(|| Some(env.data_directory()?.join("relay"))).ok_or(Error::NoHome)?;
    Ok(env.directory().map_or_else(|| path.clone(), |directory| directory.join(&path)))
}

fn tls(settings: &Settings) -> Result<Option<TlsFiles>, Error> {
    match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => {
            Ok(Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }))
        }
        (None, None) => Ok(None),
        _ => Err(Error::Flags("a certificate and its key go together".into())),
    }
}

/// A secret from its variable, or from its file, which is nobody else's to read.
fn secret(variable: &str, file: Option<&Path>, env: &Env) -> Result<Option<Secret>, Error> {
    if let Some(text) = env.text(variable) {
        let place = variable.to_owned();
        return Secret::parse(&text).map(Some).map_err(|source| Error::Token { place, source });
    }
    file.map(secret_file).transpose()
}

/// Reads a secret from its file.
///
/// # Errors
/// Where it cannot be read, others may read it, or it is no token.
pub fn secret_file(path: &Path) -> Result<Secret, Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let read = |source| Error::Read { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(read)?;
    let mode = std::fs::metadata(path).map_err(read)?.permissions().mode();
    // systemd and containers hand secrets over in files that a group of theirs may read.
    if mode & 0o007 != 0 {
        return Err(Error::Readable(path.to_owned()));
    }
    Secret::parse(&text).map_err(|source| Error::Token { place: path.display().to_string(), source })
}

/// The token that the relay made at its first start, or makes now.
fn kept_token(path: &Path) -> Result<(Secret, bool), Error> {
    match secret_file(path) {
        Err(Error::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            let token = Secret::random()?;
            files::replace(path, format!("{}\n", token.expose()).as_bytes())?;
            Ok((token, true))
        }
        kept => Ok((kept?, false)),
    }
}

fn store_limits(set: &LimitSettings) -> Result<store::Limits, Error> {
    const DAY: u64 = 24 * 3600;
    let most = store::Limits::default();
    let body_bytes = set.body_bytes.map_or(most.body_bytes, usize::from);
    if body_bytes > LONGEST_BODY || set.refs.is_some_and(|refs| refs > most.refs) {
        return Err(Error::Flags(format!(
            "no client takes a body of more than {LONGEST_BODY} bytes, or more than {} references",
            most.refs
        )));
    }
    Ok(store::Limits {
        body_bytes,
        refs: set.refs.unwrap_or(most.refs),
        unread_per_agent: set.unread_per_agent.map_or(most.unread_per_agent, usize::from),
        unread_per_room: set.unread_per_room.map_or(most.unread_per_room, usize::from),
        unread_bytes_per_agent: set.unread_bytes_per_agent.map_or(most.unread_bytes_per_agent, usize::from),
        unread_bytes_per_room: set.unread_bytes_per_room.map_or(most.unread_bytes_per_room, usize::from),
        agents_per_room: set.agents_per_room.map_or(most.agents_per_room, usize::from),
        subscriptions_per_agent: set
            .subscriptions_per_agent
            .map_or(most.subscriptions_per_agent, usize::from),
        subscriptions_per_room: set.subscriptions_per_room.map_or(most.subscriptions_per_room, usize::from),
        rooms: set.rooms.map_or(most.rooms, usize::from),
        unread_age: set
            .unread_days
            .map_or(most.unread_age, |days| Duration::from_secs(days.get().saturating_mul(DAY))),
        remembered_sends: set.remembered_sends.unwrap_or(most.remembered_sends),
    })
}

fn server_limits(set: &LimitSettings) -> limits::Settings {
    let most = limits::Settings::default();
    let seconds =
        |set: Option<std::num::NonZeroU64>, most| set.map_or(most, |set| Duration::from_secs(set.get()));
    limits::Settings {
        body_bytes: set.body_bytes.map_or(most.body_bytes, usize::from),
        refs: set.refs.unwrap_or(most.refs),
        requests_per_agent: set.requests_per_agent,
        requests_per_address: set.requests_per_address,
        failures: set.failures_per_address.unwrap_or(most.failures),
        streams_per_agent: set.streams_per_agent.map_or(most.streams_per_agent, usize::from),
        underway_per_agent: set.underway_per_agent.map_or(most.underway_per_agent, usize::from),
        connections: set.connections.map_or(most.connections, usize::from),
        header_time: seconds(set.header_seconds, most.header_time),
        body_time: seconds(set.body_seconds, most.body_time),
        idle_time: seconds(set.idle_seconds, most.idle_time),
    }
}
