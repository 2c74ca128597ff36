//! What a model is shown of a brain's mail, and that a prompt waits for no brain.

use std::time::{Duration, Instant};

use super::commands::{bch, machine};
use crate::support::brain::{Brain, Fault, On};
use crate::support::home::succeed;

/// A hook ends itself at 2 s; a busy machine needs a moment to start and end it.
const SOON: Duration = Duration::from_secs(4);

#[test]
fn the_model_is_shown_mail_and_what_it_saw_is_gone() {
    let brain = Brain::start();
    let (ann, bob) = (machine(&brain, "ann"), machine(&brain, "bob"));
    succeed(&bch(&ann, &["send", "@bob", "for the model"]));
    let event = |name: &str| bob.hook("claude-code", name, "bob", &bob.payload(name, "s", &bob.work()));
    let shown = event("UserPromptSubmit").expect("mail is shown");
    assert!(shown.contains("for the model") && shown.contains("@ann"), "{shown}");
    assert!(event("PostToolUse").is_none());
    assert!(event("Stop").is_none());
    assert_eq!(
        brain.paths("/private/backchannel/team/inbox/bob/"),
        Vec::<String>::new(),
        "told at the end of the turn"
    );
    assert!(event("UserPromptSubmit").is_none(), "it was seen");
    let agent = brain.document("/private/backchannel/team/agents/bob.md").unwrap();
    assert_eq!(agent.writes, 1, "that it was seen is written once an hour");
    succeed(&bch(&ann, &["send", "@bob", "never answered"]));
    assert!(event("UserPromptSubmit").unwrap().contains("never answered"));
    assert!(event("UserPromptSubmit").unwrap().contains("shown before"), "no answer of the model proved it");
    assert!(event("SessionEnd").is_none());
    let other = bob.payload("UserPromptSubmit", "t", &bob.work());
    let shown = bob.hook("claude-code", "UserPromptSubmit", "bob", &other).expect("it went back");
    assert!(shown.contains("never answered") && shown.contains("shown before"), "{shown}");
    assert!(!bob.path().join("hook.log").exists());
}

#[test]
fn tool_calls_by_the_dozen_ask_once() {
    let brain = Brain::start();
    let (_ann, bob) = (machine(&brain, "ann"), machine(&brain, "bob"));
    brain.forget_requests();
    for _ in 0..6 {
        let event = bob.payload("PostToolUse", "s", &bob.work());
        assert!(bob.hook("claude-code", "PostToolUse", "bob", &event).is_none());
    }
    assert_eq!(brain.count(&On::any()), 1);
}

#[test]
fn a_brain_that_does_not_answer_holds_up_no_prompt_and_loses_nothing() {
    for on in [On::list(""), On::write("/inbox/bob/")] {
        let brain = Brain::start();
        let (ann, bob) = (machine(&brain, "ann"), machine(&brain, "bob"));
        succeed(&bch(&ann, &["send", "@bob", "waits"]));
        brain.next(on, Fault::held());
        let begun = Instant::now();
        let event = bob.payload("UserPromptSubmit", "s", &bob.work());
        assert!(bob.hook("claude-code", "UserPromptSubmit", "bob", &event).is_none());
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        brain.release();
        let shown = bob.hook("claude-code", "UserPromptSubmit", "bob", &event).expect("it is shown then");
        assert!(shown.contains("waits"), "{shown}");
    }
}
