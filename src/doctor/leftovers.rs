//! Temporary files that a writer left when it was killed. They harm nobody, and are in nobody's way.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Sheet, counted};
use crate::install::receipt::Receipt;
use crate::install::wishes::Ground;

/// After this long a writer is not writing any more.
const OLD: SignedDuration = SignedDuration::from_hours(1);
/// A message in flight: as the spool itself sweeps them.
const OLD_DRAFT: SignedDuration = SignedDuration::from_hours(36);

pub(super) fn look(sheet: &mut Sheet<'_>, ground: &Ground<'_>, receipt: &Receipt) {
    let found = find(ground, receipt);
    if let Some(first) = found.first() {
        let detail =
            format!("{} of writers that were killed: {}", counted(found.len(), "file"), first.display());
        sheet.warn("left over", detail, "bch doctor --fix");
    }
}

/// The files, in the mail's home, in our directory of data, and beside the files that setup wrote.
pub(super) fn find(ground: &Ground<'_>, receipt: &Receipt) -> Vec<PathBuf> {
    let now = ground.env.now();
    let mut found = Vec::new();
    let mut add = |directory: &Path, age: SignedDuration, is_temporary: &dyn Fn(&str) -> bool| {
        for path in below(directory) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if is_temporary(&name) && is_older(&path, age, now) && !found.contains(&path) {
                found.push(path);
            }
        }
    };
    let (home, data) = (&ground.home, receipt.directory());
    let mut ours = vec![home.clone(), home.join("agents"), data.to_owned(), data.join("originals")];
    for mailbox in below(&home.join("spool")) {
        add(&mailbox.join("tmp"), OLD_DRAFT, &|name| name.ends_with(".json") || name.ends_with(".copy"));
        ours.extend(below(&mailbox.join("claimed")));
        ours.push(mailbox);
    }
    for directory in ours {
        add(&directory, OLD, &|name| is_between(name, ".", ".tmp"));
    }
    let programs = ["bch", "bch-hook"].map(|name| ground.programs.join(name));
    let written = receipt.records().iter().flat_map(|record| [record.real.clone(), record.path.clone()]);
    for path in written.chain(programs) {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let start = format!(".{}.bch-", name.to_string_lossy());
        add(directory, OLD, &|name| is_between(name, &start, ".tmp"));
    }
    found
}

/// Whether a random name of ours stands between the two.
fn is_between(name: &str, start: &str, end: &str) -> bool {
    let random = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    random.is_some_and(|random| Uuid::try_parse(random).is_ok())
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn is_older(path: &Path, age: SignedDuration, now: Timestamp) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return false };
    let changed = metadata.modified().ok().and_then(|changed| Timestamp::try_from(changed).ok());
    metadata.is_file() && changed.is_some_and(|changed| now.duration_since(changed) > age)
}
