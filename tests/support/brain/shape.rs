//! How the service answers: one value for each way in which services of its kind differ.

/// The shape of all answers.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// `{"document": {…}}` in place of `{…}`.
    pub is_wrapped: bool,
    /// Lists have `bodyMd`.
    pub has_bodies_in_lists: bool,
    /// Lists have `contentHash`, where documents have it.
    pub has_hashes_in_lists: bool,
    /// Whether documents have `contentHash`. Where they have none, `expectedContentHash` is ignored.
    pub hashes: Hashes,
    /// What a write with `expectedContentHash` is answered where there is no document.
    pub gone: Gone,
    /// A document that is not there is a literal `null` with status 200, in place of 404.
    pub is_missing_null: bool,
    /// A delete of a document that is not there is 404, in place of `{"deleted": false}`.
    pub is_missing_delete_an_error: bool,
    /// Characters that `bodyMd` may have.
    pub longest_body: usize,
    /// Documents in a list without `limit`; the specification names no number.
    pub usual_limit: usize,
    /// Documents that a list has at most, whatever its `limit`.
    pub greatest_limit: usize,
}

/// Whether documents have a `contentHash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashes {
    /// 16 hexadecimal digits.
    Given,
    /// The field is there, and `null`.
    Null,
    /// There is no such field.
    Absent,
}

/// A write with a hash, of a document that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// 409.
    Conflict,
    /// 404.
    NotFound,
    /// It is written, as if no hash had been given.
    Written,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            is_wrapped: false,
            has_bodies_in_lists: true,
            has_hashes_in_lists: true,
            hashes: Hashes::Given,
            gone: Gone::Conflict,
            is_missing_null: false,
            is_missing_delete_an_error: false,
            // SPEC.md 5.1: `bodyMd` (≤200k).
            longest_body: 200_000,
            usual_limit: 50,
            greatest_limit: 1_000,
        }
    }
}

impl Shape {
    /// Every shape that a client has to read, the usual one first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for hashes in [Hashes::Given, Hashes::Null, Hashes::Absent] {
            for is_wrapped in [false, true] {
                for (has_bodies_in_lists, has_hashes_in_lists) in
                    [(true, true), (true, false), (false, true), (false, false)]
                {
                    all.push(Self {
                        hashes,
                        is_wrapped,
                        has_bodies_in_lists,
                        has_hashes_in_lists,
                        ..Self::default()
                    });
                }
            }
        }
        all
    }
}
