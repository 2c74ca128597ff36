//! Runs what is installed, as it is installed, on the mailbox of a canary: each hook's line in the shell, with the
//! environment and the payload of its harness, and the MCP entry.
//!
//! Nobody's mail is touched: [`crate::delivery::canary`] says how. A line that shows other mail than the canary's is
//! stopped before anything acknowledges it, and what it claimed is given back.

mod answer;
mod canary;
mod cost;
mod installed;
mod session;
mod tools;
mod turn;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::process::Limits;
use super::{Sheet, counted, live, word};
use crate::env::Env;
use crate::harness::{Gives, Manifest, ProofFacts};
use crate::install::wishes::{Ground, Maker, Vehicle};
use crate::spool::local::LocalSpool;
use crate::spool::{LeaseId, Spool};
pub(super) use answer::quoted;
pub(super) use canary::Canary;
use cost::Cost;
use installed::Installed;
pub(super) use session::{Stage, dress};
pub(super) use turn::TEXT;

/// The hook ends itself at 2 s, and a harness waits for its time-out: what takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// A hook that its harness ends sooner may lose mail to a repeat on a machine that is busy.
const SHORTEST: Duration = Duration::from_secs(5);

/// What a proof needs beside the ground.
pub struct Prover<'a> {
    /// The mail of the home that is looked at.
    pub mail: &'a LocalSpool,
    /// Whether the harness itself is driven, too.
    pub is_live: bool,
    /// Set by Ctrl-C: what runs is killed, and the canary goes.
    pub stop: &'a AtomicBool,
}

impl Prover<'_> {
    /// Takes away what a doctor left that was killed.
    pub(super) fn sweep(&self, sheet: &mut Sheet<'_>, home: &Path) {
        match canary::sweep(self.mail, home) {
            Ok(0) => {}
            Ok(swept) => {
                sheet.ok("canary", format!("took {} of a killed doctor away", counted(swept, "mailbox")))
            }
            Err(error) => {
                let hint = error.hint().unwrap_or_else(|| format!("ls -la {}", word(&home.join("spool"))));
                sheet.warn("canary", error.to_string(), hint);
            }
        }
    }

    /// Proves one harness that is set up.
    pub(super) fn look(
        &self,
        sheet: &mut Sheet<'_>,
        manifest: &Manifest,
        ground: &Ground<'_>,
        directory: &Path,
        vehicle: Vehicle,
    ) {
        let Some(facts) = ProofFacts::find(&manifest.id).filter(|_| !self.is_stopped()) else { return };
        // Those hooks read another home, in which there is no canary.
        let wishes = Maker::new(manifest, ground).map(|maker| maker.wishes(vehicle)).unwrap_or_default();
        if super::entries::other_home(&wishes, ground).is_some() {
            return;
        }
        let installed = Installed::read(manifest, ground, directory, vehicle);
        let again = format!("bch setup --only {}", manifest.id);
        timeouts(sheet, manifest, &installed, vehicle, &again);
        let made = Canary::make(self.mail, &ground.home, ground.env);
        let made = made.map_err(|error| {
            let hint = error.hint().unwrap_or_else(|| format!("ls -ld {}", word(&ground.home)));
            (format!("could not make a mailbox to try it with: {error}"), hint)
        });
        let made = made.and_then(|canary| match Scratch::make(ground.env) {
            Ok(scratch) => Ok((canary, scratch)),
            Err(error) => Err((
                format!("could not make a directory for a transcript: {error}"),
                "df -h /tmp".to_owned(),
            )),
        });
        match made {
            Ok((canary, scratch)) => {
                let limits = Limits { patience: PATIENCE, stop: Some(self.stop) };
                let stage = Stage {
                    manifest,
                    facts: &facts,
                    env: ground.env,
                    canary: &canary.name,
                    directory: &scratch.0,
                    limits,
                };
                self.hooks(sheet, &stage, &installed, &canary, ground, &again);
                self.tools(sheet, &stage, &installed, &canary, &again);
                if self.is_live && !self.is_stopped() {
                    live::look(sheet, &stage, ground, directory, &canary);
                }
            }
            Err((detail, hint)) => sheet.fail("canary", detail, hint),
        }
    }

    /// Whether Ctrl-C was pressed.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn hooks(
        &self,
        sheet: &mut Sheet<'_>,
        stage: &Stage<'_>,
        installed: &Installed,
        canary: &Canary<'_>,
        ground: &Ground<'_>,
        again: &str,
    ) {
        sheet.begin("a turn through the installed hooks");
        let arrives = match turn::play(sheet, stage, installed, canary, ground, again) {
            Ok(arrives) => arrives,
            Err(_) if self.is_stopped() => return,
            Err(fault) => {
                sheet.fail("prompt", fault, again);
                false
            }
        };
        let prompt = stage.manifest.events.iter().find(|event| event.gives == Gives::All);
        let prompt = prompt.and_then(|event| Some((event, installed.line(event)?)));
        let Some((event, line)) = prompt.filter(|_| arrives) else { return };
        sheet.begin("what a prompt costs");
        match Cost::measure(stage, canary, line, event) {
            Ok(cost) => sheet.held("cost", cost.text(), cost.quiet),
            Err(_) if self.is_stopped() => {}
            Err(fault) => sheet.fail("cost", fault, again),
        }
    }

    fn tools(
        &self,
        sheet: &mut Sheet<'_>,
        stage: &Stage<'_>,
        installed: &Installed,
        canary: &Canary<'_>,
        again: &str,
    ) {
        let file = installed.tools.display();
        let Some(server) = &installed.server else {
            sheet.fail("tools", format!("{file} has no MCP server of ours"), again);
            return;
        };
        if server.is_off {
            let hint = super::editor(&installed.tools);
            sheet.warn(
                "tools",
                format!("{file} switches our MCP server off"),
                format!("{hint}   # enabled = true"),
            );
            return;
        }
        sheet.begin("the MCP server");
        match tools::ask(server, canary, stage.limits) {
            Ok((ended, tools)) => {
                let detail = format!("the MCP server has its {tools} tools and shows a message");
                sheet.held("tools", detail, ended.time);
            }
            Err(_) if self.is_stopped() => {}
            Err(fault) => sheet.fail("tools", fault, again),
        }
    }
}

/// Whether each hook has the time that it may need.
fn timeouts(
    sheet: &mut Sheet<'_>,
    manifest: &Manifest,
    installed: &Installed,
    vehicle: Vehicle,
    again: &str,
) {
    let is_short = |event: &&crate::harness::Event| {
        let wanted = event.timeout.map_or(SHORTEST, |seconds| SHORTEST.min(Duration::from_secs(seconds)));
        let given = installed.line(event).and_then(|line| line.timeout);
        given.is_some_and(|given| given < wanted)
    };
    let short: Vec<_> = manifest.events.iter().filter(is_short).map(|event| event.name.as_str()).collect();
    if short.is_empty() {
        return;
    }
    let file = &installed.hooks;
    let detail = format!(
        "{} gives our hooks less than {} s: {}",
        file.display(),
        SHORTEST.as_secs(),
        short.join(", ")
    );
    let hint = match vehicle {
        Vehicle::Settings => "bch doctor --fix".to_owned(),
        Vehicle::Folder => format!("rm {} && {again}", word(file)),
    };
    sheet.fail("time-out", detail, hint);
}

/// Gives back what a session claimed of anybody's mail but the canary's; returns how much.
fn rescue(ground: &Ground<'_>, lease: &LeaseId) -> usize {
    let mut homes = vec![ground.home.clone()];
    homes.extend(ground.env.default_home().filter(|home| *home != ground.home));
    let mut rescued = 0;
    for home in homes {
        let mail = LocalSpool::open_for_a_look(&home, ground.env, 0);
        for agent in mail.agents().unwrap_or_default() {
            if agent.name.is_canary() {
                continue;
            }
            for held in mail.held(&agent.name, lease).unwrap_or_default() {
                // What stays claimed comes back when its lease lapses.
                rescued += usize::from(mail.release(&agent.name, lease, &held.message).is_ok());
            }
        }
    }
    rescued
}

/// A directory for transcripts, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn make(env: &Env) -> std::io::Result<Self> {
        let name = format!("bch-doctor-{}", uuid::Uuid::new_v4().as_simple());
        let path = env.temporary_directory().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
