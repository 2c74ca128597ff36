//! Sending: the message is written once and linked into each inbox.

use std::fs;

use super::{Agent, Error, LocalSpool, Result, Sent, files};
use crate::message::{Address, Message};

impl LocalSpool {
    pub(super) fn deliver(&self, message: &Message, durable: bool) -> Result<Sent> {
        message.check()?;
        let recipients = self.recipients(message)?;
        let Some(first) = recipients.first() else { return Ok(Sent::default()) };
        let draft_box = self.mailbox(&first.name);
        draft_box.make()?;
        let draft = draft_box.draft(message.id);
        files::write_new(&draft, message.to_json().as_bytes(), durable)?;
        let mut failures = Vec::new();
        for agent in &recipients {
            let mailbox = self.mailbox(&agent.name);
            let delivered = mailbox
                .make()
                .and_then(|()| files::link_or_copy(&draft, &mailbox.unread(message.id), durable))
                .and_then(
                    |()| if durable { files::sync_directory(&mailbox.new_directory()) } else { Ok(()) },
                );
            if let Err(error) = delivered {
                failures.push((agent.name.clone(), error));
            }
        }
        // The draft has done its work; one that stays behind is swept later.
        let _ = fs::remove_file(&draft);
        let failed = failures.len();
        match failures.into_iter().next() {
            None => Ok(Sent { to: recipients }),
            Some((_, error)) if recipients.len() == 1 => Err(error),
            Some((first, error)) => {
                Err(Error::Partial { failed, all: recipients.len(), first, source: Box::new(error) })
            }
        }
    }

    fn recipients(&self, message: &Message) -> Result<Vec<Agent>> {
        match &message.to {
            Address::Agent(name) => match self.agent(name)? {
                Some(agent) => Ok(vec![agent]),
                None => Err(Error::UnknownAgent(name.clone())),
            },
            Address::Channel(channel) => {
                let mut agents = self.subscribers(channel)?;
                agents.retain(|agent| agent.name != message.from);
                if agents.is_empty() { Err(Error::NoSubscribers(channel.clone())) } else { Ok(agents) }
            }
        }
    }
}
