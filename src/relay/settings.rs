//! What may be set, and where: flags win, then the environment, then `relay.toml` in the data directory.
//!
//! A secret is in none of the three: a file holds it, or a variable of its own ([`super::options`]).

use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::log::{Format, Least};
use super::options::Error;
use crate::env::Env;

/// The file, in the data directory.
pub const FILE: &str = "relay.toml";
/// What the name of each variable begins with; then the key in capitals, with `_` for `-`.
const VARIABLES: &str = "BACKCHANNEL_RELAY_";

/// One source of settings, or all of them one over the other; what is not set has a default.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// The address to listen on.
    pub listen: Option<IpAddr>,
    /// The port; 0 is any.
    pub port: Option<u16>,
    /// A certificate chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// Its key, PEM.
    pub tls_key: Option<PathBuf>,
    /// A proxy stands before the relay, does TLS, and appends the client's address to `X-Forwarded-For`.
    pub behind_proxy: Option<bool>,
    /// Listen beyond loopback without TLS.
    pub insecure: Option<bool>,
    /// Let anybody make rooms.
    pub open_rooms: Option<bool>,
    /// How the log is written.
    pub log: Option<Format>,
    /// What is written at least.
    pub log_level: Option<Least>,
    /// A file with the token of room `default`.
    pub token_file: Option<PathBuf>,
    /// A file with the admin token.
    pub admin_token_file: Option<PathBuf>,
    /// The names by which clients reach `/mcp`, apart from loopback.
    pub hosts: Option<Vec<String>>,
    /// Limits.
    pub limits: LimitSettings,
}

/// The table `[limits]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/relay.md has them in a table, which a test compares")]
pub struct LimitSettings {
    pub body_bytes: Option<NonZeroUsize>,
    pub refs: Option<usize>,
    pub unread_per_agent: Option<NonZeroUsize>,
    pub unread_per_room: Option<NonZeroUsize>,
    pub unread_bytes_per_agent: Option<NonZeroUsize>,
    pub unread_bytes_per_room: Option<NonZeroUsize>,
    pub unread_days: Option<NonZeroU64>,
    pub agents_per_room: Option<NonZeroUsize>,
    pub subscriptions_per_agent: Option<NonZeroUsize>,
    pub subscriptions_per_room: Option<NonZeroUsize>,
    pub rooms: Option<NonZeroUsize>,
    pub remembered_sends: Option<usize>,
    pub requests_per_agent: Option<NonZeroU32>,
    pub requests_per_address: Option<NonZeroU32>,
    pub failures_per_address: Option<NonZeroU32>,
    pub streams_per_agent: Option<NonZeroUsize>,
    pub underway_per_agent: Option<NonZeroUsize>,
    pub connections: Option<NonZeroUsize>,
    pub header_seconds: Option<NonZeroU64>,
    pub body_seconds: Option<NonZeroU64>,
    pub idle_seconds: Option<NonZeroU64>,
}

/// All keys of [`Settings`] but the table.
const KEYS: [&str; 12] = [
    "listen",
    "port",
    "tls-cert",
    "tls-key",
    "behind-proxy",
    "insecure",
    "open-rooms",
    "log",
    "log-level",
    "token-file",
    "admin-token-file",
    "hosts",
];
/// All keys of [`LimitSettings`].
pub const LIMITS: [&str; 21] = [
    "body-bytes",
    "refs",
    "unread-per-agent",
    "unread-per-room",
    "unread-bytes-per-agent",
    "unread-bytes-per-room",
    "unread-days",
    "agents-per-room",
    "subscriptions-per-agent",
    "subscriptions-per-room",
    "rooms",
    "remembered-sends",
    "requests-per-agent",
    "requests-per-address",
    "failures-per-address",
    "streams-per-agent",
    "underway-per-agent",
    "connections",
    "header-seconds",
    "body-seconds",
    "idle-seconds",
];

impl Settings {
    /// The three sources, one over the other.
    ///
    /// # Errors
    /// Where a source cannot be read, or says what nobody knows.
    pub(super) fn load(flags: &Self, data: &Path, env: &Env) -> Result<Self, Error> {
        let path = data.join(FILE);
        let mut all = file(&path)?;
        let base = path.parent().unwrap_or(data);
        // A path in the file is beside the file.
        for key in ["tls-cert", "tls-key", "token-file", "admin-token-file"] {
            if let Some(Value::String(text)) = all.get_mut(key) {
                *text = base.join(&*text).to_string_lossy().into_owned();
            }
        }
        merge(&mut all, variables(env)?);
        let flags = Table::try_from(flags).map_err(|error| Error::Flags(error.to_string()))?;
        merge(&mut all, flags);
        all.try_into().map_err(|error: toml::de::Error| Error::Flags(error.message().to_owned()))
    }
}

fn file(path: &Path) -> Result<Table, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Table::new()),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    let damaged = |error: toml::de::Error| Error::File { path: path.to_owned(), reason: error.to_string() };
    // Read as settings first, for the line of what is wrong.
    toml::from_str::<Settings>(&text).map_err(damaged)?;
    toml::from_str(&text).map_err(damaged)
}

fn variables(env: &Env) -> Result<Table, Error> {
    let (mut table, mut limits) = (Table::new(), Table::new());
    for (keys, into) in [(&KEYS[..], &mut table), (&LIMITS[..], &mut limits)] {
        for key in keys {
            let name = format!("{VARIABLES}{}", key.to_ascii_uppercase().replace('-', "_"));
            let Some(text) = env.text(&name) else { continue };
            let value = match (text.parse::<bool>(), text.parse::<i64>()) {
                // The one list: names have no commas.
                _ if *key == "hosts" => {
                    Value::Array(text.split(',').map(|host| Value::from(host.trim())).collect())
                }
                (Ok(truth), _) => Value::Boolean(truth),
                (_, Ok(number)) => Value::Integer(number),
                _ => Value::String(text),
            };
            let alone = Table::from_iter([((*key).to_owned(), value.clone())]);
            let read = if keys.len() == KEYS.len() {
                alone.try_into::<Settings>().map(drop)
            } else {
                alone.try_into::<LimitSettings>().map(drop)
            };
            read.map_err(|error| Error::Variable { name, reason: error.message().to_owned() })?;
            into.insert((*key).to_owned(), value);
        }
    }
    table.insert("limits".to_owned(), Value::Table(limits));
    Ok(table)
}

/// Lays settings over others.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => under.extend(over),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &Settings, file: &str, variables: &[(&str, &str)]) -> Result<Settings, Error> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), file).unwrap();
        let env = Env::made(variables, "/", jiff::Timestamp::UNIX_EPOCH);
        Settings::load(flags, directory.path(), &env)
    }

    #[test]
    fn flags_win_then_the_environment_then_the_file() {
        let file = "port = 1\nlisten = \"127.0.0.2\"\nlog = \"json\"\n[limits]\nrefs = 1\nrooms = 2\n";
        let env = [
            ("BACKCHANNEL_RELAY_PORT", "2"),
            ("BACKCHANNEL_RELAY_REFS", "3"),
            ("BACKCHANNEL_RELAY_OPEN_ROOMS", "true"),
        ];
        let flags = Settings { port: Some(3), ..Settings::default() };
        let all = load(&flags, file, &env).unwrap();
        assert_eq!((all.port, all.listen), (Some(3), Some("127.0.0.2".parse().unwrap())));
        assert_eq!((all.limits.refs, all.limits.rooms), (Some(3), NonZeroUsize::new(2)));
        assert_eq!((all.log, all.open_rooms, all.insecure), (Some(Format::Json), Some(true), None));
        assert_eq!(load(&Settings::default(), file, &env).unwrap().port, Some(2));
    }

    #[test]
    fn what_nobody_knows_is_told_with_its_place() {
        for (file, told) in [
            ("prot = 1\n", "line 1"),
            ("port = 1\n[limits]\nbodybytes = 1\n", "line 3"),
            ("port = 70000\n", "line 1"),
            ("[limits]\nrooms = 0\n", "line 2"),
            ("port = \n", "line 1"),
        ] {
            let error = load(&Settings::default(), file, &[]).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains(FILE), "{file}: {error}");
        }
        let error = load(&Settings::default(), "", &[("BACKCHANNEL_RELAY_PORT", "x")]).unwrap_err();
        assert!(error.to_string().contains("BACKCHANNEL_RELAY_PORT"), "{error}");
    }

    #[test]
    fn every_key_has_a_variable() {
        let known =
            |error: String| error.split('`').skip(3).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let top = toml::from_str::<Settings>("x = 1").unwrap_err().message().to_owned();
        assert_eq!(known(top), [&KEYS[..], &["limits"]].concat());
        let limits = toml::from_str::<LimitSettings>("x = 1").unwrap_err().message().to_owned();
        assert_eq!(known(limits), LIMITS);
    }
}
