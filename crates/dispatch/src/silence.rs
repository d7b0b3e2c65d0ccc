//! What holds alerts back by their labels: silences, and maintenance windows of the book.
//!
//! A silence says nothing about an alert: that stays open, can be acknowledged, resolved and closed. The wall clock
//! says when a silence begins and is over, and the almanac when a maintenance window is on; every node reads its own.
//! What it means for an alert to be held back is said in `hold`.

use crate::directory::{Directory, Maintenance};
use crate::flapping::Raised;
use crate::inhibition::Inhibitions;
use crate::input::{Answer, Refusal};
use crate::record::{Actor, Record, Silence};
use crate::state::{Open, State};
use crate::{Almanac, Dispatch, Effect, Held};
use base::limits::{SILENCE_REST, SILENCES_MAX};
use base::{AlertId, Mono, Name, Now, RecordId, Wall};
use matcher::{Index, Matchers};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that holds back whatever has certain labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mute {
    /// A silence.
    Silence(RecordId),
    /// A maintenance window of the book.
    Maintenance(Name),
}

/// What holds alerts back, as of the last look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hush {
    active: Index<Mute>,
    /// When another silence is active, or one of them is not any more.
    next: Option<Wall>,
    /// Silences came or were ended since, or a calendar did.
    pub(crate) stale: bool,
    /// The book whose windows and rules are in force.
    pub(crate) book: Arc<Directory>,
    pub(crate) inhibition: Inhibitions,
    /// Alerts that something no longer holds back: each is looked at again.
    pub(crate) freeing: BTreeSet<AlertId>,
    /// Alerts that flapped, and from when on they are told.
    pub(crate) steady: BTreeSet<(Mono, AlertId)>,
    /// When which trouble was raised.
    pub(crate) raised: Raised,
    /// It was looked at all since the start.
    pub(crate) looked: bool,
}

/// What became active, and what is no longer, between two looks.
#[derive(Default)]
pub(crate) struct Changed {
    pub(crate) begun: Index<Mute>,
    pub(crate) over: BTreeSet<Mute>,
}

impl Hush {
    /// When time alone changes something.
    pub(crate) fn deadline(&self, now: Now) -> Option<Mono> {
        let waits = self.stale || !self.freeing.is_empty() || self.inhibition.is_stirred();
        let next = self.next.map(|next| now.mono + next.since(now.wall));
        let steady = self.steady.first().map(|(at, _)| *at);
        waits.then_some(now.mono).into_iter().chain(next).chain(steady).min()
    }

    pub(crate) fn is_due(&self, now: Now) -> bool {
        self.stale || self.next.is_some_and(|next| next <= now.wall)
    }

    /// Takes note of what is active now.
    pub(crate) fn look(&mut self, state: &State, almanac: &Almanac, at: Wall) -> Changed {
        let spans = state.silences.values().map(|it| it.span());
        let times = spans.flat_map(|(from, until)| [from, until, until + SILENCE_REST]);
        self.next = times.filter(|next| *next > at).min();
        self.stale = false;
        let now = active(state, &self.book, almanac, at);
        let mut changed = Changed::default();
        for (mute, matchers) in self.active.iter() {
            if now.get(mute).is_none_or(|now| *now != matchers) {
                changed.over.insert(mute.clone());
            }
        }
        for (mute, matchers) in now {
            if self.active.get(&mute) != Some(matchers) {
                changed.begun.insert(mute, matchers.clone());
            }
        }
        changed.over.iter().for_each(|mute| drop(self.active.remove(mute)));
        for (mute, matchers) in changed.begun.iter() {
            self.active.insert(mute.clone(), matchers.clone());
        }
        changed
    }

    /// What holds back an alert with these labels.
    pub(crate) fn mutes(&self, open: &Open) -> Vec<Mute> {
        muted(&self.active, open).into_iter().cloned().collect()
    }

    /// An alert is not under way any more.
    pub(crate) fn forget(&mut self, alert: AlertId, steady_at: Option<Mono>) {
        self.inhibition.remove(alert);
        self.freeing.remove(&alert);
        steady_at.map(|at| self.steady.remove(&(at, alert)));
    }

    /// Nothing is known of any alert.
    pub(crate) fn is_idle(&self) -> bool {
        self.inhibition.is_empty() && self.freeing.is_empty() && self.steady.is_empty()
    }
}

/// Those of `active` that match an alert. Our own alerts are told whatever anybody silences.
pub(crate) fn muted<'a>(active: &'a Index<Mute>, open: &Open) -> BTreeSet<&'a Mute> {
    if open.alert.system {
        return BTreeSet::new();
    }
    active.matching(|label| open.content().label(label))
}

/// What is active at a time.
fn active<'a>(
    state: &'a State,
    book: &'a Directory,
    almanac: &Almanac,
    at: Wall,
) -> BTreeMap<Mute, &'a Matchers> {
    let silences = state.silences.iter().filter(|(_, it)| it.is_active(at));
    let silences = silences.map(|(id, it)| (Mute::Silence(*id), &it.silence.matchers));
    let on = |calendars: &[Name]| calendars.iter().any(|calendar| almanac.calendars.contains(calendar));
    let windows = book.maintenance.iter().filter(|(_, window)| on(&window.calendars));
    let windows = windows.map(|(name, window)| (Mute::Maintenance(name.clone()), &window.matchers));
    silences.chain(windows).collect()
}

/// When silences held an alert back, or will.
pub(crate) fn silent_spans(state: &State, open: &Open) -> Vec<(Wall, Wall)> {
    let matching = state.silences.values().filter(|it| matches(&it.silence, open));
    matching.map(|it| it.span()).collect()
}

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

    /// The shell says what the calendars and schedules say now.
    pub(crate) fn take_almanac(&mut self, almanac: Almanac) {
        self.hush.stale |= almanac.calendars != self.almanac.calendars;
        self.almanac = almanac;
    }

    /// A maintenance window is on.
    pub fn is_on(&self, window: &Maintenance) -> bool {
        window.calendars.iter().any(|calendar| self.almanac.calendars.contains(calendar))
    }

    /// Lets go of silences that have long been over. A peer that still has one may bring it back: it holds nothing
    /// back, and goes again.
    pub(crate) fn forget_silences(&mut self, now: Now) {
        if now.suspect {
            return; // Nobody knows how long they have been.
        }
        let gone = |it: &crate::state::Silenced| it.span().1 + SILENCE_REST <= now.wall;
        let gone: Vec<RecordId> =
            self.state.silences.extract_if(.., |_, it| gone(it)).map(|(id, _)| id).collect();
        if !gone.is_empty() {
            self.hold(Held::Forget { alerts: Vec::new(), rosters: Vec::new(), silences: gone });
        }
    }
}
