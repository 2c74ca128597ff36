//! The start of one mailbox: what lies in it goes into its index, what a crash left is mended.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::Error;
use super::agents::Member;
use super::envelope::Envelope;
use super::place::{Reading, mark, parse_lease, read_message, remove};
use super::remembered::{Content, Key};
use super::rooms::Room;
use super::{Engine, OpenError, lock};
use crate::message::{Message, MessageId};
use crate::spool::LeaseId;
use crate::spool::local::files;

/// What the load of one room hands on.
pub(super) struct Load<'a> {
    pub(super) engine: &'a Engine,
    pub(super) room: &'a Room,
    /// Sends that were never answered: their links are taken back.
    pub(super) undone: HashSet<MessageId>,
    pub(super) unrecorded: &'a mut Unrecorded,
}

/// What a crash may have left delivered and unrecorded.
pub(super) struct Unrecorded {
    /// Messages from then on.
    pub(super) from: Timestamp,
    /// Those that are, with their times.
    pub(super) sends: Vec<(Timestamp, Key, Content)>,
}

/// A message, and the lease that it lies under.
type Found = (Envelope, Option<(LeaseId, Timestamp)>);

impl Load<'_> {
    /// The drafts that a crash left; those of sends that were never recorded are to be undone.
    pub(super) fn read_drafts(&mut self) -> Result<Vec<PathBuf>, OpenError> {
        let directory = self.room.directory.join("tmp");
        let mut drafts = Vec::new();
        for name in files::names(&directory)? {
            if let Some(id) = MessageId::from_file_name(&name, ".json")
                && !self.engine.remembered.has(Key::of(&self.room.id, id))
            {
                self.undone.insert(id);
            }
            drafts.push(directory.join(name));
        }
        Ok(drafts)
    }

    /// Reads a mailbox; one that the system refuses to show is its own agent's trouble.
    pub(super) fn read_mailbox(&mut self, member: &Member) {
        let mut found = Vec::new();
        let result = self.find_mail(member, &mut found);
        let returned = result.and_then(|()| self.read_returned(member)).unwrap_or_else(|error| {
            tracing::error!(agent = %member.name, %error, "a mailbox cannot be read: its mail waits on the disk");
            HashSet::new()
        });
        // As it would have landed.
        found.sort_by_key(|(envelope, _)| (envelope.ts, envelope.id));
        let mut mailbox = lock(&member.mailbox);
        for (envelope, lease) in found {
            let id = envelope.id;
            mailbox.land(envelope, returned.contains(&id));
            if let Some((lease, until)) = lease {
                mailbox.hold_under(&lease, until, id, false);
            }
        }
        mailbox.lapse(self.engine.env.now());
        *lock(&self.room.waiting) += mailbox.amount();
        for id in returned.into_iter().filter(|id| mailbox.entry(*id).is_none()) {
            let _ = fs::remove_file(member.place.returned(id));
        }
    }

    /// Finds what is unread, and what lies under which lease.
    fn find_mail(&mut self, member: &Member, found: &mut Vec<Found>) -> Result<(), OpenError> {
        let mut buffer = Vec::new();
        for (lease, until) in self.read_leases(member)? {
            let directory = member.place.lease(&lease, until);
            for name in files::names(&directory)? {
                let message = self.read_one(member, &directory.join(&name), &name, &mut buffer);
                found.extend(message.map(|message| (Envelope::of(&message), Some((lease.clone(), until)))));
            }
            // It goes where it is empty.
            let _ = fs::remove_dir(&directory);
        }
        let claimed: HashSet<_> = found.iter().map(|(envelope, _)| envelope.id).collect();
        let new = member.place.new_directory();
        for name in files::names(&new)? {
            let path = new.join(&name);
            match self.read_one(member, &path, &name, &mut buffer) {
                // One is enough, and the claim's is somebody's.
                Some(message) if claimed.contains(&message.id) => {
                    remove("mend", &path).unwrap_or_else(|error| warn(&path, &error));
                }
                message => found.extend(message.map(|message| (Envelope::of(&message), None))),
            }
        }
        Ok(())
    }

    /// Reads a message's file; takes it back where its send was undone, sets it aside where it is none.
    fn read_one(
        &mut self,
        member: &Member,
        path: &Path,
        name: &str,
        buffer: &mut Vec<u8>,
    ) -> Option<Message> {
        if name.starts_with('.') {
            return None;
        }
        let Some(id) = MessageId::from_file_name(name, ".json") else {
            member.place.set_aside(path, "its name is not `<uuid>.json`");
            return None;
        };
        if self.undone.contains(&id) {
            remove("take back", path).unwrap_or_else(|error| warn(path, &error));
            return None;
        }
        match read_message(path, id, buffer) {
            Ok(Reading::Message(message)) => {
                let key = Key::of(&self.room.id, id);
                if message.ts >= self.unrecorded.from && !self.engine.remembered.has(key) {
                    self.unrecorded.sends.push((message.ts, key, Content::of(&message)));
                }
                Some(*message)
            }
            Ok(Reading::Gone) => None,
            Ok(Reading::Bad(reason)) => {
                member.place.set_aside(path, &reason);
                None
            }
            // It stays where it is, for the next start.
            Err(error) => {
                warn(path, &error);
                None
            }
        }
    }

    fn read_returned(&self, member: &Member) -> Result<HashSet<MessageId>, OpenError> {
        let names = files::names(&member.place.returned_directory())?;
        Ok(names.iter().filter_map(|name| MessageId::from_file_name(name, "")).collect())
    }

    /// The directories of leases; of two of one lease, the later. What lies in any other is made unread: under leases
    /// of a spool that had no relay (`claimed/<lease>/`), whose holders cannot reach it any more.
    fn read_leases(&self, member: &Member) -> Result<BTreeMap<LeaseId, Timestamp>, OpenError> {
        let claimed = member.place.claimed_directory();
        let names = files::names(&claimed)?;
        let mut leases = BTreeMap::new();
        for (lease, until) in names.iter().filter_map(|name| parse_lease(name)) {
            let latest = leases.entry(lease).or_insert(until);
            *latest = until.max(*latest);
        }
        for name in names {
            let is_lease =
                parse_lease(&name).is_some_and(|(lease, until)| leases.get(&lease) == Some(&until));
            if !is_lease {
                free(member, &claimed.join(&name))?;
            }
        }
        Ok(leases)
    }
}

/// Makes unread what lies in a directory, perhaps shown before.
fn free(member: &Member, directory: &Path) -> Result<(), OpenError> {
    if !directory.is_dir() {
        return Ok(());
    }
    tracing::warn!(path = %directory.display(), "this is no claim of a reader of ours: its mail is unread again");
    for file in files::names(directory)? {
        let path = directory.join(&file);
        match MessageId::from_file_name(file.split('.').next().unwrap_or_default(), "") {
            Some(id) => {
                mark(&member.place.returned(id)).unwrap_or_else(|error| warn(&path, &error));
                let _ = files::make_directory(&member.place.new_directory());
                let _ = files::move_new(&path, &member.place.unread(id));
            }
            None => {
                let _ = fs::remove_file(&path);
            }
        }
    }
    let _ = fs::remove_dir(directory);
    Ok(())
}

fn warn(path: &Path, error: &Error) {
    tracing::warn!(path = %path.display(), %error, "a message could not be read");
}
