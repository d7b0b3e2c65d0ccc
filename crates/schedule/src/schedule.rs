//! A schedule that has been checked, and its answer for an instant: layers over layers, overrides over all.

use std::sync::Arc;

use base::Name;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::layer::{Layer, earlier};
use crate::timeline::{Because, Moment, Timeline};

/// Who is on call when. Made from a [`crate::form::Schedule`], which says what is wrong with it if anything is.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pub(crate) zone: TimeZone,
    pub(crate) layers: Vec<Layer>,
    pub(crate) overrides: Vec<Override>,
}

/// People in place of those whom the layers give, for a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// They.
    pub(crate) who: Vec<Name>,
    /// The first instant.
    pub(crate) from: Timestamp,
    /// The first instant after it.
    pub(crate) until: Timestamp,
    /// In whose place; in everybody's if none.
    pub(crate) instead_of: Option<Name>,
}

impl Override {
    fn is_in_force(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

impl Schedule {
    /// The people who are named in it anywhere, or the schedules.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        let in_turns = self.layers.iter().flat_map(|layer| layer.turns.iter().flatten());
        in_turns.chain(self.overrides.iter().flat_map(|entry| &entry.who))
    }

    /// The overrides in force at `at`, with their places.
    fn in_force(&self, at: Timestamp) -> impl DoubleEndedIterator<Item = (usize, &Override)> {
        self.overrides.iter().enumerate().filter(move |(_, entry)| entry.is_in_force(at))
    }

    /// What the layers and the partial overrides give. Layers below the one that counts are not asked: what
    /// changes there changes nothing.
    fn layered(&self, at: Timestamp, override_edge: Option<Timestamp>) -> Moment {
        let mut next = override_edge;
        for layer in self.layers.iter().rev() {
            let standing = layer.at(&self.zone, at);
            next = earlier(next, standing.next);
            if let Some((number, people)) = standing.turn {
                let (who, overrides) = self.replaced(at, people);
                let because = Because::Layer { layer: Arc::clone(&layer.label), turn: number + 1, overrides };
                return Moment { who, because, next };
            }
        }
        Moment { who: Vec::new(), because: Because::Nobody, next }
    }

    /// `people`, each replaced as the overrides in force say, and which of these did so.
    fn replaced(&self, at: Timestamp, people: &[Name]) -> (Vec<Name>, Vec<usize>) {
        let (mut who, mut used) = (Vec::new(), Vec::new());
        for name in people {
            let entry = self.in_force(at).rfind(|(_, entry)| entry.instead_of.as_ref() == Some(name));
            match entry {
                Some((place, entry)) => {
                    used.push(place);
                    entry.who.iter().for_each(|name| add(&mut who, name));
                }
                None => add(&mut who, name),
            }
        }
        used.sort_unstable();
        (who, used)
    }
}

impl Timeline for Schedule {
    fn moment(&self, at: Timestamp) -> Moment {
        let edges = self.overrides.iter().flat_map(|entry| [entry.from, entry.until]);
        let next = edges.filter(|edge| at < *edge).min();
        match self.in_force(at).rfind(|(_, entry)| entry.instead_of.is_none()) {
            Some((place, entry)) => {
                Moment { who: entry.who.clone(), because: Because::Override { at: place }, next }
            }
            None => self.layered(at, next),
        }
    }

    fn last_edge(&self, at: Timestamp) -> Option<Timestamp> {
        let edges = self.overrides.iter().flat_map(|entry| [entry.from, entry.until]);
        let layers = self.layers.iter().filter_map(|layer| layer.last_edge(&self.zone, at));
        edges.filter(|edge| *edge <= at).chain(layers).max()
    }
}

/// Adds a name that is not there yet: nobody is told twice because two entries name them.
pub(crate) fn add(who: &mut Vec<Name>, name: &Name) {
    if !who.contains(name) {
        who.push(name.clone());
    }
}
