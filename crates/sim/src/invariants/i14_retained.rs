//! I14: what is kept for peers alone stays within its limit.

use super::{Invariant, Scene};
use crate::history::Fact;

pub(super) struct Retained;

impl Invariant for Retained {
    fn name(&self) -> &'static str {
        "i14_retained"
    }

    fn see(&mut self, _: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let Fact::Compacted { ix, waiting, most } = fact else { return None };
        (waiting > most).then(|| format!("node {ix} keeps {waiting} records for peers, {most} are allowed"))
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
