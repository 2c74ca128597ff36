//! A parsed JSON file, and what stands at a path in it.

use jsonc_parser::ast::{Array, Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};

use super::super::Format;
use super::super::place::{Reason, Refusal};
use super::layout::Container;

fn options(format: Format) -> ParseOptions {
    ParseOptions {
        allow_comments: format != Format::Json,
        allow_loose_object_property_names: false,
        allow_trailing_commas: format == Format::Jsonc,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn dialect(format: Format) -> &'static str {
    match format {
        Format::JsonWithComments => "JSON with comments, but no trailing commas",
        Format::Jsonc => "JSON with comments and trailing commas",
        _ => "strict JSON",
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// A parsed file. One without any value is an empty object.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) root: Option<Value<'a>>,
}

/// A member of an object.
pub(super) struct Member<'n, 'a> {
    pub(super) object: &'n Object<'a>,
    pub(super) number: usize,
    pub(super) value: &'n Value<'a>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(format: Format, text: &'a str) -> Result<Self, Refusal> {
        let collect = CollectOptions { comments: CommentCollectionStrategy::Separate, tokens: false };
        let syntax = |what: String, offset| {
            let what = format!("{} (its reader takes {})", lower(&what), dialect(format));
            Refusal::new(Reason::Syntax(what), text, offset)
        };
        let parsed = parse_to_ast(text, &collect, &options(format))
            .map_err(|error| syntax(error.kind().to_string(), error.range().start))?;
        // This parser takes every blank of Unicode. Where the reader is one for strict JSON, comments apart, a
        // parser of that kind has the last word.
        if format != Format::Jsonc && parsed.value.is_some() {
            let mut bare = text.as_bytes().to_vec();
            let comments =
                parsed.comments.iter().flat_map(|comments| comments.values()).flat_map(|some| some.iter());
            comments.for_each(|comment| bare[comment.start()..comment.end()].fill(b' '));
            serde_json::from_slice::<serde::de::IgnoredAny>(&bare)
                .map_err(|error| syntax(error.to_string(), byte(&bare, error.line(), error.column())))?;
        }
        Ok(Self { text, root: parsed.value })
    }

    pub(super) fn root(&self) -> Result<Option<&Object<'a>>, Refusal> {
        self.root.as_ref().map(|root| self.object(root, &[])).transpose()
    }

    fn refusal(&self, node: &Value<'_>, path: &[String], wanted: &'static str) -> Refusal {
        Refusal::new(Reason::Type { path: path.join("."), wanted }, self.text, node.start())
    }

    fn object<'n>(&self, node: &'n Value<'a>, path: &[String]) -> Result<&'n Object<'a>, Refusal> {
        node.as_object().ok_or_else(|| self.refusal(node, path, "an object"))
    }

    /// The property of that key and its number, if it is there once.
    fn property<'n>(
        &self,
        object: &'n Object<'a>,
        key: &str,
    ) -> Result<Option<(usize, &'n ObjectProp<'a>)>, Refusal> {
        let mut same = object.properties.iter().enumerate().filter(|(_, found)| found.name.as_str() == key);
        let first = same.next();
        match same.next() {
            Some((_, second)) => {
                Err(Refusal::new(Reason::DuplicateKey(key.to_owned()), self.text, second.start()))
            }
            None => Ok(first),
        }
    }

    /// The objects on the way to a path, from the root as far as they are there.
    pub(super) fn way(&self, path: &[String]) -> Result<Vec<&Object<'a>>, Refusal> {
        let Some(mut object) = self.root()? else { return Ok(Vec::new()) };
        let mut way = vec![object];
        for (depth, key) in path.iter().enumerate() {
            let Some((_, property)) = self.property(object, key)? else { break };
            object = self.object(&property.value, &path[..=depth])?;
            way.push(object);
        }
        Ok(way)
    }

    /// The member at a path, in its object.
    pub(super) fn find(&self, path: &[String]) -> Result<Option<Member<'_, 'a>>, Refusal> {
        let Some((key, above)) = path.split_last() else { return Ok(None) };
        let Some(object) = self.way(above)?.get(above.len()).copied() else { return Ok(None) };
        let found = self.property(object, key)?;
        Ok(found.map(|(number, property)| Member { object, number, value: &property.value }))
    }

    pub(super) fn find_array(&self, path: &[String]) -> Result<Option<&Array<'a>>, Refusal> {
        let Some(member) = self.find(path)? else { return Ok(None) };
        member.value.as_array().map(Some).ok_or_else(|| self.refusal(member.value, path, "an array"))
    }

    pub(super) fn members(&self, object: &Object<'_>) -> Container<'a> {
        let items = object.properties.iter().map(|property| property.start()..property.end()).collect();
        Container { text: self.text, range: object.start()..object.end(), items }
    }

    pub(super) fn elements(&self, array: &Array<'_>) -> Container<'a> {
        let items = array.elements.iter().map(|element| element.start()..element.end()).collect();
        Container { text: self.text, range: array.start()..array.end(), items }
    }
}

/// The byte at a line and a column in bytes, both from 1.
fn byte(text: &[u8], line: usize, column: usize) -> usize {
    let before: usize =
        text.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    before + column.saturating_sub(1)
}
