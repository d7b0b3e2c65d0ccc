//! A web server on loopback that takes whatever is posted to it and counts: where webhooks end.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::load::line;

/// The running server; its threads end with the process.
pub(crate) struct Sink {
    address: SocketAddr,
    received: Arc<AtomicUsize>,
}

impl Sink {
    /// Listens on a free port.
    pub(crate) fn start() -> Result<Self, String> {
        let failed = |why: std::io::Error| format!("the sink does not listen: {why}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let received = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counter = Arc::clone(&counter);
                // A connection that breaks off was its client's to end.
                thread::spawn(move || serve(&stream, &counter).err());
            }
        });
        Ok(Self { address, received })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests taken so far.
    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }

    /// Waits until so many requests were taken.
    pub(crate) fn wait(&self, count: usize, patience: Duration) -> Result<(), String> {
        until(|| self.received(), count, patience)
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

/// Takes one request after the other.
fn serve(stream: &TcpStream, counter: &AtomicUsize) -> Result<(), String> {
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
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).map_err(broken)?;
        counter.fetch_add(1, Ordering::SeqCst);
        (&*stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").map_err(broken)?;
    }
}
