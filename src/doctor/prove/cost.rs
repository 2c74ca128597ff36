//! What mail costs at a prompt, on this machine: time without mail and with it, and what of the context it takes.

use std::time::Duration;

use super::answer;
use super::canary::Canary;
use super::installed::Line;
use super::session::{Session, Stage};
use super::turn::TEXT;
use crate::harness::Event;
use crate::message::Priority;

/// How often a prompt is run for a median.
const TIMES: usize = 5;
/// More messages than one delivery holds, each of so many letters.
const FULL: (usize, usize) = (13, 800);
/// Bytes of English that make about one token.
const BYTES_A_TOKEN: usize = 4;

/// What a prompt costs.
pub(super) struct Cost {
    /// Without mail.
    pub(super) quiet: Duration,
    /// With one message of a line.
    mail: Duration,
    /// Bytes before the model for one message of a line.
    line: usize,
    /// Bytes before the model where more waits than one prompt takes.
    most: usize,
}

impl Cost {
    /// Measures it; why it could not, where a run fails.
    pub(super) fn measure(
        stage: &Stage<'_>,
        canary: &Canary<'_>,
        line: &Line,
        event: &Event,
    ) -> Result<Self, String> {
        let mut quiet = Vec::new();
        for _ in 0..TIMES {
            let (time, bytes) = prompt(stage, canary, line, event, &[])?;
            if bytes > 0 {
                return Err(format!("{} prints {bytes} bytes where no mail waits", event.name));
            }
            quiet.push(time);
        }
        let (mut mail, mut one) = (Vec::new(), 0);
        for _ in 0..TIMES {
            let (time, bytes) = prompt(stage, canary, line, event, &[TEXT.to_owned()])?;
            mail.push(time);
            one = bytes;
        }
        let (count, length) = FULL;
        let (_, most) = prompt(stage, canary, line, event, &vec!["words ".repeat(length / 6); count])?;
        canary.empty().map_err(|error| error.to_string())?;
        Ok(Self { quiet: median(quiet), mail: median(mail), line: one, most })
    }

    pub(super) fn text(&self) -> String {
        format!(
            "a prompt costs {} without mail, {} with; a message of a line adds {} bytes (about {} tokens), \
             many add {} at most",
            milliseconds(self.quiet),
            milliseconds(self.mail),
            self.line,
            self.line / BYTES_A_TOKEN,
            self.most
        )
    }
}

/// One prompt with these messages waiting: how long it took, and the bytes of text that it gave.
fn prompt(
    stage: &Stage<'_>,
    canary: &Canary<'_>,
    line: &Line,
    event: &Event,
    bodies: &[String],
) -> Result<(Duration, usize), String> {
    for body in bodies {
        canary.send(body, Priority::Normal).map_err(|error| error.to_string())?;
    }
    let mut session = Session::begin(stage).map_err(|error| error.to_string())?;
    let ended = session.run(line, event).map_err(|failure| format!("{} {failure}", event.name))?;
    let text = answer::text(stage.manifest, stage.facts.cap, event, &ended)
        .map_err(|fault| format!("{} {fault}", event.name))?;
    if text.is_none() && !bodies.is_empty() {
        return Err(format!("{} printed nothing, with mail waiting", event.name));
    }
    canary.settle(&session.lease()).map_err(|error| error.to_string())?;
    Ok((ended.time, text.map_or(0, |text| text.len())))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// `3.1 ms`, `120 ms`.
pub(super) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 { format!("{milliseconds:.1} ms") } else { format!("{milliseconds:.0} ms") }
}
