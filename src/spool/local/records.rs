//! What stays of a message: an envelope without body for 30 days, the text for an hour where a command
//! printed it.
//!
//! Envelopes are lines of one file a day, each batch appended in one write: a torn line is passed over.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::mailbox::{Mailbox, Reading, read_message};
use super::{Found, Quota, Result, files};
use crate::message::{Message, MessageId};
use crate::spool::Record;
use crate::spool::error::OnPath;

const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The span in which deliveries from one sender are counted.
const RATE: SignedDuration = SignedDuration::from_mins(10);

#[derive(Serialize, Deserialize)]
struct Line {
    at: Timestamp,
    state: String,
    #[serde(flatten)]
    record: Record,
}

impl Mailbox {
    fn records_directory(&self) -> PathBuf {
        self.root().join("records")
    }

    /// Appends what happened to a message.
    pub(super) fn record(&self, message: &Message, state: &str) -> Result<()> {
        let now = self.env.now();
        let line = Line { at: now, state: state.to_owned(), record: Record::of(message) };
        // The leading line end closes a line that a full disk may have cut.
        let text = format!("\n{}\n", serde_json::to_string(&line).unwrap_or_default());
        let directory = self.records_directory();
        let path = directory.join(format!("{}.jsonl", &now.to_string()[..10]));
        let open = || {
            let mut options = File::options();
            options.append(true).create(true).mode(0o600).custom_flags(files::NO_WAIT).open(&path)
        };
        let file = open().or_else(|_| {
            files::make_directory(&directory).map_err(std::io::Error::other).and_then(|()| open())
        });
        file.and_then(|mut file| file.write_all(text.as_bytes())).on("write", &path)
    }

    fn lines(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<Line>> {
        let directory = self.records_directory();
        let mut names = files::names(&directory)?;
        names.sort();
        let mut lines = Vec::new();
        for name in names {
            let path = directory.join(name);
            let bytes = files::read(&path).on("read", &path)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let parsed = text.lines().filter(|line| wanted(line)).map(serde_json::from_str);
            lines.extend(parsed.filter_map(std::result::Result::<Line, _>::ok));
        }
        Ok(lines)
    }

    /// Messages that were shown and given back.
    pub(super) fn released_ids(&self) -> Result<HashSet<MessageId>> {
        let lines = self.lines(|line| line.contains(r#""state":"released""#))?;
        Ok(lines.into_iter().map(|line| line.record.id).collect())
    }

    /// Messages that were read.
    pub(super) fn acknowledged_ids(&self) -> Result<HashSet<MessageId>> {
        let lines = self.lines(|line| line.contains(r#""state":"acknowledged""#))?;
        Ok(lines.into_iter().map(|line| line.record.id).collect())
    }

    pub(super) fn quota(&self) -> Result<Quota> {
        let since = self.env.now() - RATE;
        let mut quota = Quota::default();
        let mut counted = HashSet::new();
        for line in self.lines(|line| line.contains(r#""state":"shown""#))? {
            if line.at > since && counted.insert(line.record.id) {
                quota.count(&line.record.from);
            }
        }
        Ok(quota)
    }

    pub(super) fn sweep_records(&self) {
        let oldest = (self.env.now() - KEPT).to_string();
        for name in files::names(&self.records_directory()).unwrap_or_default() {
            if name.as_str() < &oldest[..10] {
                let _ = fs::remove_file(self.records_directory().join(name));
            }
        }
    }

    /// Where a message goes that a command printed; the name says when.
    pub(super) fn recent_path(&self, id: MessageId) -> PathBuf {
        self.root().join("recent").join(format!("{:013}-{id}.json", self.env.now().as_millisecond()))
    }

    /// The messages that were printed within the last `minutes`; older ones are removed.
    pub(super) fn recent(&self, minutes: u32) -> Result<Vec<Message>> {
        let directory = self.root().join("recent");
        let since = (self.env.now() - SignedDuration::from_mins(minutes.into())).as_millisecond();
        let mut names = files::names(&directory)?;
        names.sort();
        let (mut recent, mut buffer) = (Vec::new(), Vec::new());
        for name in names {
            let path = directory.join(&name);
            let Some((at, rest)) = name.split_once('-') else { continue };
            let Some(id) = MessageId::from_file_name(rest, ".json") else { continue };
            if at.parse::<i64>().is_ok_and(|at| at < since) {
                let _ = fs::remove_file(&path);
            } else if let Reading::Message(message) = read_message(&path, id, &mut buffer)? {
                recent.push((at.to_owned(), message));
            }
        }
        // As they were printed; of one moment, as they were sent.
        recent.sort_by(|(at, one), (other_at, other)| {
            (at, one.ts, one.id).cmp(&(other_at, other.ts, other.id))
        });
        Ok(recent.into_iter().map(|(_, message)| message).collect())
    }

    pub(super) fn find(&self, prefix: &str, recent_minutes: u32) -> Result<Vec<Found>> {
        let mut found: Vec<Found> = Vec::new();
        let mut add = |record: Record, message: Option<Message>, open: bool| {
            if record.id.starts_with(prefix) && !found.iter().any(|other| other.record.id == record.id) {
                found.push(Found { record, message, open });
            }
        };
        for unread in self.scan(|_, _| ())? {
            add(Record::of(&unread.message), Some(unread.message), true);
        }
        for (lease, _) in self.leases()? {
            for held in self.held(&lease)? {
                add(Record::of(&held.message), Some(held.message), true);
            }
        }
        let mut buffer = Vec::new();
        for name in files::names(&self.root().join("cur"))? {
            if let Some(id) = MessageId::from_file_name(&name, ".json")
                && let Reading::Message(message) = read_message(&self.kept(id), id, &mut buffer)?
            {
                add(Record::of(&message), Some(message), true);
            }
        }
        for message in self.recent(recent_minutes)? {
            add(Record::of(&message), Some(message), false);
        }
        for line in self.lines(|line| line.contains(&prefix.to_ascii_lowercase()))? {
            add(line.record, None, false);
        }
        Ok(found)
    }
}
