//! A load generator for HTTP/1.1 (RFC 9112) over plain TCP: keep-alive connections that post as fast as
//! they are answered.
//!
//! Separate from any server, so that ours and others' are measured by the same hand. It is small on
//! purpose: on two cores a heavy generator would measure itself.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What is posted where, and how often.
pub(crate) struct Load<'a> {
    /// The server.
    pub(crate) at: SocketAddr,
    /// The request's target, such as `/api/v2/alerts`.
    pub(crate) path: &'a str,
    /// Connections that post at the same time.
    pub(crate) connections: usize,
    /// Requests over all connections.
    pub(crate) requests: usize,
    /// The JSON body of a request, by its number.
    pub(crate) body: &'a (dyn Fn(usize) -> Vec<u8> + Sync),
    /// What every answer's body must hold; empty takes any.
    pub(crate) says: &'a str,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Measured {
    /// From the first request to the last answer.
    took: Duration,
    /// Every answer's time, the shortest first.
    times: Vec<Duration>,
}

impl Measured {
    /// Things per second, where each request carried `each` of them.
    pub(crate) fn rate(&self, each: usize) -> String {
        super::rate(self.times.len() * each, self.took)
    }

    /// Requests per second.
    pub(crate) fn requests_per_second(&self) -> f64 {
        let count = f64::from(u32::try_from(self.times.len()).unwrap_or(u32::MAX));
        count / self.took.as_secs_f64()
    }

    /// The time within which `percent` of the answers came.
    pub(crate) fn within(&self, percent: usize) -> String {
        millis(share(&self.times, percent))
    }
}

/// The time within which `percent` of these ended, the shortest of which come first.
pub(crate) fn share(times: &[Duration], percent: usize) -> Duration {
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}

/// A time, as it stands in the table.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

impl Load<'_> {
    /// Posts everything; an answer other than 2xx ends it with that answer.
    pub(crate) fn run(&self) -> Result<Measured, String> {
        let next = AtomicUsize::new(0);
        let begun = Instant::now();
        let posted: Result<Vec<_>, String> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.connections).map(|_| scope.spawn(|| self.post_until_done(&next))).collect();
            let ended = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| Err("the load generator panicked".to_owned()))
            };
            threads.into_iter().map(ended).collect()
        });
        let took = begun.elapsed();
        let mut times = posted?.concat();
        times.sort_unstable();
        Ok(Measured { took, times })
    }

    /// One connection: takes the next number and posts it, until all are taken.
    fn post_until_done(&self, next: &AtomicUsize) -> Result<Vec<Duration>, String> {
        let stream = TcpStream::connect(self.at).map_err(|why| format!("{}: {why}", self.at))?;
        stream.set_nodelay(true).map_err(|why| format!("{}: {why}", self.at))?;
        let mut answers = BufReader::new(&stream);
        let mut times = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if self.requests <= number {
                return Ok(times);
            }
            let request = self.request(number);
            let begun = Instant::now();
            (&stream).write_all(&request).map_err(|why| format!("{}: {why}", self.at))?;
            let answer = Answer::read(&mut answers)?;
            times.push(begun.elapsed());
            if !answer.is_well() || !answer.body.contains(self.says) {
                return Err(format!("{}{} answered {}: {}", self.at, self.path, answer.status, answer.body));
            }
        }
    }

    fn request(&self, number: usize) -> Vec<u8> {
        request(self.at, "POST", self.path, &(self.body)(number))
    }
}

/// The whole request in one piece, so that it leaves in one write.
fn request(at: SocketAddr, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend(body);
    request
}

/// One request over a connection of its own.
pub(crate) fn ask(at: SocketAddr, method: &str, path: &str, body: &str) -> Result<Answer, String> {
    answered(at, &request(at, method, path, body.as_bytes()))
}

/// The same with a token.
pub(crate) fn ask_with(
    at: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
    token: &str,
) -> Result<Answer, String> {
    // One more line of the head, behind the first.
    let plain = request(at, method, path, body.as_bytes());
    let text = String::from_utf8_lossy(&plain).replacen(
        "\r\n",
        &format!("\r\nAuthorization: Bearer {token}\r\n"),
        1,
    );
    answered(at, text.as_bytes())
}

fn answered(at: SocketAddr, request: &[u8]) -> Result<Answer, String> {
    let failed = |why: std::io::Error| format!("{at}: {why}");
    let mut stream = TcpStream::connect(at).map_err(failed)?;
    stream.write_all(request).map_err(failed)?;
    Answer::read(&mut BufReader::new(&stream))
}

/// An answer of a server.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status line.
    pub(crate) status: String,
    /// The body, as text.
    pub(crate) body: String,
}

impl Answer {
    /// Reads one answer, and leaves the stream at the next.
    fn read(stream: &mut impl BufRead) -> Result<Self, String> {
        let status = line(stream)?;
        let mut length = None;
        loop {
            let header = line(stream)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        // 204 has no body and needs no length (RFC 9112 §6.3).
        let length = if status.contains(" 204") { Some(0) } else { length };
        let length = length.ok_or_else(|| format!("an answer without Content-Length: {status}"))?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).map_err(|why| format!("the answer broke off: {why}"))?;
        Ok(Self { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// It is a 2xx.
    pub(crate) fn is_well(&self) -> bool {
        self.status.starts_with("HTTP/1.1 2")
    }
}

/// One line of a head, without its end.
pub(crate) fn line(stream: &mut impl BufRead) -> Result<String, String> {
    let mut text = String::new();
    // A head longer than this is not one of ours.
    let read = stream.take(16 * 1024).read_line(&mut text).map_err(|why| format!("no answer: {why}"))?;
    if read == 0 {
        return Err("the connection was closed".to_owned());
    }
    Ok(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::sink::Sink;

    #[test]
    fn every_request_is_posted_once_over_all_connections() {
        let sink = Sink::start().unwrap();
        let body = |number: usize| format!("{{\"n\":{number}}}").into_bytes();
        let load =
            Load { at: sink.address(), path: "/x", connections: 4, requests: 103, body: &body, says: "" };
        let measured = load.run().unwrap();
        assert_eq!(measured.times.len(), 103);
        assert!(measured.times.is_sorted());
        assert_eq!(sink.received(), 103);
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_no_further() {
        let mut stream =
            &b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 204 No Content\r\n\r\n"[..];
        let answer = Answer::read(&mut stream).unwrap_or_else(|why| panic!("{why}"));
        assert!(answer.is_well() && answer.body == "{}");
        let answer = Answer::read(&mut stream).unwrap_or_else(|why| panic!("{why}"));
        assert!(answer.is_well() && answer.body.is_empty());
        assert_eq!(Answer::read(&mut stream).err().as_deref(), Some("the connection was closed"));
    }

    #[test]
    fn rates_and_shares_are_those_of_the_times() {
        let times = (1..=100).map(Duration::from_millis).collect();
        let measured = Measured { took: Duration::from_secs(2), times };
        assert_eq!((measured.rate(1), measured.rate(50)), ("50/s".to_owned(), "2500/s".to_owned()));
        assert_eq!((measured.within(50), measured.within(99)), ("50.0 ms".to_owned(), "99.0 ms".to_owned()));
    }
}
