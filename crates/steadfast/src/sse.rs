//! Reads server-sent events (WHATWG HTML §9.2.6) from a stream of bytes.
//!
//! Separate from `trail`, because it is a parser of what a network brings: it takes any bytes in any pieces.

/// Bytes of one event past which the stream is not believed.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its kind; empty if none was given.
    pub(crate) name: String,
    /// The data, its lines joined.
    pub(crate) data: String,
}

/// The parser: bytes in, events out.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    after_return: bool,
    event: Event,
    /// The id to resume after.
    pub(crate) last_id: Option<String>,
}

impl Events {
    /// Starts again on a new connection: what was cut off is dropped, the id to resume after stays.
    pub(crate) fn restart(&mut self) {
        *self = Self { last_id: self.last_id.take(), ..Self::default() };
    }

    /// Takes the next bytes, and gives the events that they complete.
    ///
    /// # Errors
    /// If an event is larger than anything a node sends.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, &'static str> {
        let mut done = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    done.extend(self.end_line());
                }
                _ => {
                    self.after_return = false;
                    self.line.push(byte);
                }
            }
            if self.line.len() + self.event.data.len() > EVENT_BYTES_MAX {
                return Err("an event is larger than 4 MiB");
            }
        }
        Ok(done)
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            // The last line's end is not part of the data; without data there is no event.
            return event.data.pop().map(|_| event);
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                self.event.data.push_str(value);
                self.event.data.push('\n');
            }
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            _ => (), // A comment, which keeps the connection alive, or a field of a later version.
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nid: 1f-1\nevent: trail\ndata: {\"a\":\ndata: \"ü\"}\n\nretry: 5\ndata:two\nid:1f-2\r\n\r\ndata: cut";

    fn read(pieces: usize) -> (Vec<Event>, Option<String>) {
        let mut events = Events::default();
        let found = STREAM.as_bytes().chunks(pieces).flat_map(|bytes| events.take(bytes).unwrap()).collect();
        (found, events.last_id)
    }

    #[test]
    fn events_are_read_however_the_bytes_are_cut() {
        let first = Event { name: "trail".into(), data: "{\"a\":\n\"ü\"}".into() };
        let second = Event { name: String::new(), data: "two".into() };
        for pieces in 1..STREAM.len() {
            assert_eq!(read(pieces), (vec![first.clone(), second.clone()], Some("1f-2".into())), "{pieces}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused_before_it_fills_the_memory() {
        let mut events = Events::default();
        assert!((0..5).any(|_| events.take(&vec![b'x'; 1 << 20]).is_err()));
    }
}
