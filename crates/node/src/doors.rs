//! Lets connections in: so many at once, and none that says nothing for ever.
//!
//! Separate from `run`, which opens the listeners. Without a limit, a stranger who opens connections and
//! sends nothing uses up the process's file descriptors, and then the ledger cannot open its own files.

use axum_server::accept::Accept;
use std::future::{Future as _, Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at once on one listener, at most. A further one is closed as soon as it is made.
const CONNECTIONS_MAX: u64 = 2048;
/// The same, where the system allows the process hardly any files.
const CONNECTIONS_MIN: u64 = 8;
/// File descriptors kept for the ledger, the providers and the rest.
const FILES_KEPT: u64 = 256;
/// A connection on which nothing moves in either direction for so long is closed. Longer than the slowest
/// answer, a backup's, should take, and than the pause between two signs of life of a stream.
const SILENCE_MAX: Duration = Duration::from_secs(300);

/// The door of one listener.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    free: Arc<Semaphore>,
    patience: Duration,
}

impl Door {
    /// A door that lets in as many as `files`, the process's permitted file descriptors, allow for.
    pub(crate) fn new(files: u64) -> Self {
        let most = (files.saturating_sub(FILES_KEPT) / 3).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX);
        let most = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(most)), patience: SILENCE_MAX }
    }
}

/// Asks the system for as many file descriptors as it lets this process have; returns how many those are.
pub(crate) fn raise_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: before.maximum, maximum: before.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

impl<S> Accept<TcpStream, S> for Door {
    type Stream = Held<TcpStream>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = Arc::clone(&self.free).try_acquire_owned();
        let held = place.map(|place| (Held::new(stream, place, self.patience), service));
        ready(held.map_err(|_| io::Error::other("too many connections at once")))
    }
}

/// A connection that holds its place, and breaks when it is silent for too long.
#[derive(Debug)]
pub(crate) struct Held<T> {
    stream: T,
    silence: Pin<Box<Sleep>>,
    patience: Duration,
    _place: OwnedSemaphorePermit,
}

impl<T> Held<T> {
    fn new(stream: T, place: OwnedSemaphorePermit, patience: Duration) -> Self {
        Self { stream, silence: Box::pin(tokio::time::sleep(patience)), patience, _place: place }
    }

    /// Something moved: the wait begins anew.
    fn moved(&mut self) {
        let until = Instant::now() + self.patience;
        self.silence.as_mut().reset(until);
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Held<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, into) {
            self.moved();
            return Poll::Ready(read);
        }
        ready!(self.silence.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Held<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.moved();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts));
        self.moved();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed_until_another_goes() {
        let door = Door::new(0);
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_MIN {
            held.push(door.accept(pair().await.1, ()).await.unwrap());
        }
        assert!(door.accept(pair().await.1, ()).await.is_err());
        held.pop();
        assert!(door.accept(pair().await.1, ()).await.is_ok());
    }

    #[tokio::test]
    async fn a_silent_connection_breaks_and_one_that_speaks_does_not() {
        let impatient = |patience| Door { patience, ..Door::new(0) };
        let (near, far) = pair().await;
        let (mut silent, ()) = impatient(Duration::from_millis(1)).accept(far, ()).await.unwrap();
        let error = silent.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(near);
        let (mut near, far) = pair().await;
        let (mut lively, ()) = impatient(SILENCE_MAX).accept(far, ()).await.unwrap();
        near.write_all(b"x").await.unwrap();
        assert_eq!(lively.read_u8().await.unwrap(), b'x');
    }
}
