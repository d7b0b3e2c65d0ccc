//! Who is on call: chosen when a step fires, from what the shell handed in, and written down with the step.
//!
//! Whom a schedule names, and where they are reached, is bound at accept like everything else; the choice among them
//! is made at firing, and who joined the schedule in between is bound then. It is a fact of the step, so that whoever
//! adopts the alert goes on with the very list, whatever its own book and clock say. Nobody is left out in doubt:
//! where a choice cannot be made, everybody whom the schedule could have named is told.

use crate::directory::Civil;
use crate::record::{BoundSchedule, Fired, Joined, Roster, Shift, StepKey};
use crate::run::{Index, Run};
use crate::state::Open;
use crate::{Dispatch, Effect, bind, escalation};
use base::{AlertId, Name, Now, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the directory's schedules and calendars say at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Almanac {
    /// Who is on call in each schedule.
    pub on_call: BTreeMap<Name, Shift>,
    /// The calendars that it is within.
    pub calendars: BTreeSet<Name>,
    /// How far the clocks of the directory's time zone are ahead of UTC, in seconds.
    pub offset: i32,
}

impl Almanac {
    /// The time on those clocks at `at`.
    pub(crate) fn civil(&self, at: Wall) -> Civil {
        const MINUTE: i64 = 60_000;
        const DAY: i64 = 24 * 60;
        const THURSDAY: i64 = 3; // 1970-01-01 was one.
        let minutes = at.0.saturating_add(i64::from(self.offset) * 1000).div_euclid(MINUTE);
        let weekday = (minutes.div_euclid(DAY) + THURSDAY).rem_euclid(7);
        Civil {
            weekday: u8::try_from(weekday).unwrap_or(0),
            minute: u16::try_from(minutes.rem_euclid(DAY)).unwrap_or(0),
        }
    }
}

/// The roster that was widened last: alerts of one kind, whose steps fire one after the other, share it.
#[derive(Clone, Debug)]
pub(crate) struct Wider {
    of: Arc<Roster>,
    step: u16,
    on_call: BTreeSet<Shift>,
    roster: Arc<Roster>,
    index: Arc<Index>,
}

impl Dispatch {
    /// The shifts that count for a step which fires now; none where the step names no schedule.
    pub(crate) fn shifts(&self, roster: &Roster, step: StepKey, system: bool) -> BTreeSet<Shift> {
        let place = usize::from(step.step);
        let schedules = roster.steps.get(place).into_iter().flat_map(|bound| &bound.schedules);
        let by_policy = place.checked_sub(1).and_then(|place| roster.policy.steps.get(place));
        let channel = by_policy.and_then(|step| step.channel.as_ref());
        schedules.map(|schedule| self.shift(schedule, channel, system)).collect()
    }

    fn shift(&self, schedule: &BoundSchedule, channel: Option<&Name>, system: bool) -> Shift {
        let Some(shift) = self.almanac.on_call.get(&schedule.name) else {
            return everybody(schedule, "it is not known here who is on call");
        };
        if shift.who.is_empty() {
            // Who is told of our own troubles is the last who can be.
            return if system { everybody(schedule, "nobody is on call") } else { shift.clone() };
        }
        let (mut who, mut joined) = (Vec::new(), Vec::new());
        for name in &shift.who {
            if schedule.reaches(name) {
                who.push(name.clone());
                continue;
            }
            let people = bind::people(&self.state.edition.directory, name, channel);
            if !people.is_empty() {
                who.push(name.clone());
                joined.push(Joined { name: name.clone(), people });
            }
        }
        if who.is_empty() {
            return everybody(schedule, "whoever is on call has no address");
        }
        Shift { who, joined, ..shift.clone() }
    }

    /// Takes up in the roster of an alert who joined its schedules before it came to this step.
    pub(crate) fn widen(&mut self, alert: AlertId, step: StepKey, on_call: &BTreeSet<Shift>) {
        if on_call.iter().all(|shift| shift.joined.is_empty()) {
            return;
        }
        let Some(run) = self.runs.get_mut(&alert) else { return };
        let same = |wider: &&Wider| {
            Arc::ptr_eq(&wider.of, &run.roster) && wider.step == step.step && wider.on_call == *on_call
        };
        let wider = match self.wider.as_ref().filter(same) {
            Some(wider) => wider,
            None => {
                let Some(roster) = run.roster.with_joined(step, on_call) else { return };
                self.wider.insert(Wider {
                    of: Arc::clone(&run.roster),
                    step: step.step,
                    on_call: on_call.clone(),
                    index: Arc::new(Index::new(&roster)),
                    roster: Arc::new(roster),
                })
            }
        };
        (run.roster, run.index) = (Arc::clone(&wider.roster), Arc::clone(&wider.index));
    }

    /// The same for a step that fired.
    pub(crate) fn widen_fired(&mut self, alert: AlertId, step: StepKey) {
        let fired = self.state.open.get(&alert).and_then(|open| open.facts.fired.get(&step));
        let Some(on_call) = fired.map(|fired| &fired.on_call).filter(|on_call| !on_call.is_empty()) else {
            return;
        };
        let on_call = on_call.clone();
        self.widen(alert, step, &on_call);
    }

    /// Tells the operators of an alert that reached nobody, because nobody was on call or filters withheld it.
    pub(crate) fn tell_if_unreached(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        let found = self.state.open.get(&alert).zip(self.runs.get(&alert));
        let Some((open, run)) = found.filter(|(open, run)| is_unreached(open, run)) else { return };
        let code = open.alert.code;
        let summary = format!("nobody was told of {code}: {}", why_unreached(open, run));
        let details = format!("The alert says: {}", open.content().summary);
        self.tell(now, &format!("unreached {code}"), &summary, &details, out);
    }

    /// What follows the first step of a new alert does not come by itself.
    pub(crate) fn is_through(&self, alert: AlertId) -> bool {
        let found = self.state.open.get(&alert).zip(self.runs.get(&alert));
        let next = found.and_then(|(open, run)| escalation::next_step(open, run));
        next.is_none_or(|(next, _)| next.round > 0)
    }
}

/// An alert whose steps so far named schedules, and told nobody.
fn is_unreached(open: &Open, run: &Run) -> bool {
    let mut fired = open.facts.fired.iter();
    let named = |fired: &Fired| !fired.on_call.is_empty() || !fired.withheld.is_empty();
    let told_nobody = |(step, fired): (&StepKey, &Fired)| {
        run.roster.told(*step, &fired.on_call, &fired.withheld).is_empty()
    };
    open.facts.fired.values().any(named) && !run.system && fired.all(told_nobody)
}

/// Why the steps so far told nobody.
fn why_unreached(open: &Open, run: &Run) -> String {
    let fired = || open.facts.fired.values();
    let filters: BTreeSet<String> = fired().flat_map(|it| &it.withheld).map(ToString::to_string).collect();
    let mut schedules: Vec<&str> = Vec::new();
    if fired().flat_map(|fired| &fired.on_call).any(|shift| shift.who.is_empty()) {
        for bound in run.roster.steps.iter().flat_map(|step| &step.schedules) {
            if !schedules.contains(&bound.name.as_str()) {
                schedules.push(bound.name.as_str());
            }
        }
    }
    let nobody = (!schedules.is_empty()).then(|| format!("nobody is on call in {}", schedules.join(", ")));
    nobody.into_iter().chain(filters).collect::<Vec<_>>().join("; ")
}

fn everybody(schedule: &BoundSchedule, why: &str) -> Shift {
    Shift {
        schedule: schedule.name.clone(),
        who: schedule.members.iter().map(|member| member.name.clone()).collect(),
        because: format!("{why}, so everybody in it is told").into(),
        joined: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Directory, Policy, Schedule, Step, Target};
    use crate::fixture::{core, directory, handle, name, notice, now};
    use crate::input::{Input, Past, ProviderSpec, Ticket};
    use crate::record::{Entry, Record};
    use crate::state::State;
    use crate::{Identity, Settings};
    use base::{BootId, LogId, NodeId, RecordId};
    use std::time::Duration;

    fn on_call(who: &str) -> Almanac {
        let who = vec![name(who)];
        let shift = Shift { schedule: name("nights"), who, because: "turn 1".into(), joined: Vec::new() };
        Almanac { on_call: [(name("nights"), shift)].into(), ..Almanac::default() }
    }

    fn book() -> Directory {
        let people: [(&str, &[&str]); 3] =
            [("anna", &["mail:anna@x"]), ("ben", &["mail:ben@x"]), ("boss", &["mail:boss@x"])];
        let mut book = directory(&people, &[]);
        let names = vec![name("anna"), name("ben")];
        book.schedules.insert(name("nights"), Schedule { names, rules: "{}".into() });
        let to = vec![Target::Named(name("nights"))];
        let step = Step { after: Duration::from_secs(600), to, again: false, channel: None };
        book.policies.insert(name("default"), Policy { steps: vec![step], ..Policy::default() });
        book
    }

    /// What is appended while a node takes an alert for boss, and fires the step that names the schedule.
    fn records() -> Vec<(RecordId, Entry)> {
        let mut core = core(book());
        let notice = Box::new(notice("pump 3 stopped", &["boss"]));
        let effects = [
            handle(&mut core, now(0), Input::Almanac(on_call("anna"))),
            handle(&mut core, now(0), Input::Notice { ticket: Ticket(1), notice }),
            handle(&mut core, now(600), Input::Deadline),
        ];
        let append = |effect| {
            let Effect::Append { id, entry } = effect else { return None };
            Some((id, entry))
        };
        effects.into_iter().flatten().filter_map(append).collect()
    }

    #[test]
    fn the_civil_time_is_that_of_the_zone() {
        let at = |hours: i64, offset| {
            let civil = Almanac { offset, ..Almanac::default() }.civil(Wall(hours * 3_600_000));
            (civil.weekday, civil.minute)
        };
        assert_eq!(at(0, 0), (3, 0));
        assert_eq!(at(0, -1800), (2, 1410));
        assert_eq!(at(23, 2 * 3600), (4, 60));
        assert_eq!(at(-24 * 365, 0), (2, 0), "1969-01-01 was a Wednesday");
    }

    /// Both nodes fired the step while they did not hear each other, and the hand-over lay between by their clocks.
    #[test]
    fn across_a_cut_both_lists_are_told() {
        let records = records();
        let fired = |(_, entry): &&(RecordId, Entry)| matches!(entry.record, Record::StepFired { .. });
        let Some((_, Entry { at, record: Record::StepFired { alert, step, fired: by_anna } })) =
            records.iter().find(fired)
        else {
            panic!("the step fired: {records:?}")
        };
        let ben = on_call("ben").on_call.into_values().collect();
        let by_ben = Fired { at: *at + Duration::from_secs(1), on_call: ben, ..by_anna.clone() };
        let other = LogId { node: NodeId(2), boot: BootId(1) };
        let entry =
            Entry { at: *at, record: Record::StepFired { alert: *alert, step: *step, fired: by_ben } };
        let (mut one, mut two) = (State::default(), State::default());
        for (id, entry) in &records {
            one.recover(*id, entry);
        }
        two.recover(RecordId { log: other, seq: 0 }, &entry);
        let joined = one.join(&two);
        assert_eq!(joined, two.join(&one));
        assert_eq!(told(joined), ["anna@x", "ben@x", "boss@x"]);
    }

    /// Whom a node tells that starts with this state, whoever is on call by then.
    fn told(state: State) -> Vec<String> {
        let log = LogId { node: NodeId(1), boot: BootId(2) };
        let identity = Identity { log, letter: 'A', version: "test".into(), because: "test".into() };
        let spec =
            ProviderSpec { name: name("smtp"), channel: name("mail"), per_minute: None, per_day: None };
        let past = Past { almanac: on_call("boss"), ..Past::default() };
        let mut effects = Vec::new();
        let mut core =
            Dispatch::start(identity, Settings::default(), (state, past), vec![spec], now(601), &mut effects);
        let room = Input::Capacity { provider: name("smtp"), free: 10 };
        for input in [room, Input::Stored { log, upto: u64::MAX }, Input::Deadline] {
            core.handle(now(601), input, &mut effects);
        }
        let address = |effect: &Effect| {
            let Effect::Deliver(delivery) = effect else { return None };
            Some(delivery.address.value.to_string())
        };
        let mut told: Vec<String> = effects.iter().filter_map(address).collect();
        told.sort_unstable();
        told
    }
}
