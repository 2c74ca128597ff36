//! A relay of the first version lends nothing: it gives a message once, by a call whose answer may be lost. So what is
//! asked for is written down before, and found again where the answer was lost.
//!
//! What it gave is this machine's alone, and unread in the desk.

use std::fs;

use super::{RelaySpool, Result, files};
use crate::message::{Message, MessageId};
use crate::relay::calls::{Again, Refusal};
use crate::relay::wire;
use crate::spool::Filter;
use crate::spool::claim::Fit;
use crate::spool::error::OnPath;

impl RelaySpool {
    /// Takes what the reader asks for into the desk; how many wait for other scopes.
    pub(super) fn fetch(&self, filter: &Filter) -> Result<usize> {
        let unread: Vec<Message> = self.calls.get(&format!("/v1/inbox/{}", self.here.agent))?;
        self.find_lost(&unread)?;
        let mut elsewhere = 0;
        for message in unread {
            match filter.fit(&message, self.here.env.now()) {
                Fit::Here | Fit::Stray => self.take_one(&message)?,
                Fit::Elsewhere => elsewhere += 1,
                Fit::Unasked => {}
            }
        }
        Ok(elsewhere)
    }

    fn take_one(&self, message: &Message) -> Result<()> {
        let noted = self.noted(message.id);
        files::replace(&noted, message.to_json().as_bytes())?;
        let take = wire::Take { id: message.id, keep: false };
        match self.calls.post::<wire::Taken>("/v1/take", &take, Again::Unheard) {
            Ok(wire::Taken { message: Some(taken) }) => {
                self.here.desk.put(&self.here.agent, &taken, true)?;
            }
            // Another reader was faster.
            Ok(wire::Taken { message: None }) => {}
            // Perhaps it is ours: the next look tells.
            Err(refusal @ Refusal::Unreachable { is_heard: true, .. }) => return Err(refusal.into()),
            Err(refusal) => {
                let _ = fs::remove_file(&noted);
                return Err(refusal.into());
            }
        }
        fs::remove_file(&noted).on("remove", &noted)
    }

    /// What was asked for without an answer, and is unread no more, was given: it is ours, or another reader's of the
    /// same agent, which nobody can tell.
    fn find_lost(&self, unread: &[Message]) -> Result<()> {
        for name in files::names(&self.here.root.join("taking"))? {
            let Some(id) = MessageId::from_file_name(&name, ".json") else { continue };
            let path = self.noted(id);
            if !unread.iter().any(|message| message.id == id)
                && let Some(bytes) = files::read(&path).on("read", &path)?
                && let Ok(message) = Message::from_json(&bytes)
            {
                self.here.desk.note_repeat(&self.here.agent, &message)?;
                self.here.desk.put(&self.here.agent, &message, true)?;
            }
            fs::remove_file(&path).on("remove", &path)?;
        }
        Ok(())
    }

    fn noted(&self, id: MessageId) -> std::path::PathBuf {
        self.here.root.join("taking").join(format!("{id}.json"))
    }
}
