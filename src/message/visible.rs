//! Makes hidden characters visible: what steers a terminal, turns text round, or is not seen at all.
//!
//! Everything that somebody else wrote passes here before it reaches a model or a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_normalization::char::is_combining_mark;

/// One line of text with each hidden character written as `\u{…}`; tabs stay.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escape(
        text,
        |letter| letter == '\t',
        |out, letter| {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", letter as u32);
        },
    )
}

/// Serialised JSON with each hidden character as an escape of JSON: the same value, safe to print.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    escape(
        text,
        |letter| letter == '\n',
        |out, letter| {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
}

fn escape(text: &str, keep: fn(char) -> bool, write: fn(&mut String, char)) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') || keep(byte as char)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let (mut before, mut letters) = (None, text.chars().peekable());
    while let Some(letter) = letters.next() {
        let shown = keep(letter)
            || match letter {
                // Joiners are part of Persian and Indic words and of emoji families; elsewhere they hide text.
                '\u{200c}' | '\u{200d}' => {
                    before.is_some_and(joins) && letters.peek().copied().is_some_and(joins)
                }
                // One variation selector chooses the picture for the character before it.
                '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(|before| !is_hidden(before) && before != ' '),
                _ => !is_hidden(letter),
            };
        if shown {
            out.push(letter)
        } else {
            write(&mut out, letter)
        }
        before = Some(letter);
    }
    Cow::Owned(out)
}

/// Whether a joiner may stand beside this character. ASCII never needs one.
fn joins(letter: char) -> bool {
    !letter.is_ascii()
        && (letter.is_alphabetic() || (is_combining_mark(letter)) || letter == '\u{fe0f}' || is_emoji(letter))
        && (letter == '\u{fe0f}' || !is_hidden(letter))
}

/// Roughly: the blocks in which emoji and their skin tones lie.
fn is_emoji(letter: char) -> bool {
    matches!(letter, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// Controls, and what Unicode 16 calls `Default_Ignorable_Code_Point`, line separators and
/// interlinear annotation (unicode.org, DerivedCoreProperties.txt, checked 2026-11-24).
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["plain", "a\tb", "naïve 中文", "👨‍👩‍👧‍👦", "❤️‍🔥 🇩🇪 👍🏽", "می‌خواهم", "क्‍ष", "☎️"]
        {
            assert_eq!(line(text), text);
            assert_eq!(json(text).replace("\\u0009", "\t"), text);
        }
    }

    #[test]
    fn what_hides_is_shown() {
        for (text, shown) in [
            ("\x1b[2J", "\\u{1b}[2J"),
            ("\u{9b}2J\x07", "\\u{9b}2J\\u{7}"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
            ("p\u{200b}q\u{200d}r", "p\\u{200b}q\\u{200d}r"),
            ("\u{e0041}", "\\u{e0041}"),
            ("a\u{2028}b\r", "a\\u{2028}b\\u{d}"),
            ("x\u{fe0f}\u{fe0f}", "x\u{fe0f}\\u{fe0f}"),
            ("ی\u{200c}\u{200c}ی", "ی\\u{200c}\\u{200c}ی"),
        ] {
            assert_eq!(line(text), shown);
        }
        assert_eq!(json("\"\u{e0041}\u{7f}\""), "\"\\udb40\\udc41\\u007f\"");
    }
}
