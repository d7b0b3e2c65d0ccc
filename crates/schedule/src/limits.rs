//! The limits of schedules and calendars: their names, their units, and what happens when they are reached.

/// Layers of a schedule. More are refused.
pub const LAYERS_MAX: usize = 20;
/// Turns of a layer. More are refused.
pub const TURNS_MAX: usize = 200;
/// People of one turn or override. More are refused: name a group.
pub const PEOPLE_MAX: usize = 32;
/// Windows of a layer or calendar. More are refused.
pub const WINDOWS_MAX: usize = 50;
/// Overrides of a schedule. More are refused: remove those that are over.
pub const OVERRIDES_MAX: usize = 1000;
/// Entries of a calendar's dates and of its exceptions. More are refused.
pub const DATES_MAX: usize = 1000;
/// How many schedules a chain of references may have, the first included. A longer one is refused.
pub const DEPTH_MAX: usize = 4;
/// The first year in which something may begin or end. An earlier one is refused.
pub const YEAR_MIN: i16 = 1970;
/// The last year in which something may begin or end. A later one is refused.
pub const YEAR_MAX: i16 = 2199;
/// How far a search for the next change looks, in days: ten years. What lies further away is not found.
pub const SEARCH_DAYS_MAX: i64 = 3653;
/// At how many instants a search looks. It ends there, and says what it knows.
pub const SEARCH_STEPS_MAX: usize = 10_000;

const _: () = {
    assert!(YEAR_MIN < YEAR_MAX, "there is a year to begin in");
    assert!(SEARCH_DAYS_MAX < 36_500, "a search ends before time does");
};
