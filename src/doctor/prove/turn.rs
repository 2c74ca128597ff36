//! One turn through every installed hook: session start, a prompt with mail, a tool call with urgent mail, the end
//! that acknowledges both, and what else the harness has.

use std::time::Duration;

use super::super::process::{Ended, Failure};
use super::super::{Sheet, counted, home};
use super::canary::Canary;
use super::installed::Installed;
use super::session::{Session, Stage};
use super::{answer, rescue};
use crate::harness::{Event, Gives, Proves};
use crate::install::wishes::Ground;
use crate::message::Priority;

/// What the canary's message says, to whom may find it.
pub(in crate::doctor) const TEXT: &str =
    "a message of `bch doctor --prove`: nobody has to do anything about it";

/// What one hook did.
enum Outcome {
    /// What it was there for.
    Held(Duration),
    /// Why it did not.
    Failed(String),
}

/// Plays it; whether mail reaches the prompt.
pub(super) fn play(
    sheet: &mut Sheet<'_>,
    stage: &Stage<'_>,
    installed: &Installed,
    canary: &Canary<'_>,
    ground: &Ground<'_>,
    again: &str,
) -> Result<bool, String> {
    let mut session =
        Session::begin(stage).map_err(|error| format!("could not write a transcript: {error}"))?;
    let begun = stage.env.now();
    let (mut others, mut time) = (Vec::new(), Duration::ZERO);
    for event in &stage.manifest.events {
        let outcome = match one(&mut session, stage, installed, canary, event) {
            Ok(outcome) => outcome,
            Err(failure @ Failure::Stopped) => return Err(failure.to_string()),
            Err(failure) => Outcome::Failed(format!("the hook of {} {failure}", event.name)),
        };
        match (subject(event), outcome) {
            ("session", Outcome::Held(took)) => {
                others.push(event.name.as_str());
                time += took;
            }
            (name, Outcome::Held(took)) => sheet.held(name, praise(event), took),
            (name, Outcome::Failed(mut fault)) => {
                // What acknowledges must not run for mail that is not the canary's.
                let is_over = event.gives == Gives::All;
                let rescued = if is_over { rescue(ground, &session.lease()) } else { 0 };
                let log = home::last_error(&ground.home.join("hook.log"));
                if let Some((Some(time), problem)) = log.filter(|_| is_over)
                    && time >= begun
                {
                    fault.push_str(&format!("; its log says: {problem}"));
                }
                if rescued > 0 {
                    let what = counted(rescued, "message");
                    fault.push_str(&format!("; gave back {what} that it claimed instead"));
                }
                sheet.fail(name, fault, again);
                if is_over {
                    return Ok(false);
                }
            }
        }
    }
    if !others.is_empty() {
        sheet.held("session", format!("{} end well and print nothing", others.join(", ")), time);
    }
    Ok(true)
}

/// What is looked at in an event.
fn subject(event: &Event) -> &'static str {
    match (event.gives, event.proves) {
        (Gives::All, _) => "prompt",
        (Gives::Urgent, _) => "urgent",
        (_, Proves::Turn) => "end of turn",
        _ => "session",
    }
}

fn praise(event: &Event) -> String {
    match event.gives {
        Gives::All => format!("{} puts a message before the model", event.name),
        Gives::Urgent => format!("{} brings an urgent one between tool calls", event.name),
        _ => format!("{} acknowledges what was shown, and prints nothing", event.name),
    }
}

/// One event: what comes before it, its hook, and what that should have done.
fn one(
    session: &mut Session<'_>,
    stage: &Stage<'_>,
    installed: &Installed,
    canary: &Canary<'_>,
    event: &Event,
) -> Result<Outcome, Failure> {
    let Some(line) = installed.line(event) else {
        let file = installed.hooks.display();
        return Ok(Outcome::Failed(format!("{file} has no hook of ours for {}", event.name)));
    };
    let body = format!("{TEXT} ({}, {})", event.name, canary.name);
    let sent = match event.gives {
        Gives::All => canary.send(&body, Priority::Normal),
        Gives::Urgent => canary.send(&body, Priority::Urgent),
        Gives::Nothing | Gives::Reminder | Gives::Back => Ok(()),
    };
    if let Err(error) = sent {
        return Ok(Outcome::Failed(format!("could not leave the canary a message: {error}")));
    }
    if event.gives == Gives::Urgent || event.proves == Proves::Turn {
        session.was_answered()?;
    }
    let ended = session.run(line, event)?;
    Ok(judge(session, stage, canary, event, &ended, &body)?)
}

fn judge(
    session: &mut Session<'_>,
    stage: &Stage<'_>,
    canary: &Canary<'_>,
    event: &Event,
    ended: &Ended,
    body: &str,
) -> std::io::Result<Outcome> {
    let text = match answer::text(stage.manifest, stage.facts.cap, event, ended) {
        Ok(text) => text,
        Err(fault) => return Ok(Outcome::Failed(format!("the hook of {} {fault}", event.name))),
    };
    let is_wanted = matches!(event.gives, Gives::All | Gives::Urgent);
    if is_wanted && !text.as_ref().is_some_and(|text| text.contains(body)) {
        let what = if text.is_some() { "shows other mail than the canary's" } else { "prints nothing" };
        return Ok(Outcome::Failed(format!("the hook of {} {what}, with mail waiting", event.name)));
    }
    if let Some(text) = &text {
        session.was_shown(text)?;
    }
    if event.proves == Proves::Turn && !canary.is_quiet() {
        let left = canary.left();
        let fault = format!("{} acknowledged nothing: {left} messages would be shown again", event.name);
        return Ok(Outcome::Failed(fault));
    }
    Ok(Outcome::Held(ended.time))
}
