//! Moments and times of day as text: RFC 3339 for `expires`, `HH:MM` for windows.
//!
//! Written here because a time zone library would be a large guest for two short formats.

use base::Wall;

const DAY_MS: i64 = 86_400_000;
/// 0000-01-01 and the end of 9999-12-31, all that four digits of a year can say.
const RANGE_MS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

/// `moment` as RFC 3339 in UTC, with milliseconds only where there are any. A moment beyond the years 0 to
/// 9999 is written as the nearest that can be.
pub(super) fn write(moment: Wall) -> String {
    let ms = moment.0.clamp(*RANGE_MS.start(), *RANGE_MS.end());
    let (day, rest) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, date) = civil(day);
    let (seconds, part) = (rest / 1000, rest % 1000);
    let fraction = if part == 0 { String::new() } else { format!(".{part:03}") };
    format!(
        "{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}{fraction}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Reads RFC 3339: a date, a time with or without a fraction of a second, and `Z` or an offset.
pub(super) fn read(text: &str) -> Option<Wall> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(a, b)| (a, Some(b)));
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    let valid = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
    Some(Wall(seconds * 1000 + milliseconds(fraction)?))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let [hours, minutes] = fields(zone.get(1..)?, ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn milliseconds(fraction: Option<&str>) -> Option<i64> {
    let Some(digits) = fraction else { return Some(0) };
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<3}").get(..3)?.parse().ok()
}

/// Numbers of exactly so many digits, with `mark` between them.
fn fields<const N: usize>(text: &str, mark: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut values = [0; N];
    let mut parts = text.split(mark);
    for (value, width) in values.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

fn days_of(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next_month, 1) - days(year, month, 1)
}

/// Days from 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day is the
/// last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of the day so many days after 1970-01-01; the inverse of [`days`].
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// Reads `HH:MM` as minutes from midnight, `24:00` included.
pub(super) fn read_time(text: &str) -> Option<u16> {
    let [hour, minute] = fields(text, ':', [2, 2])?;
    let minutes = u16::try_from(hour * 60 + minute).ok()?;
    (minute < 60 && minutes <= 1440).then_some(minutes)
}

/// Minutes from midnight as `HH:MM`.
pub(super) fn write_time(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, ms: i64) {
        assert_eq!(read(text), Some(Wall(ms)), "{text}");
    }

    #[test]
    fn moments_are_read() {
        check("1970-01-01T00:00:00Z", 0);
        check("2027-01-01T00:00:00Z", 1_798_761_600_000);
        check("2027-01-01T01:00:00+01:00", 1_798_761_600_000);
        check("2024-02-29T12:00:00.5Z", 1_709_208_000_500);
        check("1969-12-31T23:59:59.999Z", -1);
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2027-01-01",
            "2027-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2027-01-01T00:00:00",
            "2027-01-01T00:00:00+1:00",
            "2027-01-01T00:00:00.Z",
            "é027-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn times_of_day_are_read() {
        for (text, minutes) in
            [("00:00", Some(0)), ("08:05", Some(485)), ("24:00", Some(1440)), ("24:01", None), ("8:00", None)]
        {
            assert_eq!(read_time(text), minutes, "{text}");
        }
        assert_eq!(write_time(485), "08:05");
    }

    proptest! {
        #[test]
        fn a_moment_reads_back_as_written(ms in RANGE_MS) {
            prop_assert_eq!(read(&write(Wall(ms))), Some(Wall(ms)));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*") {
            read(&text);
            read_time(&text);
        }
    }
}
