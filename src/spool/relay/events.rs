//! Server-sent events, as a relay sends them: `id:` and `data:` lines, an empty line after each event, comments between.
//!
//! WHATWG HTML, "Server-sent events" (2026-11): lines end with LF, CR or CRLF; one space after the colon is not content.

/// Bytes of one event at most: a message's body with its escapes.
const LARGEST: usize = 4 * 1024 * 1024;

/// Puts pieces of a stream together.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    id: Option<String>,
    data: Vec<u8>,
    has_data: bool,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: Option<String>,
    pub(super) data: Vec<u8>,
}

/// More than an event may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TooLong;

impl Events {
    /// Takes in a piece, and hands out the events that it completes.
    pub(super) fn take_in(&mut self, piece: &[u8], hand_out: &mut impl FnMut(Event)) -> Result<(), TooLong> {
        for byte in piece {
            match byte {
                b'\n' => self.end_line(hand_out),
                // The line ends with the LF that follows; a relay sends no lone CR.
                b'\r' => {}
                byte => self.line.push(*byte),
            }
            if self.line.len() + self.data.len() > LARGEST {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    fn end_line(&mut self, hand_out: &mut impl FnMut(Event)) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let (id, data) = (self.id.take(), std::mem::take(&mut self.data));
            if std::mem::take(&mut self.has_data) {
                hand_out(Event { id, data });
            }
            return;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"id" => self.id = Some(String::from_utf8_lossy(value).into_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str]) -> Vec<(Option<String>, String)> {
        let (mut stream, mut found) = (Events::default(), Vec::new());
        for piece in pieces {
            let mut add = |event: Event| found.push((event.id, String::from_utf8(event.data).unwrap()));
            stream.take_in(piece.as_bytes(), &mut add).unwrap();
        }
        found
    }

    #[test]
    fn an_event_comes_in_whatever_pieces() {
        let whole = "id: r-1\ndata: {\"a\":1}\n\n: keepalive\n\ndata:two\r\ndata: lines\r\n\r\n";
        let expected = vec![(Some("r-1".into()), "{\"a\":1}".into()), (None, "two\nlines".into())];
        assert_eq!(events(&[whole]), expected);
        for at in 1..whole.len() {
            assert_eq!(events(&[&whole[..at], &whole[at..]]), expected, "cut at {at}");
        }
        assert_eq!(events(&["data: cut"]), []);
    }

    #[test]
    fn an_endless_event_is_not_kept() {
        let mut stream = Events::default();
        assert_eq!(stream.take_in(&vec![b'x'; LARGEST + 1], &mut |_| ()), Err(TooLong));
    }
}
