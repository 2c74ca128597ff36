//! What came of `setup` and `uninstall`, for people and as JSON.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::terminal::Terminal;
use crate::cli::{Silent, output, wrap};
use crate::env::Env;
use crate::harness::Manifest;
use crate::install::plan::Change;
use crate::install::setup::Part;
use crate::install::{CRONTAB, Error, PROGRAMS};

#[derive(Serialize)]
struct Report {
    harnesses: Vec<HarnessReport>,
}

#[derive(Serialize)]
struct HarnessReport {
    id: String,
    result: &'static str,
    files: Vec<FileReport>,
    steps: Vec<String>,
}

#[derive(Serialize)]
struct FileReport {
    path: PathBuf,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// How it is told.
pub(super) struct Manner<'a> {
    pub(super) json: bool,
    /// Nothing was carried out.
    pub(super) is_only_shown: bool,
    /// Each file was named before the question, so that it is not named again.
    pub(super) is_seen: bool,
    pub(super) env: &'a Env,
}

pub(super) fn report(
    parts: &[Part],
    manner: &Manner<'_>,
    steps: impl Fn(&str) -> Vec<String>,
) -> anyhow::Result<()> {
    let &Manner { json, is_only_shown, is_seen, env } = manner;
    let refused = parts.iter().filter(|part| part.changes.is_err()).count();
    if json {
        let of_part = |part: &Part| harness_report(part, is_only_shown || part.is_done, steps(&part.id));
        let mut harnesses: Vec<_> = parts.iter().map(of_part).collect();
        for manifest in Manifest::all() {
            if !parts.iter().any(|part| part.id == manifest.id) {
                let absent =
                    HarnessReport { id: manifest.id, result: "absent", files: Vec::new(), steps: Vec::new() };
                harnesses.push(absent);
            }
        }
        output::print_json(&Report { harnesses })?;
    } else if !is_only_shown {
        let steps = steps_of(parts, steps);
        let mut text = plain_report(parts, is_seen);
        let terminal = std::io::stdout().is_terminal().then(|| Terminal::new(env));
        if !steps.is_empty() {
            text.push_str("\nWhat is left to you:\n");
            text.push_str(&numbered(&steps, terminal.as_ref()));
        }
        output::print(&text)?;
    }
    for part in parts {
        if let Err(error) = &part.changes {
            output::remark("error", &format!("{}: {error}", part.title));
            if let Some(hint) = error.hint() {
                output::remark("hint", &hint);
            }
        }
    }
    if refused > 0 { Err(Silent.into()) } else { Ok(()) }
}

fn harness_report(part: &Part, is_told: bool, steps: Vec<String>) -> HarnessReport {
    let (result, files) = match &part.changes {
        // The programs were refused, so that it was not begun.
        Ok(_) if !is_told => ("unchanged", Vec::new()),
        Ok(changes) => {
            let result = if part.has_changes() { "changed" } else { "unchanged" };
            (result, changes.iter().map(file_report).collect())
        }
        Err(error) => ("refused", vec![refusal_report(error)]),
    };
    HarnessReport { id: part.id.clone(), result, files, steps }
}

fn file_report(change: &Change) -> FileReport {
    let action = match (&change.before, &change.after) {
        _ if change.kept.is_some() => "kept",
        _ if change.is_nothing() => "unchanged",
        (None, _) => "made",
        (_, None) => "removed",
        _ => "changed",
    };
    let reason = change.kept.map(str::to_owned);
    FileReport { path: change.path.clone(), action, line: None, column: None, reason }
}

fn refusal_report(error: &Error) -> FileReport {
    let (path, line, column) = match error {
        Error::Refused { path, refusal } => (path.clone(), Some(refusal.line), Some(refusal.column)),
        Error::Io { path, .. }
        | Error::Linked { path, .. }
        | Error::NotOurs { path }
        | Error::Changed { path }
        | Error::Held { path }
        | Error::Shared { path }
        | Error::NoFile { path } => (path.clone(), None, None),
        Error::Receipt { path, .. } => (path.clone(), None, None),
        Error::Crontab(_) => (PathBuf::from(CRONTAB), None, None),
        Error::Service(_) | Error::Stopped | Error::Busy => (PathBuf::new(), None, None),
    };
    FileReport { path, action: "refused", line, column, reason: Some(error.to_string()) }
}

fn plain_report(parts: &[Part], is_seen: bool) -> String {
    let mut text = String::new();
    for part in parts.iter().filter(|part| part.id != PROGRAMS && part.changes.is_ok()) {
        let word = match (part.has_changes(), part.is_done) {
            (true, true) => "done",
            (true, false) => "left as it is",
            (false, _) => "nothing to do",
        };
        let agent = part.agent.as_ref().map(|agent| format!(", as @{agent}")).unwrap_or_default();
        text.push_str(&format!("{}: {word}{agent}\n", part.title));
        for change in part.changes.iter().flatten() {
            if let Some(kept) = change.kept {
                text.push_str(&format!("  kept {}: {kept}\n", change.path.display()));
            } else if !is_seen && !change.is_nothing() && part.is_done {
                text.push_str(&format!("  {} {}\n", file_report(change).action, change.path.display()));
            }
        }
    }
    if parts.is_empty() {
        text.push_str("nothing of backchannel is here\n");
    }
    text
}

fn steps_of(parts: &[Part], steps: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    parts.iter().filter(|part| part.changes.is_ok()).flat_map(|part| steps(&part.id)).collect()
}

/// Each step with its number, within the terminal's width where there is one.
fn numbered(steps: &[String], terminal: Option<&Terminal>) -> String {
    const COLUMN: usize = 5;
    let line = |(index, step): (usize, &String)| {
        let step = terminal.map_or_else(
            || step.clone(),
            |terminal| wrap::sentence(&terminal.shown(step), COLUMN, terminal.width),
        );
        format!("{:>3}. {step}\n", index + 1)
    };
    steps.iter().enumerate().map(line).collect()
}
