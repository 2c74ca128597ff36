//! The store's contract, each call in the words of the engine.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::super::{
    Bearer, Claim, Claimed, Figures, InviteId, Landed, Last, Page, Registered, Result, Room, RoomId, Store,
};
use super::{Maildir, blocking, lock};
use crate::message::{AgentName, ChannelName, Context, Message, MessageId};
use crate::secret::{Secret, TokenHash};
use crate::spool::{Agent, LeaseId, Left, Sent};

#[async_trait]
impl Store for Maildir {
    fn bearer(&self, token: &TokenHash) -> Option<Bearer> {
        self.engine.tokens.find(token)
    }

    async fn rooms(&self) -> Vec<Room> {
        self.engine.summaries()
    }

    async fn make_room(&self, title: Option<String>) -> Result<(RoomId, Secret)> {
        self.engine.clone().make_room(title).await
    }

    async fn rotate_room(&self, room: &RoomId) -> Result<Secret> {
        self.engine.clone().rotate_room(room).await
    }

    async fn remove_room(&self, room: &RoomId) -> Result<()> {
        self.engine.clone().remove_room(room).await
    }

    async fn invite(&self, room: &RoomId, expires: Timestamp, uses: u32) -> Result<(InviteId, Secret)> {
        self.engine.clone().invite(room, expires, uses).await
    }

    async fn revoke_invite(&self, room: &RoomId, invite: &InviteId) -> Result<()> {
        self.engine.clone().revoke_invite(room, invite).await
    }

    async fn register(&self, by: &Bearer, name: &AgentName, token: &TokenHash) -> Result<Registered> {
        self.engine.clone().register(by, name, token).await
    }

    async fn agents(&self, room: &RoomId) -> Result<Vec<Agent>> {
        Ok(self.engine.room(room)?.agents())
    }

    async fn subscribe(&self, room: &RoomId, agent: &AgentName, channel: &ChannelName) -> Result<()> {
        self.engine.clone().subscribe(room, agent, channel).await
    }

    async fn unsubscribe(&self, room: &RoomId, agent: &AgentName, channel: &ChannelName) -> Result<bool> {
        self.engine.clone().unsubscribe(room, agent, channel).await
    }

    async fn revoke_agent(&self, room: &RoomId, agent: &AgentName) -> Result<()> {
        self.engine.clone().revoke_agent(room, agent).await
    }

    fn stamp(&self, room: &RoomId, from: &AgentName) -> Result<Timestamp> {
        let (_, member) = self.engine.member(room, from)?;
        Ok(member.stamp(self.engine.env.now()))
    }

    async fn send(&self, room: &RoomId, message: Message, durable: bool) -> Result<Sent> {
        self.engine.clone().send(room, message, durable, &self.committer).await
    }

    async fn inbox(&self, room: &RoomId, agent: &AgentName, after: Option<Last>) -> Result<Page> {
        self.engine.inbox(room, agent, after).await
    }

    async fn take(
        &self,
        room: &RoomId,
        agent: &AgentName,
        id: MessageId,
        keep: bool,
    ) -> Result<Option<Message>> {
        self.engine.clone().take(room, agent, id, keep).await
    }

    fn unread(&self, room: &RoomId, agent: &AgentName, contexts: Option<&[Context]>) -> Result<Left> {
        self.engine.unread(room, agent, contexts)
    }

    async fn find(&self, room: &RoomId, agent: &AgentName, prefix: &str) -> Result<Vec<Message>> {
        self.engine.find_unread(room, agent, prefix).await
    }

    async fn claim(&self, room: &RoomId, agent: &AgentName, claim: Claim) -> Result<Claimed> {
        self.engine.clone().claim(room, agent, claim).await
    }

    async fn acknowledge(
        &self,
        room: &RoomId,
        agent: &AgentName,
        lease: &LeaseId,
        ids: Option<&[MessageId]>,
    ) -> Result<usize> {
        self.engine.clone().acknowledge(room, agent, lease, ids).await
    }

    async fn release(
        &self,
        room: &RoomId,
        agent: &AgentName,
        lease: &LeaseId,
        ids: Option<&[MessageId]>,
        unseen: bool,
    ) -> Result<usize> {
        self.engine.clone().release(room, agent, lease, ids, unseen).await
    }

    fn bell(&self, room: &RoomId, agent: &AgentName) -> Result<watch::Receiver<u64>> {
        let (_, member) = self.engine.member(room, agent)?;
        Ok(lock(&member.mailbox).bell())
    }

    async fn landed(&self, room: &RoomId, agent: &AgentName, after: u64) -> Result<Landed> {
        self.engine.landed(room, agent, after).await
    }

    async fn sweep(&self) -> Result<()> {
        let engine = self.engine.clone();
        blocking(move || engine.sweep()).await
    }

    fn figures(&self) -> Figures {
        self.engine.figures()
    }

    async fn close(&self) {
        let ended = self.committer.end();
        let engine = self.engine.clone();
        // Nobody waits for an answer any more; what could not be flushed was promised to nobody.
        let _ = blocking(move || {
            ended.wait();
            engine.flush()
        })
        .await;
    }
}
