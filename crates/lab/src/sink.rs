//! A web server that takes whatever is posted to it and remembers when it came, from whom, and what it said.
//!
//! Separate from any program under test: it is the receiver of notifications, and what it saw is the truth. It
//! can be told to let a node wait for its answers, so that what that node sends stays unfinished.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest line of a head.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// One request that was taken.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When its last byte had come.
    pub at: Instant,
    /// Who sent it: a node's [`crate::Lan::side`].
    pub from: IpAddr,
    /// Its header lines, as they came.
    pub head: Vec<String>,
    /// Its body, as text.
    pub body: String,
}

/// The running server; its threads end with the process.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    arrivals: Vec<Arrival>,
    /// Who gets no answer for the time being.
    stalled: BTreeSet<IpAddr>,
}

impl Sink {
    /// Listens on a free port of this address.
    ///
    /// # Errors
    /// The address is not ours.
    pub fn start(address: IpAddr) -> Result<Self, String> {
        let failed = |why: std::io::Error| format!("the sink does not listen on {address}: {why}");
        let listener = TcpListener::bind((address, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared::default());
        let taken = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&taken);
                // A connection that breaks off was its client's to end.
                thread::spawn(move || serve(&stream, &shared).err());
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has arrived so far with `text` in its body, in the order of arrival.
    #[must_use]
    pub fn with(&self, text: &str) -> Vec<Arrival> {
        self.shared.lock().with(text)
    }

    /// Waits until `count` requests with `text` in their bodies have arrived, or `patience` is over, and returns
    /// those that have.
    #[must_use]
    pub fn wait(&self, text: &str, count: usize, patience: Duration) -> Vec<Arrival> {
        let few = |state: &mut State| state.with(text).len() < count;
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), patience, few);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.with(text)
    }

    /// From now on, requests from this address are taken and remembered, but not answered.
    pub fn stall(&self, from: IpAddr) {
        self.shared.lock().stalled.insert(from);
    }

    /// Answers them again, those that wait included.
    pub fn answer(&self, from: IpAddr) {
        self.shared.lock().stalled.remove(&from);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, arrival: Arrival) {
        self.lock().arrivals.push(arrival);
        self.changed.notify_all();
    }

    /// Returns when nobody wants this address to wait.
    fn until_answered(&self, from: IpAddr) {
        let stalled = |state: &mut State| state.stalled.contains(&from);
        drop(self.changed.wait_while(self.lock(), stalled));
    }
}

impl State {
    fn with(&self, text: &str) -> Vec<Arrival> {
        self.arrivals.iter().filter(|arrival| arrival.body.contains(text)).cloned().collect()
    }
}

/// Takes one request after the other from a connection.
fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let from = stream.peer_addr()?.ip();
    let mut reader = BufReader::new(stream);
    while let Some(head) = head(&mut reader)? {
        let body = body(&mut reader, &head)?;
        shared.take(Arrival { at: Instant::now(), from, head, body });
        shared.until_answered(from);
        (&*stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
    Ok(())
}

/// The lines of a head without the empty one at its end; nothing if the client has closed.
fn head(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<String>>> {
    let mut lines = Vec::new();
    loop {
        match line(reader)? {
            None => return Ok(None),
            Some(line) if line.is_empty() => return Ok(Some(lines)),
            Some(line) => lines.push(line),
        }
    }
}

fn line(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut text = String::new();
    let read = reader.take(LINE_BYTES_MAX).read_line(&mut text)?;
    Ok((read != 0).then(|| text.trim_end().to_owned()))
}

/// The body: as long as the head says, or in chunks (RFC 9112 §6.3, §7.1).
fn body(reader: &mut impl BufRead, head: &[String]) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if value(head, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let size = line(reader)?.unwrap_or_default();
            let size = u64::from_str_radix(&size, 16).map_err(std::io::Error::other)?;
            reader.take(size).read_to_end(&mut bytes)?;
            line(reader)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = value(head, "content-length") {
        let length = length.parse().map_err(std::io::Error::other)?;
        reader.take(length).read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of a header line.
fn value<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let lines = head.iter().filter_map(|line| line.split_once(':'));
    let mut values =
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    values.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn sink() -> (Sink, TcpStream) {
        let sink = Sink::start(Ipv4Addr::LOCALHOST.into()).unwrap();
        let client = TcpStream::connect(sink.address()).unwrap();
        (sink, client)
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn what_arrived_is_found_by_its_text() {
        let (sink, mut client) = sink();
        client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\npump 1").unwrap();
        client
            .write_all(
                b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npump\r\n2\r\n 2\r\n0\r\n\r\n",
            )
            .unwrap();
        assert_eq!(sink.wait("pump", 2, PATIENCE).len(), 2);
        let second = sink.with("pump 2");
        assert_eq!(second.len(), 1);
        assert_eq!(second[0].from, Ipv4Addr::LOCALHOST);
        assert_eq!(second[0].head[0], "POST / HTTP/1.1");
        assert!(sink.wait("valve", 1, Duration::ZERO).is_empty());
    }

    #[test]
    fn who_is_stalled_is_heard_and_answered_later() {
        let (sink, mut client) = sink();
        sink.stall(Ipv4Addr::LOCALHOST.into());
        client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx").unwrap();
        assert_eq!(sink.wait("x", 1, PATIENCE).len(), 1);
        client.set_nonblocking(true).unwrap();
        let mut byte = [0];
        assert_eq!(client.read(&mut byte).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        client.set_nonblocking(false).unwrap();
        sink.answer(Ipv4Addr::LOCALHOST.into());
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK\r\n");
    }
}
