//! What the relay and its administration take.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;

#[derive(Debug, Args)]
pub(in crate::cli) struct RelayArguments {
    /// Where its data is; else BACKCHANNEL_HOME, else a directory of its own
    #[arg(long, value_name = "DIRECTORY")]
    pub(in crate::cli) data: Option<PathBuf>,
    /// The address to listen on; else 127.0.0.1
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) listen: Option<IpAddr>,
    /// The port; 0 is any that is free, else 7117
    #[arg(long)]
    pub(in crate::cli) port: Option<u16>,
    /// A certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(in crate::cli) tls_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(in crate::cli) tls_key: Option<PathBuf>,
    /// A proxy does TLS, and appends the client's address to X-Forwarded-For
    #[arg(long)]
    pub(in crate::cli) behind_proxy: bool,
    /// Listen beyond loopback without TLS
    #[arg(long)]
    pub(in crate::cli) insecure: bool,
    /// Let anybody make rooms
    #[arg(long)]
    pub(in crate::cli) open_rooms: bool,
    /// A file with the room's token; else BACKCHANNEL_TOKEN, else one is made
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) token_file: Option<PathBuf>,
    /// A file with the admin token; else BACKCHANNEL_ADMIN_TOKEN
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) admin_token_file: Option<PathBuf>,
    /// How the log is written, to standard error
    #[arg(long, value_enum)]
    pub(in crate::cli) log: Option<LogArgument>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum LogArgument {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RoomArguments {
    #[command(subcommand)]
    pub(in crate::cli) action: RoomAction,
    /// The relay's URL; else BACKCHANNEL_URL, which goes with BACKCHANNEL_ADMIN_TOKEN alone
    #[arg(long, global = true)]
    pub(in crate::cli) url: Option<String>,
    /// A file with the admin token; else BACKCHANNEL_ADMIN_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    pub(in crate::cli) token_file: Option<PathBuf>,
    /// Send the token over http:// beyond this machine
    #[arg(long, global = true)]
    pub(in crate::cli) insecure: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RoomAction {
    /// Make a room, and print its token, this once
    New {
        /// What people call it
        name: Option<String>,
    },
    /// List the rooms
    List,
    /// Give a room another token, and print it, this once; the old one admits nobody
    Rotate {
        /// The room's id
        room: String,
    },
    /// Take an agent out of a room for good, or the whole room with its mail
    Revoke {
        /// The room's id
        room: String,
        /// Only this agent; its mail bounces, and the room gets another token
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Keep the room's token all the same
        #[arg(long, requires = "agent")]
        keep_token: bool,
        /// Take the whole room away, with its mail
        #[arg(long, conflicts_with = "agent")]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct JoinArguments {
    /// The invite, `-` for standard input, or `@FILE`; else it is asked for, and not shown
    pub(in crate::cli) invite: Option<String>,
    /// The name that others write to
    #[arg(long = "as", value_name = "NAME")]
    pub(in crate::cli) name: String,
    /// Join over http:// beyond this machine, where others can read along
    #[arg(long)]
    pub(in crate::cli) insecure: bool,
    #[command(flatten)]
    pub(in crate::cli) setup: super::SetupArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct InviteArguments {
    /// The relay's URL, as those who are invited reach it
    #[arg(long)]
    pub(in crate::cli) url: String,
    /// A file with the room's token, or `-` for standard input; else BACKCHANNEL_TOKEN, else it is asked for
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) token_file: Option<PathBuf>,
    /// The room's id, where the relay has several
    #[arg(long)]
    pub(in crate::cli) room: Option<String>,
    /// A channel to subscribe to on joining; may be given again
    #[arg(long, value_name = "CHANNEL")]
    pub(in crate::cli) channel: Vec<String>,
    /// For how long it holds, such as `7d` or `12h`
    #[arg(long, value_name = "SPAN", default_value = "7d", value_parser = super::span::span)]
    pub(in crate::cli) expires: SignedDuration,
    /// How many agents may join by it
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) uses: u32,
    /// Write a document by which an agent alone can join
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Invite over http:// beyond this machine, where others can read along
    #[arg(long)]
    pub(in crate::cli) insecure: bool,
}
