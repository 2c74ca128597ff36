//! What is replaced, what stays, and that a settings file says what it means. No secret stands here in one piece: tools that
//! look for secrets read this too.

mod examples;
mod laws;
mod settings;

use super::*;

/// The text after the usual rules.
fn redact(text: &str) -> String {
    Redaction::default().redact(text).text.into_owned()
}

/// The pieces of an example in one.
fn whole(example: &str) -> String {
    example.replace('|', "")
}
