//! Two times, two types: [`Mono`] decides while the process lives, [`Wall`] after a restart and for people.
//!
//! The core never reads a clock; the shell hands it a [`Now`] with every input.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Milliseconds since the process started, on a clock that never jumps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// Milliseconds since 1970-01-01 UTC on the machine's clock, which may jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

/// The moment an input arrived, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Decides while the process lives.
    pub mono: Mono,
    /// Decides after a restart, and for civil time.
    pub wall: Wall,
    /// The wall clock was seen to jump, so nothing may expire by it: an alert is sent late rather than dropped.
    pub suspect: bool,
}

impl Mono {
    /// Time since `earlier`; zero if `earlier` lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Wall {
    /// Time since `earlier`; zero if `earlier` lies ahead (a clock that was set back).
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }
}

impl Add<Duration> for Wall {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Wall {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Whole milliseconds, saturating.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as people write it: `0s`, `250ms`, `1.5s`, `90s`, `5m`, `1h30m`, `2d`.
///
/// Exact for whole milliseconds; [`parse_duration`] reads it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Human(pub Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = millis(self.0);
        if rest < 1000 {
            return if rest == 0 { f.write_str("0s") } else { write!(f, "{rest}ms") };
        }
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)] {
            if rest >= size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        match (rest / 1000, rest % 1000) {
            (0, 0) => Ok(()),
            (whole, 0) => write!(f, "{whole}s"),
            (whole, part) => write!(f, "{whole}.{}s", format!("{part:03}").trim_end_matches('0')),
        }
    }
}

/// Reads a duration such as `30s`, `1h30m`, `250ms` or `1.5s`.
///
/// # Errors
/// A sentence that says which part is not understood: a number without a unit, an unknown unit, or more than
/// 10,000 days.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a duration with its unit, such as \"30s\", \"5m\", \"1h30m\" or \"2d\"";
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(FORM.into());
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let size = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "" => return Err(format!("\"{text}\" has a number without a unit; {FORM}")),
            other => return Err(format!("\"{other}\" is not a unit of time; {FORM}")),
        };
        let part = scaled(number, size).ok_or_else(|| format!("\"{number}\" is not a number; {FORM}"))?;
        total = total.saturating_add(part);
        rest = tail.trim_start();
    }
    if total > 10_000 * 86_400_000 {
        return Err(format!("\"{text}\" is longer than 10,000 days"));
    }
    Ok(Duration::from_millis(total))
}

/// `number` (digits, at most one point) times `size`, in whole milliseconds.
fn scaled(number: &str, size: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || part.len() > 3 || number.ends_with('.') {
        return None;
    }
    let mut value = whole.parse::<u64>().ok()?.checked_mul(size)?;
    if !part.is_empty() {
        let scale = 10u64.pow(u32::try_from(part.len()).ok()?);
        value = value.checked_add(part.parse::<u64>().ok()? * size / scale)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ms: u64) {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
    }

    #[test]
    fn durations_are_read() {
        check("0s", 0);
        check("250ms", 250);
        check("1.5s", 1500);
        check("90s", 90_000);
        check("1h30m", 5_400_000);
        check(" 1h 30m ", 5_400_000);
        check("2d", 172_800_000);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for ms in [0, 1, 250, 1000, 1500, 1001, 60_000, 61_001, 5_400_000, 86_400_000, 90_061_007] {
            let text = Human(Duration::from_millis(ms)).to_string();
            check(&text, ms);
        }
        assert_eq!(Human(Duration::from_millis(5_400_000)).to_string(), "1h30m");
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_the_reason() {
        for (text, part) in [
            ("30", "without a unit"),
            ("", "with its unit"),
            ("5apples", "not a unit"),
            ("1..5s", "not a number"),
            (".s", "not a number"),
            ("-1s", "without a unit"),
            ("20000d", "longer than"),
            ("99999999999999999999d", "not a number"),
        ] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
