//! What a hook printed, as its harness takes it: one JSON object of the one shape that all of them know, or nothing.

use serde_json::Value;

use super::super::process::Ended;
use crate::harness::{Cap, Event, Gives, Manifest};

/// Letters of somebody else's output that a finding quotes.
const MOST: usize = 160;

/// The text that goes before the model; none where the hook printed nothing.
pub(super) fn text(
    manifest: &Manifest,
    cap: Option<Cap>,
    event: &Event,
    ended: &Ended,
) -> Result<Option<String>, String> {
    let title = &manifest.title;
    if !ended.status.success() {
        return Err(format!("failed: {}, at which {title} may hold the prompt up", ended.status));
    }
    if !ended.stderr.trim_ascii().is_empty() {
        return Err(format!("writes to standard error: {}", quoted(&ended.stderr)));
    }
    if ended.stdout.trim_ascii().is_empty() {
        return Ok(None);
    }
    if matches!(event.gives, Gives::Nothing | Gives::Back) {
        return Err(format!("prints what {title} takes for an answer: {}", quoted(&ended.stdout)));
    }
    let strange = || format!("prints what {title} does not understand: {}", quoted(&ended.stdout));
    let value: Value = serde_json::from_slice(&ended.stdout).map_err(|_| strange())?;
    let fields = value.as_object().filter(|fields| fields.len() == 1).ok_or_else(strange)?;
    let output = fields.get("hookSpecificOutput").and_then(Value::as_object).ok_or_else(strange)?;
    let name = output.get("hookEventName").and_then(Value::as_str);
    let text = output.get("additionalContext").and_then(Value::as_str);
    let (2, true, Some(text)) = (output.len(), name == Some(&event.name), text) else {
        return Err(strange());
    };
    match cap {
        Some(cap) if !cap.holds(text, manifest.angle_brackets) => {
            Err(format!("prints {} bytes, of which {title} cuts some off", text.len()))
        }
        _ => Ok(Some(text.to_owned())),
    }
}

/// The beginning of an output in a line.
pub(in crate::doctor) fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.trim().lines().next().unwrap_or_default();
    let shown: String = line.chars().take(MOST).collect();
    if shown.len() < line.len() { format!("`{shown}…`") } else { format!("`{shown}`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::ProofFacts;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    fn judged(
        harness: &str,
        event: &str,
        code: i32,
        stdout: &str,
        stderr: &str,
    ) -> Result<Option<String>, String> {
        let manifest = Manifest::find(harness).unwrap();
        let event = manifest.event(event).unwrap();
        let (stdout, stderr) = (stdout.as_bytes().to_vec(), stderr.as_bytes().to_vec());
        let status = ExitStatus::from_raw(code << 8);
        let cap = ProofFacts::find(harness).unwrap().cap;
        text(&manifest, cap, event, &Ended { status, stdout, stderr, time: Duration::ZERO })
    }

    fn answer(event: &str, text: &str) -> String {
        serde_json::json!({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}})
            .to_string()
    }

    #[test]
    fn only_the_one_shape_is_an_answer() {
        let prompt = "UserPromptSubmit";
        assert_eq!(judged("codex", prompt, 0, &answer(prompt, "hi"), ""), Ok(Some("hi".to_owned())));
        assert_eq!(judged("codex", prompt, 0, "\n", ""), Ok(None));
        let further = answer(prompt, "hi").replacen('{', r#"{"continue":true,"#, 1);
        let within = answer(prompt, "hi").replace("\"hi\"", r#""hi","x":1"#);
        for stdout in ["hello", "{}", "[]", &answer("Stop", "hi"), &further, &within, "{} {}"] {
            let told = judged("codex", prompt, 0, stdout, "").unwrap_err();
            assert!(told.contains("does not understand"), "{stdout}: {told}");
        }
        assert!(judged("codex", prompt, 2, "", "").unwrap_err().contains("hold the prompt up"));
        assert!(judged("codex", prompt, 0, "", "oh").unwrap_err().contains("`oh`"));
        assert!(judged("codex", "Stop", 0, &answer("Stop", "hi"), "").unwrap_err().contains("for an answer"));
    }

    #[test]
    fn what_would_be_cut_is_told() {
        for (harness, prompt, text, holds) in [
            ("claude-code", "UserPromptSubmit", "é".repeat(10_000), true),
            ("claude-code", "UserPromptSubmit", "e".repeat(10_001), false),
            ("codex", "UserPromptSubmit", "é".repeat(5_001), false),
            ("gemini-cli", "BeforeAgent", "e".repeat(60_000), true),
        ] {
            assert_eq!(judged(harness, prompt, 0, &answer(prompt, &text), "").is_ok(), holds, "{harness}");
        }
    }
}
