//! How a value of ours is spelled in somebody's JSON text: as the rest of it is.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::super::lines::line_end;

/// The blanks that a line starts with, of the line that holds this place.
pub(super) fn indent(text: &str, at: usize) -> &str {
    let line = &text[text[..at].rfind('\n').map_or(0, |at| at + 1)..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// What one level adds to the blanks that lines start with: two spaces, unless the text does otherwise.
pub(super) fn unit(text: &str) -> &str {
    let lines = text.split('\n').skip(1).filter(|line| line.trim_start().starts_with(['"', '{']));
    lines.map(|line| indent(line, 0)).find(|indent| !indent.is_empty()).unwrap_or("  ")
}

/// Whether the text is written without a blank between its tokens, as programs write it.
pub(super) fn is_minified(text: &str) -> bool {
    let behind_colon = text.find("\":").map(|at| &text[at + 2..]);
    !text.trim_end().contains('\n') && behind_colon.is_some_and(|rest| !rest.starts_with([' ', '\t']))
}

/// A value as text for a place whose line starts with `indent`.
pub(super) fn spelled(text: &str, value: &Value, indent: &str, on_lines: bool) -> String {
    match on_lines {
        _ if is_minified(text) => value.to_string(),
        true => on_many_lines(value, unit(text)).replace('\n', &format!("{}{indent}", line_end(text))),
        false => on_one_line(value),
    }
}

fn on_many_lines(value: &Value, unit: &str) -> String {
    let mut pretty = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut pretty, PrettyFormatter::with_indent(unit.as_bytes()));
    // Writing a value into memory cannot fail: its keys are texts.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(pretty).unwrap_or_else(|_| value.to_string())
}

/// A value on one line, as a person would write it.
fn on_one_line(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            format!("[{}]", values.iter().map(on_one_line).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) if !fields.is_empty() => {
            let field = |(key, value): (&String, &Value)| {
                format!("{}: {}", Value::from(key.as_str()), on_one_line(value))
            };
            format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
