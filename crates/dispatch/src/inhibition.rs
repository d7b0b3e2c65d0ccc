//! Inhibition: while one alert is open, others are held back that say less about the same trouble.
//!
//! Follows from the open alerts and the book, and is no fact of its own. The rules are those of Alertmanager 0.25:
//! what matches both sides of a rule is held back only by what matches its source alone, so that nothing holds itself
//! back, nor do two each other. Whether somebody acknowledged the source, or something holds that back in turn, does
//! not matter; once it has ended it holds nothing back.
//!
//! Alerts that a rule compares are filed under the values of its `equal` labels, so that an alert which comes or goes
//! concerns those alone that agree with it.

use crate::directory::{self, Directory};
use crate::record::Content;
use crate::state::{Open, State};
use base::{AlertId, Name};
use matcher::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A rule's place in the book, and the values of the labels that it compares.
type Place = (usize, Box<[Box<str>]>);

/// What an alert is to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Target,
    Both,
}

/// Alerts that agree in all that a rule compares.
#[derive(Clone, Debug, Default)]
struct Group {
    sources: BTreeSet<AlertId>,
    targets: BTreeSet<AlertId>,
    both: BTreeSet<AlertId>,
}

impl Group {
    fn side(&mut self, side: Side) -> &mut BTreeSet<AlertId> {
        match side {
            Side::Source => &mut self.sources,
            Side::Target => &mut self.targets,
            Side::Both => &mut self.both,
        }
    }

    fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.targets.is_empty() && self.both.is_empty()
    }

    /// What holds an alert back that stands there: the oldest.
    fn inhibitor(&self, side: Side) -> Option<AlertId> {
        let both = self.both.first().filter(|_| side == Side::Target);
        let sources = self.sources.first().filter(|_| side != Side::Source);
        sources.into_iter().chain(both).min().copied()
    }

    /// Whether targets, and whether those that match both sides, are held back.
    fn holds(&self) -> (bool, bool) {
        (self.inhibitor(Side::Target).is_some(), self.inhibitor(Side::Both).is_some())
    }
}

/// Where an alert is filed.
#[derive(Clone, Debug)]
struct Filed {
    /// As it was when it was.
    content: Arc<Content>,
    places: Vec<(Place, Side)>,
}

/// The rules, and the alerts that are filed under them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inhibitions {
    rules: Vec<directory::Inhibition>,
    sources: Index<usize>,
    targets: Index<usize>,
    groups: BTreeMap<Place, Group>,
    filed: BTreeMap<AlertId, Filed>,
    /// Alerts that are held back now, or are not any more.
    stirred: BTreeSet<AlertId>,
}

impl Inhibitions {
    /// Takes the rules of a book. False if they are the same as before; else every alert is to be filed anew.
    pub(crate) fn adopt(&mut self, book: &Directory) -> bool {
        if self.rules == book.inhibitions {
            return false;
        }
        let mut fresh = Self { rules: book.inhibitions.clone(), ..Self::default() };
        for (at, rule) in book.inhibitions.iter().enumerate() {
            fresh.sources.insert(at, rule.source.clone());
            fresh.targets.insert(at, rule.target.clone());
        }
        // Those that no rule concerns any more are let go.
        fresh.stirred = std::mem::take(&mut self.filed).into_keys().collect();
        *self = fresh;
        true
    }

    /// Files an alert by what it says now, if it is open; takes it out otherwise.
    pub(crate) fn file(&mut self, state: &State, alert: AlertId) {
        let open = state.open.get(&alert).filter(|open| takes_part(open));
        let Some(open) = open.filter(|_| !self.rules.is_empty()) else { return self.remove(alert) };
        let content = open.content();
        if self.filed.get(&alert).is_some_and(|filed| Arc::ptr_eq(&filed.content, content)) {
            return;
        }
        self.remove(alert);
        let places = self.places(content);
        for (place, side) in &places {
            self.change(place, *side, |alerts| alerts.insert(alert));
        }
        if !places.is_empty() {
            self.stirred.insert(alert);
        }
        // One that no rule concerns is remembered too: it is looked at each time that something is said of it.
        self.filed.insert(alert, Filed { content: Arc::clone(content), places });
    }

    /// Takes an alert out: it is over.
    pub(crate) fn remove(&mut self, alert: AlertId) {
        let Some(Filed { places, .. }) = self.filed.remove(&alert) else { return };
        for (place, side) in &places {
            self.change(place, *side, |alerts| alerts.remove(&alert));
            if self.groups.get(place).is_some_and(Group::is_empty) {
                self.groups.remove(place);
            }
        }
    }

    /// Changes a group. Those that are held back only then, or only before, are stirred.
    fn change(&mut self, place: &Place, side: Side, change: impl FnOnce(&mut BTreeSet<AlertId>) -> bool) {
        let group = self.groups.entry(place.clone()).or_default();
        let before = group.holds();
        if !change(group.side(side)) {
            return;
        }
        let after = group.holds();
        if before.0 != after.0 {
            self.stirred.extend(&group.targets);
        }
        if before.1 != after.1 {
            self.stirred.extend(&group.both);
        }
    }

    fn places(&self, content: &Content) -> Vec<(Place, Side)> {
        let sources = self.sources.matching(|label| content.label(label));
        let targets = self.targets.matching(|label| content.label(label));
        let rules = sources.union(&targets).map(|rule| **rule);
        let side = |rule: usize| match (sources.contains(&rule), targets.contains(&rule)) {
            (true, true) => Side::Both,
            (true, false) => Side::Source,
            (false, _) => Side::Target,
        };
        let place = |rule: usize| {
            let equal = self.rules.get(rule).map_or(&[][..], |rule| &rule.equal);
            let values = equal.iter().map(|label| content.label(label).unwrap_or_default().into());
            ((rule, values.collect()), side(rule))
        };
        rules.map(place).collect()
    }

    /// The first rule by which an alert is held back, and the oldest alert that does it.
    pub(crate) fn inhibitor(&self, alert: AlertId) -> Option<(&Name, AlertId)> {
        let places = &self.filed.get(&alert)?.places;
        places.iter().find_map(|(place, side)| {
            let by = self.groups.get(place)?.inhibitor(*side)?;
            Some((&self.rules.get(place.0)?.name, by))
        })
    }

    /// The alerts for which that may have changed since the last time.
    pub(crate) fn stirred(&mut self) -> BTreeSet<AlertId> {
        std::mem::take(&mut self.stirred)
    }

    /// There are some.
    pub(crate) fn is_stirred(&self) -> bool {
        !self.stirred.is_empty()
    }

    /// Nothing is filed.
    pub(crate) fn is_empty(&self) -> bool {
        self.filed.is_empty() && self.groups.is_empty()
    }
}

/// Our own alerts hold nothing back and are not held back. What has ended is none of this either.
fn takes_part(open: &Open) -> bool {
    !open.alert.system && open.facts.end().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{core, directory, handle, name, notice, now};
    use crate::record::Record;
    use crate::{Dispatch, Effect, Input, Ticket};
    use base::{BootId, LogId, NodeId, RecordId};

    fn rule(source: &str, target: &str, equal: &[&str]) -> directory::Inhibition {
        directory::Inhibition {
            name: name("rule"),
            source: source.parse().unwrap(),
            target: target.parse().unwrap(),
            equal: equal.iter().map(|label| (*label).into()).collect(),
        }
    }

    /// Accepts one alert for each set of labels; which of them are held back, and by which.
    fn held(rules: Vec<directory::Inhibition>, alerts: &[&[(&str, &str)]]) -> Vec<Option<usize>> {
        let mut book = directory(&[("anna", &["mail:anna@x"])], &[]);
        book.inhibitions = rules;
        let mut core = core(book);
        let mut ids = Vec::new();
        for (at, labels) in alerts.iter().enumerate() {
            let mut notice = notice(&format!("notice {at}"), &["anna"]);
            notice.content.labels =
                labels.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect();
            let effects =
                handle(&mut core, now(1), Input::Notice { ticket: Ticket(1), notice: Box::new(notice) });
            ids.extend(accepted(&effects));
        }
        let by = |core: &Dispatch, id| core.hush.inhibition.inhibitor(id).map(|(_, by)| by);
        ids.iter().map(|id| by(&core, *id).and_then(|by| ids.iter().position(|id| *id == by))).collect()
    }

    fn accepted(effects: &[Effect]) -> Vec<AlertId> {
        let of = |effect: &Effect| {
            let Effect::Append { id, entry } = effect else { return None };
            matches!(entry.record, Record::Accept(_)).then_some(AlertId(*id))
        };
        effects.iter().filter_map(of).collect()
    }

    // As Alertmanager's own tests have it (inhibit_test.go), and what its documentation says.
    #[test]
    fn a_rule_compares_as_alertmanager_does() {
        let check =
            |rules: Vec<directory::Inhibition>, alerts: &[&[(&str, &str)]], want: &[Option<usize>]| {
                assert_eq!(held(rules, alerts), want, "{alerts:?}");
            };
        let severity = || vec![rule("severity=\"critical\"", "severity=\"warning\"", &["cluster"])];
        let (critical, warning) = (("severity", "critical"), ("severity", "warning"));
        check(severity(), &[&[critical, ("cluster", "a")], &[warning, ("cluster", "a")]], &[None, Some(0)]);
        check(severity(), &[&[critical, ("cluster", "a")], &[warning, ("cluster", "b")]], &[None, None]);
        // Whichever comes first.
        check(severity(), &[&[warning, ("cluster", "a")], &[critical, ("cluster", "a")]], &[Some(1), None]);
        // An absent label is like an empty one, and two absent ones are alike.
        check(severity(), &[&[critical], &[warning]], &[None, Some(0)]);
        check(severity(), &[&[critical, ("cluster", "")], &[warning]], &[None, Some(0)]);
        check(severity(), &[&[critical], &[warning, ("cluster", "a")]], &[None, None]);
        // What matches both sides does not hold itself back, nor another that does.
        let both = || vec![rule("s=\"1\"", "t=\"1\"", &["e"])];
        check(both(), &[&[("s", "1"), ("t", "1"), ("e", "1")]], &[None]);
        check(both(), &[&[("s", "1"), ("t", "1")], &[("s", "1"), ("t", "1")]], &[None, None]);
        // It holds back what is only a target, and is held back by what is only a source.
        check(both(), &[&[("s", "1"), ("t", "1")], &[("t", "1")]], &[None, Some(0)]);
        check(both(), &[&[("s", "1"), ("t", "1")], &[("s", "1")]], &[Some(1), None]);
        // Something that is held back holds back in turn.
        let chain = vec![rule("s=\"1\"", "s=\"2\"", &[]), rule("s=\"2\"", "s=\"3\"", &[])];
        check(chain, &[&[("s", "1")], &[("s", "2")], &[("s", "3")]], &[None, Some(0), Some(1)]);
    }

    #[test]
    fn what_came_and_went_leaves_nothing_behind() {
        let mut inhibitions = Inhibitions::default();
        let rules = vec![rule("a=\"1\"", "a=\"2\"", &["b"])];
        let book = Directory { inhibitions: rules, ..Directory::default() };
        assert!(inhibitions.adopt(&book) && !inhibitions.adopt(&book));
        let id = |seq| AlertId(RecordId { log: LogId { node: NodeId(1), boot: BootId(1) }, seq });
        for seq in 0..4 {
            let content = Arc::new(Content {
                labels: BTreeMap::from([("a".into(), (seq % 2 + 1).to_string().into())]),
                ..notice("x", &[]).content
            });
            let places = inhibitions.places(&content);
            for (place, side) in &places {
                inhibitions.change(place, *side, |alerts| alerts.insert(id(seq)));
            }
            inhibitions.filed.insert(id(seq), Filed { content, places });
        }
        assert_eq!(inhibitions.inhibitor(id(1)).map(|(_, by)| by), Some(id(0)));
        inhibitions.stirred();
        inhibitions.remove(id(0));
        assert_eq!((inhibitions.stirred().len(), inhibitions.inhibitor(id(1)).is_some()), (0, true));
        inhibitions.remove(id(2));
        assert_eq!(inhibitions.stirred(), BTreeSet::from([id(1), id(3)]));
        inhibitions.remove(id(1));
        inhibitions.remove(id(3));
        assert!(inhibitions.is_empty());
    }
}
