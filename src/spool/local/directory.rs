//! The agents of this home: one record each, replaced whole under a lock.

use std::fs;
use std::path::PathBuf;

use super::{Agent, Error, LocalSpool, Result, files};
use crate::message::{AgentName, ChannelName, Context};
use crate::spool::error::OnPath;

/// Agents whom something could not be done for, and why.
pub(super) type Failures = Vec<(AgentName, Error)>;

impl LocalSpool {
    /// The spelling under which the agent is on the disk: the first version may have made `Bob`.
    pub(super) fn spelling(&self, name: &AgentName) -> AgentName {
        if self.record_path(name).exists() {
            return name.clone();
        }
        let names = files::names(&self.agents_directory()).unwrap_or_default();
        let spellings = names.iter().filter_map(|file| file.strip_suffix(".json")?.parse::<AgentName>().ok());
        spellings.into_iter().find(|other| other == name).unwrap_or_else(|| name.clone())
    }

    fn record_path(&self, name: &AgentName) -> PathBuf {
        self.agents_directory().join(format!("{name}.json"))
    }

    /// Reads a record; `None` where there is none.
    pub(super) fn one_agent(&self, name: &AgentName) -> Result<Option<Agent>> {
        let spelling = self.spelling(name);
        let path = self.record_path(&spelling);
        let Some(bytes) = files::read(&path).on("read", &path)? else { return Ok(None) };
        let record: Agent = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Damaged { path: path.clone(), reason: error.to_string() })?;
        // The file's name is the truth: a record that was copied must not speak for another agent.
        Ok(Some(Agent { name: spelling, ..record }))
    }

    pub(super) fn all_agents(&self) -> Result<Vec<Agent>> {
        // A record that cannot be read is its own agent's trouble, never that of the others.
        let mut agents: Vec<_> = self.read_agents()?.into_iter().filter_map(|(_, read)| read.ok()).collect();
        agents.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        Ok(agents)
    }

    /// Those who have a record, be it damaged.
    pub(super) fn agent_names(&self) -> Result<Vec<AgentName>> {
        let names = files::names(&self.agents_directory())?;
        Ok(names.iter().filter_map(|file| file.strip_suffix(".json")?.parse().ok()).collect())
    }

    /// Every record but the damaged ones: the agent, or what the system refused.
    fn read_agents(&self) -> Result<Vec<(AgentName, Result<Agent>)>> {
        let mut agents = Vec::new();
        for name in self.agent_names()? {
            match self.one_agent(&name) {
                Ok(Some(agent)) => agents.push((name, Ok(agent))),
                Err(error @ Error::Io { .. }) => agents.push((name, Err(error))),
                Ok(None) | Err(_) => {}
            }
        }
        Ok(agents)
    }

    /// The subscribers, and the agents of whom the system did not tell whether they are.
    pub(super) fn subscribers(&self, channel: &ChannelName) -> Result<(Vec<Agent>, Failures)> {
        let (mut agents, mut failures) = (Vec::new(), Failures::new());
        for (name, read) in self.read_agents()? {
            match read {
                Ok(agent) if agent.subscriptions.contains(channel) => agents.push(agent),
                Ok(_) => {}
                Err(error) => failures.push((name, error)),
            }
        }
        agents.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        Ok((agents, failures))
    }

    pub(super) fn register_agent(&self, name: &AgentName) -> Result<Agent> {
        self.make_agent(name, true)
    }

    /// Makes an agent that another spool has already, in whatever spelling.
    ///
    /// # Errors
    /// Where its record cannot be written.
    pub(crate) fn adopt_agent(&self, name: &AgentName) -> Result<Agent> {
        self.make_agent(name, false)
    }

    fn make_agent(&self, name: &AgentName, is_new: bool) -> Result<Agent> {
        files::make_directory(&self.agents_directory())?;
        files::make_private(&self.home);
        let _lock = files::lock(self.agents_directory().join(".lock"))?;
        let agent = match self.one_agent(name)? {
            Some(agent) => agent,
            None if is_new && !name.is_lower_case() => return Err(Error::NotLowerCase(name.clone())),
            None => {
                let created_at = format!("{:.3}", self.env.now());
                let agent = Agent {
                    name: name.clone(),
                    subscriptions: Vec::new(),
                    last_seen: Some(created_at.clone()),
                    created_at,
                    other: serde_json::Map::new(),
                };
                self.write_agent(&agent)?;
                agent
            }
        };
        self.mailbox(&agent.name).make()?;
        Ok(agent)
    }

    pub(super) fn unregister_agent(&self, name: &AgentName, force: bool) -> Result<()> {
        let Some(agent) = self.one_agent(name)? else { return Err(Error::UnknownAgent(name.clone())) };
        let mailbox = self.mailbox(name);
        let unread = mailbox.look()?;
        let unread = unread.messages.len() + unread.claimed;
        if unread > 0 && !force {
            return Err(Error::Unread(agent.name, unread));
        }
        let _lock = files::lock(self.agents_directory().join(".lock"))?;
        let path = self.record_path(&agent.name);
        fs::remove_file(&path).on("remove", &path)?;
        fs::remove_dir_all(mailbox.root()).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error).on("remove", mailbox.root()),
        })
    }

    /// Changes a record under the lock, so that of two changes at once both stay.
    pub(super) fn change_agent(&self, name: &AgentName, change: impl FnOnce(&mut Agent)) -> Result<()> {
        files::make_directory(&self.agents_directory())?;
        let _lock = files::lock(self.agents_directory().join(".lock"))?;
        self.change_locked(name, change)
    }

    fn change_locked(&self, name: &AgentName, change: impl FnOnce(&mut Agent)) -> Result<()> {
        let Some(mut agent) = self.one_agent(name)? else { return Err(Error::UnknownAgent(name.clone())) };
        let before = agent.clone();
        change(&mut agent);
        let is_same = before.subscriptions == agent.subscriptions && before.last_seen == agent.last_seen;
        if is_same { Ok(()) } else { self.write_agent(&agent) }
    }

    /// Notes a sign of life. It waits for nobody: a prompt must not be held up for a time stamp, which the
    /// next event writes again.
    pub(super) fn note_seen(&self, name: &AgentName, contexts: &[Context]) -> Result<()> {
        let now = format!("{:.3}", self.env.now());
        files::make_directory(&self.agents_directory())?;
        if let Some(_lock) = files::lock_if_free(self.agents_directory().join(".lock"))? {
            self.change_locked(name, |agent| agent.last_seen = Some(now))?;
        }
        self.mailbox(name).learn_contexts(contexts)
    }

    fn write_agent(&self, agent: &Agent) -> Result<()> {
        let mut text = serde_json::to_string_pretty(agent).unwrap_or_default();
        text.push('\n');
        files::replace(&self.record_path(&agent.name), text.as_bytes())
    }
}
