//! I2: what was answered with two copies is not destroyed by the loss of one disk.

use super::{Invariant, Scene};
use crate::history::Fact;
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct TwoCopies {
    seen: BTreeSet<usize>,
}

impl Invariant for TwoCopies {
    fn name(&self) -> &'static str {
        "i02_two_copies_survive"
    }

    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let Fact::Wiped { .. } = fact else { return None };
        let history = scene.history;
        for client in &history.destroyed {
            let copies = history.promises.get(client).map_or(0, |promise| promise.copies);
            if self.seen.insert(*client) && copies > 1 {
                return Some(format!(
                    "notice {client} was promised on {copies} disks, and one lost disk destroyed it"
                ));
            }
        }
        None
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
