//! What a harness tells its hook on standard input: one JSON object, of which few fields matter.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Map, Value};

/// More than this is no payload.
const LARGEST: usize = 64 * 1024 * 1024;

/// The payload's fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Payload(Map<String, Value>);

impl Payload {
    /// Reads a payload; `None` where it is not one JSON object.
    #[must_use]
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    /// A field that is a text.
    #[must_use]
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Whether the field is there, and neither null nor empty.
    #[must_use]
    pub(super) fn has(&self, name: &str) -> bool {
        !matches!(self.0.get(name), None | Some(Value::Null)) && self.text(name) != Some("")
    }
}

/// Reads standard input to its end, or until `deadline`: a harness may leave it open, or be a terminal.
pub fn read(input: &mut (impl Read + AsFd), deadline: Instant) -> io::Result<Vec<u8>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 64 * 1024]);
    while bytes.len() < LARGEST {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        if poll(&mut [PollFd::new(&*input, PollFlags::IN)], Some(&limit))? == 0 {
            break;
        }
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
