//! Who is on call: chosen when a step fires, from what the shell handed in, and written down with the step.
//!
//! Whom a schedule names, and where they are reached, is bound at accept like everything else; only the choice
//! among them is made at firing. It is a fact of the step, so that whoever adopts the alert goes on with the very
//! list, whatever its own book and clock say. Nobody is left out in doubt: where a choice cannot be made, everybody
//! whom the schedule could have named is told.

use crate::directory::Civil;
use crate::record::{BoundSchedule, Roster, Shift, StepKey};
use crate::run::Run;
use crate::state::Open;
use crate::{Dispatch, Effect, escalation};
use base::{AlertId, Name, Now, Wall};
use std::collections::{BTreeMap, BTreeSet};

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

impl Dispatch {
    /// The shifts that count for a step which fires now; none where the step names no schedule.
    pub(crate) fn shifts(&self, roster: &Roster, step: StepKey, system: bool) -> BTreeSet<Shift> {
        let bound = roster.steps.get(usize::from(step.step));
        let schedules = bound.into_iter().flat_map(|bound| &bound.schedules);
        schedules.map(|schedule| self.shift(schedule, system)).collect()
    }

    fn shift(&self, schedule: &BoundSchedule, system: bool) -> Shift {
        let Some(shift) = self.almanac.on_call.get(&schedule.name) else {
            return everybody(schedule, "it is not known here who is on call");
        };
        if shift.who.is_empty() {
            // Who is told of our own troubles is the last who can be.
            return if system { everybody(schedule, "nobody is on call") } else { shift.clone() };
        }
        let reached = |name: &&Name| {
            schedule.members.iter().any(|member| member.name == **name && !member.reach.is_empty())
        };
        let who: Vec<Name> = shift.who.iter().filter(reached).cloned().collect();
        if who.is_empty() {
            return everybody(
                schedule,
                "whoever is on call joined the schedule after the alert was accepted",
            );
        }
        Shift { who, ..shift.clone() }
    }

    /// Tells the operators of an alert that reached nobody, because nobody was on call.
    pub(crate) fn tell_if_unreached(&mut self, now: Now, alert: AlertId, out: &mut Vec<Effect>) {
        let found = self.state.open.get(&alert).zip(self.runs.get(&alert));
        let Some((open, run)) = found.filter(|(open, run)| is_unreached(open, run)) else { return };
        let mut schedules: Vec<&str> = Vec::new();
        for bound in run.roster.steps.iter().flat_map(|step| &step.schedules) {
            if !schedules.contains(&bound.name.as_str()) {
                schedules.push(bound.name.as_str());
            }
        }
        let code = open.alert.code;
        let summary = format!("nobody was told of {code}: nobody is on call in {}", schedules.join(", "));
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
    let named = open.facts.fired.values().any(|fired| !fired.on_call.is_empty());
    named && !run.system && fired.all(|(step, fired)| run.roster.told(*step, &fired.on_call).is_empty())
}

fn everybody(schedule: &BoundSchedule, why: &str) -> Shift {
    Shift {
        schedule: schedule.name.clone(),
        who: schedule.members.iter().map(|member| member.name.clone()).collect(),
        because: format!("{why}, so everybody in it is told").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Directory, Policy, Schedule, Step, Target};
    use crate::fixture::{core, directory, handle, name, notice, now};
    use crate::input::{Input, Past, ProviderSpec, Ticket};
    use crate::record::{Entry, Fired, Record};
    use crate::state::State;
    use crate::{Identity, Settings};
    use base::{BootId, LogId, NodeId, RecordId};
    use std::time::Duration;

    fn on_call(who: &str) -> Almanac {
        let who = vec![name(who)];
        let shift = Shift { schedule: name("nights"), who, because: "turn 1".into() };
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
