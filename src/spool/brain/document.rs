//! A brain's documents as its service tells of them: bare or as `{"document": {…}}`, in lists with or without their
//! bodies and hashes, with fields that are missing or `null`.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::message;

/// A document, as far as an answer tells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) path: String,
    /// Its text.
    #[serde(default)]
    pub(super) body_md: Option<String>,
    /// What a write that is to replace just this has to name.
    #[serde(default)]
    content_hash: Option<String>,
    /// When it was made: one that was deleted and made again is another. Whatever its form, it is only compared.
    #[serde(default)]
    created_at: Option<Value>,
}

/// The answer to a list. One entry that cannot be read keeps nobody from the others.
#[derive(Deserialize)]
pub(super) struct List {
    #[serde(default)]
    documents: Option<Vec<Box<RawValue>>>,
}

impl Document {
    /// Reads an answer; `None` for a literal `null`.
    pub(super) fn from_answer(bytes: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Wrapped {
            document: Option<Document>,
        }
        match message::from_json::<Option<Wrapped>>(bytes) {
            Ok(None) => Ok(None),
            Ok(Some(Wrapped { document: Some(document) })) => Ok(Some(document)),
            _ => message::from_json(bytes).map(Some),
        }
    }

    /// The hash, where it says something.
    pub(super) fn hash(&self) -> Option<&str> {
        self.content_hash.as_deref().filter(|hash| !hash.is_empty())
    }

    /// Whether both are known to be of different lives of one path: it was deleted in between.
    pub(super) fn was_made_anew(&self, before: &Self) -> bool {
        matches!((&self.created_at, &before.created_at), (Some(now), Some(then)) if now != then)
    }
}

impl List {
    pub(super) fn documents(self) -> Vec<Document> {
        let entries = self.documents.unwrap_or_default();
        entries.iter().filter_map(|entry| message::from_json(entry.get().as_bytes()).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_in_either_shape() {
        let bare = br#"{"path":"/private/a.md","bodyMd":"text","contentHash":"0123","kind":"note"}"#;
        let wrapped = [&br#"{"document":"#[..], &bare[..], &b"}"[..]].concat();
        let document = Document::from_answer(bare).unwrap().unwrap();
        assert_eq!((document.body_md.as_deref(), document.hash()), (Some("text"), Some("0123")));
        assert_eq!(Document::from_answer(&wrapped).unwrap().unwrap(), document);
        assert_eq!(Document::from_answer(b"null").unwrap(), None);
        assert!(Document::from_answer(b"[]").is_err() && Document::from_answer(b"{}").is_err());
    }

    #[test]
    fn what_is_missing_or_null_is_nothing() {
        for text in [
            r#"{"path":"/private/a.md"}"#,
            r#"{"path":"/private/a.md","bodyMd":null,"contentHash":null,"createdAt":null}"#,
            r#"{"path":"/private/a.md","contentHash":""}"#,
        ] {
            let document = Document::from_answer(text.as_bytes()).unwrap().unwrap();
            assert_eq!((document.body_md.as_deref(), document.hash()), (None, None), "{text}");
            assert!(!document.was_made_anew(&document));
        }
    }

    #[test]
    fn an_entry_of_another_shape_is_passed_over() {
        let list: List = message::from_json(
            br#"{"documents":[{"path":1},{"path":"/a.md","bodyMd":"\ud83d"},null,"x"],"next":"y"}"#,
        )
        .unwrap();
        let documents = list.documents();
        assert_eq!(documents.len(), 1);
        assert_eq!(documents[0].body_md.as_deref(), Some("\u{fffd}"));
        let empty: List = message::from_json(br#"{"documents":null}"#).unwrap();
        assert!(empty.documents().is_empty());
    }
}
