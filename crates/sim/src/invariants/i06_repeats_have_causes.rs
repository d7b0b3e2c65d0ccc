//! I6: a message that may have been sent before says so, unless its sender could not know, because the other
//! sender and it did not hear each other.

use super::{Invariant, Scene};
use crate::history::{Fact, Upset};
use dispatch::record::Outcome;

pub(super) struct Causes;

impl Invariant for Causes {
    fn name(&self) -> &'static str {
        "i06_repeats_have_causes"
    }

    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let Fact::Delivered { ix, id, delivery } = fact else { return None };
        if delivery.repeat.is_some() || scene.history.upsets.contains(&Upset::Dismissed) {
            return None;
        }
        let sends = scene.history.sends.get(&delivery.notification)?;
        for (other, send) in sends {
            let refused = matches!(send.reported, Some(Outcome::Refused { .. }));
            if other == id || refused && !send.taken {
                continue;
            }
            let apart = scene.history.were_apart(*ix, send.ix, scene.now)
                || scene.history.were_apart(*ix, send.ix, send.at);
            if send.ix == *ix || !apart {
                let (code, to, before) = (delivery.alert.code, &delivery.address.value, send.at);
                return Some(format!(
                    "node {ix} sends {code} to {to} without a mark; node {} did at {before} ms",
                    send.ix
                ));
            }
        }
        None
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}
