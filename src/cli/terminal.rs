//! A person's terminal: how wide it is, which letters it shows, and how what comes from outside reads on it.

use console::Term;

use crate::env::Env;
use crate::message::visible;

/// The terminal to which data goes.
pub(super) struct Terminal {
    pub(super) term: Term,
    /// In columns.
    pub(super) width: usize,
    /// Whether letters beyond ASCII are shown.
    pub(super) has_symbols: bool,
    /// The user's home with a `/`, which is written as `~/`.
    home: Option<String>,
}

impl Terminal {
    pub(super) fn new(env: &Env) -> Self {
        let term = Term::stdout();
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env.text(name)).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self {
            // A screen without a width is taken for one of the usual width; on a narrow one nothing could be read.
            width: term.size_checked().map_or(80, |(_, columns)| usize::from(columns)).max(40),
            term,
            has_symbols: locale.contains("utf-8") || locale.contains("utf8"),
            home: env.home().map(|home| format!("{}/", home.display())).filter(|home| home.len() > 2),
        }
    }

    /// A text from outside, in one line, with the home as `~`.
    pub(super) fn shown(&self, text: &str) -> String {
        let text = visible::line(text).replace('\t', " ");
        match &self.home {
            Some(home) => text.replace(home.as_str(), "~/"),
            None => text,
        }
    }

    /// What stands for text that is left out.
    pub(super) fn dots(&self) -> &'static str {
        if self.has_symbols { "…" } else { "..." }
    }
}
