//! The limits of imports: their names, their units, and what happens when they are reached.

/// Values of a configuration, each use of an anchor counted anew. With more it is refused.
pub const VALUES_MAX: usize = 500_000;
/// How deep values may nest. Deeper ones are refused.
pub const NESTING_MAX: usize = 100;
/// Routes that a tree of routes may become. One that becomes more, by `continue` on routes that have routes below
/// them, is refused.
pub const RULES_MAX: usize = 10_000;
/// Years that a time interval may name. One with more is left.
pub const YEARS_MAX: usize = 30;
