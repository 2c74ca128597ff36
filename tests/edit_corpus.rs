//! The editors over real configuration files and variants of them: whatever parses takes our entries, keeps
//! every other value, and gives the same value back; whatever does not is on the list of refusals.
//!
//! The files are not part of the project: `BCH_CORPUS`, or `../shared/corpus`. Where they are missing these
//! tests are left out, loudly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use backchannel::edit::{self, Format};
use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;

use crate::support::laws::{self, MARK, entries};

pub fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("BCH_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    if path.join("INDEX.tsv").exists() {
        return Some(path);
    }
    eprintln!("LEFT OUT: the corpus of configuration files, which is not at {}", path.display());
    None
}

fn format(path: &Path) -> Option<Format> {
    let folder = path.parent()?.file_name()?.to_str()?;
    match (folder, path.extension()?.to_str()?) {
        (_, "toml") => Some(Format::Toml),
        (_, "md") => Some(Format::Markdown),
        ("crontab", "crontab") => Some(Format::Crontab),
        ("claude" | "codex", "json") => Some(Format::Json),
        ("gemini", "json") => Some(Format::JsonWithComments),
        (_, "json" | "jsonc") => Some(Format::Jsonc),
        _ => None,
    }
}

fn files() -> Vec<PathBuf> {
    let Some(corpus) = corpus() else { return Vec::new() };
    let mut files = Vec::new();
    for folder in std::fs::read_dir(corpus).unwrap().flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            files.push(file.path());
        }
    }
    files.sort();
    files
}

/// The file as others might have written it.
pub fn variants(text: &str, name: &str) -> Vec<(&'static str, String)> {
    let unix = text.replace("\r\n", "\n");
    let body = unix.trim_end_matches('\n');
    let tabs: String = unix
        .split_inclusive('\n')
        .map(|line| {
            let bare = line.trim_start_matches("  ");
            format!("{}{bare}", "\t".repeat((line.len() - bare.len()) / 2))
        })
        .collect();
    let mut variants = vec![
        ("as it is", text.to_owned()),
        ("CRLF", unix.replace('\n', "\r\n")),
        ("BOM", format!("\u{feff}{text}")),
        ("tabs", tabs),
        ("no final newline", body.to_owned()),
        ("three final newlines", format!("{body}\n\n\n")),
    ];
    if name.ends_with("json")
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
    {
        variants.push(("minified", value.to_string()));
    }
    variants
}

/// All values with their own spelling, but ours, and but what is empty without ours.
fn values(format: Format, bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap().trim_start_matches('\u{feff}');
    match format {
        Format::Json | Format::JsonWithComments | Format::Jsonc => {
            let parsed = jsonc_parser::parse_to_ast(text, &Default::default(), &Default::default()).unwrap();
            parsed.value.map_or_else(|| "{}".to_owned(), |value| json_values(text, &value, ""))
        }
        Format::Toml => {
            let mut document: toml_edit::DocumentMut = text.parse().unwrap();
            if let Some(servers) = document.get_mut("mcp_servers").and_then(|item| item.as_table_like_mut()) {
                servers.remove("backchannel");
                if servers.is_empty() {
                    document.remove("mcp_servers");
                }
            }
            format!("{:?}", toml_values(document.as_table()))
        }
        // What stays is compared to the byte, by the laws.
        Format::Markdown | Format::Crontab => text.replace('\r', "").trim_end().to_owned(),
    }
}

fn json_values(text: &str, value: &Value<'_>, path: &str) -> String {
    match value {
        Value::Object(object) => {
            let fields = object.properties.iter().filter_map(|property| {
                let path = format!("{path}/{}", property.name.as_str());
                let is_ours = path == "/mcpServers/backchannel";
                let value = json_values(text, &property.value, &path);
                let is_container = ["/hooks", "/mcpServers"].iter().any(|ours| path.starts_with(ours));
                let is_empty = is_container && matches!(value.as_str(), "{}" | "[]");
                (!is_ours && !is_empty).then(|| format!("{path}={value}"))
            });
            let fields: Vec<_> = fields.collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(array) => {
            let is_ours = |value: &&Value<'_>| text[value.range().start..value.range().end].contains(MARK);
            let others = array.elements.iter().filter(|value| !is_ours(value));
            let others: Vec<_> = others.map(|value| json_values(text, value, &format!("{path}/*"))).collect();
            format!("[{}]", others.join(","))
        }
        // As it is spelled: numbers and escapes have many spellings.
        other => text[other.range().start..other.range().end].to_owned(),
    }
}

fn toml_values(table: &dyn toml_edit::TableLike) -> BTreeMap<String, String> {
    let text = |item: &toml_edit::Item| match item {
        toml_edit::Item::Table(table) => format!("{:?}", toml_values(table)),
        toml_edit::Item::ArrayOfTables(tables) => {
            format!("{:?}", tables.iter().map(|table| toml_values(table)).collect::<Vec<_>>())
        }
        other => other.to_string().trim().to_owned(),
    };
    table.iter().map(|(key, item)| (key.to_owned(), text(item))).collect()
}

#[test]
fn every_file_of_the_corpus_takes_our_entries_and_gives_them_back() {
    let (mut all, mut refused) = (0, BTreeMap::new());
    for path in files() {
        let Some(format) = format(&path) else { continue };
        let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
        for (variant, text) in variants(&text, &path.to_string_lossy()) {
            let place = format!("{} ({variant})", path.display());
            let wanted = entries(format);
            let edited = match edit::insert(format, Some(text.as_bytes()), &wanted) {
                Ok(edited) => edited,
                // Gemini CLI does not start with it.
                Err(_) if variant == "BOM" && format == Format::JsonWithComments => continue,
                Err(refusal) => {
                    let name = path.file_name().unwrap().to_string_lossy().into_owned();
                    refused.insert(name, format!("{}:{}: {refusal}", refusal.line, refusal.column));
                    continue;
                }
            };
            all += 1;
            if !matches!(format, Format::Markdown | Format::Crontab) {
                assert_eq!(values(format, text.as_bytes()), values(format, &edited.bytes), "{place}");
            }
            assert!(laws::check(format, text.as_bytes()), "{place}");
        }
    }
    println!("{all} files and variants take our entries and are the same to the byte without them");
    assert!(refused.is_empty(), "{refused:#?}");
}
