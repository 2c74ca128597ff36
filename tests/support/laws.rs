//! What holds for every text and every format, for the fuzzer and for the tests: entries go in, twice is once,
//! and they come out to the same bytes.

use backchannel::edit::{self, Entry, Format, Presence};
use serde_json::json;

/// In whatever entries are known by.
pub const MARK: &str = "/backchannel/bin/bch-hook";

/// All formats.
pub const FORMATS: [Format; 6] =
    [Format::Json, Format::JsonWithComments, Format::Jsonc, Format::Toml, Format::Markdown, Format::Crontab];

fn keys(path: &[&str]) -> Vec<String> {
    path.iter().map(|key| (*key).to_owned()).collect()
}

/// Entries of the kinds that setup writes.
pub fn entries(format: Format) -> Vec<Entry> {
    let element = |event: &str| {
        let command = format!("'/home/u/.local/share{MARK}' claude-code {event} 2>/dev/null || true");
        let value = json!({"hooks": [{"type": "command", "command": command, "timeout": 10}]});
        Entry::Element { path: keys(&["hooks", event]), value, mark: MARK.to_owned() }
    };
    let member = |path| {
        let value = json!({"command": "/x/bch", "args": ["mcp"]});
        Entry::Member { path: keys(path), value, mark: None, replaces: Vec::new() }
    };
    match format {
        Format::Json | Format::JsonWithComments | Format::Jsonc => vec![
            element("UserPromptSubmit"),
            element("Stop"),
            element("PostToolUse"),
            member(&["mcpServers", "backchannel"]),
        ],
        Format::Toml => vec![member(&["mcp_servers", "backchannel"])],
        Format::Markdown => vec![Entry::Section { text: "## Mail\n\nUse `bch`.\n".into() }],
        Format::Crontab => {
            vec![Entry::Section { text: "PATH=/usr/bin:/bin:/x\n* * * * * '/x/bch'\n".into() }]
        }
    }
}

/// Checks the laws; whether the text was taken, and not refused.
#[track_caller]
pub fn check(format: Format, bytes: &[u8]) -> bool {
    let wanted = entries(format);
    let found = edit::find(format, bytes, &wanted);
    let edited = edit::insert(format, Some(bytes), &wanted);
    let edited = match (found, edited) {
        (Ok(found), Ok(edited)) => {
            // One of ours that stands in another list is ours as well.
            let value = edit::value(format, bytes).unwrap_or_default().to_string();
            // Of a key that is there twice the value knows one alone; the text may spell the mark with escapes.
            let raw = String::from_utf8_lossy(bytes).replace("\\/", "/");
            let is_marked = [&value, &raw]
                .iter()
                .any(|text| text.contains("bch-hook") || text.contains("backchannel/bin"));
            let is_new = !is_marked && found.iter().all(|found| *found == Presence::Absent);
            (edited, is_new)
        }
        // What is read can be refused for its place; what is taken must be read.
        (_, Err(_)) => return false,
        (Err(refusal), Ok(_)) => panic!("{refusal}: taken, but not read: {}", bytes.escape_ascii()),
    };
    let (edited, is_new) = edited;
    let text = || format!("{format:?}: {}\nbecame {}", bytes.escape_ascii(), edited.bytes.escape_ascii());
    let found =
        edit::find(format, &edited.bytes, &wanted).unwrap_or_else(|refusal| panic!("{refusal}: {}", text()));
    assert!(found.iter().all(|found| *found == Presence::AsWritten), "{found:?}: {}", text());
    let again = edit::insert(format, Some(&edited.bytes), &wanted)
        .unwrap_or_else(|refusal| panic!("{refusal}: {}", text()));
    assert!(again.bytes == edited.bytes && again.holders.is_empty(), "twice is not once: {}", text());
    let removed = edit::remove(format, &edited.bytes, &wanted, &edited.holders)
        .unwrap_or_else(|refusal| panic!("{refusal}: {}", text()));
    // Without a receipt's word on what was empty before, nothing of ours is left either, and once is enough.
    let bare = edit::remove(format, &edited.bytes, &wanted, &[])
        .unwrap_or_else(|refusal| panic!("{refusal}: {}", text()));
    let found =
        edit::find(format, &bare.bytes, &wanted).unwrap_or_else(|refusal| panic!("{refusal}: {}", text()));
    assert!(found.iter().all(|found| *found == Presence::Absent), "{found:?} is left: {}", text());
    let twice = edit::remove(format, &bare.bytes, &wanted, &[])
        .unwrap_or_else(|refusal| panic!("{refusal}: {}", text()));
    assert!(twice.bytes == bare.bytes, "removing twice is not once: {}", text());
    if is_new {
        assert!(removed.bytes == bytes, "{}\nand then {}", text(), removed.bytes.escape_ascii());
    }
    true
}
