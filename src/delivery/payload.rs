//! What a harness tells its hook on standard input: one JSON object, of which few fields matter.

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::{Map, Value};

/// More than this is no payload.
const LARGEST: usize = 64 * 1024 * 1024;
/// Room for one reading; most payloads are shorter.
const CHUNK: usize = 4 * 1024;

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
pub fn read(input: impl AsFd, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < LARGEST {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        if poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&limit))? == 0 {
            break;
        }
        // Into the heap as it comes: a large buffer on the stack costs more page faults than all of the rest.
        bytes.reserve(CHUNK);
        match rustix::io::read(&input, spare_capacity(&mut bytes)) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}
