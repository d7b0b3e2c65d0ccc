//! The book of a node never becomes an older one.

use super::{Invariant, Scene};
use crate::history::Fact;
use crate::net::Ix;
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct NeverBack {
    places: BTreeMap<Ix, (u64, u64)>,
}

impl Invariant for NeverBack {
    fn name(&self) -> &'static str {
        "directory_never_goes_back"
    }

    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let (Fact::Started { ix, .. } | Fact::Compacted { ix, .. }) = fact else { return None };
        if matches!(fact, Fact::Started { .. }) {
            self.places.remove(ix); // What was not on its disk is gone.
        }
        let place = scene.machines.get(*ix)?.core.as_ref()?.edition().place();
        let before = self.places.insert(*ix, place)?;
        (place < before).then(|| format!("node {ix} went back from {before:?} to {place:?}"))
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
