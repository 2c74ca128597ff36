//! Whose token it is: a look in memory, at every request.

use std::collections::HashMap;
use std::sync::RwLock;

use super::super::Bearer;
use super::{read, write};
use crate::secret::TokenHash;

/// All tokens of all rooms, by half of their hash. The other half is compared in constant time: how long a look
/// takes tells nothing that would help to make up a token.
#[derive(Debug, Default)]
pub(super) struct Tokens(RwLock<HashMap<[u8; 16], (TokenHash, Bearer)>>);

fn half(hash: &TokenHash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.bytes()[..16]);
    half
}

impl Tokens {
    pub(super) fn find(&self, hash: &TokenHash) -> Option<Bearer> {
        let tokens = read(&self.0);
        let (known, bearer) = tokens.get(&half(hash))?;
        known.is_same(hash).then(|| bearer.clone())
    }

    /// Gives a token to a bearer; `false` where it is another's.
    #[must_use]
    pub(super) fn insert(&self, hash: &TokenHash, bearer: Bearer) -> bool {
        let mut tokens = write(&self.0);
        let (_, owner) = tokens.entry(half(hash)).or_insert_with(|| (*hash, bearer.clone()));
        *owner == bearer
    }

    pub(super) fn remove(&self, hash: &TokenHash) {
        write(&self.0).remove(&half(hash));
    }
}
