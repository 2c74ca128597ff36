//! An invite: where a relay is, and what admits to it, as one word that a person can paste [v1].
//!
//! `bch1-` and base64url without padding of `{"url", "token", "room"?, "channels"?, "exp"?}`; unknown fields are passed
//! over. Ours carry a join token, which expires and can be revoked; the first version's carry the room's own.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::message::ChannelName;
use crate::relay::store::RoomId;
use crate::relay::url::RelayUrl;
use crate::secret::Secret;

/// What every invite begins with; the number is the version of what follows.
const PREFIX: &str = "bch1-";
/// Bytes of an invite at most: a paste that is longer is something else.
const LONGEST: usize = 16 * 1024;
/// Channels in one invite at most.
const MOST_CHANNELS: usize = 64;

/// What an invite says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invite {
    /// Where.
    pub url: RelayUrl,
    /// What admits a new name there.
    pub token: Secret,
    /// Which room, where it is not the relay's only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// What one subscribes to on joining.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelName>,
    /// Until when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "seconds")]
    pub exp: Option<Timestamp>,
}

/// Why a text is no invite that can be used. None of them repeats the text: a token stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInvite {
    /// It begins otherwise.
    #[error("an invite begins with `{PREFIX}`")]
    Prefix,
    /// Part of it is missing, or changed.
    #[error("the invite is damaged: {0}")]
    Damaged(String),
    /// Its time is over.
    #[error("the invite expired at {0}")]
    Expired(Timestamp),
}

impl Invite {
    /// Checks that it still holds.
    ///
    /// # Errors
    /// Where its time is over.
    pub fn check(&self, now: Timestamp) -> Result<(), InvalidInvite> {
        match self.exp {
            Some(end) if end <= now => Err(InvalidInvite::Expired(end)),
            _ => Ok(()),
        }
    }
}

impl FromStr for Invite {
    type Err = InvalidInvite;

    fn from_str(text: &str) -> Result<Self, InvalidInvite> {
        let damaged = |reason: &str| InvalidInvite::Damaged(reason.to_owned());
        // A mail program may have broken the line.
        let text: String = text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
        let body = text.strip_prefix(PREFIX).ok_or(InvalidInvite::Prefix)?;
        if body.len() > LONGEST {
            return Err(damaged("it is too long"));
        }
        let bytes = URL_SAFE_NO_PAD.decode(body.trim_end_matches('='));
        let bytes = bytes.map_err(|_| damaged("part of it is missing, or was changed"))?;
        // What the parser says may repeat what it read.
        let invite: Self = serde_json::from_slice(&bytes).map_err(|error| {
            InvalidInvite::Damaged(format!("its content ends or errs at byte {}", error.column()))
        })?;
        if invite.channels.len() > MOST_CHANNELS {
            return Err(InvalidInvite::Damaged(format!("it has more than {MOST_CHANNELS} channels")));
        }
        if invite.room.as_ref().is_some_and(|room| RoomId::parse(room).is_none()) {
            return Err(damaged("its room is none"));
        }
        Ok(invite)
    }
}

impl fmt::Display for Invite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_vec(self).unwrap_or_default();
        write!(out, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(text))
    }
}

/// `exp` as seconds since 1970; read also as RFC 3339.
mod seconds {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Moment {
        Seconds(i64),
        Text(String),
    }

    /// No invite holds until then in seconds: it is in milliseconds.
    const MILLISECONDS: i64 = 100_000_000_000;

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(exp: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match exp {
            Some(exp) => to.serialize_i64(exp.as_second()),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let Some(moment) = Option::<Moment>::deserialize(from)? else { return Ok(None) };
        let read = match moment {
            Moment::Seconds(number) if number.abs() >= MILLISECONDS => {
                Timestamp::from_millisecond(number).ok()
            }
            Moment::Seconds(number) => Timestamp::from_second(number).ok(),
            Moment::Text(text) => text.parse().ok(),
        };
        read.map(Some).ok_or_else(|| D::Error::custom("no time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> Invite {
        Invite {
            url: "https://relay.example.com".parse().unwrap(),
            token: Secret::parse("join-token-of-this-test").unwrap(),
            room: Some("proj".into()),
            channels: vec!["#team".parse().unwrap()],
            exp: Some(Timestamp::from_second(1_800_000_000).unwrap()),
        }
    }

    fn encoded(json: &str) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }

    #[test]
    fn what_is_written_is_read() {
        let text = invite().to_string();
        let (front, back) = text.split_at(30);
        let read: Invite = format!(" {front}\n{back}\n").parse().unwrap();
        assert_eq!(read.to_string(), text);
        assert_eq!((read.token.expose(), read.exp), ("join-token-of-this-test", invite().exp));
    }

    #[test]
    fn the_first_versions_are_read_and_unknown_fields_passed_over() {
        let read: Invite =
            encoded(r##"{"url":"http://127.0.0.1:8787","token":"room","channels":["#a"],"v":2}"##)
                .parse()
                .unwrap();
        assert_eq!((read.token.expose(), read.channels.len(), read.exp), ("room", 1, None));
    }

    #[test]
    fn what_is_damaged_is_told_without_its_token() {
        let text = invite().to_string();
        for at in 0..text.len() {
            let error = text[..at].parse::<Invite>().unwrap_err();
            assert!(!error.to_string().contains("join-token"), "{error}");
        }
        for json in [
            "{}",
            "[]",
            "1",
            r#"{"url":"ftp://x","token":"t"}"#,
            r#"{"url":"https://x","token":""}"#,
            r#"{"url":"https://x","token":"t","room":"../etc"}"#,
            r#"{"url":"https://x","token":"t","channels":["../x"]}"#,
        ] {
            assert!(matches!(encoded(json).parse::<Invite>(), Err(InvalidInvite::Damaged(_))), "{json}");
        }
        assert_eq!("hello".parse::<Invite>().unwrap_err(), InvalidInvite::Prefix);
        assert!(format!("{PREFIX}{}", "A".repeat(LONGEST + 1)).parse::<Invite>().is_err());
    }

    #[test]
    fn it_holds_until_its_end() {
        let end = invite().exp.unwrap();
        assert!(invite().check(end - jiff::SignedDuration::from_secs(1)).is_ok());
        assert_eq!(invite().check(end), Err(InvalidInvite::Expired(end)));
        for exp in ["1800000000", "1800000000000", r#""2027-01-15T08:00:00Z""#] {
            let json = format!(r#"{{"url":"https://x.example","token":"t","exp":{exp}}}"#);
            assert_eq!(encoded(&json).parse::<Invite>().unwrap().exp, Some(end), "{exp}");
        }
    }
}
