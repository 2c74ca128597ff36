//! A look at the claims of one mailbox: who holds what, since when, and what no reader will ever find.
//!
//! It changes nothing. That a lease lapsed mends itself: the next reader claims from under it.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::mailbox::{Mailbox, parse_claimed};
use super::{Holdings, Lease, LeaseId, Result, files};
use crate::spool::Holding;

impl Mailbox {
    pub(super) fn holdings(&self) -> Result<Holdings> {
        let mut holdings = Holdings::default();
        for name in files::names(&self.claimed_directory())? {
            if LeaseId::from_directory(&name).is_none() {
                holdings.strays.push(self.claimed_directory().join(name));
            }
        }
        for (lease, has_lapsed) in self.leases()? {
            let directory = self.lease_directory(&lease);
            for name in files::names(&directory)? {
                // A name with a dot in front is a lease that is being written.
                let is_known = name == "lease.json" || name.starts_with('.');
                if !is_known && parse_claimed(&name).is_none() {
                    holdings.strays.push(directory.join(name));
                }
            }
            let (seen, damage) = last_sign(&directory);
            let messages = self.files_of(&lease)?.len();
            holdings.readers.push(Holding { lease, messages, has_lapsed, seen, damage });
        }
        Ok(holdings)
    }
}

/// When a lease was last renewed, and why it cannot be read.
fn last_sign(directory: &Path) -> (Option<Timestamp>, Option<String>) {
    match files::read(&directory.join("lease.json")) {
        Ok(Some(bytes)) => match serde_json::from_slice::<Lease>(&bytes) {
            Ok(lease) => (Some(lease.seen()), None),
            Err(error) => (None, Some(error.to_string())),
        },
        // It lapses by the age of its directory.
        Ok(None) => {
            let changed = fs::metadata(directory).and_then(|metadata| metadata.modified());
            (changed.ok().and_then(|changed| changed.try_into().ok()), None)
        }
        Err(error) => (None, Some(error.to_string())),
    }
}
