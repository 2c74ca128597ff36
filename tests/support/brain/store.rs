//! The documents of a workspace and the tokens of its users.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::shape::{Hashes, Shape};

/// One document as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub path: String,
    pub body: String,
    pub title: Option<String>,
    pub kind: String,
    /// 16 hexadecimal digits of the body's SHA-256.
    pub hash: String,
    /// How often it was written since it was made.
    pub writes: usize,
    created: Timestamp,
    updated: Timestamp,
}

/// Everything that the service keeps.
pub(super) struct Store {
    /// By user and path; the workspace's have no user.
    documents: BTreeMap<(String, String), Document>,
    tokens: BTreeMap<String, Bearer>,
    made: usize,
}

/// Whose token it is, and for what.
#[derive(Debug, Clone)]
pub(super) struct Bearer {
    pub(super) user: String,
    pub(super) scopes: Vec<String>,
}

impl Store {
    /// An empty one, with one user's token.
    pub(super) fn with(user: &str) -> Self {
        let mut store = Self { documents: BTreeMap::new(), tokens: BTreeMap::new(), made: 0 };
        store.token(user, &["brain:read", "brain:write"]);
        store
    }

    /// The token of this user with these scopes.
    pub(super) fn token(&mut self, user: &str, scopes: &[&str]) -> String {
        let is_same = |bearer: &Bearer| bearer.user == user && bearer.scopes == scopes;
        if let Some((token, _)) = self.tokens.iter().find(|(_, bearer)| is_same(bearer)) {
            return token.clone();
        }
        self.made += 1;
        let token =
            format!("usk_live_{}_{}", user.replace(|letter: char| !letter.is_alphanumeric(), ""), self.made);
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.tokens.insert(token.clone(), Bearer { user: user.to_owned(), scopes });
        token
    }

    pub(super) fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }

    pub(super) fn bearer(&self, token: &str) -> Option<Bearer> {
        self.tokens.get(token).cloned()
    }

    pub(super) fn document(&self, user: &str, path: &str) -> Option<&Document> {
        self.documents.get(&key(user, path))
    }

    pub(super) fn put(
        &mut self,
        user: &str,
        path: &str,
        body: &str,
        title: Option<&str>,
        kind: Option<&str>,
    ) -> &Document {
        let now = Timestamp::now();
        let hash = Sha256::digest(body.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let document = self.documents.entry(key(user, path)).or_insert_with(|| Document {
            path: path.to_owned(),
            body: String::new(),
            title: None,
            kind: "wiki_page".to_owned(),
            hash: String::new(),
            writes: 0,
            created: now,
            updated: now,
        });
        body.clone_into(&mut document.body);
        document.title = title.map(str::to_owned).or(document.title.take());
        if let Some(kind) = kind {
            kind.clone_into(&mut document.kind);
        }
        document.hash = hash;
        document.writes += 1;
        document.updated = now;
        document
    }

    pub(super) fn remove(&mut self, user: &str, path: &str) -> bool {
        self.documents.remove(&key(user, path)).is_some()
    }

    /// What a user sees, by path.
    pub(super) fn visible(&self, user: &str) -> Vec<Document> {
        let mut all: Vec<_> = self
            .documents
            .iter()
            .filter(|((owner, _), _)| owner.is_empty() || owner == user)
            .map(|(_, document)| document.clone())
            .collect();
        all.sort_by(|one, other| one.path.cmp(&other.path));
        all
    }

    /// What a user sees under a prefix, in no order that means something.
    pub(super) fn list(&self, user: &str, prefix: &str, limit: usize) -> Vec<Document> {
        let mut all = self.visible(user);
        all.retain(|document| document.path.starts_with(prefix));
        all.sort_by_key(|document| Sha256::digest(document.path.as_bytes()));
        all.truncate(limit);
        all
    }
}

impl Document {
    /// As it is read, with its body.
    pub(super) fn answer(&self, shape: &Shape) -> Value {
        let document = self.fields(shape, true, true);
        if shape.is_wrapped { json!({ "document": document }) } else { document }
    }

    /// As it is in a list.
    pub(super) fn entry(&self, shape: &Shape) -> Value {
        self.fields(shape, shape.has_bodies_in_lists, shape.has_hashes_in_lists)
    }

    fn fields(&self, shape: &Shape, has_body: bool, has_hash: bool) -> Value {
        let mut fields = json!({
            "id": format!("doc-{}", &Sha256::digest(self.path.as_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            "path": self.path,
            "kind": self.kind,
            "title": self.title,
            "tldr": null,
            "tags": [],
            "visibility": if self.path.starts_with("/private/") { "private" } else { "workspace" },
            "createdAt": self.created.to_string(),
            "updatedAt": self.updated.to_string(),
        });
        if has_body {
            fields["bodyMd"] = self.body.clone().into();
        }
        match shape.hashes {
            Hashes::Given if has_hash => fields["contentHash"] = self.hash.clone().into(),
            Hashes::Null if has_hash => fields["contentHash"] = Value::Null,
            _ => {}
        }
        fields
    }
}

/// What lies under `/private/` is its user's; all else is the workspace's.
fn key(user: &str, path: &str) -> (String, String) {
    let owner = if path.starts_with("/private/") { user } else { "" };
    (owner.to_owned(), path.to_owned())
}
