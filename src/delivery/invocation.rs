//! `bch-hook HARNESS EVENT [--agent NAME] [--home DIR] [--unattended]`, read leniently: a usage error
//! with exit status 2 would block the user's prompt.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::message::AgentName;

/// What a hook line asks for.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// The harness's id.
    pub harness: String,
    /// The harness's own name of the event.
    pub event: String,
    /// Whose mail; else the agent that `config.json` names.
    pub agent: Option<AgentName>,
    /// The home; else `~/.backchannel`.
    pub home: Option<PathBuf>,
    /// Whether a run without a person receives mail too.
    pub unattended: bool,
}

impl Invocation {
    /// Reads the arguments after the program's name; `None` where harness or event is missing, or an
    /// agent is named that is no name: another's mail must not be delivered in its stead.
    #[must_use]
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let (mut invocation, mut words) = (Self::default(), Vec::new());
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--agent") => invocation.agent = Some(arguments.next()?.to_str()?.parse().ok()?),
                Some("--home") => invocation.home = Some(arguments.next()?.into()),
                Some("--unattended") => invocation.unattended = true,
                Some(word) if !word.starts_with('-') => words.push(word.to_owned()),
                _ => {}
            }
        }
        let mut words = words.into_iter();
        (invocation.harness, invocation.event) = (words.next()?, words.next()?);
        Some(invocation)
    }
}
