//! Which readers a message is for: a scope (of the message) against contexts (of the reader).
//!
//! Scope routes; it protects nothing.

use std::fmt;

use memchr::memmem;
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Bytes that the scope of a new message may have at most.
const LONGEST: usize = 512;

/// A repository or topic as the sender wrote it, without a user or password that a URL may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Scope(String);

/// Where a reader is: a remote of its repository or the path of its work tree, in normal form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Context(String);

/// Why a text is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// Nothing is left of it in normal form.
    #[error("a scope cannot be empty")]
    Empty,
    /// More than 512 bytes.
    #[error("a scope has {LONGEST} bytes at most")]
    TooLong,
}

impl Scope {
    /// Reads the scope of a new message.
    ///
    /// # Errors
    /// For a text that is empty in normal form, or longer than 512 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let scope = Self(without_credentials(text.trim()));
        if scope.0.len() > LONGEST {
            return Err(InvalidScope::TooLong);
        }
        if normalise(&scope.0).is_empty() { Err(InvalidScope::Empty) } else { Ok(scope) }
    }

    /// The scope as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a reader in any of `contexts` is meant: the scope equals a run of whole path segments
    /// of one of them. A scope of nothing is for everybody.
    #[must_use]
    pub fn matches(&self, contexts: &[Context]) -> bool {
        let scope = normalise(&self.0);
        scope.is_empty() || contexts.iter().any(|context| has_run_of_segments(&context.0, &scope))
    }
}

impl From<String> for Scope {
    /// Reads a scope off the disk or the wire, where the first version checked nothing.
    fn from(text: String) -> Self {
        Self(without_credentials(&text))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Context {
    /// Brings a remote's URL, a path or a `--match` argument into normal form; `None` if nothing is left.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let normal = normalise(text);
        (!normal.is_empty()).then_some(Self(normal))
    }

    /// Whether that, a scope's normal form, is a run of whole path segments of this.
    pub(crate) fn has_run(&self, scope: &Self) -> bool {
        has_run_of_segments(&self.0, &scope.0)
    }

    /// The normal form: `host/path` or `path/of/a/work/tree`, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn has_run_of_segments(context: &str, scope: &str) -> bool {
    let (context, scope) = (context.as_bytes(), scope.as_bytes());
    memmem::find_iter(context, scope).any(|start| {
        let before = start.checked_sub(1).map(|before| context[before]);
        let after = context.get(start + scope.len());
        before.is_none_or(|byte| byte == b'/') && after.is_none_or(|byte| *byte == b'/')
    })
}

/// `scheme://user:password@host/…` without what stands before the `@`.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => text.to_owned(),
    }
}

/// NFC, ASCII lower case; scheme, user, password, port, `.git` and slashes at the ends dropped;
/// `host:path` becomes `host/path`.
fn normalise(text: &str) -> String {
    let text = text.trim().replace('\\', "/").to_ascii_lowercase();
    let text = if is_nfc(&text) { text } else { text.nfc().collect() };
    let plain = match text.split_once("://") {
        Some((_, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{}{path}", without_port(host))
        }
        None => from_scp_form(&text),
    };
    let mut plain = plain.trim_matches('/');
    while let Some(shorter) = plain.strip_suffix(".git") {
        plain = shorter.trim_end_matches('/');
    }
    let segments: Vec<&str> =
        plain.split('/').filter(|segment| !segment.is_empty() && *segment != ".").collect();
    segments.join("/")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// `user@host:path` and `host:path`, as git reads them: the colon stands before the first slash, and
/// one letter alone is a drive of Windows.
fn from_scp_form(text: &str) -> String {
    let Some((host, path)) = text.split_once(':') else { return text.to_owned() };
    if host.contains('/') || host.contains(' ') || host.len() < 2 {
        return text.to_owned();
    }
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(scope: &str, context: &str) -> bool {
        Scope::parse(scope).unwrap().matches(&[Context::new(context).unwrap()])
    }

    #[test]
    fn every_spelling_of_a_remote_is_the_same_place() {
        for remote in [
            "https://github.com/Org/Proj",
            "https://github.com/org/proj.git",
            "https://user:secret@github.com/org/proj/",
            "ssh://git@github.com:22/org/proj.git",
            "git@github.com:org/proj.git",
            "github.com:org/proj",
            "git://github.com:9418/org/proj.git/",
        ] {
            assert_eq!(Context::new(remote).unwrap().as_str(), "github.com/org/proj", "{remote}");
            assert!(matches(remote, "git@github.com:org/proj.git"), "{remote}");
        }
    }

    #[test]
    fn a_scope_matches_whole_segments_alone() {
        let proj = "https://github.com/org/proj";
        assert!(matches("proj", proj) && matches("org/proj", proj) && matches("github.com", proj));
        for other in ["pro", "roj", "org/pro", "g/proj", "github", "org/proj/x"] {
            assert!(!matches(other, proj), "{other}");
        }
        assert!(!matches("org/proj", "https://github.com/org/proj-two"));
        assert!(!matches("repo", "github.com/o/my-repository"));
        assert!(matches("/home/u/proj", "/home/u/proj") && matches("proj", "/home/u/proj/"));
    }

    #[test]
    fn unicode_spellings_are_one() {
        assert!(matches("cafe\u{301}", "/home/u/caf\u{e9}"));
    }

    #[test]
    fn a_password_never_enters_a_scope() {
        let scope = Scope::parse("https://user:s3cret@host/o/r").unwrap();
        assert_eq!(scope.as_str(), "https://host/o/r");
        assert_eq!(Scope::from("https://t0ken@host/o".to_owned()).as_str(), "https://host/o");
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(Scope::parse(" / "), Err(InvalidScope::Empty));
        assert_eq!(Scope::parse(&"x".repeat(513)), Err(InvalidScope::TooLong));
    }
}
