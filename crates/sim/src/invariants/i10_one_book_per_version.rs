//! I10: a version of the book, by term, number and writer, says the same everywhere.

use super::{Invariant, Scene};
use crate::history::Fact;
use base::NodeId;
use dispatch::directory::Directory;
use dispatch::record::Record;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct OneBook {
    known: BTreeMap<(u64, u64, Option<NodeId>), Arc<Directory>>,
}

impl Invariant for OneBook {
    fn name(&self) -> &'static str {
        "i10_one_book_per_version"
    }

    fn see(&mut self, _: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let Fact::Appended { entry, .. } = fact else { return None };
        let Record::Directory { edition, .. } = &entry.record else { return None };
        let place = (edition.term, edition.version, edition.writer);
        let known = self.known.entry(place).or_insert_with(|| Arc::clone(&edition.directory));
        (*known != edition.directory).then(|| format!("two books are called {place:?}"))
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
