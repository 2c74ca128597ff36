//! A person at the terminal: what they press, and what becomes of the mail.

use std::time::Duration;

use super::{LIMIT, REPEATED, Stage, shown};
use crate::support::harness::Harness;
use crate::support::mock_model::{Gate, Reply};

fn a_prompt_in_a_terminal_brings_the_mail(harness: Harness) {
    let Some(stage) = Stage::new(harness) else { return };
    let Some(terminal) = stage.terminal() else { return };
    stage.home.send("alice", "@bob", "the build is green", &[]);
    stage.prompt(&terminal, "first prompt");
    let requests = stage.model.wait_for_requests(1, LIMIT);
    assert!(requests[0].contains("| the build is green"), "{}\n{}", terminal.screen(), stage.log());
    terminal.wait_for_text("ok from mock", LIMIT);
    stage.assert_nothing_is_left();
}

fn an_interrupted_answer_shows_the_mail_again(harness: Harness) {
    let Some(stage) = Stage::new(harness) else { return };
    let Some(terminal) = stage.terminal() else { return };
    let answer = "a line at once\nand the rest".to_owned();
    stage.model.script(vec![Reply::Held(answer, Gate::new())]);
    stage.home.send("alice", "@bob", "the build is green", &[]);
    stage.prompt(&terminal, "first prompt");
    terminal.wait_for_text("a line at once", LIMIT);
    terminal.send_key("Escape");
    let is_over = |screen: &str| screen.contains("nterrupted") || screen.contains("cancelled");
    terminal.wait_for_screen("the interrupt", is_over, LIMIT);
    stage.prompt(&terminal, "second prompt");

    let requests = stage.model.wait_for_requests(2, LIMIT);
    assert!(requests[1].contains("| the build is green"), "{}\n{}", shown(&requests[1]), stage.log());
    // Gemini CLI takes the first prompt out of the conversation, although its AfterAgent has come.
    assert!(requests[1].contains(REPEATED), "{}", shown(&requests[1]));
    terminal.wait_for_text("ok from mock", LIMIT);
    stage.assert_nothing_is_left();
}

/// Claude Code runs the prompt's hook at once, Codex breaks the running answer off for it, and Gemini
/// CLI runs it after the running turn.
fn a_prompt_that_waits_brings_the_mail(harness: Harness) {
    let Some(stage) = Stage::new(harness) else { return };
    let Some(terminal) = stage.terminal() else { return };
    let (gate, answer) = (Gate::new(), "a line at once\nand the rest".to_owned());
    stage.model.script(vec![Reply::Held(answer, gate.clone())]);
    stage.prompt(&terminal, "first prompt");
    stage.model.wait_for_requests(1, LIMIT);
    stage.home.send("alice", "@bob", "sent meanwhile", &[]);
    terminal.submit("second prompt", LIMIT);
    gate.open();
    let requests = stage.model.wait_for_requests(2, LIMIT);
    assert!(!requests[0].contains("sent meanwhile"));
    assert!(requests[1].contains("second prompt"), "{}", shown(&requests[1]));
    assert!(requests[1].contains("| sent meanwhile"), "{}\n{}", shown(&requests[1]), stage.log());
    stage.assert_nothing_is_left();
}

/// The queued prompt's hook has run, and the running turn's end follows: neither showed the model anything.
#[test]
fn a_waiting_prompt_that_is_taken_back_in_claude_code_keeps_its_mail() {
    let Some(stage) = Stage::new(Harness::ClaudeCode) else { return };
    let Some(terminal) = stage.terminal() else { return };
    let (gate, answer) = (Gate::new(), "a line at once\nand the rest".to_owned());
    stage.model.script(vec![Reply::Held(answer, gate.clone())]);
    stage.prompt(&terminal, "first prompt");
    stage.model.wait_for_requests(1, LIMIT);
    stage.home.send("alice", "@bob", "sent meanwhile", &[]);
    terminal.submit("second prompt", LIMIT);
    stage.wait_until_claimed(1);
    // In the box, unlike above it, a no-break space stands before the text. The key is lost where the program is
    // still busy with the prompt.
    let is_back = || {
        terminal.send_key("Up");
        terminal.shows_within("❯\u{a0}second prompt", Duration::from_secs(10))
    };
    assert!((0..5).any(|_| is_back()), "the prompt did not come back: {}", terminal.screen());
    gate.open();
    terminal.wait_for_text("and the rest", LIMIT);
    stage.wait_for_event("Stop");
    assert_eq!(stage.model.requests().len(), 1, "it was taken back");
    assert_eq!(stage.claimed().len(), 2, "the mail and its lease: {:?}", stage.claimed());
    terminal.send_key("Enter");
    let requests = stage.model.wait_for_requests(2, LIMIT);
    assert!(!requests[0].contains("sent meanwhile"));
    assert!(requests[1].contains("| sent meanwhile"), "{}\n{}", shown(&requests[1]), stage.log());
    stage.assert_nothing_is_left();
}

/// Claude Code and Gemini CLI take the prompt out of the conversation, and put it back into the box.
fn an_escape_before_any_answer_shows_the_mail_again(harness: Harness) {
    let Some(stage) = Stage::new(harness) else { return };
    let Some(terminal) = stage.terminal() else { return };
    stage.model.script(vec![Reply::After(Gate::new(), Box::new(Reply::Text("too late".into())))]);
    stage.home.send("alice", "@bob", "the build is green", &[]);
    stage.prompt(&terminal, "first prompt");
    stage.model.wait_for_requests(1, LIMIT);
    terminal.send_key("Escape");
    stage.wait_for_the_end_of_an_interrupt(&terminal, "first prompt");
    stage.prompt(&terminal, "second prompt");
    let requests = stage.model.wait_for_requests(2, LIMIT);
    assert!(requests[1].contains("| the build is green"), "{}\n{}", shown(&requests[1]), stage.log());
    terminal.wait_for_text("ok from mock", LIMIT);
    stage.assert_nothing_is_left();
}

fn a_tool_call_in_a_terminal_brings_urgent_mail(harness: Harness) {
    let Some(stage) = Stage::new(harness) else { return };
    let Some(terminal) = stage.terminal() else { return };
    let gate = Gate::new();
    stage.model.script(vec![Reply::After(gate.clone(), Box::new(stage.harmless_tool()))]);
    stage.home.send("alice", "@bob", "the build is green", &[]);
    stage.prompt(&terminal, "first prompt");
    stage.model.wait_for_requests(1, LIMIT);
    stage.home.send("alice", "@bob", "stop the release", &["--urgent"]);
    gate.open();
    let requests = stage.model.wait_for_requests(2, LIMIT);
    assert!(requests[0].contains("| the build is green"));
    assert!(!requests[0].contains("stop the release"));
    assert!(requests[1].contains("| stop the release"), "{}\n{}", shown(&requests[1]), stage.log());
    terminal.wait_for_text("ok from mock", LIMIT);
    stage.assert_nothing_is_left();
}

fn clearing_the_context_keeps_mail_coming(harness: Harness) {
    let Some(stage) = Stage::new(harness) else { return };
    let Some(terminal) = stage.terminal() else { return };
    stage.home.send("alice", "@bob", "before it", &[]);
    stage.prompt(&terminal, "first prompt");
    stage.model.wait_for_requests(1, LIMIT);
    terminal.wait_for_text("ok from mock", LIMIT);
    stage.assert_nothing_is_left();
    stage.home.send("alice", "@bob", "after it", &[]);
    if harness == Harness::Codex {
        // It refuses `/clear` while it ends the turn, and says this when it has.
        terminal.wait_for_text("Worked for", LIMIT);
    }
    terminal.submit("/clear", LIMIT);
    terminal.send_key("Enter");
    terminal.wait_for_screen("a clear screen", |screen| !screen.contains("ok from mock"), LIMIT);
    stage.prompt(&terminal, "second prompt");
    let requests = stage.model.wait_for_requests(2, LIMIT);
    assert!(requests[1].contains("| after it"), "{}\n{}", shown(&requests[1]), stage.log());
    assert!(!requests[1].contains("| before it"), "{}", shown(&requests[1]));
    terminal.wait_for_text("ok from mock", LIMIT);
    stage.assert_nothing_is_left();
}

fn a_resumed_session_has_its_mail_and_gets_more(harness: Harness) {
    let Some(stage) = Stage::new(harness) else { return };
    let Some(terminal) = stage.terminal() else { return };
    stage.home.send("alice", "@bob", "before it", &[]);
    stage.prompt(&terminal, "first prompt");
    terminal.wait_for_text("ok from mock", LIMIT);
    stage.assert_nothing_is_left();
    terminal.submit("/quit", LIMIT);
    terminal.send_key("Enter");
    stage.wait_for_event("SessionEnd");
    drop(terminal);
    stage.home.send("alice", "@bob", "after it", &[]);
    let Some(terminal) = stage.resumed() else { return };
    stage.prompt(&terminal, "second prompt");
    let requests = stage.model.wait_for_requests(2, LIMIT);
    let text = shown(&requests[1]);
    assert!(text.contains("| before it") && text.contains("| after it"), "{text}\n{}", stage.log());
    assert!(!text.contains(REPEATED), "{text}");
    terminal.wait_for_text("ok from mock", LIMIT);
    stage.assert_nothing_is_left();
}

for_each_harness! {
    a_prompt_in_a_terminal_brings_the_mail:
        a_prompt_in_a_terminal_brings_the_mail_in_claude_code,
        a_prompt_in_a_terminal_brings_the_mail_in_codex,
        a_prompt_in_a_terminal_brings_the_mail_in_gemini_cli;
    an_interrupted_answer_shows_the_mail_again:
        an_interrupted_answer_shows_the_mail_again_in_claude_code,
        an_interrupted_answer_shows_the_mail_again_in_codex,
        an_interrupted_answer_shows_the_mail_again_in_gemini_cli;
    a_prompt_that_waits_brings_the_mail:
        a_prompt_that_waits_brings_the_mail_in_claude_code,
        a_prompt_that_waits_brings_the_mail_in_codex,
        a_prompt_that_waits_brings_the_mail_in_gemini_cli;
    an_escape_before_any_answer_shows_the_mail_again:
        an_escape_before_any_answer_shows_the_mail_again_in_claude_code,
        an_escape_before_any_answer_shows_the_mail_again_in_codex,
        an_escape_before_any_answer_shows_the_mail_again_in_gemini_cli;
    a_tool_call_in_a_terminal_brings_urgent_mail:
        a_tool_call_in_a_terminal_brings_urgent_mail_in_claude_code,
        a_tool_call_in_a_terminal_brings_urgent_mail_in_codex,
        a_tool_call_in_a_terminal_brings_urgent_mail_in_gemini_cli;
    clearing_the_context_keeps_mail_coming:
        clearing_the_context_keeps_mail_coming_in_claude_code,
        clearing_the_context_keeps_mail_coming_in_codex,
        clearing_the_context_keeps_mail_coming_in_gemini_cli;
    a_resumed_session_has_its_mail_and_gets_more:
        a_resumed_session_has_its_mail_and_gets_more_in_claude_code,
        a_resumed_session_has_its_mail_and_gets_more_in_codex,
        a_resumed_session_has_its_mail_and_gets_more_in_gemini_cli;
}
