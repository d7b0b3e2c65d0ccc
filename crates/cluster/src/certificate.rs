//! When a certificate is valid (RFC 5280 §4.1.2.5), and the name that it has for a node.
//!
//! Separate from `tls`, because it is pure: the verifier there asks for the time here *before* anything about
//! a certificate is known to be true, so that one that has expired can be told from one that is false.

use base::NodeId;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// From when to when a certificate is valid, in seconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: i64,
    /// The last second.
    pub until: i64,
}

impl Validity {
    /// The moment within the validity that is nearest to `now`.
    pub(crate) fn nearest(self, now: i64) -> i64 {
        now.min(self.until).max(self.from)
    }

    /// What is wrong at `now`, in words, if anything is.
    pub(crate) fn complaint(self, now: i64) -> Option<&'static str> {
        if self.until < now {
            Some("its certificate has expired")
        } else if now < self.from {
            Some("its certificate is not valid yet")
        } else {
            None
        }
    }

    /// When it ends.
    pub fn expires(self) -> SystemTime {
        let away = Duration::from_secs(self.until.unsigned_abs());
        let moment = if self.until < 0 { UNIX_EPOCH.checked_sub(away) } else { UNIX_EPOCH.checked_add(away) };
        moment.unwrap_or(UNIX_EPOCH)
    }
}

/// The DNS name in the certificate of a node. `internal` is reserved for private use (ICANN, 2024).
pub fn name_of(node: NodeId) -> String {
    format!("node-{node}.steadfast.internal")
}

/// Seconds since 1970 UTC by the machine's clock.
pub(crate) fn wall_seconds() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads the validity of a certificate in DER. Nothing else is looked at.
pub fn validity(certificate: &[u8]) -> Option<Validity> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(whole, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = element(rest, tag)?.1; // The serial number, the signature's algorithm, the issuer.
    }
    let (times, _) = element(rest, SEQUENCE)?;
    let (from, times) = time(times)?;
    let (until, _) = time(times)?;
    Some(Validity { from, until })
}

/// The content of the element in front, which must have this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (len, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    if *len < 0x80 {
        return rest.split_at_checked(usize::from(*len));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(*len & 0x7f))?;
    if !(1..=4).contains(&digits.len()) {
        return None;
    }
    let len = digits.iter().fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit));
    rest.split_at_checked(len)
}

/// The time in front, and what follows it.
fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let tag = *bytes.first()?;
    let (text, rest) = element(bytes, tag)?;
    let (year, text) = match tag {
        UTC_TIME => {
            let (year, text) = number(text, 2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text)
        }
        GENERALIZED_TIME => number(text, 4)?,
        _ => return None,
    };
    let (month, text) = number(text, 2)?;
    let (day, text) = number(text, 2)?;
    let (hour, text) = number(text, 2)?;
    let (minute, text) = number(text, 2)?;
    let (second, text) = number(text, 2)?;
    let sensible = (1..=12).contains(&month) && (1..=31).contains(&day);
    let sensible = sensible && hour < 24 && minute < 60 && second <= 60 && text == b"Z";
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    sensible.then_some((seconds, rest))
}

/// The number that the first `digits` digits are, and what follows them.
fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let value = std::str::from_utf8(head).ok()?;
    if !value.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some((value.parse().ok()?, rest))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, counted in years that begin with March, so that
/// a leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let since_march = (month + 9) % 12;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * since_march + 2) / 5 + day - 1;
    year * 365 + leaps + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn the_validity_is_what_the_certificate_says() {
        for (from, until, seconds) in [
            ((2024, 2, 29), (2025, 3, 1), (1_709_164_800, 1_740_787_200)),
            ((1999, 12, 31), (2049, 12, 31), (946_598_400, 2_524_521_600)),
            ((1970, 1, 1), (2050, 1, 1), (0, 2_524_608_000)), // The first year in the long form.
        ] {
            let mut params = CertificateParams::new(vec![name_of(NodeId(1))]).unwrap();
            params.not_before = date_time_ymd(from.0, from.1, from.2);
            params.not_after = date_time_ymd(until.0, until.1, until.2);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let expect = Validity { from: seconds.0, until: seconds.1 };
            assert_eq!(validity(certificate.der()), Some(expect), "{from:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        let params = CertificateParams::new(vec![name_of(NodeId(1))]).unwrap();
        let whole = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        for end in 0..whole.len() {
            assert_eq!(validity(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(validity(&[SEQUENCE, 0x85, 1, 1, 1, 1, 1]), None);
    }

    #[test]
    fn outside_of_its_validity_a_certificate_is_looked_at_from_its_nearest_end() {
        let validity = Validity { from: 10, until: 20 };
        for (now, nearest, complains) in [(5, 10, true), (10, 10, false), (15, 15, false), (25, 20, true)] {
            assert_eq!(validity.nearest(now), nearest);
            assert_eq!(validity.complaint(now).is_some(), complains, "{now}");
        }
    }

    #[test]
    fn a_node_has_a_name() {
        assert_eq!(name_of(NodeId(0x1f)), "node-0000001f.steadfast.internal");
    }
}
