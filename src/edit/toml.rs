//! TOML: a table of ours is added at the end of the text, and cut out where it stands. Only where the table
//! above it is an inline one is the document itself edited.

use serde_json::Value;
use toml_edit::{Document, DocumentMut, InlineTable, Item, Table, TableLike};

use super::place::{Reason, Refusal};
use super::{Entry, Presence, bears};

fn parse(text: &str) -> Result<Document<&str>, Refusal> {
    Document::parse(text).map_err(|error| {
        let what = error.message().lines().next().unwrap_or_default().to_owned();
        Refusal::new(Reason::Syntax(what), text, error.span().map_or(0, |span| span.start))
    })
}

/// The item at a path; an error where something on the way is no table.
fn find_item<'a>(
    document: &'a Document<&str>,
    text: &str,
    path: &[String],
) -> Result<Option<&'a Item>, Refusal> {
    let mut item = document.as_item();
    for (depth, key) in path.iter().enumerate() {
        let Some(table) = item.as_table_like() else {
            let path = path[..depth].join(".");
            let offset = item.span().map_or(0, |span| span.start);
            return Err(Refusal::new(Reason::Type { path, wanted: "a table" }, text, offset));
        };
        match table.get(key) {
            Some(next) => item = next,
            None => return Ok(None),
        }
    }
    Ok(Some(item))
}

/// A value of ours as TOML: texts, whole numbers, truths and lists of them.
fn toml_value(value: &Value) -> toml_edit::Value {
    match value {
        Value::String(text) => text.as_str().into(),
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number.as_i64().unwrap_or_default().into(),
        Value::Array(values) => toml_edit::Value::Array(values.iter().map(toml_value).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.as_str(), toml_value(value)));
            toml_edit::Value::InlineTable(fields.collect::<InlineTable>())
        }
        Value::Null => toml_edit::Value::InlineTable(InlineTable::new()),
    }
}

/// The text of a table of ours with its header.
fn table_text(path: &[String], value: &Value) -> String {
    let mut root = Table::new();
    root.set_implicit(true);
    let mut table = &mut root;
    for key in path {
        let next = table.entry(key).or_insert_with(|| {
            let mut next = Table::new();
            next.set_implicit(true);
            Item::Table(next)
        });
        let Item::Table(next) = next else { return String::new() };
        table = next;
    }
    table.set_implicit(false);
    for (key, value) in value.as_object().into_iter().flatten() {
        table.insert(key, Item::Value(toml_value(value)));
    }
    DocumentMut::from(root).to_string()
}

fn json_value(item: &Item) -> Value {
    fn of(value: &toml_edit::Value) -> Value {
        match value {
            toml_edit::Value::String(text) => text.value().as_str().into(),
            toml_edit::Value::Integer(number) => (*number.value()).into(),
            toml_edit::Value::Float(number) => (*number.value()).into(),
            toml_edit::Value::Boolean(value) => (*value.value()).into(),
            toml_edit::Value::Datetime(time) => time.value().to_string().into(),
            toml_edit::Value::Array(values) => values.iter().map(of).collect(),
            toml_edit::Value::InlineTable(table) => {
                table.iter().map(|(key, value)| (key.to_owned(), of(value))).collect()
            }
        }
    }
    match item {
        Item::None => Value::Null,
        Item::Value(value) => of(value),
        Item::Table(table) => table.iter().map(|(key, item)| (key.to_owned(), json_value(item))).collect(),
        Item::ArrayOfTables(tables) => tables
            .iter()
            .map(|table| {
                table.iter().map(|(key, item)| (key.to_owned(), json_value(item))).collect::<Value>()
            })
            .collect(),
    }
}

fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
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

pub(super) fn insert(text: &str, entries: &[Entry]) -> Result<(String, Vec<Vec<String>>), Refusal> {
    let (mut edited, mut made) = (text.to_owned(), Vec::new());
    for entry in entries {
        let Entry::Member { path, value, .. } = entry else { continue };
        let Some((_, above)) = path.split_last() else { continue };
        let document = parse(&edited)?;
        match find_item(&document, &edited, path)? {
            Some(item) if json_value(item) == *value => continue,
            Some(_) => edited = cut(&edited, path)?,
            None => {}
        }
        let document = parse(&edited)?;
        let holder = find_item(&document, &edited, above)?;
        if holder.is_some_and(Item::is_inline_table) {
            let mut document: DocumentMut = document.into_mut();
            if let Some(table) = walk(document.as_table_mut(), above) {
                let key = path.last().map(String::as_str).unwrap_or_default();
                table.insert(key, Item::Value(toml_value(value)));
            }
            edited = with_line_ends(&document.to_string(), &edited)?;
        } else {
            if holder.is_none() {
                made.push(above.to_vec());
            }
            let end = line_end(&edited);
            let separator = match edited.as_str() {
                "" => "",
                text if text.ends_with('\n') => "\n",
                _ => "\n\n",
            };
            let table = format!("{separator}{}", table_text(path, value)).replace('\n', end);
            edited.push_str(&table);
        }
        let document = parse(&edited)?;
        if find_item(&document, &edited, path)?.map(json_value).as_ref() != Some(value) {
            let what = format!("there is no place for `{}`", path.join("."));
            return Err(Refusal::new(Reason::Syntax(what), text, text.len()));
        }
    }
    Ok((edited, made))
}

fn walk<'a>(table: &'a mut dyn TableLike, path: &[String]) -> Option<&'a mut dyn TableLike> {
    let Some((key, rest)) = path.split_first() else { return Some(table) };
    walk(table.get_mut(key)?.as_table_like_mut()?, rest)
}

/// Cuts a member out of the text.
fn cut(text: &str, path: &[String]) -> Result<String, Refusal> {
    let document = parse(text)?;
    let Some(item) = find_item(&document, text, path)? else { return Ok(text.to_owned()) };
    let mut places = Vec::new();
    if let Item::Table(table) = item
        && !table.is_dotted()
    {
        collect(table, &mut places);
    }
    if places.is_empty() {
        // In an inline table, or by dotted keys: the document takes it out.
        let mut document: DocumentMut = document.into_mut();
        if let Some((key, above)) = path.split_last()
            && let Some(table) = walk(document.as_table_mut(), above)
        {
            table.remove(key);
        }
        return with_line_ends(&document.to_string(), text);
    }
    let mut edited = text.to_owned();
    places.sort_by_key(|place| std::cmp::Reverse(place.start));
    for place in places {
        let start = text[..place.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[place.end..].find('\n').map_or(text.len(), |at| place.end + at + 1);
        // With it goes the one empty line before it.
        let before = &text[..start];
        let shorter = before.strip_suffix('\n').map(|rest| rest.strip_suffix('\r').unwrap_or(rest));
        let start = match shorter {
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => rest.len(),
            _ => start,
        };
        edited.replace_range(start..end, "");
    }
    Ok(edited)
}

/// The places of a table with a header, and of those below it: from the header to the last value.
fn collect(table: &Table, places: &mut Vec<std::ops::Range<usize>>) {
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

pub(super) fn remove(text: &str, entries: &[Entry]) -> Result<String, Refusal> {
    let mut edited = text.to_owned();
    parse(text)?;
    for entry in entries {
        let Entry::Member { path, mark, .. } = entry else { continue };
        let document = parse(&edited)?;
        let value = find_item(&document, &edited, path)?.map(json_value);
        let is_ours = value.is_some_and(|value| mark.as_ref().is_none_or(|mark| bears(&value, mark)));
        if is_ours {
            edited = cut(&edited, path)?;
        }
    }
    parse(&edited)?;
    Ok(edited)
}

pub(super) fn find(text: &str, entries: &[Entry]) -> Result<Vec<Presence>, Refusal> {
    let document = parse(text)?;
    entries
        .iter()
        .map(|entry| match entry {
            Entry::Member { path, value, .. } => Ok(match find_item(&document, text, path)? {
                None => Presence::Absent,
                Some(item) if json_value(item) == *value => Presence::AsWritten,
                Some(_) => Presence::Different,
            }),
            _ => Ok(Presence::Absent),
        })
        .collect()
}

pub(super) fn value(text: &str) -> Result<Value, Refusal> {
    Ok(json_value(parse(text)?.as_item()))
}
