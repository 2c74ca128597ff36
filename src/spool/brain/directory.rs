//! The agents of a room: one document each, which is replaced only as it was read.

use std::time::Duration;

use super::calls::Put;
use super::document::Document;
use super::look::NAME;
use super::{BrainSpool, Refusal, Result, each, front};
use crate::message::{AgentName, ChannelName};
use crate::spool::{Agent, Error, Spool as _};

/// Tries to change a record that others change at the same time.
const TRIES: u32 = 6;
/// `lastSeen` is written this often at most: a document that changes for nothing is a version more of it.
const SELDOM: Duration = Duration::from_secs(3600);

impl BrainSpool {
    pub(super) fn all_agents(&self) -> Result<Vec<Agent>> {
        let prefix = self.room.agents();
        let (documents, _) = self.list_all(&prefix, NAME)?;
        let (documents, missing) = self.with_texts(documents);
        if let Some(refusal) = missing {
            // A channel's message must pass nobody by.
            return Err(refusal.into());
        }
        let mut agents: Vec<_> = documents
            .iter()
            .filter_map(|document| {
                let name = document.path.strip_prefix(&prefix)?.strip_suffix(".md")?.parse().ok()?;
                Some(front::read_agent(name, document.body_md.as_deref().unwrap_or_default()))
            })
            .collect();
        agents.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        Ok(agents)
    }

    /// The agent of that name, in whatever case it is written.
    pub(super) fn one_agent(&self, name: &AgentName) -> Result<Option<Agent>> {
        if let Some(document) = self.calls.read(&self.room.agent(name))? {
            let text = document.body_md.as_deref().unwrap_or_default();
            return Ok(Some(front::read_agent(name.clone(), text)));
        }
        Ok(self.all_agents()?.into_iter().find(|agent| agent.name == *name))
    }

    /// Makes the agent, or finds it.
    pub(super) fn make_agent(&self, name: &AgentName) -> Result<Agent> {
        if let Some(agent) = self.one_agent(name)? {
            return Ok(agent);
        }
        if !name.is_lower_case() {
            return Err(Error::NotLowerCase(name.clone()));
        }
        let now = format!("{:.3}", self.here.env.now());
        let agent = Agent {
            name: name.clone(),
            subscriptions: Vec::new(),
            created_at: now.clone(),
            last_seen: Some(now),
            other: serde_json::Map::new(),
        };
        self.write_agent(&agent, None)?;
        self.here.note("touched");
        Ok(agent)
    }

    pub(super) fn take_agent_away(&self, name: &AgentName, force: bool) -> Result<()> {
        let agent = self.one_agent(name)?.ok_or_else(|| Error::UnknownAgent(name.clone()))?;
        let look = self.look()?;
        let (unread, held) = self.unread_of(&look)?;
        let here = self.here.desk.inbox(name)?;
        let waiting = unread.len() + held + here.messages.len() + here.claimed;
        if waiting > 0 && !force {
            return Err(Error::Unread(agent.name, waiting));
        }
        // The record first: nobody writes to an agent that is not there.
        self.calls.delete(&self.room.agent(&agent.name))?;
        let letters = look.letters.iter().map(|letter| (letter.message.id, letter.notes.parts));
        let paths: Vec<_> = letters
            .flat_map(|(id, parts)| (1..=parts).map(move |part| (id, part)))
            .map(|(id, part)| self.room.unread(&agent.name, id, part))
            .collect();
        for deleted in each(&paths, |path| self.calls.delete(path)) {
            deleted?;
        }
        match self.here.desk.unregister(name, true) {
            Err(Error::UnknownAgent(_)) => Ok(()),
            result => result,
        }
    }

    /// Changes the own subscriptions; whether that changed anything. Of two changes at once both stay.
    pub(super) fn change_subscriptions(&self, change: impl Fn(&mut Vec<ChannelName>)) -> Result<bool> {
        let path = self.room.agent(&self.here.agent);
        // An unanswered write may have been done: it is not to count as no change then.
        let mut is_changed = false;
        for number in 0..TRIES {
            let Some(document) = self.calls.read(&path)? else {
                return Err(Error::UnknownAgent(self.here.agent.clone()));
            };
            let Some(text) = document.body_md.as_deref().filter(|text| front::is_agent(text)) else {
                return Err(Error::Brain(self.calls.damaged(&path)));
            };
            let mut agent = front::read_agent(self.here.agent.clone(), text);
            let before = agent.subscriptions.clone();
            change(&mut agent.subscriptions);
            if agent.subscriptions == before {
                return Ok(is_changed);
            }
            agent.last_seen = Some(format!("{:.3}", self.here.env.now()));
            let until = self.calls.until();
            match self.rewrite_agent(text, &agent, document.hash()) {
                Ok(Some(_)) => return Ok(true),
                Ok(None) => is_changed = true,
                // Somebody changed it in between: it is read again.
                Err(refusal) if matches!(refusal.status(), Some(404 | 409)) => {}
                Err(refusal) => {
                    is_changed |= refusal.is_unsure();
                    if !self.calls.may_try_again(&refusal, number, until) {
                        return Err(refusal.into());
                    }
                }
            }
        }
        let (url, reason) =
            (self.calls.url.clone(), "others change this agent's record all the time".to_owned());
        Err(Error::Brain(Refusal::Unreachable { url, reason, is_heard: false }))
    }

    /// Notes the sign of life where others see it, now and then; nobody waits for it, and nothing depends on it.
    pub(super) fn touch(&self) {
        if self.here.happened_within("touched", SELDOM) || self.calls.wait_wanted().is_some() {
            return;
        }
        self.here.note("touched");
        let Ok(Some(document)) = self.calls.read(&self.room.agent(&self.here.agent)) else { return };
        // Without a hash a change of its subscriptions in between would be written over.
        let text = document.body_md.as_deref().filter(|text| front::is_agent(text));
        if let (Some(text), Some(hash)) = (text, document.hash()) {
            let mut agent = front::read_agent(self.here.agent.clone(), text);
            agent.last_seen = Some(format!("{:.3}", self.here.env.now()));
            let _ = self.rewrite_agent(text, &agent, Some(hash));
        }
    }

    /// Changes what is ours in the record; all else in it stays.
    fn rewrite_agent(
        &self,
        text: &str,
        agent: &Agent,
        expected: Option<&str>,
    ) -> std::result::Result<Option<Document>, Refusal> {
        let (path, title) = (self.room.agent(&agent.name), format!("bch agent: {}", agent.name));
        let body = front::agent_changed(text, agent);
        self.calls.write(Put { path: &path, body: &body, title: &title, expected })
    }

    fn write_agent(
        &self,
        agent: &Agent,
        expected: Option<&str>,
    ) -> std::result::Result<Option<Document>, Refusal> {
        let (path, title) = (self.room.agent(&agent.name), format!("bch agent: {}", agent.name));
        let body = front::agent_document(agent);
        self.calls.write(Put { path: &path, body: &body, title: &title, expected })
    }
}
