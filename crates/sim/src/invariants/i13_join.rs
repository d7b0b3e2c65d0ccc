//! I13: what two nodes know, joined, is the same both ways round, and nothing more than one of them where that
//! one has seen everything.

use super::{Invariant, Scene};
use crate::history::Fact;

pub(super) struct Join;

impl Invariant for Join {
    fn name(&self) -> &'static str {
        "i13_join"
    }

    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let Fact::Compacted { ix, .. } = fact else { return None };
        let other = (ix + 1) % scene.machines.len();
        let one = scene.machines.get(*ix)?.core.as_ref()?.state();
        let other = scene.machines.get(other)?.core.as_ref()?.state();
        if one.join(other) != other.join(one) {
            return Some("the order of a join matters".into());
        }
        (one.join(one) != *one).then(|| "a join with itself changes something".into())
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
