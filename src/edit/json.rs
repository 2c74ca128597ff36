//! JSON, with or without comments, edited in its concrete syntax: whatever is not ours keeps its bytes.

use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::place::{Reason, Refusal};
use super::{Entry, Format, Presence, bears};

fn options(format: Format) -> ParseOptions {
    ParseOptions {
        allow_comments: format == Format::Jsonc,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// A parsed file.
struct Document<'a> {
    text: &'a str,
    root: CstRootNode,
}

impl<'a> Document<'a> {
    /// Parses a file; one without any value is an empty object.
    fn parse(format: Format, text: &'a str) -> Result<Self, Refusal> {
        // The concrete syntax lets comments through whatever the options say, so the plain parser goes first.
        let checked = parse_to_ast(text, &CollectOptions::default(), &options(format));
        let parsed = checked.and_then(|_| CstRootNode::parse(text, &options(format)));
        let root = parsed.map_err(|error| {
            let what = format!("{} (its reader takes {})", lower(&error.kind().to_string()), dialect(format));
            Refusal::new(Reason::Syntax(what), text, error.range().start)
        })?;
        Ok(Self { text, root })
    }

    fn object(&self) -> Result<Option<CstObject>, Refusal> {
        match self.root.value() {
            None => Ok(None),
            Some(value) => match value.as_object() {
                Some(object) => Ok(Some(object)),
                None => Err(self.refusal(&value, &[], "an object")),
            },
        }
    }

    fn refusal(&self, node: &CstNode, path: &[String], wanted: &'static str) -> Refusal {
        Refusal::new(Reason::Type { path: path.join("."), wanted }, self.text, offset(node))
    }

    /// The property of that key, if it is there once.
    fn property(&self, object: &CstObject, key: &str) -> Result<Option<CstObjectProp>, Refusal> {
        let mut same = object
            .properties()
            .into_iter()
            .filter(|property| property.decoded_name().is_some_and(|name| name == key));
        let first = same.next();
        match same.next() {
            Some(second) => {
                let node = CstNode::Container(second.into());
                Err(Refusal::new(Reason::DuplicateKey(key.to_owned()), self.text, offset(&node)))
            }
            None => Ok(first),
        }
    }

    /// The object at a path, if all of it is there.
    fn find_object(&self, path: &[String]) -> Result<Option<CstObject>, Refusal> {
        let Some(mut object) = self.object()? else { return Ok(None) };
        for (depth, key) in path.iter().enumerate() {
            let Some(value) = self.property(&object, key)?.and_then(|property| property.value()) else {
                return Ok(None);
            };
            object = value.as_object().ok_or_else(|| self.refusal(&value, &path[..=depth], "an object"))?;
        }
        Ok(Some(object))
    }

    fn find_array(&self, path: &[String]) -> Result<Option<CstArray>, Refusal> {
        let Some((key, above)) = path.split_last() else { return Ok(None) };
        let Some(object) = self.find_object(above)? else { return Ok(None) };
        let Some(value) = self.property(&object, key)?.and_then(|property| property.value()) else {
            return Ok(None);
        };
        value.as_array().map(Some).ok_or_else(|| self.refusal(&value, path, "an array"))
    }

    /// The object at a path, made where it is not there.
    fn make_object(&self, path: &[String], made: &mut Vec<Vec<String>>) -> Result<CstObject, Refusal> {
        let mut object = match self.object()? {
            Some(object) => object,
            None => self.root.object_value_or_set(),
        };
        for (depth, key) in path.iter().enumerate() {
            object = match self.property(&object, key)?.and_then(|property| property.value()) {
                Some(value) => {
                    value.as_object().ok_or_else(|| self.refusal(&value, &path[..=depth], "an object"))?
                }
                None => {
                    made.push(path[..=depth].to_vec());
                    object.object_value_or_set(key)
                }
            };
        }
        Ok(object)
    }
}

fn dialect(format: Format) -> &'static str {
    if format == Format::Jsonc { "JSON with comments" } else { "strict JSON" }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Bytes before a node.
fn offset(node: &CstNode) -> usize {
    let before: usize = node.previous_siblings().map(|sibling| sibling.to_string().len()).sum();
    before + node.parent().map_or(0, |parent| offset(&CstNode::Container(parent)))
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(value) => CstInputValue::Number(value.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(fields) => {
            CstInputValue::Object(fields.iter().map(|(key, value)| (key.clone(), input(value))).collect())
        }
    }
}

/// What is ours in an array: an element, or a part of one that a user put together with their own.
enum Ours {
    Whole(CstNode),
    /// The marked elements of an array within an element that also has others.
    Part(Vec<CstNode>),
}

fn ours(array: &CstArray, mark: &str) -> Vec<Ours> {
    let bears_mark = |node: &CstNode| node.to_serde_value().is_some_and(|value| bears(&value, mark));
    let part = |element: &CstNode| {
        element.as_object()?.properties().into_iter().find_map(|property| {
            let (marked, others): (Vec<_>, Vec<_>) =
                property.value()?.as_array()?.elements().into_iter().partition(|node| bears_mark(node));
            (!marked.is_empty() && !others.is_empty()).then_some(marked)
        })
    };
    let marked = array.elements().into_iter().filter(bears_mark);
    marked.map(|element| part(&element).map_or(Ours::Whole(element), Ours::Part)).collect()
}

/// The parts of the wanted value that bear the mark, for an element that was put together with others.
fn wanted_parts(value: &Value, mark: &str) -> Vec<Value> {
    let arrays = value.as_object().into_iter().flat_map(|fields| fields.values()).filter_map(Value::as_array);
    arrays.flatten().filter(|value| bears(value, mark)).cloned().collect()
}

impl Ours {
    fn is(&self, wanted: &Value, mark: &str) -> bool {
        match self {
            Self::Whole(node) => node.to_serde_value().as_ref() == Some(wanted),
            Self::Part(nodes) => {
                nodes.iter().filter_map(CstNode::to_serde_value).collect::<Vec<_>>()
                    == wanted_parts(wanted, mark)
            }
        }
    }

    fn remove(self) {
        match self {
            Self::Whole(node) => node.remove(),
            Self::Part(nodes) => nodes.into_iter().for_each(CstNode::remove),
        }
    }

    /// Puts the wanted value in its place.
    fn replace(self, wanted: &Value, mark: &str) {
        match self {
            Self::Whole(node) => replace(node, wanted),
            Self::Part(nodes) => {
                let mut parts = wanted_parts(wanted, mark).into_iter();
                for node in nodes {
                    match parts.next() {
                        Some(part) => replace(node, &part),
                        None => node.remove(),
                    }
                }
            }
        }
    }
}

fn replace(node: CstNode, value: &Value) {
    if let Some(object) = node.as_object() {
        object.replace_with(input(value));
    } else if let Some(array) = node.as_array() {
        array.replace_with(input(value));
    } else if let Some(text) = node.as_string_lit() {
        text.replace_with(input(value));
    }
}

pub(super) fn insert(
    format: Format,
    text: &str,
    entries: &[Entry],
) -> Result<(String, Vec<Vec<String>>), Refusal> {
    let document = Document::parse(format, text)?;
    document.object()?;
    let mut made = Vec::new();
    for entry in entries {
        match entry {
            Entry::Member { path, value, .. } => {
                let Some((key, above)) = path.split_last() else { continue };
                let object = document.make_object(above, &mut made)?;
                match document.property(&object, key)? {
                    None => drop(object.append(key, input(value))),
                    Some(property) => {
                        if property.value().and_then(|node| node.to_serde_value()).as_ref() != Some(value) {
                            property.set_value(input(value));
                        }
                    }
                }
            }
            Entry::Element { path, value, mark } => {
                let Some((key, above)) = path.split_last() else { continue };
                let array = match document.find_array(path)? {
                    Some(array) => array,
                    None => {
                        let object = document.make_object(above, &mut made)?;
                        made.push(path.clone());
                        object.array_value_or_set(key)
                    }
                };
                let mut found = ours(&array, mark).into_iter();
                match found.next() {
                    None => drop(array.append(input(value))),
                    Some(first) => {
                        // The first keeps its place: Codex trusts a hook by its position.
                        if !first.is(value, mark) {
                            first.replace(value, mark);
                        }
                        found.for_each(Ours::remove);
                    }
                }
            }
            Entry::Section { .. } | Entry::Heading { .. } => {}
        }
    }
    let mut edited = document.root.to_string();
    if text.trim().is_empty() && !edited.ends_with('\n') {
        edited.push('\n');
    }
    Document::parse(format, &edited)?;
    Ok((edited, made))
}

pub(super) fn remove(
    format: Format,
    text: &str,
    entries: &[Entry],
    made: &[Vec<String>],
) -> Result<String, Refusal> {
    let document = Document::parse(format, text)?;
    document.object()?;
    for entry in entries {
        match entry {
            Entry::Member { path, mark, .. } => {
                let Some((key, above)) = path.split_last() else { continue };
                if let Some(object) = document.find_object(above)?
                    && let Some(property) = document.property(&object, key)?
                    && mark.as_ref().is_none_or(|mark| {
                        let value = property.value().and_then(|value| value.to_serde_value());
                        value.is_some_and(|value| bears(&value, mark))
                    })
                {
                    property.remove();
                }
            }
            Entry::Element { path, mark, .. } => {
                if let Some(array) = document.find_array(path)? {
                    ours(&array, mark).into_iter().for_each(Ours::remove);
                }
            }
            Entry::Section { .. } | Entry::Heading { .. } => {}
        }
    }
    let mut made: Vec<_> = made.iter().filter(|path| !path.is_empty()).collect();
    made.sort_by_key(|path| std::cmp::Reverse(path.len()));
    for path in made {
        let Some((key, above)) = path.split_last() else { continue };
        let Ok(Some(object)) = document.find_object(above) else { continue };
        let Some(property) = document.property(&object, key)? else { continue };
        let is_empty =
            property.value().and_then(|value| value.to_serde_value()).is_some_and(|value| match value {
                Value::Object(fields) => fields.is_empty(),
                Value::Array(values) => values.is_empty(),
                _ => false,
            });
        // A comment in it is the user's.
        let has_comment =
            property.value().is_some_and(|value| value.children().iter().any(CstNode::is_comment));
        if is_empty && !has_comment {
            property.remove();
        }
    }
    let edited = document.root.to_string();
    Document::parse(format, &edited)?;
    Ok(edited)
}

pub(super) fn find(format: Format, text: &str, entries: &[Entry]) -> Result<Vec<Presence>, Refusal> {
    let document = Document::parse(format, text)?;
    document.object()?;
    entries
        .iter()
        .map(|entry| match entry {
            Entry::Member { path, value, .. } => {
                let Some((key, above)) = path.split_last() else { return Ok(Presence::Absent) };
                let Some(object) = document.find_object(above)? else { return Ok(Presence::Absent) };
                let found = document.property(&object, key)?.and_then(|property| property.value());
                Ok(match found.and_then(|node| node.to_serde_value()) {
                    None => Presence::Absent,
                    Some(found) if found == *value => Presence::AsWritten,
                    Some(_) => Presence::Different,
                })
            }
            Entry::Element { path, value, mark } => {
                let Some(array) = document.find_array(path)? else { return Ok(Presence::Absent) };
                let found = ours(&array, mark);
                Ok(match &found[..] {
                    [] => Presence::Absent,
                    [one] if one.is(value, mark) => Presence::AsWritten,
                    [_] => Presence::Different,
                    _ => Presence::Repeated,
                })
            }
            Entry::Section { .. } | Entry::Heading { .. } => Ok(Presence::Absent),
        })
        .collect()
}

pub(super) fn value(format: Format, text: &str) -> Result<Value, Refusal> {
    let document = Document::parse(format, text)?;
    Ok(document.root.to_serde_value().unwrap_or_default())
}
