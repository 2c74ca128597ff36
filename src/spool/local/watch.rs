//! Unread messages as they land, of one mailbox or of all. The system tells of changes where it can (inotify,
//! kqueue, FSEvents); a look finds what is new, and what was missed.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::mailbox::{Mailbox, Reading, read_message};
use super::{LocalSpool, Result, files};
use crate::message::{AgentName, MessageId};
use crate::spool::{Landed, Watch, Whose};

pub(super) struct LocalWatch {
    spool: LocalSpool,
    whose: Whose,
    mailboxes: HashMap<AgentName, Watched>,
    /// None where the system tells nothing.
    watcher: Option<RecommendedWatcher>,
}

/// A mailbox, and what is known of it.
struct Watched {
    mailbox: Mailbox,
    /// The directory that the system tells of: one that was removed and made again is another.
    told: Option<(u64, u64)>,
    /// What was handed out and is still there.
    reported: HashSet<MessageId>,
}

impl LocalWatch {
    pub(super) fn start(spool: LocalSpool, whose: Whose, mut ring: Box<dyn FnMut() + Send>) -> Result<Self> {
        // A look opens and reads: were the watch to tell of that too, each look would call for the next.
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. })) {
                ring();
            }
        });
        let mut watch = Self { spool, whose, mailboxes: HashMap::new(), watcher: watcher.ok() };
        files::make_directory(&watch.spool.agents_directory())?;
        let (home, agents) = (watch.spool.home.clone(), watch.spool.agents_directory());
        watch.tell_of(&home);
        watch.tell_of(&agents);
        watch.find_mailboxes()?;
        Ok(watch)
    }

    /// Has the system tell of a directory; one that it cannot tell of leaves looking to us.
    fn tell_of(&mut self, directory: &Path) {
        if let Some(watcher) = &mut self.watcher
            && watcher.watch(directory, RecursiveMode::NonRecursive).is_err()
        {
            self.watcher = None;
        }
    }

    /// Takes in the mailboxes that were made since, and drops those that are gone.
    fn find_mailboxes(&mut self) -> Result<()> {
        let mut names = self.spool.agent_names()?;
        if let Whose::These(these) = &self.whose {
            names.retain(|name| these.contains(name));
        }
        self.mailboxes.retain(|name, _| names.contains(name));
        for name in names {
            let mailbox = self.spool.mailbox_at(&name);
            let directory = mailbox.new_directory();
            let mut place = place(&directory);
            let known = self.mailboxes.get(&name);
            if place.is_some() && known.is_some_and(|known| known.told == place) {
                continue;
            }
            if place.is_none() {
                mailbox.make()?;
                place = self::place(&directory);
            }
            self.tell_of(&directory);
            let reported = HashSet::new();
            self.mailboxes.insert(name, Watched { mailbox, told: place, reported });
        }
        Ok(())
    }
}

fn place(directory: &Path) -> Option<(u64, u64)> {
    fs::metadata(directory).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Mailbox {
    /// Where the unread messages lie: in `new/`, and under leases that lapsed.
    fn unread_files(&self) -> Result<Vec<(MessageId, PathBuf)>> {
        let directory = self.new_directory();
        let names = files::names(&directory)?;
        let ids = names.iter().filter_map(|name| Some((MessageId::from_file_name(name, ".json")?, name)));
        let mut unread: Vec<_> = ids.map(|(id, name)| (id, directory.join(name))).collect();
        for (lease, _) in self.leases()?.into_iter().filter(|(_, lapsed)| *lapsed) {
            unread.extend(self.files_of(&lease)?.into_iter().map(|file| (file.id, file.path)));
        }
        Ok(unread)
    }

    /// The ids of all that is unread or claimed.
    fn waiting(&self) -> Result<Vec<MessageId>> {
        let names = files::names(&self.new_directory())?;
        let mut ids: Vec<_> =
            names.iter().filter_map(|name| MessageId::from_file_name(name, ".json")).collect();
        for (lease, _) in self.leases()? {
            ids.extend(self.files_of(&lease)?.iter().map(|file| file.id));
        }
        Ok(ids)
    }
}

impl Watched {
    /// Reads what is new: names are compared first, so that a burst costs each message one reading.
    fn look(&mut self, agent: &AgentName, hand_out: &mut dyn FnMut(Landed)) -> Result<()> {
        let unread = self.mailbox.unread_files()?;
        let present: HashSet<MessageId> = unread.iter().map(|(id, _)| *id).collect();
        self.reported.retain(|id| present.contains(id));
        let mut buffer = Vec::new();
        for (id, path) in unread {
            if self.reported.contains(&id) {
                continue;
            }
            // What is no message yet may be one at the next look: another program may still write it.
            if let Reading::Message(message) = read_message(&path, id, &mut buffer)? {
                self.reported.insert(id);
                hand_out(Landed { agent: agent.clone(), message });
            }
        }
        Ok(())
    }
}

impl Watch for LocalWatch {
    fn look(&mut self, hand_out: &mut dyn FnMut(Landed)) -> Result<()> {
        let mut result = self.find_mailboxes();
        for (agent, watched) in &mut self.mailboxes {
            result = watched.look(agent, hand_out).and(result);
        }
        result
    }

    fn is_told(&self) -> bool {
        self.watcher.is_some()
    }

    fn is_unread(&self, agent: &AgentName, id: MessageId) -> Result<bool> {
        let mailbox = self.spool.mailbox(agent);
        if mailbox.unread(id).exists() {
            return Ok(true);
        }
        Ok(mailbox.unread_files()?.iter().any(|(unread, _)| *unread == id))
    }

    fn waiting(&self) -> Result<HashSet<MessageId>> {
        let mut ids = HashSet::new();
        for name in self.spool.agent_names()? {
            ids.extend(self.spool.mailbox_at(&name).waiting()?);
        }
        Ok(ids)
    }
}
