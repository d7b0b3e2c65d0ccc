//! I1: what was answered with yes reaches everybody of its first step, or somebody ended or acknowledged it, or
//! its last copy was lost with a disk.

use super::{Invariant, Scene};
use crate::history::{Fact, Known};
use base::Name;
use dispatch::record::{Roster, Shift, StepKey, Why};
use std::collections::BTreeSet;

pub(super) struct Delivered;

impl Invariant for Delivered {
    fn name(&self) -> &'static str {
        "i01_delivered"
    }

    fn see(&mut self, _: &Scene<'_>, _: &Fact<'_>) -> Option<String> {
        None
    }

    fn conclude(&mut self, scene: &Scene<'_>) -> Option<String> {
        let history = scene.history;
        let none = BTreeSet::new();
        for (client, promise) in &history.promises {
            let ends = history.ended.get(client);
            let ended = ends.is_some_and(|ends| ends.iter().any(|why| *why != Why::Automatic));
            if ended || history.acked.contains(client) || history.destroyed.contains(client) {
                continue;
            }
            // What only a node knew that was taken out of the cluster went with it.
            if promise.copies < 2 && scene.dismissed == Some(promise.alert.0.log.node) {
                continue;
            }
            let told = history.told.get(client).unwrap_or(&none);
            let Some(roster) = history.roster(promise.alert) else {
                return Some(format!("notice {client} was promised without a roster"));
            };
            let Some(known) = history.alerts.get(&promise.alert) else { continue };
            let people = first(roster, &known.alert.on_call);
            // Twins that were accepted on both sides of a hand-over are one: the list of the one that stands counts.
            let of_twin = |twin: &&Known| {
                let roster = history.rosters.get(&twin.alert.roster);
                roster.is_some_and(|roster| first(roster, &twin.alert.on_call).is_subset(told))
            };
            let mut twins = history.alerts.values().filter(|known| known.client == Some(*client));
            if !known.alert.on_call.is_empty() && twins.any(|twin| of_twin(&twin)) {
                continue;
            }
            if !people.is_subset(told) {
                let copies = promise.copies;
                return Some(format!(
                    "notice {client}, promised on {copies} disk(s), is for {people:?} and told {told:?}"
                ));
            }
        }
        None
    }
}

/// Whom the first step is for: whoever was on call when it was accepted, whatever the clock of who sends it says.
fn first(roster: &Roster, on_call: &BTreeSet<Shift>) -> BTreeSet<Name> {
    let wider = roster.with_joined(StepKey::default(), on_call);
    let roster = wider.as_ref().unwrap_or(roster);
    let told = roster.told(StepKey::default(), on_call, &BTreeSet::new());
    told.iter().filter_map(|reach| roster.at(*reach)).map(|(person, _)| person.name.clone()).collect()
}
