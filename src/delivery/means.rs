//! By what a reader acts on its mail: commands or tools.

/// By what the reader acts on its mail: what the fence names beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// The commands, in a shell.
    Commands,
    /// The MCP tools, perhaps on a machine without the commands.
    Tools,
}

impl Means {
    pub(super) fn answer(self) -> &'static str {
        match self {
            Self::Commands => "Answer with: bch reply ID 'text'",
            Self::Tools => "Answer with: bch_reply",
        }
    }

    /// How to read one message whole, by the short form of its id.
    pub(super) fn whole(self, id: &str) -> String {
        match self {
            Self::Commands => format!("bch read {id}"),
            Self::Tools => format!("bch_inbox, id {id}"),
        }
    }

    /// Where the rest of what matches comes.
    pub(super) fn rest(self) -> &'static str {
        match self {
            Self::Commands => "they come with the next prompt; see bch inbox",
            Self::Tools => "call bch_inbox again",
        }
    }

    /// What shows the mail of other scopes.
    pub(super) fn elsewhere(self) -> &'static str {
        match self {
            Self::Commands => "see bch inbox --all",
            Self::Tools => "see bch_inbox, match",
        }
    }

    /// Where held back mail shows.
    pub(super) fn held_back(self) -> &'static str {
        match self {
            Self::Commands => "see bch inbox",
            Self::Tools => "call bch_inbox later",
        }
    }
}
