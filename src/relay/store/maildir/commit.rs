//! The disk's part of a send, so that a crash at any moment leaves it done or undone:
//!
//! 1. The text is written to `tmp/`, and linked (one recipient: moved) into each `new/`.
//! 2. All of that is flushed, where the sender waits for it.
//! 3. The send is recorded, and the record flushed. From here on it is delivered: a start that finds a draft of an
//!    unrecorded send takes its links back.
//! 4. The draft goes, the recipients' indexes get the message, the sender its answer.
//!
//! Senders who wait for the disk wait together: one thread takes all that queue, and flushes once.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::super::{Error, Result};
use super::agents::Member;
use super::amount::Amount;
use super::envelope::Envelope;
use super::place::remove;
use super::remembered::{Content, Key};
use super::rooms::Room;
use super::send::sent;
use super::{Engine, lock};
use crate::message::MessageId;
use crate::spool;
use crate::spool::error::OnPath;
use crate::spool::local::files;

/// Sends that are flushed together at most.
const MOST: usize = 1024;

/// One send on its way.
pub(super) struct Delivery {
    pub(super) room: Arc<Room>,
    pub(super) key: Key,
    pub(super) content: Content,
    pub(super) envelope: Envelope,
    /// The message as it goes to the disk.
    pub(super) text: String,
    /// Each keeps a place for it.
    pub(super) to: Vec<Arc<Member>>,
}

/// The thread that flushes sends.
pub(super) struct Committer {
    queue: Mutex<Option<Sender<Delivery>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The end of the thread, which does first what was queued.
pub(super) struct Ended(Option<JoinHandle<()>>);

impl Committer {
    pub(super) fn start(engine: &Arc<Engine>) -> io::Result<Self> {
        let (queue, deliveries) = channel();
        let engine = engine.clone();
        let thread =
            std::thread::Builder::new().name("commit".into()).spawn(move || run(&engine, &deliveries))?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Queues a send; after the end it fails.
    pub(super) fn hand_in(&self, delivery: Delivery, engine: &Engine) {
        let refused = match &*lock(&self.queue) {
            Some(queue) => queue.send(delivery).err().map(|refused| refused.0),
            None => Some(delivery),
        };
        if let Some(delivery) = refused {
            let error = Error::System { verb: "write", kind: io::ErrorKind::Interrupted };
            engine.fail(&delivery, &error);
        }
    }

    /// Takes no more sends.
    pub(super) fn end(&self) -> Ended {
        lock(&self.queue).take();
        Ended(lock(&self.thread).take())
    }
}

impl Ended {
    /// Waits until the last is answered.
    pub(super) fn wait(self) {
        if let Some(thread) = self.0 {
            let _ = thread.join();
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.end().wait();
    }
}

fn run(engine: &Engine, deliveries: &Receiver<Delivery>) {
    while let Ok(first) = deliveries.recv() {
        let mut batch = vec![first];
        batch.extend(deliveries.try_iter().take(MOST - 1));
        engine.commit(batch, true);
    }
}

impl Delivery {
    fn id(&self) -> MessageId {
        self.envelope.id
    }

    fn draft(&self) -> PathBuf {
        self.room.directory.join("tmp").join(format!("{}.json", self.id()))
    }

    /// Gives each recipient the file, or none.
    fn lay(&self) -> Result<()> {
        let draft = self.draft();
        // No send of this id is on its way: what lies there is of one that failed.
        remove("write", &draft)?;
        made(&draft, || files::write_new(&draft, self.text.as_bytes(), false))?;
        let result = match &*self.to {
            [member] => {
                put(member, self.id(), |unread| files::move_new(&draft, unread)).map_err(|error| (0, error))
            }
            all => all.iter().enumerate().try_for_each(|(index, member)| {
                put(member, self.id(), |unread| files::link_or_copy(&draft, unread, false))
                    .map_err(|error| (index, error))
            }),
        };
        result.map_err(|(laid, error)| {
            self.take_back(&self.to[..laid]);
            error
        })
    }

    /// Takes the file back from these. What the disk keeps even so is taken back at the next start, by its draft.
    fn take_back(&self, from: &[Arc<Member>]) {
        let mut result = Ok(());
        for member in from {
            result = result.and(remove("take back", &member.place.unread(self.id())));
        }
        if result.is_ok() {
            let _ = remove("take back", &self.draft());
        }
    }
}

/// Runs what writes a file, and again where its directory had to be made first.
fn made(path: &Path, write: impl Fn() -> spool::Result<()>) -> spool::Result<()> {
    match write() {
        Err(spool::Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            files::make_directory(path.parent().unwrap_or(path))?;
            write()
        }
        result => result,
    }
}

fn put(member: &Member, id: MessageId, give: impl Fn(&Path) -> spool::Result<()>) -> Result<()> {
    let unread = member.place.unread(id);
    match made(&unread, || give(&unread)) {
        Err(spool::Error::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::Duplicate(id))
        }
        result => Ok(result?),
    }
}

impl Engine {
    /// Delivers sends, each as a whole or not at all, and answers their senders. Waits for the disk when `durable`.
    pub(super) fn commit(&self, batch: Vec<Delivery>, durable: bool) {
        let mut laid = Vec::with_capacity(batch.len());
        for delivery in batch {
            match delivery.lay() {
                Ok(()) => laid.push(delivery),
                Err(error) => self.fail(&delivery, &error),
            }
        }
        if laid.is_empty() {
            return;
        }
        let keys: Vec<_> = laid.iter().map(|delivery| (delivery.key, delivery.content)).collect();
        let flushed = if durable { self.flush_sends(&laid) } else { Ok(()) };
        let recorded = flushed.and_then(|()| self.remembered.record(&keys, self.env.now(), durable));
        for delivery in laid {
            match &recorded {
                Ok(()) => self.publish(&delivery),
                Err(error) => {
                    delivery.take_back(&delivery.to);
                    self.fail(&delivery, error);
                }
            }
        }
    }

    fn publish(&self, delivery: &Delivery) {
        if delivery.to.len() > 1 {
            let _ = remove("write", &delivery.draft());
        }
        let mut gone = Vec::new();
        for member in &delivery.to {
            let mut mailbox = lock(&member.mailbox);
            mailbox.unreserve(&delivery.envelope);
            if mailbox.is_closed() {
                gone.push(member);
            } else {
                mailbox.land(delivery.envelope.clone(), false);
            }
        }
        // Revoked while it was on its way.
        for member in &gone {
            *lock(&delivery.room.waiting) -= Amount::of(1, &delivery.envelope);
            let _ = remove("write", &member.place.unread(delivery.id()));
        }
        let answer = match gone.first() {
            Some(first) if gone.len() == delivery.to.len() => Err(Error::UnknownAgent(first.name.clone())),
            _ => Ok(sent(&delivery.to)),
        };
        self.remembered.finish(delivery.key, &answer, self.env.now());
    }

    /// Answers a send that came to nothing, and gives its places back.
    pub(super) fn fail(&self, delivery: &Delivery, error: &Error) {
        for member in &delivery.to {
            lock(&member.mailbox).unreserve(&delivery.envelope);
        }
        *lock(&delivery.room.waiting) -= Amount::of(delivery.to.len(), &delivery.envelope);
        self.remembered.finish(delivery.key, &Err(error.clone()), self.env.now());
    }

    /// Flushes files and directories of sends: the whole file system at once, which takes one wait however many
    /// they are (syncfs(2)).
    #[cfg(target_os = "linux")]
    fn flush_sends(&self, _laid: &[Delivery]) -> Result<()> {
        let root = std::fs::File::open(&self.root).on("flush", &self.root)?;
        Ok(rustix::fs::syncfs(&root).on("flush", &self.root)?)
    }

    /// Flushes files and directories of sends.
    #[cfg(not(target_os = "linux"))]
    fn flush_sends(&self, laid: &[Delivery]) -> Result<()> {
        flush_each(laid)
    }

    /// Flushes what no sender waits for.
    pub(super) fn flush(&self) -> Result<()> {
        self.flush_sends(&[])?;
        self.remembered.flush()
    }
}

/// Flushes each file, each directory that has a new name in it, and those above, which may be new too.
#[cfg_attr(target_os = "linux", expect(dead_code, reason = "Linux flushes all at once"))]
fn flush_each(laid: &[Delivery]) -> Result<()> {
    let mut directories = HashSet::new();
    for delivery in laid {
        for member in &delivery.to {
            let path = member.place.unread(delivery.id());
            std::fs::File::open(&path).and_then(|file| file.sync_all()).on("flush", &path)?;
            directories.extend(path.ancestors().skip(1).take(3).map(Path::to_owned));
        }
    }
    Ok(directories.iter().try_for_each(|directory| files::sync_directory(directory))?)
}
