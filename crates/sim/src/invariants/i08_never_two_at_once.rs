//! I8: without cut links and processes that stand still, no two nodes send one message at the same time.

use super::{Invariant, Scene};
use crate::history::Fact;

pub(super) struct NeverTwo;

impl Invariant for NeverTwo {
    fn name(&self) -> &'static str {
        "i08_never_two_at_once"
    }

    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let Fact::Delivered { ix, delivery, .. } = fact else { return None };
        if !scene.is_clean() {
            return None;
        }
        for (other, machine) in scene.machines.iter().enumerate().filter(|(other, _)| other != ix) {
            let same =
                |attempt: &crate::machine::Attempt| attempt.delivery.notification == delivery.notification;
            if machine.is_up() && machine.attempts.values().any(same) {
                let code = delivery.alert.code;
                return Some(format!(
                    "nodes {ix} and {other} send {code} to {} at once",
                    delivery.address.value
                ));
            }
        }
        None
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
