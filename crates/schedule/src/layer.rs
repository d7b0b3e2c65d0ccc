//! One layer of a schedule: a rotation through turns, over a span of time and perhaps some windows.

use std::sync::Arc;

use base::Name;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::rotation::Rotation;
use crate::window::{self, Window};

/// A layer that has been checked: it has a turn, and each turn has somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// How it is told of: its name, or its place.
    pub(crate) label: Arc<str>,
    /// Who takes part, in the order of their turns.
    pub(crate) turns: Vec<Vec<Name>>,
    /// Its rhythm and its begin. It goes on outside of the windows too.
    pub(crate) rotation: Rotation,
    /// When turn 0 begins.
    pub(crate) begin: Timestamp,
    /// Its end.
    pub(crate) end: Option<Timestamp>,
    /// When it has somebody; always if there are none.
    pub(crate) windows: Vec<Window>,
}

/// What a layer says about an instant.
pub(crate) struct Standing<'a> {
    /// The turn, counted from 0 at the layer's begin, and its people; none where the layer has nobody.
    pub(crate) turn: Option<(i64, &'a [Name])>,
    /// The first later instant at which this may change.
    pub(crate) next: Option<Timestamp>,
}

impl Layer {
    /// Who has the turn at `at`.
    pub(crate) fn at(&self, zone: &TimeZone, at: Timestamp) -> Standing<'_> {
        if at < self.begin {
            return Standing { turn: None, next: Some(self.begin) };
        }
        if self.end.is_some_and(|end| end <= at) {
            return Standing { turn: None, next: None };
        }
        let (is_open, edge) = window::standing(&self.windows, zone, at);
        let next = earlier(edge, self.end);
        if !is_open && !self.windows.is_empty() {
            return Standing { turn: None, next };
        }
        let number = self.number(zone, at);
        let hand_over = self.rotates().then(|| self.rotation.start(zone, number + 1));
        Standing { turn: Some((number, self.people(number))), next: earlier(next, hand_over) }
    }

    /// The last instant not after `at` at which something changed here.
    pub(crate) fn last_edge(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        if at < self.begin {
            return None;
        }
        if self.end.is_some_and(|end| end <= at) {
            return self.end;
        }
        let edge = window::last_edge(&self.windows, zone, at);
        let hand_over = self.rotates().then(|| self.rotation.start(zone, self.number(zone, at)));
        edge.into_iter().chain(hand_over).chain([self.begin]).max()
    }

    /// Whether there is anybody to hand over to. Turns that are all the same are one that does not end, which
    /// spares a search for others.
    fn rotates(&self) -> bool {
        self.turns.windows(2).any(|pair| matches!(pair, [one, next] if one != next))
    }

    fn number(&self, zone: &TimeZone, at: Timestamp) -> i64 {
        if self.rotates() { self.rotation.turn(zone, at) } else { 0 }
    }

    fn people(&self, number: i64) -> &[Name] {
        let count = i64::try_from(self.turns.len()).unwrap_or(i64::MAX).max(1);
        let place = usize::try_from(number.rem_euclid(count)).unwrap_or_default();
        self.turns.get(place).map_or(&[], Vec::as_slice)
    }
}

/// The earlier of two instants that may be absent.
pub(crate) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
