//! Where in a file something is that an editor refuses, and why.

use std::fmt;
use std::path::Path;

use crate::shell::word;

/// Why a file is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
}

/// The reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It does not parse; what the parser says.
    Syntax(String),
    /// Something else stands where ours should; its path, and what it should be.
    Type {
        /// Keys from the root.
        path: String,
        /// `an object`, `an array`, `a table`.
        wanted: &'static str,
    },
    /// Somebody else's entry has our name; its path.
    NotOurs(String),
    /// A key on our way is there twice.
    DuplicateKey(String),
    /// It is UTF-16, or no UTF-8.
    Encoding,
    /// A section of ours has no end, or is there twice.
    Section(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Syntax(text) => out.write_str(text),
            Reason::Type { path, wanted } if path.is_empty() => {
                write!(out, "the file does not hold {wanted}")
            }
            Reason::Type { path, wanted } => write!(out, "`{path}` is not {wanted}"),
            Reason::NotOurs(path) => write!(out, "`{path}` is there already, and is not ours"),
            Reason::DuplicateKey(key) => write!(out, "the key `{key}` is there twice"),
            Reason::Encoding => out.write_str("the file is not UTF-8"),
            Reason::Section(text) => out.write_str(text),
        }
    }
}

impl Refusal {
    pub(super) fn new(reason: Reason, text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            reason,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// A command that helps to mend it.
    #[must_use]
    pub fn hint(&self, path: &Path) -> Option<String> {
        let path = word(path);
        Some(match self.reason {
            Reason::Encoding => format!("iconv -f UTF-16 -t UTF-8 {path}   # or the encoding that it has"),
            _ => format!("${{EDITOR:-vi}} +{} {path}", self.line),
        })
    }
}

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a file begins with a byte order mark.
pub(super) fn has_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(MARK)
}

/// The byte order mark, if there is one, and the text behind it.
pub(super) fn text(bytes: &[u8]) -> Result<(&[u8], &str), Refusal> {
    let (mark, rest) = if has_mark(bytes) { bytes.split_at(MARK.len()) } else { bytes.split_at(0) };
    let text = std::str::from_utf8(rest).map_err(|error| {
        let valid = String::from_utf8_lossy(&rest[..error.valid_up_to()]).into_owned();
        Refusal::new(Reason::Encoding, &valid, valid.len())
    })?;
    // UTF-16 of plain letters is valid UTF-8, full of zeros.
    match text.find('\0') {
        Some(at) => Err(Refusal::new(Reason::Encoding, text, at)),
        None => Ok((mark, text)),
    }
}
