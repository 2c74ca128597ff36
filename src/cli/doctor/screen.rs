//! Doctor on a person's terminal: a line for each check as it is made, what is going on meanwhile, and at the end what
//! one reads at a glance: each harness in a line, then what is to be done, numbered.

use std::io;

use console::{Style, StyledObject, measure_text_width, style, truncate_str};

use super::page::{Report, milliseconds, time, verdict, word};
use crate::cli::terminal::Terminal;
use crate::cli::{output, wrap};
use crate::doctor::{Audience, Check, Status};
use crate::env::Env;
use crate::harness::Manifest;
use crate::message::visible;

/// Letters of the longest name of a check.
const NAMES: usize = 13;
/// Where what follows a number begins.
const NUMBERED: usize = 5;

/// Doctor's page on a person's terminal.
pub(super) struct Screen {
    terminal: Terminal,
    place: Option<Option<String>>,
    /// The distinct commands, each with what it mends.
    hints: Vec<(String, Vec<Check>)>,
    /// Whether the last line is to be taken back.
    is_busy: bool,
    /// What could not be printed.
    error: Option<io::Error>,
}

impl Screen {
    pub(super) fn new(env: &Env) -> Self {
        Self { terminal: Terminal::new(env), place: None, hints: Vec::new(), is_busy: false, error: None }
    }

    /// Prints lines in which everything from outside was made visible already.
    fn print(&mut self, text: &str) {
        let cleared =
            if std::mem::take(&mut self.is_busy) { self.terminal.term.clear_line() } else { Ok(()) };
        if self.error.is_none() {
            self.error = cleared.and_then(|()| output::print(&text.replace('\u{a0}', " "))).err();
        }
    }

    /// A text from outside, as it reads here. A number keeps its unit: what is no blank to `wrap` is printed as one.
    fn shown(&self, text: &str) -> String {
        self.terminal.shown(text).replace(" ms", "\u{a0}ms")
    }

    fn mark(&self, status: Status) -> StyledObject<String> {
        let (symbol, colour) = match status {
            Status::Ok => ("✓", Style::new().green()),
            Status::Warn => ("!", Style::new().yellow().bold()),
            Status::Fail => ("✗", Style::new().red().bold()),
        };
        let mark = if self.terminal.has_symbols { symbol.to_owned() } else { format!("{:<4}", word(status)) };
        colour.apply_to(mark)
    }

    /// The number of the command that mends it, counted from 1.
    fn number(&mut self, check: &Check) -> Option<usize> {
        let hint = check.hint.as_ref()?;
        let at = self.hints.iter().position(|(command, _)| command == hint).unwrap_or_else(|| {
            self.hints.push((hint.clone(), Vec::new()));
            self.hints.len() - 1
        });
        self.hints[at].1.push(check.clone());
        Some(at + 1)
    }

    /// A line for each harness: whether mail reaches it.
    fn summary(&self, checks: &[Check]) -> String {
        let mut text = String::new();
        let manifests = Manifest::all();
        let widest = manifests.iter().map(|manifest| measure_text_width(&manifest.title)).max().unwrap_or(0);
        for manifest in &manifests {
            let own: Vec<_> =
                checks.iter().filter(|check| check.harness.as_ref() == Some(&manifest.id)).collect();
            let Some(status) = own.iter().map(|check| check.status).max() else { continue };
            let title = format!("{:<widest$}", manifest.title);
            let line =
                format!("  {} {}  {}", self.mark(status), style(title).bold(), self.reach(&own, status));
            text.push_str(&(line + "\n"));
        }
        text
    }

    /// What one harness comes to.
    fn reach(&self, own: &[&Check], status: Status) -> String {
        let find = |name: &str| own.iter().find(|check| check.check == name);
        let is_proven = find("cost").is_some_and(|check| check.status == Status::Ok);
        let only = |name: &str| {
            let mut failed = own.iter().filter(|check| check.status == Status::Fail);
            failed.all(|check| check.check == name)
        };
        let mut text = match (status, is_proven) {
            _ if find("set up").is_some() => "is not set up",
            (Status::Fail, true) if only("tools") => "mail arrives, but our tools do not answer",
            (Status::Fail, _) if only("copies") => "mail arrives twice",
            (Status::Fail, _) => "mail does not arrive",
            (_, true) => "mail arrives",
            (_, false) => "looks well; to be sure: bch doctor --prove",
        }
        .to_owned();
        if let Some(time) = find("cost").and_then(|check| check.ms).filter(|_| status != Status::Fail) {
            text.push_str(&format!(", {} a prompt", milliseconds(time)));
        }
        if find("live").is_some_and(|check| check.status == Status::Ok) {
            text.push_str(", seen by a model");
        }
        let is_meant = |check: &&Check| own.iter().any(|own| own.hint.is_some() && own.hint == check.hint);
        let numbers = self.hints.iter().enumerate().filter(|(_, (_, checks))| {
            checks.iter().filter(|check| check.harness == own[0].harness).any(|check| is_meant(&check))
        });
        let numbers: Vec<_> = numbers.map(|(at, _)| (at + 1).to_string()).collect();
        if !numbers.is_empty() {
            text.push_str(&format!(" (see {})", numbers.join(", ")));
        }
        text
    }

    /// What is to be done, each command once, with all that it mends.
    fn steps(&self) -> String {
        let mut text = String::new();
        for (at, (command, checks)) in self.hints.iter().enumerate() {
            text.push('\n');
            for (index, check) in checks.iter().enumerate() {
                let number = if index == 0 { format!("{}.", at + 1) } else { String::new() };
                let place = check.harness.as_deref().map_or("this machine".to_owned(), title);
                let what = format!("{place}, {}: {}", check.check, self.shown(&check.detail));
                text.push_str(&format!(
                    "{number:>3}  {}\n",
                    wrap::sentence(&what, NUMBERED, self.terminal.width)
                ));
            }
            let command = wrap::command(&visible::line(command), NUMBERED, self.terminal.width);
            let command: Vec<_> = command.split('\n').map(|line| style(line).cyan().to_string()).collect();
            text.push_str(&format!("{:NUMBERED$}{}\n", "", command.join("\n")));
        }
        text
    }
}

impl Audience for Screen {
    fn begins(&mut self, harness: Option<&str>, what: &str) {
        if console::is_dumb() {
            return;
        }
        let dots = self.terminal.dots();
        let what = format!("  {dots} {}: {what}", harness.map_or("this machine".to_owned(), title));
        self.print(&style(truncate_str(&what, self.terminal.width - 1, "")).dim().to_string());
        self.is_busy = true;
    }

    fn found(&mut self, check: &Check) {
        let mut text = String::new();
        if self.place.as_ref() != Some(&check.harness) {
            let start = if self.place.is_some() { "\n" } else { "" };
            let place = check.harness.as_deref().map_or("This machine".to_owned(), title);
            text = format!("{start}{}\n", style(place).bold());
            self.place = Some(check.harness.clone());
        }
        let number = self.number(check).map(|number| format!(" [{number}]")).unwrap_or_default();
        let mark = self.mark(check.status);
        let column = 2 + measure_text_width(&mark.to_string()) + 1 + NAMES + 1;
        let time = time(check).replace(" s", "\u{a0}s");
        let detail = self.shown(&format!("{}{time}", check.detail)) + &number;
        let detail = wrap::sentence(&detail, column, self.terminal.width);
        text.push_str(&format!("  {mark} {:<NAMES$} {detail}\n", check.check));
        self.print(&text);
    }
}

impl Report for Screen {
    fn fixed(&mut self, lines: &[String]) {
        for line in lines {
            let line = wrap::sentence(&self.shown(line), 7, self.terminal.width);
            self.print(&format!("{}  {line}\n", style("fixed").green()));
        }
    }

    fn end(&mut self, checks: &[Check]) -> io::Result<()> {
        let verdict = match checks.iter().map(|check| check.status).max() {
            Some(Status::Fail) => style(verdict(checks)).red().bold(),
            _ => style(verdict(checks)).green().bold(),
        };
        let text = format!("\n{}{}\n{verdict}\n", self.summary(checks), self.steps());
        self.print(&text);
        self.error.take().map_or(Ok(()), Err)
    }
}

/// The name of a harness for people.
fn title(id: &str) -> String {
    Manifest::find(id).map_or_else(|| id.to_owned(), |manifest| manifest.title)
}
