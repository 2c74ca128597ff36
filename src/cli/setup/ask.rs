//! What a person at the terminal is asked: which harnesses, whether to go on, whether Codex is to trust us.
//!
//! A question changes nothing. However it ends, the terminal is as it was.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use dialoguer::console::Term;
use dialoguer::theme::ColorfulTheme;

use super::{Site, approval, no_home, preview};
use crate::cli::args::PlanArguments;
use crate::cli::terminal::Terminal;
use crate::cli::{mistake, output};
use crate::env::Env;
use crate::harness::Manifest;
use crate::install::setup::Part;
use crate::install::{self, NOTIFIER, PROGRAMS, codex, codex_trust};

/// The name of the command that sets up.
pub(super) const SETUP: &str = "setup";

/// The questions of one command.
pub(super) struct Questions<'a> {
    /// The command's name.
    pub(super) word: &'static str,
    /// Whether to go on.
    pub(super) confirmation: &'static str,
    pub(super) arguments: &'a PlanArguments,
    pub(super) json: bool,
    pub(super) stop: &'a AtomicBool,
    pub(super) env: &'a Env,
}

impl Questions<'_> {
    /// Shows the plan, and asks where somebody is there to answer; whether it is to be carried out. `with_approval` plans
    /// the same with our tools allowed in advance, where a person may be asked for that.
    pub(super) fn proceed(
        &self,
        parts: &mut Vec<Part>,
        with_approval: Option<&dyn Fn() -> anyhow::Result<Vec<Part>>>,
    ) -> anyhow::Result<bool> {
        let has_changes = parts.iter().any(Part::has_changes);
        if self.arguments.dry_run {
            if !self.json {
                output::print(&preview::diffs(parts))?;
            }
            return Ok(false);
        }
        if !has_changes || self.arguments.yes {
            return Ok(true);
        }
        if !self.can_ask() {
            return Err(mistake(
                "nothing was changed: nobody is here to ask",
                format!("bch {0} --yes   # or look first: bch {0} --dry-run", self.word),
            ));
        }
        let terminal = Terminal::new(self.env);
        let mut is_left = self.pick(parts, &terminal)?;
        if let Some(with_approval) = with_approval
            && is_left
        {
            approval::ask(self, parts, with_approval)?;
        }
        is_left = is_left && self.notifier(parts)?;
        let go = is_left && {
            output::print(&preview::details(parts, &terminal))?;
            self.confirm(self.confirmation, true)?
        };
        if !go {
            output::print("nothing was changed\n")?;
        }
        Ok(go)
    }

    /// Whether somebody is there to answer.
    pub(super) fn can_ask(&self) -> bool {
        !self.json && is_at_a_terminal()
    }

    /// The pick list; whether anything is left to be done.
    fn pick(&self, parts: &mut Vec<Part>, terminal: &Terminal) -> anyhow::Result<bool> {
        let harnesses: Vec<_> =
            parts.iter().filter(|part| self.is_picked(part) && part.has_changes()).collect();
        if harnesses.is_empty() {
            return Ok(true);
        }
        let lines = preview::lines(&harnesses, terminal);
        let ids: Vec<_> = harnesses.iter().map(|part| part.id.clone()).collect();
        let picked = self.ask(|| {
            dialoguer::MultiSelect::with_theme(&ColorfulTheme::default())
                .with_prompt("Harnesses (space to choose, enter to go on)")
                .items(&lines)
                .defaults(&vec![true; lines.len()])
                // What was picked is shown below, file by file.
                .report(false)
                .interact_opt()
        })?;
        let picked = picked.unwrap_or_default();
        let is_left =
            |part: &Part| ids.iter().position(|id| *id == part.id).is_some_and(|at| !picked.contains(&at));
        parts.retain(|part| !is_left(part));
        Ok(!picked.is_empty())
    }

    /// Whether a part stands in the pick list: the notifier has a question of its own at setup.
    fn is_picked(&self, part: &Part) -> bool {
        part.id != PROGRAMS && (part.id != NOTIFIER || self.word != SETUP)
    }

    pub(super) fn confirm(&self, question: &str, default: bool) -> anyhow::Result<bool> {
        let answer = self.ask(|| {
            dialoguer::Confirm::with_theme(&ColorfulTheme::default())
                .with_prompt(question)
                .default(default)
                .interact_opt()
        })?;
        Ok(answer == Some(true))
    }

    /// Asks one question; `None` for Escape. It needs [`watch_for_signals`]: a signal that ended the process
    /// here would leave the terminal without a cursor, and without echo.
    fn ask<T>(&self, question: impl FnOnce() -> dialoguer::Result<Option<T>>) -> anyhow::Result<Option<T>> {
        let answer = if self.is_stopped() { Ok(None) } else { question() };
        if answer.is_err() {
            // The question gives the modes back, but neither the cursor nor its line.
            let terminal = Term::stderr();
            let _ = terminal.clear_line().and_then(|()| terminal.show_cursor());
        }
        // A signal between two keys is seen at the next one: Ctrl-C is a key itself.
        if self.is_stopped() {
            return Err(install::Error::Stopped.into());
        }
        answer.context("could not ask")
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Records the user's trust in our hooks with Codex, where the person at the terminal wants that.
    pub(super) fn trust_codex(&self, is_wanted: bool, site: &Site) -> anyhow::Result<()> {
        let Some(manifest) = Manifest::find("codex") else { return Ok(()) };
        let Some(program) = site.env.find_program(&manifest.install.program) else { return Ok(()) };
        if self.json || !is_a_person_here(&site.env) || codex::is_trusted(&manifest, &site.env) {
            return Ok(());
        }
        let question = "Codex runs a hook only if you trust it. Trust the hooks of backchannel now?";
        if !is_wanted && (self.arguments.yes || !self.confirm(question, false)?) {
            return Ok(());
        }
        let ground = site.ground(false);
        let lines: Vec<_> = manifest.events.iter().map(|event| ground.hook_line(&manifest, event)).collect();
        let home = site.env.home().ok_or_else(no_home)?;
        codex_trust::trust(&program, &home, &lines).context("could not trust the hooks")?;
        Ok(())
    }
}

/// A flag that Ctrl-C sets, in place of ending the process: what was begun can be taken back.
pub(in crate::cli) fn watch_for_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("could not watch for Ctrl-C")?;
    }
    Ok(stop)
}

/// Whether a person may be asked for something that no agent may do for its user: an agent can have a terminal, too.
pub(in crate::cli) fn is_a_person_here(env: &Env) -> bool {
    is_at_a_terminal() && Manifest::around(env).is_none()
}

fn is_at_a_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
