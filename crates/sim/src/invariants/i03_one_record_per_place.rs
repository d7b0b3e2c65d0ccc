//! I3: a place in a log holds the same bytes on all nodes.

use super::{Invariant, Scene};
use crate::history::Fact;
use base::RecordId;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct OneRecord {
    written: BTreeMap<RecordId, Arc<[u8]>>,
}

impl Invariant for OneRecord {
    fn name(&self) -> &'static str {
        "i03_one_record_per_place"
    }

    fn see(&mut self, _: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let Fact::Appended { id, bytes, .. } = fact else { return None };
        match self.written.get(id) {
            Some(known) if **known != **bytes => {
                let (one, other) = (String::from_utf8_lossy(known), String::from_utf8_lossy(bytes));
                Some(format!("{id} is {other} here, and {one} elsewhere"))
            }
            Some(_) => None,
            None => {
                self.written.insert(*id, (*bytes).into());
                None
            }
        }
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
