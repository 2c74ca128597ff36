//! Claude Code's transcript: JSON lines, each record with a `uuid` and its parent's; what a rewind or an
//! interrupt left aside is no ancestor of the last record (run on 2.1.330, 2026-11-24; undocumented).

use std::collections::HashMap;

use serde::Deserialize;

use super::transcript::{Entry, Kind};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    uuid: Option<&'a str>,
    parent_uuid: Option<&'a str>,
    #[serde(default)]
    is_sidechain: bool,
    r#type: Option<&'a str>,
    #[serde(borrow)]
    attachment: Option<Attachment<'a>>,
}

#[derive(Deserialize)]
struct Attachment<'a> {
    r#type: Option<&'a str>,
}

/// The last record and its ancestors, oldest first, without those of subagents.
pub(super) fn conversation<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<Entry<'a>> {
    let (mut records, mut last) = (HashMap::new(), None);
    for line in lines {
        let Ok(record) = serde_json::from_slice::<Record<'_>>(line) else { continue };
        if let Some(uuid) = record.uuid
            && !record.is_sidechain
        {
            let kind = match (record.r#type, record.attachment.and_then(|attachment| attachment.r#type)) {
                (Some("assistant"), _) => Kind::Answer,
                (Some("attachment"), Some("hook_additional_context")) => Kind::Context,
                _ => Kind::Other,
            };
            records.insert(uuid, (Entry { line, kind }, record.parent_uuid));
            last = Some(uuid);
        }
    }
    // Taken out as they are walked, so that a circle ends.
    let mut conversation = Vec::new();
    while let Some((entry, parent)) = last.and_then(|uuid| records.remove(uuid)) {
        conversation.push(entry);
        last = parent;
    }
    conversation.reverse();
    conversation
}
