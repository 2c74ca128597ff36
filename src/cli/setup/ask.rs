//! What a person at the terminal is asked: which harnesses, whether to go on, whether Codex is to trust us.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use dialoguer::theme::ColorfulTheme;

use super::{Site, no_home};
use crate::cli::args::{PlanArguments, SetupArguments};
use crate::cli::{mistake, output};
use crate::harness::Manifest;
use crate::install::plan::Change;
use crate::install::setup::Part;
use crate::install::{PROGRAMS, codex, codex_trust};

/// Shows the plan, and asks where somebody is there to answer; whether it is to be carried out.
pub(super) fn proceed(
    parts: &mut Vec<Part>,
    arguments: &PlanArguments,
    json: bool,
    (word, question): (&str, &str),
) -> anyhow::Result<bool> {
    let has_changes = parts.iter().any(Part::has_changes);
    if arguments.dry_run {
        if !json {
            output::print(&diffs(parts))?;
        }
        return Ok(false);
    }
    if !has_changes || arguments.yes {
        return Ok(true);
    }
    if json || !is_at_a_terminal() {
        return Err(mistake(
            "nothing was changed: nobody is here to ask",
            format!("bch {word} --yes   # or look first: bch {word} --dry-run"),
        ));
    }
    output::print(&diffs(parts))?;
    pick(parts, question)
}

/// The pick list and the confirmation.
fn pick(parts: &mut Vec<Part>, question: &str) -> anyhow::Result<bool> {
    let harnesses: Vec<_> = parts.iter().filter(|part| part.id != PROGRAMS && part.has_changes()).collect();
    let lines: Vec<_> = harnesses.iter().map(|part| format!("{}: {}", part.title, summary(part))).collect();
    let ids: Vec<_> = harnesses.iter().map(|part| part.id.clone()).collect();
    let theme = ColorfulTheme::default();
    let picked = dialoguer::MultiSelect::with_theme(&theme)
        .with_prompt("Harnesses (space to choose, enter to go on)")
        .items(&lines)
        .defaults(&vec![true; lines.len()])
        .interact_opt()
        .context("could not ask")?;
    let Some(picked) = picked else { return Ok(false) };
    let is_left =
        |part: &Part| ids.iter().position(|id| *id == part.id).is_some_and(|at| !picked.contains(&at));
    parts.retain(|part| !is_left(part));
    let answer = dialoguer::Confirm::with_theme(&theme).with_prompt(question).default(true).interact_opt();
    Ok(answer.context("could not ask")? == Some(true))
}

/// In one line, what changes.
fn summary(part: &Part) -> String {
    let files: Vec<_> = part.changes.iter().flatten().filter(|change| !change.is_nothing()).collect();
    match files.as_slice() {
        [one] => one.path.display().to_string(),
        [first, ..] => format!("{} and {} more", first.path.display(), files.len() - 1),
        [] => "nothing".to_owned(),
    }
}

fn diffs(parts: &[Part]) -> String {
    let changes = parts.iter().flat_map(|part| part.changes.iter().flatten());
    output::plain(&changes.filter(|change| !change.is_nothing()).map(Change::diff).collect::<String>())
}

/// A flag that Ctrl-C sets, in place of ending the process: what was begun can be taken back.
pub(in crate::cli) fn watch_for_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("could not watch for Ctrl-C")?;
    }
    Ok(stop)
}

pub(super) fn is_at_a_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Records the user's trust in our hooks with Codex, where the person at the terminal wants that.
pub(super) fn trust_codex(arguments: &SetupArguments, json: bool, site: &Site) -> anyhow::Result<()> {
    let Some(manifest) = Manifest::find("codex") else { return Ok(()) };
    let Some(program) = site.env.find_program(&manifest.install.program) else { return Ok(()) };
    if json || !is_at_a_terminal() || codex::is_trusted(&manifest, &site.env) {
        return Ok(());
    }
    let question = "Codex runs a hook only if you trust it. Trust the hooks of backchannel now?";
    let is_wanted = arguments.trust_hooks
        || !arguments.plan.yes
            && dialoguer::Confirm::with_theme(&ColorfulTheme::default())
                .with_prompt(question)
                .default(false)
                .interact_opt()
                .context("could not ask")?
                == Some(true);
    if is_wanted {
        let ground = site.ground(false);
        let lines: Vec<_> =
            manifest.events.iter().map(|event| ground.hook_line(&manifest, event, None)).collect();
        let home = site.env.home().ok_or_else(no_home)?;
        codex_trust::trust(&program, &home, &lines).context("could not trust the hooks")?;
    }
    Ok(())
}
