//! What the commands on mail take.

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args};

// A body may begin with any letter after a hyphen, so these two commands have no short options.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(in crate::cli) struct SendArguments {
    /// `@agent` or `#channel`
    pub(in crate::cli) to: String,
    /// The text, or `-` for standard input
    #[arg(required = true)]
    pub(in crate::cli) body: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) options: MessageOptions,
    /// The repository or topic; `.` is this repository's first remote
    #[arg(long)]
    pub(in crate::cli) scope: Option<String>,
    /// The id of the message that this one answers
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) thread: Option<String>,
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(in crate::cli) struct ReplyArguments {
    /// A message's id, or the beginning of one
    pub(in crate::cli) id: String,
    /// The text, or `-` for standard input
    #[arg(required = true)]
    pub(in crate::cli) body: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) options: MessageOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MessageOptions {
    /// Show it between the tool calls of a running turn
    #[arg(long)]
    pub(in crate::cli) urgent: bool,
    /// A path or URL; may be given again
    #[arg(long = "ref", value_name = "REF", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) refs: Vec<String>,
    /// Do not wait for the disk
    #[arg(long)]
    pub(in crate::cli) no_sync: bool,
    /// Fail, where the relay cannot be reached, instead of sending it later
    #[arg(long)]
    pub(in crate::cli) no_queue: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ScopeArguments {
    /// Read as if in this repository or topic, instead of the working directory's
    #[arg(long, value_name = "SCOPE")]
    pub(in crate::cli) r#match: Option<String>,
    /// Take every scope
    #[arg(long, conflicts_with = "match")]
    pub(in crate::cli) all: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct WatchArguments {
    /// Claim and acknowledge each message as it is printed
    #[arg(long)]
    pub(in crate::cli) take: bool,
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArguments,
}
