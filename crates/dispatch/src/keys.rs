//! Remembers idempotency keys, so that a client's repeated request does not become a second alert.
//!
//! Bounded in time ([`KEY_LIFE`]) and in number per source ([`KEYS_PER_SOURCE_MAX`]); the oldest goes first.

use crate::input::PastKey;
use crate::record::Code;
use base::limits::{KEY_LIFE, KEYS_PER_SOURCE_MAX};
use base::{AlertId, Digest, Name, Now, Wall};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What a key led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) digest: Digest,
    pub(crate) alert: AlertId,
    pub(crate) code: Code,
}

#[derive(Clone, Debug, Default)]
struct PerSource {
    known: BTreeMap<Arc<str>, Known>,
    order: VecDeque<(Wall, Arc<str>)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(BTreeMap<Name, PerSource>);

impl Keys {
    pub(crate) fn new(past: &[PastKey], now: Now) -> Self {
        let mut keys = Self::default();
        for key in past {
            let known = Known { digest: key.digest, alert: key.alert, code: key.code };
            keys.insert(Now { wall: key.at, ..now }, &key.source, &key.key, known);
        }
        keys
    }

    pub(crate) fn find(&self, source: &Name, key: &str) -> Option<&Known> {
        self.0.get(source)?.known.get(key)
    }

    pub(crate) fn insert(&mut self, now: Now, source: &Name, key: &Arc<str>, known: Known) {
        let mine = self.0.entry(source.clone()).or_default();
        mine.known.insert(Arc::clone(key), known);
        mine.order.push_back((now.wall, Arc::clone(key)));
        while let Some((at, _)) = mine.order.front() {
            let stale = !now.suspect && now.wall.since(*at) > KEY_LIFE;
            if !stale && mine.order.len() <= KEYS_PER_SOURCE_MAX {
                break;
            }
            if let Some((_, key)) = mine.order.pop_front() {
                mine.known.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{BootId, LogId, NodeId, RecordId};

    #[test]
    fn keys_are_forgotten_a_day_later_and_no_sooner() {
        let log = LogId { node: NodeId(1), boot: BootId(1) };
        let source = Name::new("scada").unwrap();
        let known = |seq| Known {
            digest: Digest([0; 32]),
            alert: AlertId(RecordId { log, seq }),
            code: Code { letter: 'A', number: 1 },
        };
        let at = |hours: i64| Now { wall: Wall(hours * 3_600_000), ..Now::default() };
        let mut keys = Keys::default();
        keys.insert(at(0), &source, &"k0".into(), known(0));
        keys.insert(at(24), &source, &"k1".into(), known(1));
        assert_eq!(keys.find(&source, "k0"), Some(&known(0)));
        keys.insert(at(25), &source, &"k2".into(), known(2));
        assert_eq!((keys.find(&source, "k0"), keys.find(&source, "k1")), (None, Some(&known(1))));
    }
}
