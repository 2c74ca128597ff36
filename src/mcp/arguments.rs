//! What the tools take. The first version's names keep working: `target`, `body`, `priority`, `thread`, `refs`,
//! `scope`, `match`, `channel`.
//!
//! Each doc comment is a description that every client pays for, at each of its turns.

use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
pub(super) struct SendArguments {
    /// @agent or #channel
    #[serde(alias = "to")]
    pub(super) target: String,
    pub(super) body: String,
    /// normal or urgent
    pub(super) priority: Option<String>,
    /// Repository or topic
    pub(super) scope: Option<String>,
    /// Id of the message answered
    pub(super) thread: Option<String>,
    pub(super) refs: Option<Vec<String>>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct ReplyArguments {
    /// Id, or the start of one
    pub(super) id: String,
    pub(super) body: String,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct InboxArguments {
    /// Repository or topic instead of the working directory's
    pub(super) r#match: Option<String>,
    /// This message alone, whole
    pub(super) id: Option<String>,
    /// Only count: claim nothing
    #[serde(default)]
    pub(super) peek: bool,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct ChannelArguments {
    pub(super) channel: String,
}
