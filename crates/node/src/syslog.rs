//! Sends the trail to the machine's syslog as well (RFC 3164 over a local datagram socket).

use base::{AlertId, NotificationId, RecordId};
use dispatch::record::Record;
use ledger::tell::{Lookup, sentence};
use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Facility `local0`, severity `notice` (RFC 3164 §4.1.1).
const PRIORITY: u32 = 16 * 8 + 5;
/// Bytes of one line; longer ones are cut (RFC 3164 §4.1).
const LINE_BYTES_MAX: usize = 1024;

/// A syslog socket.
#[derive(Debug)]
pub(crate) struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
    codes: Codes,
}

/// The codes of alerts that were accepted since the start, to name them by.
#[derive(Debug, Default)]
struct Codes(BTreeMap<AlertId, String>);

impl Lookup for Codes {
    fn code(&self, alert: AlertId) -> Option<String> {
        self.0.get(&alert).cloned()
    }

    fn notification(&self, _: NotificationId) -> Option<(String, String)> {
        None // The trail names them; a line of syslog gives their number.
    }
}

impl Syslog {
    /// Opens a socket to send to `path`.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.to_owned(), codes: Codes::default() })
    }

    /// Tells a record in one line.
    pub(crate) fn tell(&mut self, id: RecordId, record: &Record) {
        if let Record::Accept(alert) = record {
            self.codes.0.insert(AlertId(id), alert.code.to_string());
        }
        self.send(&sentence(id, record, &self.codes));
        if let Record::Closed { alert } = record {
            self.codes.0.remove(alert);
        }
    }

    /// Sends a line. A syslog that does not take it is not waited for: the trail itself has it.
    fn send(&self, sentence: &str) {
        let mut line = format!("<{PRIORITY}>steadfast[{}]: {sentence}", std::process::id());
        line.retain(|c| !c.is_control());
        while line.len() > LINE_BYTES_MAX {
            line.pop();
        }
        if let Err(error) = self.socket.send_to(line.as_bytes(), &self.path) {
            tracing::debug!(%error, "syslog did not take a line of the trail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_arrives_with_priority_and_without_control_characters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let receiver = UnixDatagram::bind(&path).unwrap();
        Syslog::open(&path).unwrap().send("anna acknowledged A1\n\u{1b}[31m");
        let mut buffer = [0; 2048];
        let length = receiver.recv(&mut buffer).unwrap();
        let line = std::str::from_utf8(buffer.get(..length).unwrap()).unwrap();
        assert!(
            line.starts_with("<133>steadfast[") && line.ends_with("]: anna acknowledged A1[31m"),
            "{line}"
        );
    }
}
