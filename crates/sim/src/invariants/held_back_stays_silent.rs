//! What is held back at a node, by all that it knows, is not sent by that node. That it is told once nothing holds it
//! back any more is a matter of I1.
//!
//! What holds an alert back is computed here anew from the records, the book and the clock, by looking at everything.

use super::{Invariant, Scene};
use crate::history::Fact;
use base::{AlertId, Wall};
use dispatch::Dispatch;
use dispatch::directory::{Directory, Inhibition};
use dispatch::state::{Open, State};
use matcher::Matchers;

pub(super) struct HeldBack;

impl Invariant for HeldBack {
    fn name(&self) -> &'static str {
        "held_back_stays_silent"
    }

    fn see(&mut self, scene: &Scene<'_>, fact: &Fact<'_>) -> Option<String> {
        let Fact::Delivered { ix, delivery, .. } = fact else { return None };
        let machine = scene.machines.get(*ix)?;
        let core = machine.core.as_ref()?;
        let open = core.state().open.get(&delivery.alert_id).filter(|open| !open.alert.system)?;
        let why = held_by(core, delivery.alert_id, open, machine.now(scene.now).wall)?;
        let code = open.alert.code;
        Some(format!("node {ix} sends {code} ({:?}), which {why} holds back", delivery.purpose))
    }

    fn conclude(&mut self, _: &Scene<'_>) -> Option<String> {
        None
    }
}

fn held_by(core: &Dispatch, alert: AlertId, open: &Open, at: Wall) -> Option<String> {
    let (state, book) = (core.state(), &core.edition().directory);
    let mut silences = state.silences.iter();
    if let Some((id, _)) = silences.find(|(_, it)| it.is_active(at) && matches(&it.silence.matchers, open)) {
        return Some(format!("the silence {id}"));
    }
    window(book, open, at).or_else(|| inhibited(state, book, alert, open))
}

fn window(book: &Directory, open: &Open, at: Wall) -> Option<String> {
    let almanac = crate::book::almanac(crate::book::shift(at));
    let (name, _) = book.maintenance.iter().find(|(_, window)| {
        window.calendars.iter().any(|it| almanac.calendars.contains(it)) && matches(&window.matchers, open)
    })?;
    Some(format!("the window {name}"))
}

fn inhibited(state: &State, book: &Directory, alert: AlertId, open: &Open) -> Option<String> {
    let stands = |open: &Open| open.facts.end().is_none() && !open.alert.system;
    if !stands(open) {
        return None; // Who was told of it is told of its end.
    }
    let others = || state.open.iter().filter(|(other, open)| **other != alert && stands(open));
    let by = book.inhibitions.iter().find_map(|rule| others().find(|(_, it)| inhibits(rule, it, open)))?;
    Some(format!("the alert {}", by.1.alert.code))
}

fn inhibits(rule: &Inhibition, by: &Open, open: &Open) -> bool {
    let both = |open: &Open| matches(&rule.source, open) && matches(&rule.target, open);
    let value = |open: &Open, label: &str| open.content().label(label).unwrap_or_default().to_owned();
    matches(&rule.target, open)
        && matches(&rule.source, by)
        && !(both(open) && both(by))
        && rule.equal.iter().all(|label| value(by, label) == value(open, label))
}

fn matches(matchers: &Matchers, open: &Open) -> bool {
    matchers.matches(|label| open.content().label(label))
}
