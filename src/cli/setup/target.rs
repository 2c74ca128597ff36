//! What `--only` and `--identity` can name: a harness, or one of the things around them.

use crate::cli::mistake;
use crate::env::Env;
use crate::harness::Manifest;
use crate::install::setup::is_here;
use crate::install::{CRON, NOTIFIER};

/// What one id stands for.
pub(super) enum Target {
    Harness(Box<Manifest>),
    Cron,
    Notifier,
}

impl Target {
    pub(super) fn find(id: &str) -> anyhow::Result<Self> {
        match id {
            CRON => Ok(Self::Cron),
            NOTIFIER => Ok(Self::Notifier),
            _ => Manifest::find(id).map(|manifest| Self::Harness(Box::new(manifest))).ok_or_else(|| {
                let mut ids: Vec<_> = Manifest::all().into_iter().map(|manifest| manifest.id).collect();
                ids.extend([CRON, NOTIFIER].map(str::to_owned));
                mistake(format!("there is no harness `{id}`"), format!("bch setup --only {}", ids.join(",")))
            }),
        }
    }

    pub(super) fn id(&self) -> &str {
        match self {
            Self::Harness(manifest) => &manifest.id,
            Self::Cron => CRON,
            Self::Notifier => NOTIFIER,
        }
    }

    pub(super) fn title(&self) -> &str {
        match self {
            Self::Harness(manifest) => &manifest.title,
            Self::Cron => CRON,
            Self::Notifier => NOTIFIER,
        }
    }

    /// Whether setup takes it unless it is told otherwise: a crontab is never touched unasked.
    pub(super) fn is_by_default(&self, env: &Env) -> bool {
        matches!(self, Self::Harness(manifest) if is_here(manifest, env))
    }

    /// The command that brings it.
    pub(super) fn command(&self) -> String {
        match self {
            Self::Harness(manifest) => format!("npm install -g {}", manifest.install.package),
            Self::Cron | Self::Notifier => format!("bch setup --only {}", self.id()),
        }
    }

    pub(super) fn check_is_here(&self, env: &Env) -> anyhow::Result<()> {
        match self {
            Self::Harness(manifest) if !is_here(manifest, env) => Err(mistake(
                format!("{} is not here: neither its directory nor its program", manifest.title),
                self.command(),
            )),
            _ => Ok(()),
        }
    }
}
