//! What waits to be sent goes out with the next command, or by the notifier. What is refused for good comes back into the
//! sender's own inbox on this machine, and blocks nothing.

use std::path::{Path, PathBuf};

use super::journey::{self, Journey};
use super::send::{reason, whom};
use super::{BrainSpool, Refusal, Result};
use crate::spool::Error;
use crate::spool::remote::Outbox;

impl BrainSpool {
    /// Sends what waits; how many messages wait still.
    pub(super) fn empty_outbox(&self) -> Result<usize> {
        self.here.outbox.empty(self.calls.deadline(), |waiting| self.send_all_waiting(waiting))
    }

    /// Sends these; why it had to stop, if it had. The outbox is locked.
    pub(super) fn send_all_waiting(&self, waiting: Vec<PathBuf>) -> Result<Option<Refusal>> {
        for path in waiting {
            let Some(mut journey) = self.read_waiting(&path)? else { continue };
            if Outbox::is_too_old(journey.message.ts, self.here.env.now()) {
                self.bounce(&path, &journey, "the brain could not be reached for 29 days")?;
                continue;
            }
            // Whoever wrote it down may have written more.
            journey.is_tried = journey.to.is_some();
            let (archived, _) = self.archived(&journey.message)?;
            match self.recipients(&mut journey).and_then(|_| self.carry(&path, &mut journey, &archived)) {
                Ok(()) => self.here.note("sent"),
                // A gateway's page, or a token that does not hold now: nothing is wrong with the message.
                Err(Error::Brain(refusal)) if refusal.is_temporary() || refusal.is_everybodys() => {
                    journey::save(&path, &journey)?;
                    return Ok(Some(refusal));
                }
                Err(error @ (Error::Io { .. } | Error::Damaged { .. } | Error::NoRedaction(_))) => {
                    return Err(error);
                }
                Err(error) => {
                    let reason = reason(&whom(&journey, error));
                    self.bounce(&path, &journey, &reason)?;
                }
            }
        }
        Ok(None)
    }

    fn bounce(&self, path: &Path, journey: &Journey, reason: &str) -> Result<()> {
        journey::save(path, journey)?;
        self.here.bounce(path, &journey.message, reason)
    }
}
