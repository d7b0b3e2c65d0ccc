//! Shifts as an iCalendar document (RFC 5545), for calendars that subscribe to it.

use jiff::Timestamp;

use crate::timeline::Shift;

/// Octets of a line, without its end. Longer ones are folded. Source: RFC 5545 §3.1.
const LINE_OCTETS_MAX: usize = 75;

/// The shifts of the schedule `name`, one event each; those without anybody are left out. Pass
/// [`crate::Timeline::whole_shifts`]: the begin of a shift is what its UID is made of, and one that was cut has
/// another.
///
/// The UID is the schedule and the shift's begin, so that a calendar which reads the document again moves its
/// event when the end or the people have changed. `stamp` is when the document was made (DTSTAMP). Instants are
/// in UTC, to the second.
pub fn ical(name: &str, shifts: &[Shift], stamp: Timestamp) -> String {
    let mut out = String::new();
    for text in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Steadfast//On call//EN"] {
        line(&mut out, text);
    }
    for shift in shifts.iter().filter(|shift| !shift.who.is_empty()) {
        event(&mut out, name, shift, stamp);
    }
    line(&mut out, "END:VCALENDAR");
    out
}

fn event(out: &mut String, name: &str, shift: &Shift, stamp: Timestamp) {
    let who = shift.who.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let begin = utc(shift.from);
    line(out, "BEGIN:VEVENT");
    line(out, &format!("UID:{begin}-{}@steadfast", escaped(name)));
    line(out, &format!("DTSTAMP:{}", utc(stamp)));
    line(out, &format!("DTSTART:{begin}"));
    line(out, &format!("DTEND:{}", utc(shift.to)));
    line(out, &format!("SUMMARY:{}", escaped(&format!("{who} on call ({name})"))));
    line(out, &format!("DESCRIPTION:{}", escaped(&shift.because.to_string())));
    line(out, "END:VEVENT");
}

/// `20260329T010000Z`.
fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A TEXT value. Source: RFC 5545 §3.3.11.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '\\' | ';' | ',' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            control if control.is_control() => (),
            other => out.push(other),
        }
    }
    out
}

/// Adds a content line, folded between characters.
fn line(out: &mut String, text: &str) {
    let mut octets = 0;
    for letter in text.chars() {
        if LINE_OCTETS_MAX < octets + letter.len_utf8() {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(letter);
        octets += letter.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use base::Name;

    use super::*;
    use crate::timeline::Because;

    fn shift(who: &[&str]) -> Shift {
        Shift {
            from: "2026-03-29T01:00:00Z".parse().unwrap(),
            to: "2026-03-30T00:30:00Z".parse().unwrap(),
            who: who.iter().map(|name| Name::new(name).unwrap()).collect(),
            because: Because::Layer { layer: "a;b".into(), turn: 2, overrides: vec![1] },
        }
    }

    #[test]
    fn shifts_become_events_and_nobody_does_not() {
        let stamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let text = ical("night", &[shift(&["anna", "bo"]), shift(&[])], stamp);
        let expect = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Steadfast//On call//EN\r\n\
             BEGIN:VEVENT\r\nUID:20260329T010000Z-night@steadfast\r\nDTSTAMP:20260101T120000Z\r\n\
             DTSTART:20260329T010000Z\r\nDTEND:20260330T003000Z\r\n\
             SUMMARY:anna\\, bo on call (night)\r\n\
             DESCRIPTION:turn 2 of a\\;b\\, changed by overrides[1]\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(text, expect);
    }

    #[test]
    fn long_lines_are_folded_between_characters_and_unfold_to_themselves() {
        for letter in ["a", "ß", "泵", "🚨"] {
            for count in [20, 74, 75, 76, 150, 300] {
                let text = letter.repeat(count);
                let mut out = String::new();
                line(&mut out, &text);
                assert!(out.split("\r\n").all(|line| line.len() <= LINE_OCTETS_MAX), "{out}");
                assert_eq!(out.replace("\r\n ", ""), format!("{text}\r\n"));
            }
        }
    }

    #[test]
    fn text_cannot_end_its_line() {
        assert_eq!(escaped("a\r\nEND:VEVENT\\"), "a\\nEND:VEVENT\\\\");
    }
}
