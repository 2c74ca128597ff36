//! The seven tools. Each doc comment and description is paid for by every client, at each of its turns.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use serde_json::json;

use super::arguments::{ChannelArguments, InboxArguments, ReplyArguments, SendArguments};
use super::inbox;
use super::mailbox::{Answer, Draft, Posted};
use super::server::Server;
use crate::message::{Address, ChannelName, InvalidName, Priority, Scope};
use crate::spool::Agent;

/// Bytes of a list at most: a room can have more agents than a model can bear.
const MOST_BYTES: usize = 9_500;

/// What a tool that sends answers: the id in full is not in the text.
fn posted(to: &str, posted: Posted) -> CallToolResult {
    let mut text = format!("sent {} to {to}", posted.id.short());
    let mut facts = json!({"id": posted.id.to_string()});
    if !posted.to.is_empty() {
        facts["to"] = posted.to.iter().map(|agent| format!("@{agent}")).collect();
    }
    if let Some(reason) = posted.queued {
        text = format!("{} to {to} waits to be sent: {reason}", posted.id.short());
        facts["queued"] = reason.into();
    }
    if let Some(remark) = posted.remark {
        text = format!("{text}; {remark}");
        facts["remark"] = remark.into();
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(facts);
    result
}

#[tool_router(vis = "pub(super)")]
impl Server {
    #[tool(
        description = "Unread mail. It is shown once: act on it or note it.",
        annotations(read_only_hint = false, idempotent_hint = false, open_world_hint = false)
    )]
    async fn bch_inbox(
        &self,
        Parameters(arguments): Parameters<InboxArguments>,
        context: RequestContext<RoleServer>,
    ) -> Answer<String> {
        let session = self.called(&context).await?;
        if arguments.peek {
            let place = self.place(&session, &context, arguments.r#match).await;
            return inbox::count(&session, place).await;
        }
        let delivery = match arguments.id {
            Some(id) => session.mailbox.take(id).await?,
            None => session.mailbox.claim(self.place(&session, &context, arguments.r#match).await).await?,
        };
        let text = delivery.text.clone();
        session.give(context.id.clone(), delivery).await;
        if context.ct.is_cancelled() {
            session.withdraw(&context.id).await;
        }
        Ok(text)
    }

    #[tool(
        description = "Send mail.",
        annotations(read_only_hint = false, destructive_hint = false, open_world_hint = false)
    )]
    async fn bch_send(
        &self,
        Parameters(arguments): Parameters<SendArguments>,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        let session = self.called(&context).await?;
        let to: Address =
            arguments.target.parse().map_err(|error: InvalidName| format!("{error}; try: bch_agents"))?;
        let scope = arguments.scope.as_deref().map(Scope::parse).transpose();
        let priority = match arguments.priority.as_deref() {
            None | Some("normal") => Priority::Normal,
            Some("urgent") => Priority::Urgent,
            Some(_) => return Err("priority is normal or urgent".to_owned()),
        };
        let draft = Draft {
            to,
            body: arguments.body,
            priority,
            scope: scope.map_err(|error| error.to_string())?,
            thread: arguments.thread,
            refs: arguments.refs.unwrap_or_default(),
        };
        Ok(posted(&arguments.target, session.mailbox.send(draft).await?))
    }

    #[tool(
        description = "Answer a message.",
        annotations(read_only_hint = false, destructive_hint = false, open_world_hint = false)
    )]
    async fn bch_reply(
        &self,
        Parameters(arguments): Parameters<ReplyArguments>,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        let session = self.called(&context).await?;
        let answered = session.mailbox.envelope(arguments.id).await?;
        let draft = Draft {
            to: Address::Agent(answered.from.clone()),
            body: arguments.body,
            priority: Priority::Normal,
            scope: answered.scope.map(Scope::from),
            thread: Some(answered.id.to_string()),
            refs: Vec::new(),
        };
        Ok(posted(&format!("@{}", answered.from), session.mailbox.send(draft).await?))
    }

    #[tool(description = "Agents and channels.", annotations(read_only_hint = true, open_world_hint = false))]
    async fn bch_agents(&self, context: RequestContext<RoleServer>) -> Answer<String> {
        let agents = self.called(&context).await?.mailbox.agents().await?;
        let line = |agent: &Agent| {
            let channels: String = agent.subscriptions.iter().map(|channel| format!(" {channel}")).collect();
            format!("@{}{channels}\n", agent.name)
        };
        let mut text = String::new();
        for (count, line) in agents.iter().map(line).enumerate() {
            if text.len() + line.len() > MOST_BYTES {
                text.push_str(&format!("and {} more\n", agents.len() - count));
                break;
            }
            text.push_str(&line);
        }
        Ok(text)
    }

    #[tool(
        description = "Subscribe to a channel.",
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn bch_subscribe(
        &self,
        Parameters(arguments): Parameters<ChannelArguments>,
        context: RequestContext<RoleServer>,
    ) -> Answer<String> {
        let session = self.called(&context).await?;
        let channel = channel(&arguments.channel)?;
        session.mailbox.subscribe(channel.clone()).await?;
        Ok(format!("subscribed to {channel}"))
    }

    #[tool(
        description = "End a subscription.",
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn bch_unsubscribe(
        &self,
        Parameters(arguments): Parameters<ChannelArguments>,
        context: RequestContext<RoleServer>,
    ) -> Answer<String> {
        let session = self.called(&context).await?;
        let channel = channel(&arguments.channel)?;
        let was_there = session.mailbox.unsubscribe(channel.clone()).await?;
        Ok(if was_there { format!("left {channel}") } else { format!("was not in {channel}") })
    }

    #[tool(description = "Your own name.", annotations(read_only_hint = true, open_world_hint = false))]
    async fn bch_whoami(&self, context: RequestContext<RoleServer>) -> Answer<String> {
        Ok(format!("@{}", self.called(&context).await?.mailbox.agent().await?))
    }
}

fn channel(text: &str) -> Answer<ChannelName> {
    let name = if text.starts_with('#') { text.to_owned() } else { format!("#{text}") };
    name.parse().map_err(|error: InvalidName| format!("{error}; try: #name"))
}
