//! Sending: the message is written once and linked into each inbox.

use std::fs;
use std::path::Path;

use super::directory::Failures;
use super::mailbox::Mailbox;
use super::{Agent, Error, LocalSpool, Result, Sent, files};
use crate::message::{Address, Message, MessageId};

impl LocalSpool {
    pub(super) fn deliver(&self, message: &Message, durable: bool) -> Result<Sent> {
        message.check()?;
        let (recipients, mut failures) = self.recipients(message)?;
        let Some(first) = recipients.first() else { return Ok(Sent::default()) };
        let draft_box = self.mailbox_of(first);
        // Not by the message's id: one of the same id may be on its way, and what a crash left stands in nobody's way.
        let draft = draft_box.draft(MessageId::random());
        let text = message.to_json();
        draft_box.made(|| files::write_new(&draft, text.as_bytes(), durable))?;
        let all = recipients.len() + failures.len();
        for agent in &recipients {
            if let Err(error) = put_in(&self.mailbox_of(agent), &draft, message, durable) {
                failures.push((agent.name.clone(), error));
            }
        }
        // The draft has done its work; one that stays behind is swept later.
        let _ = fs::remove_file(&draft);
        let failed = failures.len();
        match failures.into_iter().next() {
            None => Ok(Sent { to: recipients, ..Sent::default() }),
            Some((_, error)) if all == 1 => Err(error),
            Some((first, error)) => Err(Error::Partial { failed, all, first, source: Box::new(error) }),
        }
    }

    /// Whom the message goes to, and whom it cannot reach.
    fn recipients(&self, message: &Message) -> Result<(Vec<Agent>, Failures)> {
        match &message.to {
            Address::Agent(name) => match self.one_agent(name)? {
                Some(agent) => Ok((vec![agent], Failures::new())),
                None => Err(Error::UnknownAgent(name.clone())),
            },
            Address::Channel(channel) => {
                let (mut agents, mut failures) = self.subscribers(channel)?;
                agents.retain(|agent| agent.name != message.from);
                failures.retain(|(name, _)| *name != message.from);
                match failures.pop() {
                    None if agents.is_empty() => Err(Error::NoSubscribers(channel.clone())),
                    Some((_, error)) if agents.is_empty() => Err(error),
                    last => {
                        failures.extend(last);
                        Ok((agents, failures))
                    }
                }
            }
        }
    }
}

/// Gives one mailbox the message. A failure means that it is not there: who sends again sends it once.
fn put_in(mailbox: &Mailbox, draft: &Path, message: &Message, durable: bool) -> Result<()> {
    let unread = mailbox.unread(message.id);
    mailbox.made(|| files::link_or_copy(draft, &unread, durable))?;
    if !durable {
        return Ok(());
    }
    files::sync_directory(&mailbox.new_directory()).or_else(|error| {
        // Where it cannot be taken back, it was delivered: a reader may have it already.
        if fs::remove_file(&unread).is_ok() { Err(error) } else { Ok(()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::spool::Spool as _;

    #[test]
    fn a_send_leaves_anothers_draft_of_the_same_id() {
        let home = tempfile::tempdir().unwrap();
        let env = Env::made(&[], "/", jiff::Timestamp::UNIX_EPOCH);
        let spool = LocalSpool::open(home.path(), &env, 60);
        let bob = "bob".parse().unwrap();
        spool.register(&bob).unwrap();
        let message =
            Message::new(bob.clone(), Address::Agent(bob.clone()), "text", jiff::Timestamp::UNIX_EPOCH);
        let draft = spool.mailbox(&bob).draft(message.id);
        files::write_new(&draft, b"on its way", false).unwrap();
        spool.send(&message, false).unwrap();
        assert_eq!(fs::read(&draft).unwrap(), b"on its way");
        assert_eq!(spool.inbox(&bob).unwrap().messages.len(), 1);
    }
}
