//! Where in a JSON text a new item goes, how it is spelled there, and what is cut with one that leaves: all by the
//! layout of the text around it, of which every other byte stays.

use std::ops::Range;

use serde_json::Value;

use super::super::{Holder, lines::line_end};
use super::spelling::{indent, is_minified, spelled, unit};

/// A place in a text, and what comes there.
type Splice = (Range<usize>, String);

/// An object or array: from its opening bracket to behind its closing one, and its items.
pub(super) struct Container<'a> {
    pub(super) text: &'a str,
    pub(super) range: Range<usize>,
    pub(super) items: Vec<Range<usize>>,
}

/// Applies splices that do not overlap.
fn spliced(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|(place, _)| std::cmp::Reverse((place.start, place.end)));
    let mut edited = text.to_owned();
    for (place, new) in splices {
        edited.replace_range(place, &new);
    }
    edited
}

/// Puts a new value in the place of one.
pub(super) fn replace(text: &str, place: Range<usize>, value: &Value) -> String {
    let on_lines = text.trim_end().contains('\n');
    let new = spelled(text, value, indent(text, place.start), on_lines);
    spliced(text, vec![(place, new)])
}

/// A comment that begins a text: where it ends, and whether only a line end ends it.
fn comment(text: &str) -> Option<(usize, bool)> {
    match text.get(..2)? {
        "//" => Some((text.find(['\n', '\r']).unwrap_or(text.len()), true)),
        "/*" => Some((text.find("*/")? + 2, false)),
        _ => None,
    }
}

/// Behind white space and comments.
fn skip(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let bare = rest.trim_start();
        at += rest.len() - bare.len();
        match comment(bare) {
            Some((end, _)) => at += end,
            None => return at,
        }
    }
}

/// Behind the comments that stand on the same line, and whether the last of them takes the rest of it.
fn skip_comments_of_line(text: &str, mut at: usize) -> (usize, bool) {
    let mut is_to_line_end = false;
    loop {
        let bare = text[at..].trim_start_matches([' ', '\t']);
        match comment(bare).filter(|(end, _)| !bare[..*end].contains('\n')) {
            Some((end, to_line_end)) => {
                at = text.len() - bare.len() + end;
                is_to_line_end = to_line_end;
            }
            None => return (at, is_to_line_end),
        }
    }
}

impl Container<'_> {
    fn inner(&self) -> Range<usize> {
        self.range.start + 1..self.range.end - 1
    }

    /// Whether nothing is in it, not even a comment.
    pub(super) fn is_blank(&self) -> bool {
        self.items.is_empty() && self.text[self.inner()].trim().is_empty()
    }

    /// What it holds while it has no item, where that is anything.
    pub(super) fn held(&self, path: &[String]) -> Option<Holder> {
        let inner = &self.text[self.inner()];
        let is_held = self.items.is_empty() && !inner.is_empty();
        is_held.then(|| Holder { path: path.to_vec(), before: Some(inner.to_owned()) })
    }

    /// The text with that in it again, where only white space tells them apart.
    pub(super) fn holding(&self, before: &str) -> Option<String> {
        let inner = self.inner();
        let is_same = self.items.is_empty() && self.text[inner.clone()].trim() == before.trim();
        is_same.then(|| spliced(self.text, vec![(inner, before.to_owned())]))
    }

    /// The comma between an item and what follows it.
    fn comma(&self, item: usize) -> Option<usize> {
        let at = skip(self.text, self.items[item].end);
        self.text[at..].starts_with(',').then_some(at)
    }

    /// Whether only blanks stand before an item on its line.
    fn starts_line(&self, item: &Range<usize>) -> bool {
        self.text[..item.start].trim_end_matches([' ', '\t']).ends_with('\n')
    }

    /// Adds an item at the end.
    pub(super) fn append(&self, key: Option<&str>, value: &Value) -> String {
        let text = self.text;
        let is_minified = is_minified(text);
        let item = |indent: &str, on_lines: bool| {
            let value = spelled(text, value, indent, on_lines);
            match key {
                Some(key) if is_minified => format!("{}:{value}", Value::from(key)),
                Some(key) => format!("{}: {value}", Value::from(key)),
                None => value,
            }
        };
        let Some(last) = self.items.last() else { return self.append_first(item) };
        // A comma that ends the list stays its end.
        let comma = self.comma(self.items.len() - 1);
        let at = comma.map_or(last.end, |comma| comma + 1);
        let (behind, is_to_line_end) = skip_comments_of_line(text, at);
        let new = if is_to_line_end || self.starts_line(last) {
            let indent = indent(text, last.start);
            format!("{}{indent}{}", line_end(text), item(indent, true))
        } else {
            let is_tight = is_minified || self.items.len() > 1 && !self.has_blank_before(last);
            format!("{}{}", if is_tight { "" } else { " " }, item(indent(text, last.start), false))
        };
        match comma {
            Some(_) => spliced(text, vec![(behind..behind, format!("{new},"))]),
            // Two splices at one place have no order: one it is.
            None if behind == at => spliced(text, vec![(at..at, format!(",{new}"))]),
            None => spliced(text, vec![(at..at, ",".to_owned()), (behind..behind, new)]),
        }
    }

    fn has_blank_before(&self, item: &Range<usize>) -> bool {
        self.text[..item.start].ends_with([' ', '\t', '\n'])
    }

    /// Adds an item where there is none. Comments stay before it; the white space around it is ours.
    fn append_first(&self, item: impl Fn(&str, bool) -> String) -> String {
        let (text, inner) = (self.text, self.inner());
        let content = text[inner.clone()].trim_end();
        let is_on_lines = text.trim() == "{}"
            || text.trim_end().contains('\n')
            || text[inner.clone()].contains(['\n', '\r']);
        let outer = indent(text, self.range.start);
        let new = if is_on_lines {
            let (indent, line_end) = (format!("{outer}{}", unit(text)), line_end(text));
            format!("{line_end}{indent}{}{line_end}{outer}", item(&indent, true))
        } else if is_minified(text) || text[self.range.clone()].starts_with('[') && content.is_empty() {
            item(outer, false)
        } else {
            format!(" {} ", item(outer, false))
        };
        spliced(text, vec![(inner.start + content.len()..inner.end, new)])
    }

    /// Takes an item out, with its comma and its line. Comments stay.
    pub(super) fn without(&self, item: usize) -> String {
        let (text, place) = (self.text, &self.items[item]);
        let (is_first, is_last) = (item == 0, item + 1 == self.items.len());
        let comma = match self.comma(item) {
            Some(comma) => Some(comma),
            None if !is_first => self.comma(item - 1),
            None => None,
        };
        let before = text[..place.start].trim_end_matches([' ', '\t']);
        let mut cut = place.clone();
        if self.starts_line(place) {
            let line = before.strip_suffix('\n').unwrap_or(before);
            cut.start = line.strip_suffix('\r').unwrap_or(line).len();
        } else if let (true, false, Some(comma)) = (is_first, is_last, comma)
            && text[cut.end..comma].trim().is_empty()
        {
            // The next one moves up to its place.
            let rest = &text[comma + 1..];
            let next = text.len() - rest.trim_start_matches([' ', '\t']).len();
            return spliced(text, vec![(cut.start..next, String::new())]);
        } else {
            cut.start = before.len();
        }
        let mut splices = vec![(cut.clone(), String::new())];
        match comma {
            Some(comma) if comma == cut.end => splices[0].0.end += 1,
            Some(comma) if comma + 1 == cut.start => splices[0].0.start = comma,
            Some(comma) => splices.push((comma..comma + 1, String::new())),
            None => {}
        }
        let edited = spliced(text, splices);
        if !(is_first && is_last) {
            return edited;
        }
        // Nothing is in it any more: no white space either.
        let end = self.range.end + edited.len() - text.len();
        let inner = self.range.start + 1..end - 1;
        match edited[inner.clone()].trim().is_empty() {
            true => spliced(&edited, vec![(inner, String::new())]),
            false => edited,
        }
    }
}
