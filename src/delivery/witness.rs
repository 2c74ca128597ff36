//! Whether the harness's transcript bears an event out: at a prompt that waits, or one that was taken back,
//! the event alone would prove what no model was shown.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::payload::Payload;
use crate::harness::{Event, Manifest, Proves, Transcript, TranscriptFacts};
use crate::message::DeliveryId;

/// Between two looks at a transcript whose last lines are still to come.
const PAUSE: Duration = Duration::from_millis(100);

/// The transcript of one hook's session, read when it is first asked.
pub(super) struct Witness<'a> {
    /// Where it is, if this harness has one that is asked.
    place: Option<(&'a TranscriptFacts, &'a Path)>,
    transcript: Option<Transcript>,
    /// Until when it may be read anew.
    patience: Instant,
}

impl<'a> Witness<'a> {
    pub(super) fn new(
        manifest: &'a Manifest,
        event: &Event,
        payload: &'a Payload,
        deadline: Instant,
    ) -> Self {
        let facts = manifest.transcript.as_ref();
        let place = facts.and_then(|facts| Some((facts, Path::new(payload.text(&facts.field)?))));
        let late = facts.map_or(0, |facts| facts.late);
        // In mid-turn a look that comes too early costs nothing: the end of the turn looks again.
        let late = if event.proves == Proves::Turn { Duration::from_millis(late) } else { Duration::ZERO };
        Self { place, transcript: None, patience: deadline.min(Instant::now() + late) }
    }

    /// Whether an answer of the model follows on the delivery. Where there is no transcript, or one that
    /// is written in a new way, the event is believed.
    pub(super) fn confirms(&mut self, delivery: Option<DeliveryId>) -> bool {
        let (Some((facts, path)), Some(delivery)) = (self.place, delivery) else { return true };
        loop {
            if self.transcript.is_none() {
                self.transcript = Transcript::read(path, facts.format);
            }
            let Some(transcript) = &self.transcript else { return true };
            match transcript.answers(delivery) {
                None => return true,
                Some(true) => return true,
                Some(false) if Instant::now() >= self.patience => return false,
                Some(false) => {}
            }
            thread::sleep(PAUSE.min(self.patience.saturating_duration_since(Instant::now())));
            self.transcript = None;
        }
    }
}
