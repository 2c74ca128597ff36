//! Text of a terminal's width: sentences with a hanging indent, and commands that stay one command when they are
//! copied.

use console::measure_text_width;

/// A sentence whose first line begins at `column`, and whose further lines are indented as far.
pub(super) fn sentence(text: &str, column: usize, width: usize) -> String {
    let lines = fill(text.split(' '), width.saturating_sub(column));
    lines.join(&format!("\n{}", " ".repeat(column)))
}

/// A command in lines, each but the last with a backslash at its end, so that the shell takes them for one. What is
/// within quotes is not broken. A comment has lines of its own where it does not fit.
pub(super) fn command(hint: &str, column: usize, width: usize) -> String {
    let room = width.saturating_sub(column);
    let (words, comment) = words(hint);
    // Room for the backslash.
    let mut lines = fill(words.iter().copied(), room.saturating_sub(2));
    let last = lines.len().saturating_sub(1);
    lines[..last].iter_mut().for_each(|line| line.push_str(" \\"));
    if let Some(comment) = comment {
        let fits = |line: &String| measure_text_width(line) + 3 + measure_text_width(comment) <= room;
        match lines.last_mut().filter(|line| fits(line)) {
            Some(line) => line.push_str(&format!("   {comment}")),
            None => {
                let text = comment.trim_start_matches('#').trim_start();
                let comment = fill(text.split(' '), room.saturating_sub(2));
                lines.extend(comment.into_iter().map(|line| format!("# {line}")));
            }
        }
    }
    lines.join(&format!("\n{}", " ".repeat(column)))
}

/// As many words to a line as fit; one that is longer has a line to itself, which the terminal breaks.
fn fill<'a>(words: impl Iterator<Item = &'a str>, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words {
        let line = lines.last_mut().filter(|line| {
            line.is_empty() || measure_text_width(line) + 1 + measure_text_width(word) <= room
        });
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The words of a shell line, what is in quotes whole, and its comment.
fn words(line: &str) -> (Vec<&str>, Option<&str>) {
    let (mut words, mut start, mut quote, mut is_escaped) = (Vec::new(), None, None, false);
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (None, ' ') if !is_escaped => {
                words.extend(start.take().map(|start| &line[start..at]));
                continue;
            }
            (None, '#') if start.is_none() => return (words, Some(&line[at..])),
            (None, '\'' | '"') if !is_escaped => quote = Some(letter),
            (Some(open), _) if letter == open && !is_escaped => quote = None,
            _ => {}
        }
        is_escaped = letter == '\\' && !is_escaped && quote != Some('\'');
        start = start.or(Some(at));
    }
    words.extend(start.map(|start| &line[start..]));
    (words, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_hangs_and_a_long_word_is_left_whole() {
        assert_eq!(sentence("one two three", 4, 12), "one two\n    three");
        assert_eq!(sentence("a /very/long/path b", 2, 8), "a\n  /very/long/path\n  b");
        assert_eq!(sentence("日本 語", 0, 5), "日本\n語");
        assert_eq!(sentence("", 3, 10), "");
    }

    #[test]
    fn a_command_that_was_broken_is_one_command_still() {
        let hint = "rm '/a b/c' && bch setup --only codex   # and then look";
        for width in 1..80 {
            let shown = command(hint, 5, width);
            let joined = shown.replace(" \\\n", " ");
            let (found, _) = words(&joined);
            let plain: Vec<_> =
                found.iter().map(|word| word.trim()).filter(|word| !word.is_empty()).collect();
            assert_eq!(
                plain,
                ["rm", "'/a b/c'", "&&", "bch", "setup", "--only", "codex"],
                "{width}: {shown}"
            );
            assert!(shown.contains("# and"), "{shown}");
        }
        assert_eq!(command("bch init NAME", 5, 80), "bch init NAME");
        assert_eq!(command("x   # y z", 0, 7), "x\n# y z");
        assert_eq!(words("a\\ b \"c # d\" e#f"), (vec!["a\\ b", "\"c # d\"", "e#f"], None));
    }
}
