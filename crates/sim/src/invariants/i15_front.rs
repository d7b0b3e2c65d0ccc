//! I15: once everything is mended, one node is in control, and all say the same one.

use super::{Invariant, Scene};
use crate::history::Fact;
use base::LogId;
use std::collections::BTreeSet;

pub(super) struct Front;

impl Invariant for Front {
    fn name(&self) -> &'static str {
        "i15_front"
    }

    fn see(&mut self, _: &Scene<'_>, _: &Fact<'_>) -> Option<String> {
        None
    }

    fn conclude(&mut self, scene: &Scene<'_>) -> Option<String> {
        let said: BTreeSet<LogId> = scene.cores().map(|(_, core)| core.in_control()).collect();
        let holders: Vec<char> = scene
            .cores()
            .filter(|(_, core)| core.is_in_control())
            .map(|(machine, _)| machine.letter)
            .collect();
        (said.len() != 1 || holders.len() != 1)
            .then(|| format!("{holders:?} are in control, and the nodes name {said:?}"))
    }
}
