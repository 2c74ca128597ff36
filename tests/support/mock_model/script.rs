//! Owns what the test wants answered: the replies, the gates that hold them back, and the choice of
//! the turn that a request gets. It must not know any protocol's wire format, nor send anything.

use super::locked;
use super::wire::{Content, OfferedTool, SEARCH_TOOLS};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long an answer stays held when the test never opens its gate.
const HOLD_LIMIT: Duration = Duration::from_secs(120);
/// What is said when the script is over, and on the side.
const DEFAULT_TEXT: &str = "ok from mock";

/// Holds an answer back until the test opens it, so that a test can act "during the turn" without
/// sleeping. Clones are the same gate; once open it stays open.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn new() -> Gate {
        Gate::default()
    }

    pub fn open(&self) {
        *locked(&self.0.0) = true;
        self.0.1.notify_all();
    }

    pub(super) fn wait(&self) {
        let opened = locked(&self.0.0);
        drop(self.0.1.wait_timeout_while(opened, HOLD_LIMIT, |open| !*open));
    }
}

/// What one main request is answered with.
#[derive(Clone, Debug)]
pub enum Reply {
    Text(String),
    /// The text in `chunks` pieces: `before` ahead of the first, `between` ahead of each other one.
    Slow {
        text: String,
        before: Duration,
        chunks: usize,
        between: Duration,
    },
    /// One call of the agent's tool of that name, or else of the first that ends with `_name` or
    /// `-name` (`mcp__server__name`). A tool that the agent defers is first searched for, which
    /// takes one more main request; one that is not offered even then is answered with a text that
    /// says so. The call's result arrives with the next main request.
    Tool {
        name: String,
        args: Value,
    },
    /// An HTTP error. What an agent then sends again is another main request and takes the script's
    /// next reply: all do so after 429 and 5xx, Claude Code even after 400 (up to five times, each
    /// with fewer optional features). `Harness::fatal_status` is one that each takes as final.
    Status(u16),
    /// The text's first line at once, or half of a text of one line, and the rest when the gate
    /// opens. Claude Code shows a line when it is whole.
    Held(String, Gate),
    /// No content at all before the gate opens, then the reply.
    After(Gate, Box<Reply>),
}

/// What the mock did with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    Text(String),
    /// The full name of the tool that was called.
    ToolCall(String),
    /// A deferred tool was searched for.
    ToolSearch(String),
    Status(u16),
    /// Not a main request.
    Side,
}

/// What to send and when.
pub(super) struct Turn {
    pub(super) content: Content,
    pub(super) start: Vec<Wait>,
    pub(super) between: Wait,
}

pub(super) enum Wait {
    Nothing,
    For(Duration),
    Until(Gate),
}

impl Turn {
    fn at_once(content: Content) -> Turn {
        Turn { content, start: Vec::new(), between: Wait::Nothing }
    }

    fn text(text: &str) -> Turn {
        Turn::at_once(Content::Text(vec![text.to_owned()]))
    }
}

/// The replies that are left.
#[derive(Default)]
pub(super) struct Script {
    replies: VecDeque<Reply>,
    /// Whether the reply in front, a tool call, has been searched for.
    searched: bool,
    calls: usize,
}

impl Script {
    /// Sets what comes next, in place of what is left.
    pub(super) fn set(&mut self, replies: Vec<Reply>) {
        self.replies = replies.into();
        self.searched = false;
    }

    /// The turn for a request that offers these tools; one that offers none takes nothing.
    pub(super) fn next(&mut self, offered: &[OfferedTool]) -> (Turn, Answered) {
        if offered.is_empty() {
            return (Turn::text(DEFAULT_TEXT), Answered::Side);
        }
        let reply = self.replies.pop_front();
        let reply = reply.unwrap_or_else(|| Reply::Text(DEFAULT_TEXT.to_owned()));
        self.turn(reply, offered)
    }

    fn turn(&mut self, reply: Reply, offered: &[OfferedTool]) -> (Turn, Answered) {
        match reply {
            Reply::Text(text) => (Turn::text(&text), Answered::Text(text)),
            Reply::Slow { text, before, chunks, between } => {
                let content = Content::Text(pieces(&text, chunks));
                let start = vec![Wait::For(before)];
                let turn = Turn { content, start, between: Wait::For(between) };
                (turn, Answered::Text(text))
            }
            Reply::Held(text, gate) => {
                let pieces = match text.split_once('\n') {
                    Some((first, rest)) => vec![format!("{first}\n"), rest.to_owned()],
                    None => pieces(&text, 2),
                };
                let content = Content::Text(pieces);
                let turn = Turn { content, start: Vec::new(), between: Wait::Until(gate) };
                (turn, Answered::Text(text))
            }
            Reply::Status(status) => (Turn::at_once(Content::Refusal(status)), Answered::Status(status)),
            Reply::After(gate, reply) => {
                let (mut turn, answered) = self.turn(*reply, offered);
                turn.start.insert(0, Wait::Until(gate));
                (turn, answered)
            }
            Reply::Tool { name, args } => self.tool_turn(name, args, offered),
        }
    }

    fn tool_turn(&mut self, name: String, args: Value, offered: &[OfferedTool]) -> (Turn, Answered) {
        let endings = [format!("_{name}"), format!("-{name}")];
        let is_same = |tool: &&OfferedTool| tool.name == name;
        let ends_so = |tool: &&OfferedTool| endings.iter().any(|end| tool.name.ends_with(end));
        let wanted = offered.iter().find(is_same).or_else(|| offered.iter().find(ends_so));
        self.calls += 1;
        let id = format!("mock_call_{}", self.calls);
        if let Some(tool) = wanted {
            self.searched = false;
            let (namespace, name) = (tool.namespace.clone(), tool.name.clone());
            let answered = Answered::ToolCall(name.clone());
            return (Turn::at_once(Content::Call { id, namespace, name, args }), answered);
        }
        let search = offered.iter().find(|tool| SEARCH_TOOLS.contains(&tool.name.as_str()));
        if let Some(search) = search.filter(|_| !self.searched) {
            self.searched = true;
            let query = json!({"query": name});
            let content = Content::Call { id, namespace: None, name: search.name.clone(), args: query };
            let answered = Answered::ToolSearch(name.clone());
            self.replies.push_front(Reply::Tool { name, args });
            return (Turn::at_once(content), answered);
        }
        self.searched = false;
        let text = format!("the tool {name} was not offered");
        (Turn::text(&text), Answered::Text(text))
    }
}

/// Exactly `count` pieces, at least one; the last ones are empty if the text is short.
fn pieces(text: &str, count: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let size = characters.len().div_ceil(count.max(1)).max(1);
    let mut pieces: Vec<String> = characters.chunks(size).map(|piece| piece.iter().collect()).collect();
    pieces.resize(count.max(1), String::new());
    pieces
}
