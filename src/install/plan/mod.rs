//! Plans: what each file is, what it would be, and what the receipt would say of it. Making one reads files
//! and changes nothing.

mod entries;
mod revert;
mod wished;

use std::path::PathBuf;

use super::file::Found;
use super::receipt::{Receipt, Record};
use super::{Content, Error, Store, Wish};
pub use revert::{revert, sweep};
use wished::wished;

/// One file, before and after.
#[derive(Debug, Clone)]
pub struct Change {
    /// The harness.
    pub owner: String,
    /// The file as the harness names it.
    pub path: PathBuf,
    /// The file behind its links.
    pub real: PathBuf,
    /// Where it was when the receipt learned of it.
    pub(super) known: PathBuf,
    /// Its bytes now; `None` where there is none.
    pub before: Option<Vec<u8>>,
    /// Its bytes then; `None` where it is to go.
    pub after: Option<Vec<u8>>,
    /// Its permission bits then.
    pub mode: u32,
    /// Its permission bits now.
    pub(super) mode_before: u32,
    /// Directories that are made before, or removed after it where they are empty.
    pub(super) directories: Vec<PathBuf>,
    /// What the receipt says of it then; `None` where it says nothing.
    pub(super) record: Option<Record>,
    /// The original that the record names.
    pub(super) original: Option<Vec<u8>>,
    /// What its harness's own writers hold meanwhile.
    pub(super) lock: Option<PathBuf>,
    /// Whether setup made the file.
    is_ours: bool,
    /// Where it lies.
    pub(super) store: Store,
    /// Why the file stays, where it should change.
    pub kept: Option<&'static str>,
}

/// Why what is no file any more is left to its user.
const REPLACED: &str = "something else is there since setup";
/// Why a file of ours that its user changed is left to them.
const CHANGED: &str = "you changed it since setup";

impl Change {
    fn nothing(owner: &str, path: PathBuf, store: &Store, found: &Found) -> Self {
        Self {
            owner: owner.to_owned(),
            path,
            real: found.real.clone(),
            known: found.real.clone(),
            before: found.bytes.clone(),
            after: found.bytes.clone(),
            mode: found.mode,
            mode_before: found.mode,
            directories: Vec::new(),
            record: None,
            original: None,
            lock: None,
            is_ours: false,
            store: store.clone(),
            kept: None,
        }
    }

    /// Whether the file was not there before setup made it.
    pub(super) fn was_made(&self) -> bool {
        self.is_ours
    }

    /// Whether the file stays as it is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.before == self.after && (self.mode == self.mode_before || self.after.is_none())
    }

    /// The change as a unified diff.
    #[must_use]
    pub fn diff(&self) -> String {
        let name = self.path.display().to_string();
        let side =
            |bytes: &Option<Vec<u8>>| if bytes.is_some() { name.clone() } else { "/dev/null".to_owned() };
        let text = |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().unwrap_or_default());
        match (text(&self.before), text(&self.after)) {
            (Ok(before), Ok(after)) => similar::TextDiff::from_lines(&before, &after)
                .unified_diff()
                .header(&side(&self.before), &side(&self.after))
                .to_string(),
            _ => {
                let size = self.after.as_ref().or(self.before.as_ref()).map_or(0, Vec::len);
                format!(
                    "--- {}\n+++ {}\n(a program of {size} bytes)\n",
                    side(&self.before),
                    side(&self.after)
                )
            }
        }
    }
}

/// What these wishes change. What the receipt has of the same owner beyond them is taken out.
///
/// # Errors
/// Where one of the files cannot be read, or is not what an editor can keep whole: none is to be written then.
pub fn install(owner: &str, wishes: &[Wish], store: &Store, receipt: &Receipt) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::with_capacity(wishes.len());
    for wish in wishes {
        let change = wished(wish, store, receipt)?;
        // Of a file that is not to be there, what is ours by the other vehicle is taken out with all that is surplus.
        let is_surplus = matches!(wish.content, Content::Gone { .. })
            && change.is_nothing()
            && change.before.is_some()
            && change.record.is_some();
        if !is_surplus {
            changes.push(change);
        }
    }
    let is_wished = |record: &&Record| changes.iter().any(|change| change.known == record.real);
    let surplus: Vec<_> =
        receipt.records().iter().filter(|record| record.owner == owner && !is_wished(record)).collect();
    for record in surplus {
        changes.push(revert(record, store, receipt)?);
    }
    Ok(changes)
}
