//! Moments as RFC 3339, and the server's own clock.

use base::Wall;

/// `moment` as RFC 3339 in UTC, such as `2026-03-01T12:00:00.250Z`: always three decimals, so that moments sort
/// as texts.
pub(crate) fn written(moment: Wall) -> String {
    let at = jiff::Timestamp::from_millisecond(moment.0);
    at.map_or_else(|_| "unknown".to_owned(), |at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// Reads RFC 3339.
pub(crate) fn read(text: &str) -> Option<Wall> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Wall(at.as_millisecond()))
}

/// The machine's clock.
pub(crate) fn now() -> Wall {
    Wall(jiff::Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_sort_as_texts_and_read_back() {
        let texts = [0, 10, 11, 250, 1000].map(|ms| written(Wall(ms)));
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!((texts[3].as_str(), read(&texts[3])), ("1970-01-01T00:00:00.250Z", Some(Wall(250))));
    }
}
