//! A web server on loopback that takes whatever is posted to it and counts: where webhooks end.

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::load::line;

/// The running server; its threads end with the process.
pub(crate) struct Sink {
    address: SocketAddr,
    taken: Arc<Taken>,
}

/// What was posted so far.
#[derive(Default)]
struct Taken {
    count: AtomicUsize,
    /// The member of each JSON body whose values are remembered; none remembers nothing.
    member: Option<String>,
    /// How often each of its values came.
    values: Mutex<BTreeMap<String, usize>>,
}

impl Sink {
    /// Listens on a free port.
    pub(crate) fn start() -> Result<Self, String> {
        Self::listen(Taken::default())
    }

    /// The same, and remembers how often each value of this member of the JSON bodies came.
    pub(crate) fn remembering(member: &str) -> Result<Self, String> {
        Self::listen(Taken { member: Some(format!("\"{member}\":\"")), ..Taken::default() })
    }

    fn listen(taken: Taken) -> Result<Self, String> {
        let failed = |why: std::io::Error| format!("the sink does not listen: {why}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let taken = Arc::new(taken);
        let shared = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                // A connection that breaks off was its client's to end.
                thread::spawn(move || serve(&stream, &shared).err());
            }
        });
        Ok(Self { address, taken })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests taken so far.
    pub(crate) fn received(&self) -> usize {
        self.taken.count.load(Ordering::SeqCst)
    }

    /// Waits until so many requests were taken.
    pub(crate) fn wait(&self, count: usize, patience: Duration) -> Result<(), String> {
        until(|| self.received(), count, patience)
    }

    /// Waits until nothing has come for a second.
    pub(crate) fn settle(&self, patience: Duration) -> Result<(), String> {
        let begun = Instant::now();
        let mut before = self.received();
        loop {
            thread::sleep(Duration::from_secs(1));
            let now = self.received();
            if now == before {
                return Ok(());
            }
            if patience < begun.elapsed() {
                return Err(format!("messages still come after {patience:?}"));
            }
            before = now;
        }
    }

    /// How often each value came, where they are remembered.
    pub(crate) fn remembered(&self) -> BTreeMap<String, usize> {
        self.taken.values.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Waits until `received` says `count`.
pub(crate) fn until(received: impl Fn() -> usize, count: usize, patience: Duration) -> Result<(), String> {
    let begun = Instant::now();
    while received() < count {
        if patience < begun.elapsed() {
            return Err(format!("only {} of {count} messages arrived in {patience:?}", received()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

impl Taken {
    fn take(&self, body: impl std::io::Read) -> std::io::Result<()> {
        match &self.member {
            None => drop(std::io::copy(&mut { body }, &mut std::io::sink())?),
            Some(member) => self.remember(member, &std::io::read_to_string(body)?),
        }
        self.count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn remember(&self, member: &str, text: &str) {
        let value = text.split_once(member).and_then(|(_, rest)| rest.split('"').next());
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        value.into_iter().for_each(|value| *values.entry(value.to_owned()).or_default() += 1);
    }
}

/// Takes one request after the other.
fn serve(stream: &TcpStream, taken: &Taken) -> Result<(), String> {
    let broken = |why: std::io::Error| why.to_string();
    stream.set_nodelay(true).map_err(broken)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let header = line(&mut reader)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse::<u64>().map_err(|why| why.to_string())?;
            }
        }
        taken.take((&mut reader).take(length)).map_err(broken)?;
        (&*stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").map_err(broken)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often_a_value_came_is_remembered() {
        let taken = Taken { member: Some("\"n\":\"".to_owned()), ..Taken::default() };
        for body in ["{\"n\":\"a\"}", "{\"x\":1,\"n\":\"b\"}", "{\"n\":\"a\"}", "{}"] {
            taken.take(body.as_bytes()).unwrap();
        }
        assert_eq!(taken.count.load(Ordering::SeqCst), 4);
        let values = taken.values.lock().unwrap().clone();
        assert_eq!(values, BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
    }
}
