//! I7: where nothing goes wrong, everybody gets every message once.

use super::{Invariant, Scene};
use crate::history::Fact;

pub(super) struct Once;

impl Invariant for Once {
    fn name(&self) -> &'static str {
        "i07_once_without_faults"
    }

    fn see(&mut self, _: &Scene<'_>, _: &Fact<'_>) -> Option<String> {
        None
    }

    fn conclude(&mut self, scene: &Scene<'_>) -> Option<String> {
        if !scene.plan.profile.faults.is_empty() {
            return None;
        }
        let ((client, who, what), count) = scene.history.messages.iter().find(|(_, count)| **count > 1)?;
        Some(format!("{who} was told {count} times of notice {client} ({what:?})"))
    }
}
