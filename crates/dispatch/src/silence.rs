//! Silences: while one is active nothing is told of the alerts that it matches, and their escalation stands still.
//!
//! A silence says nothing about an alert: that stays open, can be acknowledged, resolved and closed. Where it is still
//! open when no silence holds it any more, it goes on from where it stood, and what goes out says how late it is.
//! The wall clock says when a silence begins and is over; every node reads its own.

use crate::input::{Answer, Refusal};
use crate::record::{Actor, Record, Silence};
use crate::run::Turn;
use crate::state::{Open, State};
use crate::{Dispatch, Effect, Standing};
use base::limits::SILENCES_MAX;
use base::{AlertId, Mono, Now, RecordId, Wall};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Codes spelled out where many alerts are held back or go on at once.
const CODES_NAMED: usize = 20;

/// Which silences are active, as of the last look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hush {
    active: BTreeMap<RecordId, Arc<Silence>>,
    /// When another is, or one of them is not any more.
    next: Option<Wall>,
    /// Silences came or were ended since.
    pub(crate) stale: bool,
}

impl Hush {
    /// When the clock alone changes something.
    pub(crate) fn deadline(&self, now: Now) -> Option<Mono> {
        self.next.map(|next| now.mono + next.since(now.wall))
    }

    fn is_due(&self, now: Now) -> bool {
        self.stale || self.next.is_some_and(|next| next <= now.wall)
    }

    /// Takes note of what is active now. False if that is the same as before.
    fn look(&mut self, state: &State, at: Wall) -> bool {
        let active = state.silences.iter().filter(|(_, it)| it.is_active(at));
        let active: BTreeMap<_, _> = active.map(|(id, it)| (*id, Arc::clone(&it.silence))).collect();
        let spans = state.silences.values().map(|it| it.span()).filter(|(from, until)| from < until);
        self.next = spans.flat_map(|(from, until)| [from, until]).filter(|next| *next > at).min();
        self.stale = false;
        let same = active.keys().eq(self.active.keys());
        self.active = active;
        !same
    }
}

/// When silences held an alert back, or will.
pub(crate) fn silent_spans(state: &State, open: &Open) -> Vec<(Wall, Wall)> {
    let matching = state.silences.values().filter(|it| matches(&it.silence, open));
    matching.map(|it| it.span()).collect()
}

/// Our own alerts are told whatever anybody silences.
fn matches(silence: &Silence, open: &Open) -> bool {
    !open.alert.system && silence.matchers.matches(|label| open.content().label(label))
}

impl Dispatch {
    /// Takes a silence.
    pub(crate) fn silence(
        &mut self,
        now: Now,
        silence: Arc<Silence>,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let ahead = self.state.silences.values().filter(|it| it.silence.until > now.wall).count();
        if ahead >= SILENCES_MAX {
            return Err(Refusal::TooManySilences { limit: SILENCES_MAX });
        }
        let id = self.append(now, Record::Silence(silence), out);
        self.hush.stale = true;
        Ok(Answer::Silenced { silence: id, copies: 0 })
    }

    /// Ends a silence before its time.
    pub(crate) fn unsilence(
        &mut self,
        now: Now,
        by: &Actor,
        silence: RecordId,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        let known = self.state.silences.get(&silence);
        let over = known.is_none_or(|it| it.ended.is_some() || it.silence.until <= now.wall);
        if over {
            return Err(Refusal::NoSilence);
        }
        self.append(now, Record::Unsilence { silence, by: by.clone() }, out);
        self.hush.stale = true;
        Ok(Answer::Silenced { silence, copies: 0 })
    }

    /// Follows the silences that began or are over since the last look.
    pub(crate) fn hush(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.hush.is_due(now) || !self.hush.look(&self.state, now.wall) {
            return;
        }
        let (mut held, mut freed) = (Vec::new(), Vec::new());
        for alert in self.runs.keys().copied().collect::<Vec<_>>() {
            let before = self.is_silenced(alert);
            self.listen_again(now, alert);
            match (before, self.is_silenced(alert)) {
                (false, true) => held.push(alert),
                (true, false) => freed.push(alert),
                (false, false) | (true, true) => (),
            }
        }
        self.note_silenced(now, &held, out);
        let asks = |alert: &&AlertId| self.standing(**alert) == Some(Standing::Open);
        let asking: Vec<AlertId> = freed.iter().filter(asks).copied().collect();
        self.note(now, &asking, "the silence is over: it goes on", out);
        for alert in freed {
            self.settle(now, alert, out);
        }
    }

    fn is_silenced(&self, alert: AlertId) -> bool {
        self.runs.get(&alert).is_some_and(crate::run::Run::is_silenced)
    }

    /// Looks which silences hold an alert back.
    pub(crate) fn listen_again(&mut self, now: Now, alert: AlertId) {
        let Some((open, run)) = self.state.open.get(&alert).zip(self.runs.get_mut(&alert)) else { return };
        let active = self.hush.active.iter().filter(|(_, silence)| matches(silence, open));
        let by: Vec<RecordId> = active.map(|(id, _)| *id).collect();
        let before = std::mem::replace(&mut run.silenced_by, by);
        match (before.is_empty(), run.silenced_by.is_empty()) {
            (true, false) => self.hold_back(now, alert),
            (false, true) => self.let_go_on(now, alert),
            (true, true) | (false, false) => (),
        }
    }

    /// Nothing of an alert is told from now on.
    fn hold_back(&mut self, now: Now, alert: AlertId) {
        let active = self.clock.at(now.mono);
        if let Some(run) = self.runs.get_mut(&alert) {
            run.silenced_at = Some((active, now.mono));
        }
        self.withdraw(alert, |_| true);
        self.schedule(alert);
        self.set_lapse(alert);
    }

    /// An alert goes on from where it stood.
    fn let_go_on(&mut self, now: Now, alert: AlertId) {
        let active = self.clock.at(now.mono);
        let Some(run) = self.runs.get_mut(&alert) else { return };
        if let Some((since, at)) = run.silenced_at.take() {
            // A step that fired meanwhile, on another node, counts from then.
            run.fired = run.fired.plus(active.since(since.max(run.fired)));
            run.accepted_at = run.accepted_at.later(now.mono.since(at));
        }
        self.fan_all(now, alert);
    }

    /// Says in the trail why nothing goes out of those of these alerts that are ours to tell.
    pub(crate) fn note_silenced(&mut self, now: Now, alerts: &[AlertId], out: &mut Vec<Effect>) {
        let by = alerts.first().and_then(|alert| self.runs.get(alert)?.silenced_by.first());
        let Some(silence) = by.and_then(|id| self.hush.active.get(id)) else { return };
        let why = format!("held back by a silence of {}: {}", silence.author, silence.comment);
        self.note(now, alerts, &why, out);
    }

    fn note(&mut self, now: Now, alerts: &[AlertId], what: &str, out: &mut Vec<Effect>) {
        let ours = |alert: &&AlertId| self.runs.get(alert).is_some_and(|run| run.turn != Turn::Theirs);
        let ours: Vec<_> =
            alerts.iter().filter(ours).filter_map(|alert| self.state.open.get(alert)).collect();
        if ours.is_empty() {
            return;
        }
        let named: Vec<String> =
            ours.iter().take(CODES_NAMED).map(|open| open.alert.code.to_string()).collect();
        let more = ours.len().saturating_sub(CODES_NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let what = format!("{}{more}: {what}", named.join(", ")).into();
        self.append(now, Record::Note { by: Actor::ourselves(), what }, out);
    }
}
