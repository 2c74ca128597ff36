//! Tokens: made, kept and compared without ever being printed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Random bytes of a new token, as in the first version.
const BYTES: usize = 24;
/// Bytes that a token may have at most.
const LONGEST: usize = 512;

/// A token as its bearer has it. It goes into files of mode 0600 and into `Authorization`, nowhere else.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(Box<str>);

/// What is kept of a token where it is checked: its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

/// A text that is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token has 1 to {LONGEST} printable ASCII characters, without spaces")]
pub struct InvalidSecret;

/// A text that is no SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token's hash has 64 hexadecimal digits")]
pub struct InvalidHash;

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("could not make a token: the system gives no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

impl Secret {
    /// A new token: 24 random bytes in base64url.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(NoRandomness)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// Reads a token that somebody was given; white space around it is not part of it.
    ///
    /// # Errors
    /// For an empty one, a very long one, or characters that no header can carry.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let text = text.trim();
        let fits =
            !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(InvalidSecret) }
    }

    /// The token itself, for a header or a file of mode 0600.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it where it is checked.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

impl TryFrom<String> for Secret {
    type Error = InvalidSecret;

    fn try_from(text: String) -> Result<Self, InvalidSecret> {
        Self::parse(&text)
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0.into()
    }
}

impl TokenHash {
    /// Whether both are of the same token; takes the same time wherever they differ.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TokenHash {
    /// Writes 64 hexadecimal digits, as `tokenHash` in an agent's record [v1].
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TokenHash(…)")
    }
}

impl TryFrom<String> for TokenHash {
    type Error = InvalidHash;

    fn try_from(text: String) -> Result<Self, InvalidHash> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidHash);
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| InvalidHash)?;
        }
        Ok(Self(bytes))
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_printed() {
        let secret = Secret::random().unwrap();
        assert_eq!(secret.expose().len(), 32);
        assert_ne!(secret, Secret::random().unwrap());
        let printed = format!("{secret:?} {:?}", secret.hash());
        assert!(!printed.contains(secret.expose()) && !printed.contains(&secret.hash().to_string()));
    }

    #[test]
    fn what_no_header_can_carry_is_no_token() {
        for text in ["", "  ", "a b", "a\nb", "ü", &"x".repeat(513)] {
            assert_eq!(Secret::parse(text), Err(InvalidSecret), "{text:?}");
        }
        assert_eq!(Secret::parse(" room-1\n").unwrap().expose(), "room-1");
    }

    #[test]
    fn the_hash_is_the_first_versions() {
        // `printf %s room | sha256sum`
        let sum = "1f1c5b2fad778434024f1537986346927917f4755a6e7d3fd91f22653b7c3132";
        let hash = Secret::parse("room").unwrap().hash();
        assert_eq!(hash.to_string(), sum);
        assert!(TokenHash::try_from(sum.to_owned()).unwrap().is_same(&hash));
        assert!(
            TokenHash::try_from("zz".repeat(32)).is_err() && TokenHash::try_from("é".repeat(32)).is_err()
        );
    }
}
