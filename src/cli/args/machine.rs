//! What the commands on this machine take: its harnesses, its desktop.

use std::path::PathBuf;

use clap::Args;

use crate::message::AgentName;

#[derive(Debug, Args)]
pub(in crate::cli) struct NotifyArguments {
    /// Announce what is new, and end
    #[arg(long, group = "mode")]
    pub(in crate::cli) once: bool,
    /// Show one notification, and say who showed it
    #[arg(long, group = "mode")]
    pub(in crate::cli) test: bool,
    /// Say whether a notifier runs, and what it did; exit with 1 if none does
    #[arg(long, group = "mode")]
    pub(in crate::cli) status: bool,
    /// Only this agent's mail; may be given again
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) agent: Vec<AgentName>,
    /// The mail's home; the environment is not listened to then
    #[arg(long)]
    pub(in crate::cli) home: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PlanArguments {
    /// These harnesses alone
    #[arg(long, value_delimiter = ',', value_name = "ID,…")]
    pub(in crate::cli) only: Option<Vec<String>>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Ask nothing
    #[arg(long)]
    pub(in crate::cli) yes: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UninstallArguments {
    #[command(flatten)]
    pub(in crate::cli) plan: PlanArguments,
    /// Take mail and identity away as well
    #[arg(long, conflicts_with = "only")]
    pub(in crate::cli) purge: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArguments {
    /// Mend what is ours, then check
    #[arg(long)]
    pub(in crate::cli) fix: bool,
    /// Run what is installed as the harnesses do, on a mailbox of its own
    #[arg(long)]
    pub(in crate::cli) prove: bool,
    /// The same, and each harness itself once, with a model on this machine
    #[arg(long)]
    pub(in crate::cli) live: bool,
}

impl DoctorArguments {
    /// Whether anything is run.
    pub(in crate::cli) fn proves(&self) -> bool {
        self.prove || self.live
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SetupArguments {
    #[command(flatten)]
    pub(in crate::cli) plan: PlanArguments,
    /// A folder of ours that the harness loads, or the harness's own files
    #[arg(long, value_enum)]
    pub(in crate::cli) vehicle: Option<VehicleArgument>,
    /// Give a harness an agent of its own; with an empty NAME this machine's again
    #[arg(long, value_name = "HARNESS=NAME")]
    pub(in crate::cli) identity: Vec<String>,
    /// Allow our MCP tools in advance
    #[arg(long)]
    pub(in crate::cli) approve_tools: bool,
    /// Set no service up that shows notifications of urgent mail
    #[arg(long)]
    pub(in crate::cli) no_notify: bool,
    /// Trust our hooks in Codex; only a person at a terminal may
    #[arg(long)]
    pub(in crate::cli) trust_hooks: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(in crate::cli) enum VehicleArgument {
    Folder,
    Settings,
}
