//! What is done to the harnesses: setup with its diffs, doctor, uninstall. Each is the command that users run,
//! in surroundings that know nothing of the real ones.

use anyhow::ensure;

use super::super::args::{PlanArguments, SetupArguments, UninstallArguments, VehicleArgument};
use super::super::setup::{self, Site};
use super::super::{doctor, output};
use super::Stage;
use crate::doctor::{Check, Status, Subject, examine};
use crate::install::plan::Change;
use crate::install::setup::{Choice, plan_setup};
use crate::install::wishes::Vehicle;

/// The one file whose diff is shown whole: it has comments, and hooks of the user's own.
const SHOWN_WHOLE: &str = ".gemini/settings.json";
/// Lines of another diff that are shown, where it changes a file of the user's.
const MOST_LINES: usize = 12;
/// The same, where it makes a file of ours.
const MOST_LINES_OF_OURS: usize = 4;

/// Shows what setup would change, and sets up.
pub(super) fn set_up(stage: &Stage) -> anyhow::Result<()> {
    stage.say(
        "# Claude Code would get a folder of ours and keep its files as they are; here all three get the harder way.\n\
         $ bch setup --vehicle settings --dry-run\n",
    )?;
    let site = Site::open(&stage.env)?;
    let choice = Choice { vehicle: Some(Vehicle::Settings), ..Choice::default() };
    let parts = plan_setup(&site.ground(false), &choice, site.programs()?, &site.receipt);
    let changes = parts.iter().flat_map(|part| part.changes.iter().flatten());
    for change in changes.filter(|change| !change.is_nothing()) {
        stage.say(&shortened(stage, change))?;
    }
    stage.say("\n$ bch setup --vehicle settings --yes\n")?;
    let arguments = SetupArguments {
        plan: without_questions(),
        vehicle: Some(VehicleArgument::Settings),
        identity: Vec::new(),
        approve_tools: false,
        // Whoever watches has a service manager of their own.
        no_notify: true,
        trust_hooks: false,
    };
    setup::setup(&arguments, false, &stage.env)
}

fn without_questions() -> PlanArguments {
    PlanArguments { only: None, dry_run: false, yes: true }
}

/// A change's diff, with a line in the place of those that are left out.
fn shortened(stage: &Stage, change: &Change) -> String {
    let diff = output::plain(&change.diff());
    let most = match &change.before {
        _ if change.path == stage.home.join(SHOWN_WHOLE) => usize::MAX,
        Some(_) => MOST_LINES,
        None => MOST_LINES_OF_OURS,
    };
    let left_out = diff.lines().count().saturating_sub(most);
    if left_out < 2 {
        return diff;
    }
    let mut text: String = diff.lines().take(most).flat_map(|line| [line, "\n"]).collect();
    text.push_str(&format!("(… and {left_out} more lines)\n"));
    text
}

/// Runs doctor: it has to find nothing but that nobody has trusted our hooks in Codex yet.
pub(super) fn examine_all(stage: &Stage) -> anyhow::Result<()> {
    stage.say("$ bch doctor\n")?;
    let site = Site::open(&stage.env)?;
    let (ground, receipt) = (&site.ground(false), &site.receipt);
    let subject = Subject { ground, receipt, mail: &stage.spool, agent: Some(&stage.bob), prover: None };
    let checks = examine(subject, &mut ());
    stage.say(&output::plain(&doctor::text(&checks)))?;
    let is_trust = |check: &Check| check.harness.as_deref() == Some("codex") && check.check == "trust";
    let failed: Vec<_> = checks.iter().filter(|check| check.status == Status::Fail).collect();
    ensure!(
        matches!(&failed[..], [one] if is_trust(one)),
        "doctor has to fail on Codex's trust in our hooks, and on nothing else"
    );
    stage.say(
        "# It fails rightly: Codex runs a hook only if a person trusted it, in Codex itself. That is the one step\n\
         # which nobody may take for you, this demonstration neither.\n",
    )
}

/// Takes everything of ours out again.
pub(super) fn take_out(stage: &Stage) -> anyhow::Result<()> {
    stage.say("$ bch uninstall --yes\n")?;
    let arguments = UninstallArguments { plan: without_questions(), purge: false };
    setup::uninstall(&arguments, false, &stage.env)
}
