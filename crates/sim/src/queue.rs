//! What is going to happen, in order of time; at the same time, in the order in which it was planned.

use std::collections::BTreeMap;

/// Milliseconds since the run began, on a clock that nobody in it can read.
pub(crate) type Ms = u64;

/// Planned events.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    planned: BTreeMap<(Ms, u64), T>,
    count: u64,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self { planned: BTreeMap::new(), count: 0 }
    }

    pub(crate) fn at(&mut self, at: Ms, event: T) {
        self.count += 1;
        self.planned.insert((at, self.count), event);
    }

    pub(crate) fn pop(&mut self) -> Option<(Ms, T)> {
        self.planned.pop_first().map(|((at, _), event)| (at, event))
    }
}
