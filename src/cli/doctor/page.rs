//! What doctor prints while it looks, and in the end: plain lines in a pipe, a [`Screen`] for a person, nothing where
//! one JSON object is asked for.

use std::io::{self, IsTerminal as _};

use super::screen::Screen;
use crate::cli::output;
use crate::doctor::{Audience, Check, Status};
use crate::env::Env;

/// Somebody who follows the checks, and is told in the end what they come to.
pub(super) trait Report: Audience {
    /// What was mended, before anything is looked at.
    fn fixed(&mut self, lines: &[String]);
    /// What all of it comes to.
    fn end(&mut self, checks: &[Check]) -> io::Result<()>;
}

/// The one for this output.
pub(super) fn report(json: bool, env: &Env) -> Box<dyn Report> {
    if json {
        Box::new(())
    } else if io::stdout().is_terminal() {
        Box::new(Screen::new(env))
    } else {
        Box::new(Plain::default())
    }
}

/// Nobody reads along.
impl Report for () {
    fn fixed(&mut self, _lines: &[String]) {}

    fn end(&mut self, _checks: &[Check]) -> io::Result<()> {
        Ok(())
    }
}

/// Lines for another program.
#[derive(Default)]
struct Plain {
    place: Option<Option<String>>,
    /// What could not be printed.
    error: Option<io::Error>,
}

impl Plain {
    fn print(&mut self, text: &str) {
        if self.error.is_none() {
            self.error = output::print(&output::plain(text)).err();
        }
    }
}

impl Audience for Plain {
    fn begins(&mut self, _harness: Option<&str>, _what: &str) {}

    fn found(&mut self, check: &Check) {
        let mut text = String::new();
        if self.place.as_ref() != Some(&check.harness) {
            text = heading(check);
            self.place = Some(check.harness.clone());
        }
        self.print(&(text + &line(check)));
    }
}

impl Report for Plain {
    fn fixed(&mut self, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("fixed  {line}\n")).collect();
        self.print(&text);
    }

    fn end(&mut self, checks: &[Check]) -> io::Result<()> {
        self.print(&format!("{}\n", verdict(checks)));
        self.error.take().map_or(Ok(()), Err)
    }
}

/// All of it as text.
pub(in crate::cli) fn text(checks: &[Check]) -> String {
    let (mut text, mut place) = (String::new(), None);
    for check in checks {
        if place != Some(&check.harness) {
            text.push_str(&heading(check));
            place = Some(&check.harness);
        }
        text.push_str(&line(check));
    }
    text + verdict(checks).as_str() + "\n"
}

fn heading(check: &Check) -> String {
    format!("{}\n", check.harness.as_deref().unwrap_or("this machine"))
}

fn line(check: &Check) -> String {
    let word = word(check.status);
    let mut text = format!("  {word:<4}  {}: {}{}\n", check.check, check.detail, time(check));
    if let Some(hint) = &check.hint {
        text.push_str(&format!("        hint: {hint}\n"));
    }
    text
}

pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    }
}

/// How long it took, where its detail does not say so.
pub(super) fn time(check: &Check) -> String {
    let time = check.ms.filter(|_| !check.detail.contains(" ms"));
    time.map(|time| format!(", {}", milliseconds(time))).unwrap_or_default()
}

/// `3.1 ms`, `120 ms`, `4.2 s`.
pub(super) fn milliseconds(time: f64) -> String {
    match time {
        ..10.0 => format!("{time:.1} ms"),
        ..1000.0 => format!("{time:.0} ms"),
        _ => format!("{:.1} s", time / 1000.0),
    }
}

/// In one line, how it is.
pub(super) fn verdict(checks: &[Check]) -> String {
    match checks.iter().filter(|check| check.status == Status::Fail).count() {
        0 => "all is well".to_owned(),
        1 => "one check failed".to_owned(),
        many => format!("{many} checks failed"),
    }
}
