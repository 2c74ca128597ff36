//! A block of lines of ours at the end of a text, and what is cut with it when it leaves: put in and cut out, the
//! text is what it was, to the byte.
//!
//! Whether the text ended in a line end shows in whether the block does, so that nothing has to be remembered.

use std::ops::Range;

/// The line end that a text is written with: that of its first line.
pub(super) fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Whether an empty line stands between a block and the text above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    Line,
    None,
}

/// The text with a block behind it, whose lines are joined with the text's own line end.
pub(super) fn with(text: &str, block: &str, gap: Gap) -> String {
    let end = line_end(text);
    let block = block.trim_end_matches('\n').replace('\n', end);
    match (text, gap) {
        ("", _) => format!("{block}{end}"),
        (text, Gap::Line) if text.ends_with('\n') => format!("{text}{end}{block}{end}"),
        (text, Gap::None) if text.ends_with('\n') => format!("{text}{block}{end}"),
        (_, Gap::Line) => format!("{text}{end}{end}{block}"),
        // Behind a lone `\r` this is half of a line end.
        (_, Gap::None) => format!("{text}\n{block}"),
    }
}

/// The text without a block: its lines, and what [`with`] put around them.
pub(super) fn without(text: &str, block: Range<usize>, gap: Gap) -> String {
    let (mut before, after) = (&text[..block.start], &text[block.end..]);
    let is_whole = before.is_empty() || before.ends_with('\n');
    let after = match after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')) {
        Some(rest) if is_whole && !text[block.clone()].ends_with('\n') => rest,
        _ => after,
    };
    if !is_whole {
        return [before, after].concat();
    }
    let is_open = after.is_empty() && !text.ends_with('\n');
    match gap {
        // Only an empty line is a gap: the line above it keeps its end.
        Gap::Line => {
            if let Some((shorter, end)) = without_line_end(before)
                && (shorter.is_empty() || shorter.ends_with('\n'))
            {
                before = shorter;
                if is_open {
                    before = before.strip_suffix(end).unwrap_or(before);
                }
            }
        }
        Gap::None if is_open => before = before.strip_suffix('\n').unwrap_or(before),
        Gap::None => {}
    }
    [before, after].concat()
}

/// The text without its last line end, and that line end.
fn without_line_end(text: &str) -> Option<(&str, &'static str)> {
    let crlf = text.strip_suffix("\r\n").map(|rest| (rest, "\r\n"));
    crlf.or_else(|| text.strip_suffix('\n').map(|rest| (rest, "\n")))
}
