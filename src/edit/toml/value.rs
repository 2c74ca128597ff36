//! Values of ours as TOML, and TOML's values as JSON.

use serde_json::Value;
use toml_edit::{DocumentMut, InlineTable, Item, Table};

/// A value of ours as TOML: texts, whole numbers, truths and lists of them.
pub(super) fn toml_value(value: &Value) -> toml_edit::Value {
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
pub(super) fn table_text(path: &[String], value: &Value) -> String {
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

/// An item as JSON.
pub(super) fn json_value(item: &Item) -> Value {
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
