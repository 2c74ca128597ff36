//! Cutting a member out of a TOML text: the lines of a table with a header, or the piece of an inline one.

use std::ops::Range;

use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::super::lines::{self, Gap};
use super::super::place::{Reason, Refusal};
use super::{find_item, parse};

/// The text without the member at a path.
pub(super) fn cut(text: &str, path: &[String]) -> Result<String, Refusal> {
    let document = parse(text)?;
    let (Some(item), Some((key, above))) = (find_item(&document, text, path)?, path.split_last()) else {
        return Ok(text.to_owned());
    };
    let mut places = Vec::new();
    if let Item::Table(table) = item
        && !table.is_dotted()
    {
        collect(table, &mut places);
    }
    if !places.is_empty() {
        places.sort_by_key(|place| std::cmp::Reverse(place.start));
        return Ok(places.into_iter().fold(text.to_owned(), |text, place| without_lines(&text, &place)));
    }
    let holder = find_item(&document, text, above)?.filter(|holder| holder.is_inline_table());
    let name = holder.and_then(Item::as_table_like).and_then(|table| table.key(key)?.span());
    if let (Some(name), Some(value)) = (name, item.span()) {
        return Ok(without_piece(text, name.start..value.end));
    }
    // By dotted keys: the document takes it out.
    let mut document: DocumentMut = document.into_mut();
    if let Some(table) = walk(document.as_table_mut(), above) {
        table.remove(key);
    }
    with_line_ends(&document.to_string(), text)
}

/// The places of a table with a header, and of those below it: from the header to the last value.
fn collect(table: &Table, places: &mut Vec<Range<usize>>) {
    let own = table.span().filter(|_| !table.is_implicit());
    let mut end = own.as_ref().map(|span| span.end);
    for (_, item) in table.iter() {
        match item {
            Item::Table(below) if !below.is_dotted() => collect(below, places),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|below| collect(below, places)),
            item => end = end.max(item.span().map(|span| span.end)),
        }
    }
    if let (Some(own), Some(end)) = (own, end) {
        places.push(own.start..end.max(own.end));
    }
}

/// The text without these lines, the rest of the last one among them.
fn without_lines(text: &str, place: &Range<usize>) -> String {
    let start = text[..place.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[place.end..].find('\n').map_or(text.len(), |at| place.end + at + 1);
    lines::without(text, start..end, Gap::Line)
}

/// The text without a member of an inline table, and without the comma that parts it from another.
fn without_piece(text: &str, piece: Range<usize>) -> String {
    let before = text[..piece.start].trim_end();
    let after = &text[piece.end..];
    if let Some(before) = before.strip_suffix(',') {
        return [before, after].concat();
    }
    match after.trim_start().strip_prefix(',') {
        Some(after) => [&text[..piece.start], after.trim_start_matches([' ', '\t'])].concat(),
        None => [text[..piece.start].trim_end_matches([' ', '\t']), after].concat(),
    }
}

fn walk<'a>(table: &'a mut dyn TableLike, path: &[String]) -> Option<&'a mut dyn TableLike> {
    let Some((key, rest)) = path.split_first() else { return Some(table) };
    walk(table.get_mut(key)?.as_table_like_mut()?, rest)
}

/// The document's own text gives every line `\n`: a file with both kinds is left alone.
fn with_line_ends(edited: &str, text: &str) -> Result<String, Refusal> {
    if !text.contains('\r') {
        return Ok(edited.to_owned());
    }
    if let Some(at) = text.match_indices('\n').map(|(at, _)| at).find(|at| !text[..*at].ends_with('\r')) {
        return Err(Refusal::new(Reason::Syntax("the file has two kinds of line ends".into()), text, at));
    }
    Ok(edited.replace('\n', "\r\n"))
}
