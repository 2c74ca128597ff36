//! The copy that a brain keeps for good: without what looks like a secret. The recipients' copies are gone once they were
//! read, and are as they were sent.

use std::sync::Arc;

use super::{BrainSpool, Error, Result};
use crate::message::{Message, Scope};
use crate::redaction::{Found, Redaction};

/// Stands between two fields: no word of any secret's form goes over it.
const BETWEEN: &str = "\n\u{1}\n\u{1}\n";

/// What is replaced, or why nobody can say what is to be.
pub(super) type Rules = std::result::Result<Arc<Redaction>, String>;

impl BrainSpool {
    /// The archive's copy of a message, and what was replaced in it.
    pub(super) fn archived(&self, message: &Message) -> Result<(Message, Found)> {
        let rules = self.redaction.as_ref().map_err(|reason| Error::NoRedaction(reason.clone()))?;
        let mut copy = message.clone();
        let mut fields: Vec<&mut String> = vec![&mut copy.body];
        fields.extend(copy.thread.iter_mut().chain(&mut copy.refs));
        let mut scope = message.scope.as_ref().map(|scope| scope.as_str().to_owned());
        fields.extend(scope.as_mut());
        let found = redact(rules, &mut fields);
        copy.scope = scope.map(Scope::from);
        // Nobody knows what is in fields that we do not know.
        copy.unknown.clear();
        Ok((copy, found))
    }
}

/// Leaves secrets out of all fields. A secret that one field tells is left out of the others, too: they are looked at as
/// one text.
fn redact(rules: &Redaction, fields: &mut [&mut String]) -> Found {
    let whole = fields.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(BETWEEN);
    let redacted = rules.redact(&whole);
    let clean: Vec<_> = redacted.text.split(BETWEEN).collect();
    if clean.len() == fields.len() {
        for (field, clean) in fields.iter_mut().zip(clean) {
            **field = clean.to_owned();
        }
        return redacted.found;
    }
    // A field holds what stands between two, or a secret reached over it: each by itself.
    let mut found = Found::default();
    for field in fields {
        let redacted = rules.redact(field);
        found.extend(&redacted.found);
        **field = redacted.text.into_owned();
    }
    found
}
