//! Lines of ours in a text of the user's, between two lines that only we write.

use std::ops::Range;

use super::place::{Reason, Refusal};

/// The two lines, and what is said of them where they are not one after the other.
pub(super) struct Marks {
    /// What the first line starts with, whatever a later version adds.
    pub(super) begin: &'static str,
    /// The last line.
    pub(super) end: &'static str,
    /// A second one begins.
    pub(super) second: &'static str,
    /// One ends that never began.
    pub(super) stray_end: &'static str,
    /// One never ends.
    pub(super) endless: &'static str,
}

impl Marks {
    /// The place from the first line's start to the end of the last line. Each line is given with its own place, and
    /// is looked at as `bare` makes it.
    pub(super) fn find<'a>(
        &self,
        text: &str,
        lines: impl IntoIterator<Item = (usize, &'a str)>,
        bare: impl Fn(&'a str) -> &'a str,
    ) -> Result<Option<Range<usize>>, Refusal> {
        let refused = |reason, offset| Err(Refusal::new(Reason::Section(reason), text, offset));
        let (mut found, mut begin) = (None, None);
        for (offset, line) in lines {
            match bare(line) {
                bare if bare.starts_with(self.begin) => {
                    if begin.is_some() || found.is_some() {
                        return refused(self.second, offset);
                    }
                    begin = Some(offset);
                }
                bare if bare == self.end => match begin.take() {
                    Some(start) => found = Some(start..offset + line.len()),
                    None => return refused(self.stray_end, offset),
                },
                _ => {}
            }
        }
        match begin {
            Some(start) => refused(self.endless, start),
            None => Ok(found),
        }
    }
}
