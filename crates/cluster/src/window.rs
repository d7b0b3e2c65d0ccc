//! How much of what was sent on a connection for records may be on its way: the sender's window, and the count
//! by which the receiver says how far it has read.
//!
//! Without a bound records fill every queue on a slow way. Heartbeats wait behind them, and the peer takes a node
//! for dead that is sending it what it lacks.

use base::limits::PEER_SILENCE_MAX;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// Over how long it is measured what the way carries. What is on its way may be twice that, so that it is there
/// in about half of the time after which a silent peer is down by default.
const INTERVAL: Duration = Duration::from_millis(250);
/// The window at first, after a rest, and at least: half a second on a way of 256 kbit/s.
const BYTES_MIN: u64 = 16 << 10;
/// At most.
const BYTES_MAX: u64 = 8 << 20;
/// The receiver says how far it has read after so many bytes more.
const SAY_AFTER: u64 = 8 << 10;
/// Or after this time.
const SAY_WITHIN: Duration = Duration::from_millis(50);
/// How often it is looked whether the receiver is silent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The arithmetic: what may be on its way, from what was read when.
#[derive(Debug)]
struct Pace {
    size: u64,
    sent: u64,
    read: u64,
    /// The measurement under way: since when, what had been read then, and whether the window was full meanwhile.
    since: Instant,
    read_then: u64,
    full: bool,
    /// When the receiver was last heard, or there was nothing to hear from it.
    heard: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { size: BYTES_MIN, sent: 0, read: 0, since: now, read_then: 0, full: false, heard: now }
    }

    fn room(&mut self) -> u64 {
        let room = self.size.saturating_sub(self.sent - self.read);
        self.full |= room == 0;
        room
    }

    fn send(&mut self, bytes: u64, now: Instant) {
        if self.sent == self.read {
            self.heard = now;
        }
        if self.sent == self.read && now.saturating_duration_since(self.since) > INTERVAL {
            self.size = BYTES_MIN; // Nobody knows what the way carries by now.
            self.measure(now);
        }
        self.sent += bytes;
    }

    fn hear(&mut self, read: u64, now: Instant) {
        self.read = read.clamp(self.read, self.sent);
        self.heard = now;
        let passed = now.saturating_duration_since(self.since);
        if passed < INTERVAL {
            return;
        }
        if self.full {
            let carried = u128::from(self.read - self.read_then) * INTERVAL.as_millis() / passed.as_millis();
            self.size = u64::try_from(2 * carried).unwrap_or(BYTES_MAX).clamp(BYTES_MIN, BYTES_MAX);
        }
        self.measure(now);
    }

    /// Something is under way, and nothing was heard of it for so long.
    fn is_stuck(&self, now: Instant) -> bool {
        self.sent > self.read && now.saturating_duration_since(self.heard) >= PEER_SILENCE_MAX
    }

    fn measure(&mut self, now: Instant) {
        (self.since, self.read_then, self.full) = (now, self.read, false);
    }
}

/// The window of one connection.
#[derive(Debug)]
pub(crate) struct Window(Mutex<(Pace, Option<Waker>)>);

impl Window {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((Pace::new(Instant::now()), None))))
    }

    fn lock(&self) -> MutexGuard<'_, (Pace, Option<Waker>)> {
        // Plain numbers, right at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the receiver is silent although something is under way. Its end of the connection may be gone: it
    /// gave up telling us across a network that was cut, and we, who wait for its word, would never find out.
    pub(crate) async fn stuck(&self) {
        while !self.lock().0.is_stuck(Instant::now()) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The peer has read so many bytes in all.
    pub(crate) fn hear(&self, read: u64) {
        let mut inner = self.lock();
        inner.0.hear(read, Instant::now());
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
    }
}

/// Writes no more than its window allows.
pub(crate) struct Metered<W> {
    stream: W,
    /// None where the peer does not say how far it has read.
    window: Option<Arc<Window>>,
}

impl<W> Metered<W> {
    pub(crate) fn new(stream: W, window: Option<Arc<Window>>) -> Self {
        Self { stream, window }
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Metered<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(window) = self.window.clone() else {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        };
        let room = {
            let mut inner = window.lock();
            let room = usize::try_from(inner.0.room()).unwrap_or(usize::MAX);
            if room == 0 {
                inner.1 = Some(context.waker().clone());
            }
            room
        };
        if room == 0 {
            // What waits in our own buffers leaves, or the peer would have nothing to read.
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            return Poll::Pending;
        }
        let some = bytes.get(..room.min(bytes.len())).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, some))?;
        window.lock().0.send(u64::try_from(written).unwrap_or(0), Instant::now());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How much was read from a connection.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    bytes: AtomicU64,
    news: Notify,
}

impl Tally {
    /// The bytes read in all, once it is time to say so again after `said`.
    pub(crate) async fn next(&self, said: u64) -> u64 {
        while self.bytes.load(Ordering::Relaxed) == said {
            self.news.notified().await;
        }
        let due = tokio::time::Instant::now() + SAY_WITHIN;
        while self.bytes.load(Ordering::Relaxed) < said + SAY_AFTER
            && tokio::time::timeout_at(due, self.news.notified()).await.is_ok()
        {}
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Counts what is read.
pub(crate) struct Counted<R> {
    stream: R,
    tally: Arc<Tally>,
}

impl<R> Counted<R> {
    pub(crate) fn new(stream: R, tally: Arc<Tally>) -> Self {
        Self { stream, tally }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = u64::try_from(buffer.filled().len() - before).unwrap_or(0);
        self.tally.bytes.fetch_add(read, Ordering::Relaxed);
        self.tally.news.notify_one();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// The window after ten seconds on a way that carries so much and takes so long, with more to send than that.
    fn settled(bytes_per_second: u64, delay: Duration) -> u64 {
        let tick = Duration::from_millis(10);
        let begun = Instant::now();
        let mut pace = Pace::new(begun);
        let (mut queue, mut carried) = (0, 0);
        let mut words = std::collections::VecDeque::new();
        for number in 1..1000 {
            let now = begun + tick * number;
            let room = pace.room();
            pace.send(room, now);
            assert_eq!(pace.room(), 0, "there is always more to send");
            queue += room;
            let some = queue.min(bytes_per_second / 100);
            queue -= some;
            carried += some;
            words.push_back((now + delay, carried));
            while let Some((at, read)) = words.front().copied()
                && at <= now
            {
                pace.hear(read, now);
                words.pop_front();
            }
        }
        pace.size
    }

    #[test]
    fn the_window_fits_the_way() {
        let ms = Duration::from_millis;
        // bytes a second, delay, and the longest time that the window may take on that way
        for (rate, delay, most) in [
            (32 << 10, ms(10), ms(500)),
            (32 << 10, ms(100), ms(500)),
            (128 << 10, ms(10), ms(600)),
            (1 << 20, ms(50), ms(600)),
        ] {
            let size = settled(rate, delay);
            assert!(size <= rate * u64::try_from(most.as_millis()).unwrap() / 1000, "{rate}: {size}");
        }
        let wide = settled(100 << 20, ms(10));
        assert_eq!(wide, BYTES_MAX, "a wide way is used");
    }

    #[test]
    fn a_receiver_that_says_nothing_is_noticed() {
        let begun = Instant::now();
        let mut pace = Pace::new(begun);
        let (later, last) = (begun + PEER_SILENCE_MAX, begun + PEER_SILENCE_MAX * 2);
        assert!(!pace.is_stuck(later), "nothing is under way");
        pace.send(10, later);
        assert!(!pace.is_stuck(later) && pace.is_stuck(last));
        pace.hear(5, later + INTERVAL);
        assert!(!pace.is_stuck(last));
        pace.hear(10, later + INTERVAL);
        assert!(!pace.is_stuck(last + INTERVAL));
    }

    #[test]
    fn after_a_rest_it_starts_small() {
        let begun = Instant::now();
        let mut pace = Pace { size: BYTES_MAX, ..Pace::new(begun) };
        pace.send(10, begun);
        pace.hear(10, begun);
        assert_eq!(pace.room(), BYTES_MAX);
        pace.send(10, begun + INTERVAL * 2);
        assert_eq!(pace.room(), BYTES_MIN - 10);
    }

    #[tokio::test]
    async fn more_is_written_when_some_was_read() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let window = Window::new();
        let mut metered = Metered::new(near, Some(Arc::clone(&window)));
        let writing = tokio::spawn(async move { metered.write_all(&[7; 40 << 10]).await });
        let mut bytes = vec![0; 16 << 10];
        far.read_exact(&mut bytes).await.unwrap();
        assert!(!writing.is_finished());
        for read in [16, 32] {
            window.hear(read << 10);
            far.read_exact(&mut bytes[..8 << 10]).await.unwrap();
        }
        window.hear(32 << 10);
        writing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_reader_says_how_far_it_is() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let tally = Arc::new(Tally::default());
        let mut counted = Counted::new(near, Arc::clone(&tally));
        far.write_all(&[7; 10 << 10]).await.unwrap();
        counted.read_exact(&mut [0; 10 << 10]).await.unwrap();
        assert_eq!(tally.next(0).await, 10 << 10);
        far.write_all(&[7; 10]).await.unwrap();
        counted.read_exact(&mut [0; 10]).await.unwrap();
        assert_eq!(tally.next(10 << 10).await, (10 << 10) + 10, "also a little, after a while");
    }
}
