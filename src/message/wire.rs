//! A message as JSON: unknown fields are kept to the letter, wrong types are refused, and a lone
//! surrogate (which the first version's `JSON.stringify` writes as `\ud83d`) becomes U+FFFD.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Message, MessageId, Priority};

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// For bytes that are not UTF-8, not JSON, or JSON of another shape.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        from_json(bytes)
    }

    /// Writes the message as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers that were parsed, and a map with string keys always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Reads what the first version's `JSON.stringify` may have written.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|error| match without_lone_surrogates(bytes) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(mended) => serde_json::from_slice(&mended),
    })
}

/// Replaces each `\uD800`–`\uDFFF` that has no partner by `\uFFFD`, byte for byte.
fn without_lone_surrogates(json: &[u8]) -> Cow<'_, [u8]> {
    let unit = |at: usize| -> Option<u16> {
        let digits = json.get(at..at + 6)?.strip_prefix(br"\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut mended = Cow::Borrowed(json);
    let mut at = 0;
    while at < json.len() {
        at += match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                mended.to_mut()[at..at + 6].copy_from_slice(br"\ufffd");
                6
            }
            // An escaped backslash is skipped whole: in `\\ud800` there is no escape.
            None if json[at] == b'\\' => 2,
            _ => 1,
        };
    }
    mended
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("from", &self.from)?;
        map.serialize_entry("to", &self.to)?;
        map.serialize_entry("body", &self.body)?;
        map.serialize_entry("priority", &self.priority)?;
        if let Some(scope) = &self.scope {
            map.serialize_entry("scope", scope)?;
        }
        if let Some(thread) = &self.thread {
            map.serialize_entry("thread", thread)?;
        }
        if !self.refs.is_empty() {
            map.serialize_entry("refs", &self.refs)?;
        }
        map.serialize_entry("ts", &format_args!("{:.3}", self.ts))?;
        for (name, value) in &self.unknown {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Message;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a message")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Message, M::Error> {
                let (mut id, mut from, mut to, mut body, mut ts) = (None, None, None, None, None);
                let (mut priority, mut scope, mut thread) = (Priority::Normal, None, None);
                let (mut refs, mut unknown) = (Vec::new(), Vec::new());
                // Of a field that stands twice the last counts, as in JavaScript.
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    match &*name {
                        "id" => id = Some(map.next_value::<MessageId>()?),
                        "from" => from = Some(map.next_value()?),
                        "to" => to = Some(map.next_value()?),
                        "body" => body = Some(map.next_value::<String>()?),
                        "priority" => priority = map.next_value()?,
                        "scope" => scope = map.next_value()?,
                        "thread" => thread = map.next_value()?,
                        "refs" => refs = map.next_value::<Option<Vec<String>>>()?.unwrap_or_default(),
                        "ts" => ts = Some(map.next_value::<Timestamp>()?),
                        "__proto__" => drop(map.next_value::<IgnoredAny>()?),
                        _ => unknown.push((name.into_owned(), map.next_value::<Box<RawValue>>()?)),
                    }
                }
                let body = body.ok_or_else(|| M::Error::missing_field("body"))?;
                if body.is_empty() {
                    return Err(M::Error::custom("the body is empty"));
                }
                Ok(Message {
                    id: id.ok_or_else(|| M::Error::missing_field("id"))?,
                    from: from.ok_or_else(|| M::Error::missing_field("from"))?,
                    to: to.ok_or_else(|| M::Error::missing_field("to"))?,
                    ts: ts.ok_or_else(|| M::Error::missing_field("ts"))?,
                    body,
                    priority,
                    scope,
                    thread,
                    refs,
                    unknown,
                })
            }
        }

        from.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"{"id":"6f1c1a52-3c5b-4a5e-9d3a-0d4f0f6f8a11","from":"alice","to":"@bob","body":"hi","priority":"normal","ts":"2026-01-02T03:04:05.678Z"}"#;

    fn with(field: &str) -> Result<Message, serde_json::Error> {
        Message::from_json(PLAIN.replacen('{', &format!("{{{field},"), 1).as_bytes())
    }

    #[test]
    fn what_was_read_is_written_again() {
        assert_eq!(Message::from_json(PLAIN.as_bytes()).unwrap().to_json(), PLAIN);
    }

    #[test]
    fn unknown_fields_pass_to_the_letter() {
        let json = with(r#""hops":12345678901234567890123,"x":{"é":1.0}"#).unwrap().to_json();
        assert!(
            json.contains(r#""hops":12345678901234567890123"#) && json.contains(r#""x":{"é":1.0}"#),
            "{json}"
        );
    }

    #[test]
    fn wrong_types_are_refused_and_unknown_words_are_not() {
        assert!(with(r#""refs":"abc""#).is_err() && with(r#""priority":7"#).is_err());
        assert!(Message::from_json(PLAIN.replace(r#""hi""#, "123").as_bytes()).is_err());
        assert!(Message::from_json(PLAIN.replace(r#""body":"hi","#, "").as_bytes()).is_err());
        let whenever = PLAIN.replace(r#""normal""#, r#""whenever""#);
        assert_eq!(Message::from_json(whenever.as_bytes()).unwrap().priority, Priority::Normal);
    }

    #[test]
    fn a_lone_surrogate_is_replaced_and_a_pair_is_kept() {
        let body = |text: &str| {
            Message::from_json(PLAIN.replace(r#""hi""#, text).as_bytes()).map(|message| message.body)
        };
        assert_eq!(body(r#""a\ud83d!""#).unwrap(), "a\u{fffd}!");
        assert_eq!(body(r#""\ude00\ud83d\ude00""#).unwrap(), "\u{fffd}\u{1f600}");
        assert_eq!(body(r#""\ud83d\\ud83d""#).unwrap(), "\u{fffd}\\ud83d");
    }
}
