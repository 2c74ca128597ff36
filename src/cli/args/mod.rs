//! The shape of the command line, and nothing else.

mod machine;
mod mail;
mod relay;
mod span;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, CommandFactory, Parser, Subcommand};
use jiff::SignedDuration;

use crate::message::{Address, AgentName};
pub(super) use machine::{
    DoctorArguments, NotifyArguments, PlanArguments, SetupArguments, UninstallArguments, VehicleArgument,
};
pub(super) use mail::{MessageOptions, ReplyArguments, ScopeArguments, SendArguments, WatchArguments};
pub(super) use relay::{
    InviteArguments, JoinArguments, LogArgument, RelayArguments, RoomAction, RoomArguments,
};

/// Mail between coding agents, across harnesses, machines and people.
#[derive(Debug, Parser)]
#[command(name = "bch", version, propagate_version = true, disable_help_subcommand = true)]
pub(super) struct Arguments {
    /// Print JSON where data is printed
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make this machine's agent, or claim it
    Init {
        /// Lower case letters, digits, `.`, `_` and `-`
        name: String,
        /// Make NAME this machine's agent in the other's place
        #[arg(long)]
        switch: bool,
        /// At this relay, in place of this machine
        #[arg(long, group = "elsewhere", conflicts_with = "switch")]
        url: Option<String>,
        /// In a Unison brain, in place of this machine
        #[arg(long, group = "elsewhere")]
        brain: bool,
        /// The brain's room; else BACKCHANNEL_ROOM, else `default`
        #[arg(long, value_name = "ROOM", requires = "brain")]
        brain_room: Option<String>,
        /// A file with the room's or the brain's token, or `-` for standard input; else BACKCHANNEL_TOKEN or
        /// UNISON_TOKEN, else it is asked for
        #[arg(long, value_name = "FILE", requires = "elsewhere")]
        token_file: Option<PathBuf>,
        /// Over http:// beyond this machine, where others can read along
        #[arg(long, requires = "elsewhere")]
        insecure: bool,
    },
    /// Join a relay by an invite, and set up every harness on this machine
    Join(JoinArguments),
    /// Make an invite to a relay's room
    Invite(InviteArguments),
    /// Send a message to `@agent` or `#channel`
    Send(SendArguments),
    /// Answer a message; its id may be shortened
    Reply(ReplyArguments),
    /// Look at unread mail, and change nothing
    Inbox {
        /// What commands printed within the last hour
        #[arg(long)]
        recent: bool,
        #[command(flatten)]
        scope: ScopeArguments,
    },
    /// Claim unread mail, print it, and acknowledge it
    Drain {
        #[command(flatten)]
        scope: ScopeArguments,
    },
    /// Print one message whole, and acknowledge it
    Read {
        /// A message's id, or the beginning of one
        id: String,
        /// Keep it instead
        #[arg(long)]
        keep: bool,
    },
    /// Print messages as they land, and claim none
    Watch(WatchArguments),
    /// Subscribe to a channel
    Sub {
        /// `#name` or `name`
        channel: String,
    },
    /// End a subscription
    Unsub {
        /// `#name` or `name`
        channel: String,
    },
    /// List the agents
    Agents,
    /// List the channels
    Channels,
    /// Say who this machine's agent is
    Whoami,
    /// Take an agent and its mailbox away
    Unregister {
        /// The agent; else this machine's
        name: Option<String>,
        /// Even if it has unread mail
        #[arg(long)]
        force: bool,
    },
    /// Let mail wait: no agent is shown any, and nothing is notified
    Pause {
        /// For so long, such as `2h`, `90min` or `3d`; else until `bch resume`
        #[arg(value_name = "SPAN", value_parser = span::span, conflicts_with = "here")]
        span: Option<SignedDuration>,
        /// The same
        #[arg(long = "for", value_name = "SPAN", value_parser = span::span, conflicts_with_all = ["here", "span"])]
        also_span: Option<SignedDuration>,
        /// Only for agents that work in this repository, until `bch resume --here`
        #[arg(long)]
        here: bool,
    },
    /// End a pause
    Resume {
        /// That of this repository
        #[arg(long)]
        here: bool,
    },
    /// Show mail of these only to a command that asks; without any, list them
    Mute {
        /// `@agent` or `#channel`
        whom: Vec<Address>,
    },
    /// End a mute
    Unmute {
        /// `@agent` or `#channel`
        #[arg(required = true)]
        whom: Vec<Address>,
    },
    /// Show mail of these senders nowhere; without any, list them
    Block {
        /// `@agent`
        whom: Vec<AgentName>,
    },
    /// End a block; what waits is shown then
    Unblock {
        /// `@agent`
        #[arg(required = true)]
        whom: Vec<AgentName>,
    },
    /// Configure the harnesses on this machine
    Setup(SetupArguments),
    /// Take everything of ours out of the harnesses again
    Uninstall(UninstallArguments),
    /// List the supported harnesses, which are here, and how mail reaches each
    Harnesses,
    /// Check that mail can reach every harness here
    Doctor(DoctorArguments),
    /// Show urgent mail on the desktop as it lands, and claim none
    Notify(NotifyArguments),
    /// Serve the mail to an MCP client, over standard input and output
    Mcp {
        /// Whose mail; else this machine's agent's
        #[arg(long)]
        agent: Option<AgentName>,
        /// The mail's home; the environment is not listened to then
        #[arg(long)]
        home: Option<PathBuf>,
    },
    /// Serve mail between machines
    Relay(RelayArguments),
    /// Make a relay's rooms, list them, and take them or their agents away, by its admin token
    Room(RoomArguments),
    /// Play the story in a throw-away home
    Demo,
}

impl Arguments {
    /// Lets the body of `send` and `reply` begin with a hyphen: their options, known from the
    /// definitions above, go before a `--`, and every other word is text.
    pub(super) fn with_free_bodies(arguments: Vec<OsString>) -> Vec<OsString> {
        let is_mail = |word: &&OsString| word.to_str().is_some_and(|word| matches!(word, "send" | "reply"));
        // Only the global `--json` may stand before the command.
        let Some(start) = arguments.iter().skip(1).take(2).position(|word| is_mail(&word)) else {
            return arguments;
        };
        let (before, after) = arguments.split_at(start + 2);
        let command = Self::command();
        let Some(definition) = before.last().and_then(|name| command.find_subcommand(name)) else {
            return arguments;
        };
        let (mut options, mut words) = (before.to_vec(), Vec::new());
        let mut rest = after.iter();
        while let Some(word) = rest.next() {
            let text = word.to_string_lossy();
            if text == "--" {
                words.extend(rest.by_ref().cloned());
                break;
            }
            let (name, inline) = text.split_once('=').map_or((&*text, false), |(name, _)| (name, true));
            let is_named = |argument: &&Arg| {
                argument.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long))
            };
            match definition.get_arguments().chain(command.get_arguments()).find(is_named) {
                None if name == "--help" => options.push(word.clone()),
                None => words.push(word.clone()),
                Some(argument) => {
                    options.push(word.clone());
                    if argument.get_action().takes_values() && !inline {
                        options.extend(rest.next().cloned());
                    }
                }
            }
        }
        options.push("--".into());
        options.extend(words);
        options
    }
}
