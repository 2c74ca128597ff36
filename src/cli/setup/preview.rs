//! What a plan does, as a person reads it before the question: a line for each part, then what changes in files of
//! theirs, line by line. Files that are ours alone are named; `--dry-run` shows those whole, too.

use std::path::Path;

use console::{style, truncate_str};

use crate::cli::terminal::Terminal;
use crate::cli::{output, wrap};
use crate::install::plan::Change;
use crate::install::setup::Part;
use crate::install::{CRONTAB, PROGRAMS};

/// Where the text behind `changes` and its like begins.
const COLUMN: usize = 11;
/// What a pick list puts before a line.
const MARKS: usize = 4;

/// A line for each of these parts: its title, and what changes.
pub(super) fn lines(parts: &[&Part], terminal: &Terminal) -> Vec<String> {
    let widest = parts.iter().map(|part| part.title.chars().count()).max().unwrap_or(0);
    let line = |part: &&Part| {
        let line = format!("{:<widest$}  {}", part.title, terminal.shown(&summary(part)));
        truncate_str(&line, terminal.width - MARKS, terminal.dots()).into_owned()
    };
    parts.iter().map(line).collect()
}

/// How many files are made, changed and removed, and where.
fn summary(part: &Part) -> String {
    let changes: Vec<_> = part.changes.iter().flatten().filter(|change| !change.is_nothing()).collect();
    if changes.iter().any(|change| change.path == Path::new(CRONTAB)) {
        return "a few lines in your crontab".to_owned();
    }
    let counts = ["new", "changed", "removed"]
        .map(|word| (changes.iter().filter(|change| kind(change) == word).count(), word));
    let mut text = String::new();
    for (count, word) in counts.into_iter().filter(|(count, _)| *count > 0) {
        text = match (text.is_empty(), count) {
            (true, 1) => format!("1 {word} file"),
            (true, _) => format!("{count} {word} files"),
            (false, _) => format!("{text}, {count} {word}"),
        };
    }
    match changes.iter().filter_map(|change| change.path.parent()).reduce(common) {
        // With a `/`, so that the home itself is known for what it is.
        Some(directory) => format!("{text} in {}/", directory.display()),
        None => text,
    }
}

/// The innermost directory that holds both.
fn common<'a>(one: &'a Path, other: &Path) -> &'a Path {
    one.ancestors().find(|above| other.starts_with(above)).unwrap_or(one)
}

fn kind(change: &Change) -> &'static str {
    match (&change.before, &change.after) {
        (None, _) => "new",
        (_, None) => "removed",
        _ => "changed",
    }
}

/// Each part with its files, and each line that changes in a file of the user's.
pub(super) fn details(parts: &[Part], terminal: &Terminal) -> String {
    let (mut text, mut is_short) = (String::new(), false);
    for part in parts {
        let title = if part.id == PROGRAMS { "backchannel itself" } else { &part.title };
        let changes = match &part.changes {
            Err(error) => {
                let error = wrap::sentence(&terminal.shown(&error.to_string()), COLUMN, terminal.width);
                text.push_str(&format!("{}\n  {}  {error}\n", style(title).bold(), style("refused").red()));
                continue;
            }
            Ok(changes) => changes.iter().filter(|change| !change.is_nothing() || change.kept.is_some()),
        };
        for (index, change) in changes.enumerate() {
            if index == 0 {
                text.push_str(&format!("{}\n", style(title).bold()));
            }
            text.push_str(&file(change, terminal));
            is_short |= kind(change) != "changed" && part.id != PROGRAMS;
            if kind(change) == "changed" && change.kept.is_none() && part.id != PROGRAMS {
                let diff = change.diff();
                // The file is named above.
                let hunks: String = diff.split_inclusive('\n').skip(2).collect();
                text.push_str(&coloured(&hunks));
            }
        }
    }
    if is_short {
        text.push_str("(--dry-run shows every line of the other files, too)\n");
    }
    text
}

/// One file in a line.
fn file(change: &Change, terminal: &Terminal) -> String {
    let path = terminal.shown(&change.path.display().to_string());
    let kind = kind(change);
    let kind = match change.kept {
        Some(_) => style("keeps").yellow(),
        None if kind == "new" => style("new").green(),
        None if kind == "removed" => style("removes").red(),
        None => style("changes").cyan(),
    };
    let why = change.kept.map(|why| format!(": {why}")).unwrap_or_default();
    format!("  {kind:<7}  {path}{why}\n")
}

/// The whole of what changes, as unified diffs.
pub(super) fn diffs(parts: &[Part]) -> String {
    let changes = parts.iter().flat_map(|part| part.changes.iter().flatten());
    coloured(&changes.filter(|change| !change.is_nothing()).map(Change::diff).collect::<String>())
}

/// A diff that is safe to print, with colours where they are wanted.
fn coloured(diff: &str) -> String {
    let line = |line: &str| {
        let shown = output::plain(line);
        let (text, end) = shown.strip_suffix('\n').map_or((shown.as_str(), ""), |text| (text, "\n"));
        let styled = match text.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => style(text).bold(),
            [b'@', ..] => style(text).cyan(),
            [b'+', ..] => style(text).green(),
            [b'-', ..] => style(text).red(),
            _ => style(text),
        };
        format!("{styled}{end}")
    };
    diff.split_inclusive('\n').map(line).collect()
}
