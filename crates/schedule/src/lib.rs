//! Who is on call at an instant, and what a calendar says about it. Pure: no clock, no files; time zones are
//! handed in, as the time is.
//!
//! Separate, because the core knows no time zones and the shell should decide nothing.
//!
//! A **schedule** has **layers** and **overrides**, in one IANA time zone. A layer hands over from **turn** to
//! turn in a **rotation**; a later layer lies over the earlier ones wherever it has somebody. An override puts
//! people in place of whoever the layers give, for a span of time. A **shift** is a time during which the same
//! people are on call for the same reason. A turn may name another schedule of the [`Book`]: whoever is on call
//! there. A **calendar** is a set of times: holidays, quiet hours.
//!
//! # What is meant exactly
//!
//! - **A local time** stands for the first instant at which the clocks of the zone show it or a later one. Shown
//!   twice (clocks were set back), it is the first of the two; never shown (clocks were set forward), it is the
//!   instant at which they were set. So no span of local times ever ends before it begins.
//! - **Days, weeks, months** are those of the calendar: the hand-over is at the same local time, and a turn over
//!   a change of the clocks is shorter or longer by it. Where a zone skipped a whole day, the turn that
//!   lies inside it has no time; it is not made up for.
//! - **Hours** are elapsed hours of 3,600 seconds, counted from the layer's begin: 24 hours are not a day, and
//!   the hand-over is at another local time after clocks were set.
//! - **Every turn is counted from the layer's begin**, not from the one before it. A rotation by months from the
//!   31st hands over on the last day of a shorter month, and on the 31st again in a longer one; one by years
//!   (12 months) from the 29th of February does so on the 28th in common years.
//! - **A layer goes on while its windows are closed**: they hide turns, and do not delay them.
//! - **A window** belongs to the day on which it opens, also after midnight, and is one piece on each day.
//! - **A yearly date** is compared by month and day: the 29th of February is in a calendar in leap years only, and
//!   a span that begins on it begins on the 1st of March in others.
//! - **Ends are outside**: a shift, a span or a window contains its begin and not its end. A calendar's dates
//!   contain their last day.

mod book;
mod calendar;
mod civil;
pub mod form;
pub mod ical;
mod layer;
pub mod limits;
mod parse;
mod problem;
mod rotation;
mod schedule;
mod timeline;
mod window;

pub use book::{Book, Reference};
pub use calendar::Calendar;
pub use problem::Problem;
pub use rotation::Unit;
pub use schedule::Schedule;
pub use timeline::{Because, Moment, OnCall, Shift, Shifts, Timeline};
