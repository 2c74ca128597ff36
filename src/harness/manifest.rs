//! A harness's manifest: facts only, each with its source and the date checked in the file itself.

use std::path::Path;

use serde::Deserialize;

use super::Installation;
use super::transcript;
use crate::env::Env;

/// The manifests that are built in, by id.
const MANIFESTS: [(&str, &str); 3] = [
    ("claude-code", include_str!("../../harnesses/claude-code.toml")),
    ("codex", include_str!("../../harnesses/codex.toml")),
    ("gemini-cli", include_str!("../../harnesses/gemini-cli.toml")),
];

/// What is known of one harness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Its id: file name and argument.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Address of its documentation of hooks.
    pub docs: String,
    /// The version that the facts were seen on, and when.
    pub checked: String,
    /// The unit of a hook's time-out in its settings.
    pub timeout_unit: TimeoutUnit,
    /// Bytes that it writes an angle bracket of injected text with.
    pub angle_brackets: usize,
    /// What shows that this harness, and no other that runs its hooks, started the hook.
    pub genuine: Genuine,
    /// What shows that no person is there.
    #[serde(default)]
    pub unattended: Vec<Variable>,
    /// The same, where its transcript begins with that.
    pub unattended_transcript: Option<TranscriptStart>,
    /// A variable that is set for the commands which its model runs.
    pub shell: String,
    /// The environment variable that holds the harness's process id.
    pub process: Option<String>,
    /// Where the harness writes its conversation, for one whose events alone prove too little.
    pub transcript: Option<TranscriptFacts>,
    /// Where its files are, and what of ours goes into them.
    pub install: Installation,
    /// The hook events that matter.
    pub events: Vec<Event>,
}

/// What is known of a harness's transcript.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TranscriptFacts {
    /// How it is written.
    pub format: transcript::Format,
    /// The payload field with its path.
    pub field: String,
    /// Milliseconds after the start of the hook at the end of a turn by which its last lines may still come.
    #[serde(default)]
    pub late: u64,
}

/// What a transcript's first line holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TranscriptStart {
    /// The payload field with its path.
    pub field: String,
    /// The text in it.
    pub holds: String,
}

/// The unit of a time-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeoutUnit {
    /// Whole seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// Marks of a harness's own hooks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Genuine {
    /// Environment variables that must be set.
    pub environment: Vec<String>,
    /// An environment variable that, where it is set, equals the payload's `session_id`.
    pub session: Option<String>,
    /// Payload fields that must be there.
    pub payload: Vec<String>,
    /// Payload fields that another harness sends.
    pub foreign: Vec<String>,
    /// Payload fields that a subagent's events bear.
    pub subagent: Vec<String>,
}

/// An environment variable or payload field with a value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// One hook event.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The harness's own name of it.
    pub name: String,
    /// What a hook shows at it.
    pub gives: Gives,
    /// What it proves of what was shown before.
    pub proves: Proves,
    /// The time-out that its hook is given, in seconds; 10 where nothing is said.
    pub timeout: Option<u64>,
    /// Payload fields that must be there at this event, in place of the harness's usual ones.
    pub payload: Option<Vec<String>>,
}

/// What an event gives to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gives {
    /// Nothing.
    Nothing,
    /// One line after the context was cleared or resumed.
    Reminder,
    /// All mail that matches.
    All,
    /// Urgent mail.
    Urgent,
    /// Nothing, and all that the session holds becomes unread again.
    Back,
}

/// What an event proves: only an answer of the model can cause it. Where the harness's transcript is known
/// that must show the answer too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proves {
    /// Nothing.
    Nothing,
    /// That the model saw what the prompt showed.
    Prompt,
    /// That it saw all that the session was shown.
    Turn,
}

impl Manifest {
    /// The manifest of a harness.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        let (_, text) = MANIFESTS.iter().find(|(known, _)| *known == id)?;
        toml::from_str(text).ok()
    }

    /// All manifests.
    #[must_use]
    pub fn all() -> Vec<Self> {
        MANIFESTS.iter().filter_map(|(id, _)| Self::find(id)).collect()
    }

    /// The harness whose model runs this command, if one does.
    #[must_use]
    pub fn around(env: &Env) -> Option<Self> {
        Self::all().into_iter().find(|manifest| env.variable(&manifest.shell).is_some())
    }

    /// The event of that name.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&Event> {
        self.events.iter().find(|event| event.name == name)
    }

    /// Whether an event may be a session's start, told by its name alone, so that a prompt with an
    /// empty inbox need not read a manifest. A test compares it with the manifests.
    #[must_use]
    pub fn may_start_a_session(event: &str) -> bool {
        event.to_ascii_lowercase().contains("start")
    }

    /// Whether this harness itself runs the hook, for this event and for the main agent: others run
    /// its hooks too, and may drop what they print.
    #[must_use]
    pub fn is_genuine<'a>(
        &self,
        event: &Event,
        text: impl Fn(&str) -> Option<&'a str>,
        has: impl Fn(&str) -> bool,
        env: &Env,
    ) -> bool {
        let marks = &self.genuine;
        text("hook_event_name") == Some(&event.name)
            && marks.environment.iter().all(|name| env.variable(name).is_some())
            && event.payload.as_ref().unwrap_or(&marks.payload).iter().all(|name| has(name))
            && !marks.foreign.iter().chain(&marks.subagent).any(|name| has(name))
            && marks.session.as_ref().is_none_or(|name| {
                env.text(name).is_none_or(|session| text("session_id") == Some(session.as_str()))
            })
    }

    /// Whether the harness says that no person is there.
    #[must_use]
    pub fn is_unattended<'a>(&self, env: &Env, text: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.unattended.iter().any(|mark| env.text(&mark.name).as_ref() == Some(&mark.value))
            || self.unattended_transcript.as_ref().is_some_and(|mark| {
                text(&mark.field).is_some_and(|path| transcript::starts_with(Path::new(path), &mark.holds))
            })
    }

    /// The environment variables by which it is known, and those that say whether a person is there.
    pub fn marks(&self) -> impl Iterator<Item = &String> {
        let unattended = self.unattended.iter().map(|mark| &mark.name);
        let named = [&self.genuine.session, &self.process].into_iter().flatten();
        self.genuine.environment.iter().chain(named).chain(unattended).chain([&self.shell])
    }

    /// The harness's own process, where it tells it.
    #[must_use]
    pub fn process(&self, env: &Env) -> Option<u32> {
        env.text(self.process.as_deref()?)?.parse().ok()
    }

    /// The answer that puts `text` before the model: all three harnesses take this one shape, and Codex
    /// refuses any further field.
    #[must_use]
    pub fn answer(&self, event: &Event, text: &str) -> String {
        let answer = serde_json::json!({
            "hookSpecificOutput": { "hookEventName": event.name, "additionalContext": text }
        });
        format!("{answer}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_parses_and_says_its_own_name() {
        let all = Manifest::all();
        assert_eq!(all.len(), MANIFESTS.len());
        for (manifest, (id, text)) in all.iter().zip(MANIFESTS) {
            toml::from_str::<Manifest>(text).unwrap();
            assert_eq!(manifest.id, id);
            for event in &manifest.events {
                let may = Manifest::may_start_a_session(&event.name);
                assert_eq!(may, event.gives == Gives::Reminder, "{}", event.name);
            }
        }
    }
}
