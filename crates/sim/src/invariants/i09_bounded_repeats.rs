//! I9: a message arrives no more often than once, and once more for each death, each loss of a link, each
//! host that was asked and each answer of the provider that said nothing certain.

use super::{Invariant, Scene};
use crate::history::Fact;
use dispatch::record::Outcome;

pub(super) struct Bounded;

impl Invariant for Bounded {
    fn name(&self) -> &'static str {
        "i09_bounded_repeats"
    }

    fn see(&mut self, _: &Scene<'_>, _: &Fact<'_>) -> Option<String> {
        None
    }

    fn conclude(&mut self, scene: &Scene<'_>) -> Option<String> {
        let tally = &scene.history.tally;
        let downs = u64::try_from(scene.history.downs.len()).unwrap_or(0);
        for sends in scene.history.sends.values() {
            let count = |wanted: fn(&crate::history::Send) -> bool| {
                u64::try_from(sends.values().filter(|send| wanted(send)).count()).unwrap_or(0)
            };
            let taken = count(|send| send.taken);
            let unknown = count(|send| matches!(send.reported, Some(Outcome::Unknown { .. })));
            let most = 1 + tally.crashes + downs + unknown;
            if taken > most {
                return Some(format!("a message arrived {taken} times, where {most} can be explained"));
            }
        }
        None
    }
}
