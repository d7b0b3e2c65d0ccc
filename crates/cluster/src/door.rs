//! Who may knock: the list of allowed hosts, and how many connections may wait to say who they are.
//!
//! Separate from `accept`, because all of it happens before TLS, where everybody is a stranger, and must cost
//! next to nothing. What is turned away is counted, and logged at most once per minute and source.

use base::limits::{PEER_ADDRESS_TIME, PEER_ARRIVALS_MAX, PEER_ARRIVALS_PER_HOST_MAX};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::lookup_host;
use tokio::time::timeout;

/// How often one source is written of in the log.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Sources that are remembered for that. While there are more, the further ones are counted only.
const SOURCES_MAX: usize = 1024;

/// A host or network from which peers may connect: `10.1.0.0/16`, `2001:db8::/32`, `10.1.2.3` or `b.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Addresses that agree with this one in their first bits.
    Net {
        /// The address.
        address: IpAddr,
        /// How many bits count.
        bits: u8,
    },
    /// A name, looked up each time somebody knocks.
    Host(String),
}

/// Why a text is not an [`Allowed`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address, a network such as 10.1.0.0/16, nor a host's name")]
pub struct AllowedError(pub String);

impl FromStr for Allowed {
    type Err = AllowedError;

    fn from_str(text: &str) -> Result<Self, AllowedError> {
        let wrong = || AllowedError(text.to_owned());
        let (host, bits) = match text.split_once('/') {
            Some((host, bits)) => (host, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        match (host.parse::<IpAddr>(), bits) {
            (Ok(address), bits) => {
                let width = width(address);
                let bits = bits.unwrap_or(width);
                if bits <= width { Ok(Self::Net { address, bits }) } else { Err(wrong()) }
            }
            (Err(_), None) if is_host(host) => Ok(Self::Host(host.to_owned())),
            (Err(_), _) => Err(wrong()),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net { address, bits } => write!(f, "{address}/{bits}"),
            Self::Host(name) => f.write_str(name),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Whether this can be the name of a host (RFC 1123 §2.1). One that looks like an address is a slip.
fn is_host(text: &str) -> bool {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !text.is_empty() && text.bytes().all(may) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

impl Allowed {
    async fn admits(&self, ip: IpAddr) -> bool {
        match self {
            Self::Net { address, bits } => agree(*address, ip, *bits),
            Self::Host(name) => match timeout(PEER_ADDRESS_TIME, lookup_host((name.as_str(), 0))).await {
                Ok(Ok(mut found)) => found.any(|address| address.ip().to_canonical() == ip),
                Ok(Err(_)) | Err(_) => false,
            },
        }
    }
}

/// Whether two addresses of the same kind agree in their first `bits`.
fn agree(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let numbers = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits())),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits()),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let ignored = u32::from(width(one) - bits);
    let head = |number: u128| number.checked_shr(ignored).unwrap_or(0);
    head(numbers.0) == head(numbers.1)
}

/// Why a connection was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turned {
    /// Its host is not on the list.
    NotAllowed,
    /// Too many wait already to say who they are.
    TooMany,
    /// It did not say in time who it is.
    Slow,
    /// The handshake failed: not TLS, another CA, no certificate.
    Handshake,
    /// It was told why, in words.
    Refused,
    /// It was known, and then sent what is not the protocol.
    Frame,
}

impl Turned {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::NotAllowed, Self::TooMany, Self::Slow, Self::Handshake, Self::Refused, Self::Frame];

    /// The word for it, for counters.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::TooMany => "too_many",
            Self::Slow => "slow",
            Self::Handshake => "handshake",
            Self::Refused => "refused",
            Self::Frame => "frame",
        }
    }
}

/// The door before the listener.
pub(crate) struct Door {
    allow: Vec<Allowed>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Connections that have not said yet who they are, by source.
    arrivals: BTreeMap<IpAddr, usize>,
    turned: BTreeMap<Turned, u64>,
    told: BTreeMap<IpAddr, Instant>,
}

/// A place among those that wait; free again when dropped.
pub(crate) struct Place {
    door: Arc<Door>,
    ip: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut book = self.door.lock();
        if let Some(count) = book.arrivals.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                book.arrivals.remove(&self.ip);
            }
        }
    }
}

impl Door {
    pub(crate) fn new(allow: Vec<Allowed>) -> Self {
        Self { allow, book: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // Counters are never half changed.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from `ip`, if there is one.
    pub(crate) fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let mut book = self.lock();
        let all: usize = book.arrivals.values().sum();
        let of_this = book.arrivals.entry(ip).or_default();
        if all >= PEER_ARRIVALS_MAX || *of_this >= PEER_ARRIVALS_PER_HOST_MAX {
            if *of_this == 0 {
                book.arrivals.remove(&ip);
            }
            return None;
        }
        *of_this += 1;
        Some(Place { door: Arc::clone(self), ip })
    }

    /// Whether the list lets `ip` in. An empty list lets everybody in.
    pub(crate) async fn allows(&self, ip: IpAddr) -> bool {
        for allowed in &self.allow {
            if allowed.admits(ip).await {
                return true;
            }
        }
        self.allow.is_empty()
    }

    /// Counts a connection that was turned away, and writes of it unless its source was written of lately.
    pub(crate) fn turn_away(&self, ip: IpAddr, turned: Turned, why: &dyn fmt::Display) {
        let mut book = self.lock();
        *book.turned.entry(turned).or_default() += 1;
        if book.may_tell(ip, Instant::now()) {
            tracing::warn!(from = %ip, kind = turned.word(), %why, "a connection to the peer port was refused");
        }
    }

    /// How many connections were turned away, by kind.
    pub(crate) fn turned(&self) -> BTreeMap<Turned, u64> {
        self.lock().turned.clone()
    }
}

impl Book {
    fn may_tell(&mut self, ip: IpAddr, now: Instant) -> bool {
        self.told.retain(|_, at| now.saturating_duration_since(*at) < TELL_EVERY);
        if self.told.len() >= SOURCES_MAX || self.told.contains_key(&ip) {
            return false;
        }
        self.told.insert(ip, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_list_is_by_network_by_address_and_by_name() {
        for (list, ip, expect) in [
            ("10.1.0.0/16", "10.1.2.3", true),
            ("10.1.0.0/16", "10.2.2.3", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
            ("localhost", "127.0.0.1", true),
            ("localhost", "10.0.0.1", false),
        ] {
            let door = Door::new(vec![list.parse().unwrap()]);
            assert_eq!(door.allows(ip.parse().unwrap()).await, expect, "{list} {ip}");
        }
        assert!(Door::new(vec![]).allows("192.0.2.1".parse().unwrap()).await);
    }

    #[test]
    fn other_texts_are_no_list() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.256", "a b", "host/8", "10.0.0.0/x"] {
            assert_eq!(text.parse::<Allowed>(), Err(AllowedError(text.to_owned())));
        }
    }

    #[test]
    fn places_are_counted_by_source_and_in_all() {
        let door = Arc::new(Door::new(vec![]));
        let ip = |last: u32| IpAddr::from(last.to_be_bytes());
        let of_one: Vec<_> = (0..PEER_ARRIVALS_PER_HOST_MAX).map(|_| door.enter(ip(1)).unwrap()).collect();
        assert!(door.enter(ip(1)).is_none());
        assert!(door.enter(ip(2)).is_some());
        let more = PEER_ARRIVALS_MAX - PEER_ARRIVALS_PER_HOST_MAX;
        let others: Vec<_> =
            (0..more).map(|at| door.enter(ip(100 + u32::try_from(at).unwrap())).unwrap()).collect();
        assert!(door.enter(ip(3)).is_none());
        drop((of_one, others));
        assert!(door.enter(ip(1)).is_some());
        assert!(door.lock().arrivals.is_empty());
    }

    #[test]
    fn a_source_is_written_of_once_a_minute() {
        let mut book = Book::default();
        let (ip, start) = (IpAddr::from([192, 0, 2, 1]), Instant::now());
        let tells = [0, 1, 59, 60, 61].map(|later| book.may_tell(ip, start + Duration::from_secs(later)));
        assert_eq!(tells, [true, false, false, true, false]);
        assert!(book.may_tell(IpAddr::from([192, 0, 2, 2]), start + Duration::from_secs(61)));
    }
}
