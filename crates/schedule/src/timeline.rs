//! Whatever can say who is on call at an instant can say it for a span: shifts, hand-overs, begins and ends.
//!
//! Separate, because a schedule and one that refers to others differ only in the answer for an instant.

use std::fmt;
use std::sync::Arc;

use base::Name;
use jiff::{SignedDuration, Timestamp};

use crate::limits::{SEARCH_DAYS_MAX, SEARCH_STEPS_MAX};

/// Why somebody is on call, or nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// No layer has anybody, and no override.
    Nobody,
    /// It is their turn.
    Layer {
        /// The layer's name, or `layers[1]` if it has none.
        layer: Arc<str>,
        /// Which turn since the layer began, from 1; always 1 where all turns are of the same people.
        turn: i64,
        /// The places of the overrides that put somebody in place of one of them.
        overrides: Vec<usize>,
    },
    /// An override puts them in place of everybody.
    Override {
        /// Its place in the list of overrides, from 0.
        at: usize,
    },
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("no layer and no override has anybody"),
            Self::Layer { layer, turn, overrides } => {
                write!(f, "turn {turn} of {layer}")?;
                overrides.iter().try_for_each(|at| write!(f, ", changed by overrides[{at}]"))
            }
            Self::Override { at } => write!(f, "overrides[{at}]"),
        }
    }
}

/// What holds at one instant, and until when at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Who is on call, in the order they are named; empty if nobody is.
    pub who: Vec<Name>,
    /// Why.
    pub because: Because,
    /// The first later instant at which either may change; none if nothing will.
    pub next: Option<Timestamp>,
}

impl Moment {
    fn says_the_same_as(&self, other: &Self) -> bool {
        self.who == other.who && self.because == other.because
    }
}

/// Who is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnCall {
    /// Recipients and groups, in the order they are named; empty if nobody is on call.
    pub who: Vec<Name>,
    /// The end of the shift. None if it does not end within [`SEARCH_DAYS_MAX`].
    pub until: Option<Timestamp>,
    /// Why they are.
    pub because: Because,
}

/// A time during which the same people are on call for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// Recipients and groups; empty if nobody is on call.
    pub who: Vec<Name>,
    /// Why they are.
    pub because: Because,
}

/// Something that knows who is on call at each instant.
pub trait Timeline {
    /// What holds at `at`.
    fn moment(&self, at: Timestamp) -> Moment;

    /// The last instant not after `at` at which something may have changed; none if nothing has.
    fn last_edge(&self, at: Timestamp) -> Option<Timestamp>;

    /// Who is on call at `at`, until when, and why.
    fn on_call(&self, at: Timestamp) -> OnCall {
        let moment = self.moment(at);
        let until = match change(self, at, far_after(at), |other| !moment.says_the_same_as(other)) {
            Change::At(edge) | Change::NotBefore(edge) => Some(edge),
            Change::None => None,
        };
        OnCall { who: moment.who, until, because: moment.because }
    }

    /// The next instant strictly after `at` at which other people are on call. None if there is none within
    /// [`SEARCH_DAYS_MAX`] and [`SEARCH_STEPS_MAX`]. From nobody to somebody is a hand-over, and back.
    fn next_hand_over(&self, at: Timestamp) -> Option<Timestamp> {
        let who = self.moment(at).who;
        match change(self, at, far_after(at), |other| other.who != who) {
            Change::At(edge) => Some(edge),
            Change::NotBefore(_) | Change::None => None,
        }
    }

    /// When the shift that contains `at` began. None if it has no begin within [`SEARCH_DAYS_MAX`].
    fn began(&self, at: Timestamp) -> Option<Timestamp> {
        let moment = self.moment(at);
        let far = at.checked_sub(days(SEARCH_DAYS_MAX)).unwrap_or(Timestamp::MIN);
        let mut edge = self.last_edge(at)?;
        for _ in 0..SEARCH_STEPS_MAX {
            let before = just_before(edge).filter(|before| far <= *before)?;
            if !moment.says_the_same_as(&self.moment(before)) {
                return Some(edge);
            }
            edge = self.last_edge(before)?;
        }
        Some(edge)
    }

    /// The shifts from `from` until `to`, without gaps or overlaps; the first and the last are cut there. Times
    /// when nobody is on call are shifts too. One whose end is not found within [`SEARCH_STEPS_MAX`] goes on in
    /// the next.
    fn shifts(&self, from: Timestamp, to: Timestamp) -> Shifts<'_, Self> {
        Shifts { of: self, at: from, to }
    }

    /// The shifts that have any time between `from` and `to`, at their whole length: the first one begins when it
    /// began, and the last one ends when it does. What has no such end within [`SEARCH_DAYS_MAX`] is cut.
    fn whole_shifts(&self, from: Timestamp, to: Timestamp) -> Vec<Shift> {
        let mut shifts: Vec<Shift> = self.shifts(from, to).collect();
        if let Some(first) = shifts.first_mut() {
            first.from = self.began(from).unwrap_or(from);
        }
        if let Some(last) = shifts.last_mut() {
            last.to = just_before(last.to).and_then(|at| self.on_call(at).until).unwrap_or(last.to);
        }
        shifts
    }
}

/// Shifts one after the other; see [`Timeline::shifts`].
#[derive(Debug)]
pub struct Shifts<'a, T: ?Sized> {
    of: &'a T,
    at: Timestamp,
    to: Timestamp,
}

impl<T: Timeline + ?Sized> Iterator for Shifts<'_, T> {
    type Item = Shift;

    fn next(&mut self) -> Option<Shift> {
        let from = self.at;
        if self.to <= from {
            return None;
        }
        let moment = self.of.moment(from);
        self.at = match change(self.of, from, self.to, |other| !moment.says_the_same_as(other)) {
            Change::At(edge) | Change::NotBefore(edge) => edge,
            Change::None => self.to,
        };
        Some(Shift { from, to: self.at, who: moment.who, because: moment.because })
    }
}

/// What a search for a change found.
enum Change {
    /// The instant of the change.
    At(Timestamp),
    /// It looked at [`SEARCH_STEPS_MAX`] instants; there is none before this one.
    NotBefore(Timestamp),
    /// There is none before the limit.
    None,
}

/// The first instant after `at` and before `limit` whose moment is what `is_other` looks for.
fn change<T: Timeline + ?Sized>(
    of: &T,
    at: Timestamp,
    limit: Timestamp,
    is_other: impl Fn(&Moment) -> bool,
) -> Change {
    let mut next = of.moment(at).next;
    for _ in 0..SEARCH_STEPS_MAX {
        let Some(edge) = next.filter(|edge| *edge < limit) else { return Change::None };
        let moment = of.moment(edge);
        if is_other(&moment) {
            return Change::At(edge);
        }
        next = moment.next;
    }
    next.filter(|edge| *edge < limit).map_or(Change::None, Change::NotBefore)
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count * 24)
}

fn far_after(at: Timestamp) -> Timestamp {
    at.checked_add(days(SEARCH_DAYS_MAX)).unwrap_or(Timestamp::MAX)
}

/// The last instant before `at` that a timestamp can name.
pub(crate) fn just_before(at: Timestamp) -> Option<Timestamp> {
    at.checked_sub(SignedDuration::from_nanos(1)).ok()
}
