//! A stream of messages as they land. The system tells of changes where it can (inotify, kqueue,
//! FSEvents); a slow look at the directory serves where it cannot, and catches what was missed.

use std::collections::HashSet;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::mailbox::{Mailbox, Reading, read_message};
use super::{Result, files};
use crate::message::{Message, MessageId};
use crate::spool::Watch;

/// How often the directory is read where the system tells nothing.
const SLOW: Duration = Duration::from_secs(1);
/// And where it does, against what it may lose: a network mount is silent on what other machines do.
const CAUTIOUS: Duration = Duration::from_secs(5);

pub(super) struct LocalWatch {
    mailbox: Mailbox,
    /// What was reported and is still there.
    reported: HashSet<MessageId>,
    changes: Receiver<()>,
    watcher: Option<RecommendedWatcher>,
    is_first: bool,
}

impl LocalWatch {
    pub(super) fn start(mailbox: Mailbox) -> Result<Self> {
        mailbox.make()?;
        let (tell, changes) = mpsc::sync_channel(1);
        // One waiting change is enough: a look finds everything.
        let watcher = notify::recommended_watcher(move |_| {
            let _ = tell.try_send(());
        })
        .and_then(|mut watcher: RecommendedWatcher| {
            watcher.watch(&mailbox.new_directory(), RecursiveMode::NonRecursive)?;
            Ok(watcher)
        })
        .ok();
        Ok(Self { mailbox, reported: HashSet::new(), changes, watcher, is_first: true })
    }

    /// Reads what is new: names are compared first, so that a burst costs each message one reading.
    fn look(&mut self) -> Result<Vec<Message>> {
        let directory = self.mailbox.new_directory();
        let names = files::names(&directory)?;
        let present: HashSet<MessageId> =
            names.iter().filter_map(|name| MessageId::from_file_name(name, ".json")).collect();
        self.reported.retain(|id| present.contains(id));
        let (mut landed, mut buffer) = (Vec::new(), Vec::new());
        for id in present {
            if self.reported.contains(&id) {
                continue;
            }
            if let Reading::Message(message) = read_message(&self.mailbox.unread(id), id, &mut buffer)? {
                landed.push(message);
            }
            self.reported.insert(id);
        }
        landed.sort_by_key(|message| (message.ts, message.id));
        Ok(landed)
    }
}

impl Watch for LocalWatch {
    fn next(&mut self, patience: Duration) -> Result<Vec<Message>> {
        let end = Instant::now() + patience;
        loop {
            if !std::mem::take(&mut self.is_first) {
                let step = if self.watcher.is_some() { CAUTIOUS } else { SLOW };
                let step = step.min(end.saturating_duration_since(Instant::now()));
                if self.watcher.is_some() {
                    // A time-out means only that it is time for the cautious look.
                    let _ = self.changes.recv_timeout(step);
                } else {
                    std::thread::sleep(step);
                }
            }
            let landed = self.look()?;
            if !landed.is_empty() || Instant::now() >= end {
                return Ok(landed);
            }
        }
    }
}
