//! Words of a POSIX shell line, for the commands that hints name.

use std::path::Path;

/// A path as one word, quoted only where it has to be.
#[must_use]
pub fn word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@,:=%".contains(letter);
    if text.chars().all(is_plain) { text.into_owned() } else { quoted(path) }
}

/// A path as one word, in quotes.
#[must_use]
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}
