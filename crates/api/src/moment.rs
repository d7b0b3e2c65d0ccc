//! Moments as RFC 3339, and the server's own clock.

use base::Wall;

/// `moment` as RFC 3339 in UTC, such as `2026-03-01T12:00:00.25Z`.
pub(crate) fn written(moment: Wall) -> String {
    jiff::Timestamp::from_millisecond(moment.0).map_or_else(|_| "unknown".to_owned(), |at| at.to_string())
}

/// Reads RFC 3339.
pub(crate) fn read(text: &str) -> Option<Wall> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Wall(at.as_millisecond()))
}

/// The machine's clock.
pub(crate) fn now() -> Wall {
    Wall(jiff::Timestamp::now().as_millisecond())
}
