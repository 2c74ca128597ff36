//! The table `[redaction]` of `bch.toml`, and what is wrong with one.
//!
//! ```toml
//! [redaction]
//! on = true               # false replaces nothing
//! except = ["jwt"]        # kinds of ours that stay
//! [redaction.patterns]    # a person's own: name = pattern
//! staff = 'staff-[0-9]{6}'
//! ```

use std::collections::BTreeMap;

use regex::RegexBuilder;
use serde::Deserialize;

use super::rules::RULES;
use super::{Redaction, private_key};

/// Patterns of a person's own.
const MOST_PATTERNS: usize = 100;
/// Bytes that one of them may take when it is compiled.
const LARGEST_PATTERN: usize = 1 << 20;
/// Characters of its name.
const LONGEST_NAME: usize = 40;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    on: bool,
    except: Vec<String>,
    patterns: BTreeMap<String, String>,
}

/// Why settings mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("there is no kind `{0}` in `redaction.except`; docs/redaction.md lists them")]
    Kind(String),
    #[error("the name `{0}` in `redaction.patterns` is none: 1 to {LONGEST_NAME} of a-z, 0-9 and -")]
    Name(String),
    #[error("`redaction.patterns` has more than {MOST_PATTERNS}")]
    TooMany,
    #[error("the pattern `{0}` in `redaction.patterns` is none: {1}")]
    Pattern(String, String),
    #[error("the pattern `{0}` in `redaction.patterns` is found in an empty text")]
    Empty(String),
}

impl Default for Settings {
    fn default() -> Self {
        Self { on: true, except: Vec::new(), patterns: BTreeMap::new() }
    }
}

impl TryFrom<Settings> for Redaction {
    type Error = Invalid;

    fn try_from(settings: Settings) -> Result<Self, Invalid> {
        let is_known = |name: &str| name == private_key::NAME || RULES.iter().any(|rule| rule.kind == name);
        if let Some(unknown) = settings.except.iter().find(|name| !is_known(name)) {
            return Err(Invalid::Kind(unknown.clone()));
        }
        if settings.patterns.len() > MOST_PATTERNS {
            return Err(Invalid::TooMany);
        }
        let mut own = Vec::new();
        for (name, pattern) in settings.patterns {
            let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_letter) {
                return Err(Invalid::Name(name));
            }
            let compiled = RegexBuilder::new(&pattern).size_limit(LARGEST_PATTERN).build();
            let compiled = compiled.map_err(|error| {
                // The parser draws the pattern with a mark under it; its last line is the reason.
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Invalid::Pattern(name.clone(), reason.to_owned())
            })?;
            if compiled.is_match("") {
                return Err(Invalid::Empty(name));
            }
            own.push((name, compiled));
        }
        if !settings.on {
            return Ok(Self::off());
        }
        Ok(Self::with(own, |kind| !settings.except.iter().any(|name| name == kind)))
    }
}
