//! What is ours in an array: known by a mark in it, wherever it stands and however it is written.

use jsonc_parser::ast::{Array, Value as Node};
use jsonc_parser::common::Ranged;
use serde_json::Value;

use super::super::{bears, is_marked};
use super::document::Document;
use super::layout;

/// An element, or a part of one that a user put together with their own.
pub(super) enum Ours<'n, 'a> {
    Whole(usize, &'n Node<'a>),
    /// The marked elements of an array within an element that also has others.
    Part(&'n Array<'a>, Vec<usize>),
}

pub(super) fn value_of(node: &Node<'_>) -> Value {
    node.clone().into()
}

/// All of ours in an array.
pub(super) fn ours<'n, 'a>(array: &'n Array<'a>, wanted: &Value, mark: &str) -> Vec<Ours<'n, 'a>> {
    let bears_mark = |node: &Node<'_>| is_marked(&value_of(node), wanted, mark);
    let part = |element: &'n Node<'a>| {
        element.as_object()?.properties.iter().find_map(|property| {
            let array = property.value.as_array()?;
            let (marked, others): (Vec<_>, Vec<_>) =
                (0..array.elements.len()).partition(|number| bears_mark(&array.elements[*number]));
            (!marked.is_empty() && !others.is_empty()).then_some(Ours::Part(array, marked))
        })
    };
    let marked = array.elements.iter().enumerate().filter(|(_, element)| bears_mark(element));
    marked.map(|(number, element)| part(element).unwrap_or(Ours::Whole(number, element))).collect()
}

/// The parts of the wanted value that bear the mark, for an element that was put together with others.
fn wanted_parts(value: &Value, mark: &str) -> Vec<Value> {
    let arrays = value.as_object().into_iter().flat_map(|fields| fields.values()).filter_map(Value::as_array);
    arrays.flatten().filter(|value| bears(value, mark)).cloned().collect()
}

impl Ours<'_, '_> {
    pub(super) fn is(&self, wanted: &Value, mark: &str) -> bool {
        match self {
            Self::Whole(_, node) => value_of(node) == *wanted,
            Self::Part(array, marked) => {
                let found: Vec<_> = marked.iter().map(|number| value_of(&array.elements[*number])).collect();
                found == wanted_parts(wanted, mark)
            }
        }
    }

    /// The text without the last thing of this one.
    pub(super) fn cut(&self, document: &Document<'_>, array: &Array<'_>) -> String {
        match self {
            Self::Whole(number, _) => document.elements(array).without(*number),
            Self::Part(array, marked) => {
                document.elements(array).without(marked.last().copied().unwrap_or_default())
            }
        }
    }

    /// The text with the next difference to the wanted value mended.
    pub(super) fn mended(
        &self,
        document: &Document<'_>,
        array: &Array<'_>,
        wanted: &Value,
        mark: &str,
    ) -> String {
        match self {
            Self::Whole(_, node) => layout::replace(document.text, node.start()..node.end(), wanted),
            Self::Part(part, marked) => {
                let parts = wanted_parts(wanted, mark);
                let differs = marked.iter().zip(&parts).find_map(|(number, wanted)| {
                    let node = &part.elements[*number];
                    (value_of(node) != *wanted).then_some((node, wanted))
                });
                match differs {
                    Some((node, wanted)) => layout::replace(document.text, node.start()..node.end(), wanted),
                    None if marked.len() > parts.len() => self.cut(document, array),
                    None => match parts.get(marked.len()) {
                        Some(missing) => document.elements(part).append(None, missing),
                        None => document.text.to_owned(),
                    },
                }
            }
        }
    }
}
