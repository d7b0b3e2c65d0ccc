//! I4: nobody says that a record is on its disk which is not. That logs have no gaps, the disk itself checks
//! with each write.

use super::{Invariant, Scene};
use crate::history::Fact;

pub(super) struct Prefixes;

impl Invariant for Prefixes {
    fn name(&self) -> &'static str {
        "i04_prefixes"
    }

    fn see(&mut self, _: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let Fact::Beat { ix, beat, durable } = fact else { return None };
        let lies = |(log, upto): &(&base::LogId, &u64)| durable.get(*log).copied().unwrap_or(0) < **upto;
        let lie = beat.durable.iter().find(lies)?;
        Some(format!("node {ix} says that {lie:?} is on its disk, where {:?} is", durable.get(lie.0)))
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
