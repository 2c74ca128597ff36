//! Private keys in PEM, OpenSSH's and PGP's armour: RFC 7468 and RFC 9580 section 6.2 (read 2026-11-29). They come with
//! indentation, quotes, `\n` as two characters, marks of a quotation or of a diff, and at times without their end.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;
use regex::Regex;

pub(super) const NAME: &str = "private-key";

/// What both ends have.
const DASHES: &str = "-----";
/// Digits that a line of a key has at least, but for its last.
const LEAST_RUN: usize = 32;
/// Bytes of headers before the first digits, such as `DEK-Info`.
const LONGEST_HEADERS: usize = 400;
/// Bytes between two lines: a line's end, indentation, quotes, marks.
const WIDEST_GAP: usize = 24;
/// Bytes between a key's beginning and its end. RSA with 16384 bits has 13 KiB.
const LONGEST_KEY: usize = 64 * 1024;

/// A header or a footer, and which. Without a literal that the searcher knows each byte would be looked at.
static MARKS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("-----(BEGIN|END) (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----").ok());

/// Where the private keys are, with their headers and footers.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    if memmem::find(text.as_bytes(), b"PRIVATE KEY").is_none() {
        return Vec::new();
    }
    let Some(pattern) = MARKS.as_ref() else { return Vec::new() };
    let marks: Vec<_> = pattern.find_iter(text).map(|mark| mark.range()).collect();
    let is_begin = |mark: &Range<usize>| text[mark.start + DASHES.len()..].starts_with("BEGIN");
    let mut keys = Vec::new();
    for (at, mark) in marks.iter().enumerate().filter(|(_, mark)| is_begin(mark)) {
        let next = marks.get(at + 1);
        let limit = next.map_or(text.len(), |next| next.start);
        // A sentence about headers has no digits after one.
        let Some(end) = end_of_digits(text.as_bytes(), mark.end, limit) else { continue };
        let footer = next.filter(|next| !is_begin(next) && next.start - mark.end <= LONGEST_KEY);
        keys.push(mark.start..footer.map_or(end, |footer| footer.end));
    }
    keys
}

/// The end of the lines of digits that begin near `start`; `None` where there are none. It looks at each byte once.
fn end_of_digits(text: &[u8], start: usize, limit: usize) -> Option<usize> {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    let (mut at, mut end, mut gap) = (start, None, LONGEST_HEADERS);
    loop {
        // `\n` as two characters would make the `n` a digit of the next line, which does no harm.
        let mut run = at;
        while run < limit && is_digit(text[run]) {
            run += 1;
        }
        let (length, last) = (run - at, end.unwrap_or(start));
        if length >= LEAST_RUN {
            (end, gap) = (Some(run), WIDEST_GAP);
        } else if end.is_some() && length > 0 && at - last <= WIDEST_GAP && !text[last..at].contains(&b' ') {
            // The last line is shorter; a word of a sentence has a space before it.
            (end, gap) = (Some(run), 0);
        }
        if run >= limit || run - end.unwrap_or(start) > gap {
            return end;
        }
        at = run + 1;
    }
}
