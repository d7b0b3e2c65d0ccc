//! I12: a client that asks one node after the other gets a yes, and every request gets an answer.

use super::{Invariant, Scene};
use crate::clients::Manner;
use crate::history::Fact;

pub(super) struct Answers;

impl Invariant for Answers {
    fn name(&self) -> &'static str {
        "i12_answers"
    }

    fn see(&mut self, _: &Scene<'_>, _: &Fact<'_>) -> Option<String> {
        None
    }

    fn conclude(&mut self, scene: &Scene<'_>) -> Option<String> {
        let waits = |(_, client): &(usize, &crate::clients::Client)| {
            client.manner == Manner::Keyed && !client.answered
        };
        if let Some((ix, _)) = scene.clients.iter().enumerate().find(waits) {
            return Some(format!("notice {ix} never got a yes"));
        }
        let waiting = scene
            .machines
            .iter()
            .find(|machine| !machine.asked.is_empty() && scene.dismissed != Some(machine.node))?;
        Some(format!("{} owes answers: {:?}", waiting.letter, waiting.asked.values().next()))
    }
}
