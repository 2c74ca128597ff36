//! The laws of the editors over texts made at random: odd white space, comments everywhere, hooks of others.
//! `fuzz/` looks for more, with the same laws.

use backchannel::edit::{self, Format};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::support::laws::{self, MARK};

/// White space, and comments where they may be.
fn gap(format: Format) -> BoxedStrategy<String> {
    let blank = select(vec!["", "", " ", "  ", "\t", "\n", "\r\n", "\n  ", " \n\n\t"]);
    let comment = select(vec!["/* c */", "// c\n", "/* a\n b */", "// , } ]\r\n", "/**/ // \u{e9}\n"]);
    match format {
        Format::Json => blank.prop_map(str::to_owned).boxed(),
        _ => (blank.clone(), proptest::option::weighted(0.3, comment), blank)
            .prop_map(|(before, comment, after)| format!("{before}{}{after}", comment.unwrap_or_default()))
            .boxed(),
    }
}

/// A value as a person might have written it, with the keys that we are after among its own.
fn json_text(format: Format) -> impl Strategy<Value = String> {
    let leaf =
        select(vec!["1.0", "12345678901234567890", "\"\\u00e9\"", "true", "null", "\"a: {,\"", "[]", "{}"]);
    let inner = leaf.prop_map(str::to_owned).prop_recursive(4, 24, 4, move |value| {
        let keys = ["hooks", "Stop", "UserPromptSubmit", "mcpServers", "a", "b\\n"];
        let member = (select(keys.to_vec()), gap(format), value.clone(), gap(format));
        let object = (gap(format), proptest::collection::vec(member, 0..4), gap(format), any::<bool>());
        let element = (value, gap(format));
        let array = (gap(format), proptest::collection::vec(element, 0..3), gap(format), any::<bool>());
        let comma = move |is_wanted: bool, is_empty: bool| match format {
            Format::Jsonc if is_wanted && !is_empty => ",",
            _ => "",
        };
        prop_oneof![
            3 => object.prop_map(move |(start, members, end, has_comma)| {
                let mut seen = Vec::new();
                let members: Vec<_> = members.into_iter().filter(|(key, ..)| {
                    let is_new = !seen.contains(key);
                    seen.push(key);
                    is_new
                }).collect();
                let comma = comma(has_comma, members.is_empty());
                let members = members.iter().map(|(key, gap, value, after)| format!("\"{key}\":{gap}{value}{after}"));
                format!("{{{start}{}{comma}{end}}}", members.collect::<Vec<_>>().join(&format!(",{start}")))
            }),
            1 => array.prop_map(move |(start, elements, end, has_comma)| {
                let comma = comma(has_comma, elements.is_empty());
                let elements = elements.iter().map(|(value, after)| format!("{value}{after}"));
                format!("[{start}{}{comma}{end}]", elements.collect::<Vec<_>>().join(&format!(",{start}")))
            }),
        ]
    });
    (gap(format), inner, gap(format)).prop_map(|(before, value, after)| format!("{before}{value}{after}"))
}

fn toml_text() -> impl Strategy<Value = String> {
    let line = select(vec![
        "a = 1.0",
        "# c",
        "",
        "[t]",
        "[mcp_servers]",
        "[mcp_servers.a]",
        "command = \"x\" # c",
        "mcp_servers = { a = { command = \"x\" }, b = {} }",
        "mcp_servers = {}",
        "mcp_servers = { }",
        "mcp_servers.a.command = \"x\"",
        "[[list]]",
        "s = '''\n[mcp_servers.backchannel]\n'''",
    ]);
    let end = select(vec!["\n", "\r\n"]);
    (proptest::collection::vec(line, 0..6), end, any::<bool>()).prop_map(|(lines, end, has_end)| {
        let text = lines.join("\n").replace('\n', end);
        if has_end { text + end } else { text }
    })
}

fn crontab_text() -> impl Strategy<Value = String> {
    let line = select(vec![
        "* * * * * a",
        "# c",
        "",
        "  ",
        "PATH=/bin",
        "0 5 * * * echo 'a' \\% %in",
        "# >>> backchannel >>>",
        "  # >>> backchannel >>> (of another version)",
        "# <<< backchannel <<<",
        "# <<< backchannel <<< ",
        "# the block of backchannel",
    ]);
    let end = select(vec!["\n", "\r\n"]);
    (proptest::collection::vec((line, end), 0..6), any::<bool>()).prop_map(|(lines, has_end)| {
        let text: String = lines.into_iter().map(|(line, end)| format!("{line}{end}")).collect();
        if has_end { text } else { text.trim_end_matches(['\r', '\n']).to_owned() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn entries_leave_strict_json_as_it_was(text in json_text(Format::Json)) {
        laws::check(Format::Json, text.as_bytes());
    }

    #[test]
    fn entries_leave_json_with_comments_as_it_was(text in json_text(Format::JsonWithComments)) {
        laws::check(Format::JsonWithComments, text.as_bytes());
    }

    #[test]
    fn entries_leave_json_with_trailing_commas_as_it_was(text in json_text(Format::Jsonc)) {
        laws::check(Format::Jsonc, text.as_bytes());
    }

    #[test]
    fn entries_leave_toml_as_it_was(text in toml_text()) {
        laws::check(Format::Toml, text.as_bytes());
    }

    #[test]
    fn a_block_leaves_a_crontab_as_it_was(text in crontab_text()) {
        laws::check(Format::Crontab, text.as_bytes());
    }

    /// Another tool writes the whole file anew, and its user adds hooks of their own around ours.
    #[test]
    fn what_others_wrote_meanwhile_stays(text in json_text(Format::Json), is_pretty: bool, position in 0..3usize) {
        let wanted = laws::entries(Format::Json);
        let Ok(edited) = edit::insert(Format::Json, Some(text.as_bytes()), &wanted) else { return Ok(()) };
        let mut value: Value = serde_json::from_slice(&edited.bytes).unwrap();
        let mine = json!({"hooks": [{"type": "command", "command": "mine"}]});
        let groups = value["hooks"]["Stop"].as_array_mut().unwrap();
        groups.insert(position.min(groups.len()), mine.clone());
        value["new"] = json!([1.5]);
        let rewritten = if is_pretty { format!("{value:#}") } else { value.to_string() };
        let removed = edit::remove(Format::Json, rewritten.as_bytes(), &wanted, &edited.holders).unwrap();
        let removed: Value = serde_json::from_slice(&removed.bytes).unwrap();
        prop_assert!(!removed.to_string().contains(MARK));
        let mut expected: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({}));
        let groups = expected.get("hooks").and_then(|hooks| hooks.get("Stop")).cloned();
        let mut groups = groups.unwrap_or_else(|| json!([]));
        let list = groups.as_array_mut().unwrap();
        list.insert(position.min(list.len()), mine);
        expected["hooks"]["Stop"] = groups;
        expected["new"] = json!([1.5]);
        if let Some(servers) = expected.get_mut("mcpServers").and_then(Value::as_object_mut) {
            servers.remove("backchannel");
        }
        prop_assert_eq!(removed, expected);
    }
}
