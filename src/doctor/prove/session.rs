//! One session of a harness as its hooks know it: their environment, their payloads, and the transcript that grows.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::process::{self, Ended, Failure, Limits};
use super::installed::Line;
use crate::delivery::canary;
use crate::env::Env;
use crate::harness::{Event, HookShell, Manifest, ProofFacts, Values};
use crate::message::AgentName;
use crate::spool::{Lease, LeaseId};

/// What all sessions of a proof have.
pub(in crate::doctor) struct Stage<'a> {
    pub(in crate::doctor) manifest: &'a Manifest,
    pub(in crate::doctor) facts: &'a ProofFacts,
    pub(super) env: &'a Env,
    pub(super) canary: &'a AgentName,
    /// Where transcripts go.
    pub(super) directory: &'a Path,
    pub(in crate::doctor) limits: Limits<'a>,
}

/// One of them.
pub(super) struct Session<'a> {
    stage: &'a Stage<'a>,
    values: Values,
    transcript: PathBuf,
}

impl<'a> Session<'a> {
    /// A new one, before its first prompt.
    pub(super) fn begin(stage: &'a Stage<'a>) -> io::Result<Self> {
        let (session, turn) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
        let transcript = stage.directory.join(format!("{session}.jsonl"));
        let here = stage.env.directory().unwrap_or_else(|| PathBuf::from("/"));
        let mut values = Values::default();
        values.set("session", session);
        values.set("turn", turn);
        values.set("transcript", transcript.to_string_lossy());
        values.set("directory", here.to_string_lossy());
        values.set("process", std::process::id().to_string());
        values.set("time", format!("{:.3}", stage.env.now()));
        let mut session = Self { stage, values, transcript };
        session.record(&stage.facts.transcript.opening)?;
        Ok(session)
    }

    /// The lease under which its hooks claim.
    pub(super) fn lease(&self) -> LeaseId {
        let (id, now) = (&self.stage.manifest.id, self.stage.env.now());
        Lease::of_session(id, self.values.text("session"), None, now).id
    }

    /// Runs one hook as the harness does.
    pub(super) fn run(&mut self, line: &Line, event: &Event) -> Result<Ended, Failure> {
        let facts = self.stage.facts;
        self.values.set("event", event.name.clone());
        let mut payload = self.values.fill_fields(&facts.payload);
        if let Some(sample) = facts.samples.get(&event.name) {
            payload.extend(self.values.fill_fields(sample));
        }
        let payload = serde_json::Value::Object(payload).to_string();
        let mut command = self.shell();
        command.arg("-c").arg(&line.command);
        dress(&mut command, self.stage.canary);
        for (name, value) in &facts.environment {
            command.env(name, self.values.fill(value));
        }
        process::run(&mut command, payload.as_bytes(), self.stage.limits)
    }

    fn shell(&self) -> Command {
        let env = self.stage.env;
        let shell = match self.stage.facts.shell {
            HookShell::Sh => None,
            HookShell::Bash => env.find_program("bash"),
            HookShell::Login => env.login_shell(),
        };
        process::command(shell.unwrap_or_else(|| PathBuf::from("/bin/sh")))
    }

    /// A hook's text came before the model.
    pub(super) fn was_shown(&mut self, text: &str) -> io::Result<()> {
        self.values.set("text", text);
        self.record(&self.stage.facts.transcript.shown)
    }

    /// The model answered.
    pub(super) fn was_answered(&mut self) -> io::Result<()> {
        self.record(&self.stage.facts.transcript.answer)
    }

    fn record(&mut self, lines: &[String]) -> io::Result<()> {
        let mut file = File::options().create(true).append(true).open(&self.transcript)?;
        for line in lines {
            self.values.set("record", uuid::Uuid::new_v4().to_string());
            // Filled in as values, so that a text with quotes stays one.
            let line =
                serde_json::from_str(line).map(|line| self.values.fill_value(&line)).unwrap_or_default();
            writeln!(file, "{line}")?;
            self.values.set("previous", self.values.text("record").to_owned());
        }
        Ok(())
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // Its directory goes in the end, with whatever stays.
        let _ = fs::remove_file(&self.transcript);
    }
}

/// Names the canary, and takes the marks away that a harness around doctor itself left.
pub(in crate::doctor) fn dress(command: &mut Command, canary: &AgentName) {
    for manifest in Manifest::all() {
        for name in manifest.marks() {
            command.env_remove(name);
        }
    }
    command.env(canary::VARIABLE, canary.as_str());
}
