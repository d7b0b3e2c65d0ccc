//! An alert as programs see it, made from what the core knows.
//!
//! Separate from the routes, because lists, single alerts and pages show the same thing, and because the
//! work of making one is counted: it is done inside the event loop.

use crate::answers::{ANSWERS_LISTED_MAX, AnswersBody};
use crate::moment;
use base::{AlertId, Digest, Now, Wall};
use dispatch::Dispatch;
use dispatch::directory::Mode;
use dispatch::record::{Acknowledgement, Alert, Code, Fired, Purpose, Reach, Roster, StepKey};
use dispatch::state::{Facts, Open};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// An alert.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct AlertBody {
    /// Its id, for ever.
    pub(crate) id: String,
    /// What people type back; rests for a week before it names another alert.
    pub(crate) code: String,
    /// `open`, `acknowledged`, `ended` (what remains to be told is being told) or `closed`.
    pub(crate) state: String,
    /// `info`, `warning`, `high` or `critical`.
    pub(crate) severity: String,
    /// Who sent it.
    pub(crate) source: String,
    /// The one line that everybody gets.
    pub(crate) summary: String,
    /// What channels with room for it add.
    pub(crate) details: String,
    /// For routing and templates.
    pub(crate) labels: BTreeMap<String, String>,
    /// The route that picked the recipients; `direct` where the notice named them.
    pub(crate) route: String,
    /// The policy it escalates by.
    pub(crate) policy: Option<String>,
    /// Whose acknowledgement counts: `none`, `basic` (anybody's) or `recall` (everybody's).
    pub(crate) mode: Option<String>,
    /// When, as in RFC 3339.
    pub(crate) accepted_at: String,
    /// How long ago that was.
    pub(crate) age_seconds: u64,
    /// The first acknowledgement.
    pub(crate) acknowledged: Option<AcknowledgementBody>,
    /// Every acknowledgement, in their order; in lists at most the first ten.
    pub(crate) acknowledgements: Vec<AcknowledgementBody>,
    /// How many people have yet to acknowledge, where everybody must.
    pub(crate) missing: usize,
    /// Why it is over.
    pub(crate) ended: Option<EndBody>,
    /// When it was closed.
    pub(crate) closed_at: Option<String>,
    /// How many recipients it was first for.
    pub(crate) recipients: usize,
    /// How far its notifications have come.
    pub(crate) progress: Progress,
    /// The step it waits for.
    pub(crate) next_step: Option<NextStepBody>,
    /// False where its text has an exempting keyword.
    pub(crate) escalates: bool,
    /// One of the product's own, about itself.
    pub(crate) system: bool,
    /// A step of it fired later than the policy says.
    pub(crate) late: bool,
    /// What its people answered, where it offers choices.
    #[serde(default)]
    pub(crate) answers: Option<AnswersBody>,
    /// Why nothing is told of it now; empty if nothing holds it back.
    pub(crate) held_back: Vec<String>,
}

/// Somebody took responsibility.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Acknowledgement)]
pub(crate) struct AcknowledgementBody {
    /// Who acted, and how.
    pub(crate) by: String,
    /// The recipient it counts for; an operator's counts for everybody.
    pub(crate) recipient: Option<String>,
    /// When.
    pub(crate) at: String,
    /// What they said with it.
    pub(crate) comment: Option<String>,
}

/// Why an alert is over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = End)]
pub(crate) struct EndBody {
    /// `resolved`, `by-hand`, `automatic`, `expired` or `cancelled`.
    pub(crate) why: String,
    /// Who ended it.
    pub(crate) by: String,
    /// When.
    pub(crate) at: String,
}

/// How far the notifications of the steps that fired have come.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Progress {
    /// Taken by a provider.
    pub(crate) sent: usize,
    /// Given up.
    pub(crate) failed: usize,
    /// Not yet sent.
    pub(crate) waiting: usize,
    /// All of them.
    pub(crate) total: usize,
}

/// The step an alert waits for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = NextStep)]
pub(crate) struct NextStepBody {
    /// Which, from 1; 0 is the notification of the first recipients.
    pub(crate) step: u16,
    /// Which time through the policy, from 1.
    pub(crate) round: u16,
    /// In how long; none while sending is paused.
    pub(crate) due_in_seconds: Option<u64>,
    /// How many people it would tell.
    pub(crate) people: usize,
}

/// Acknowledgements of one alert in a list.
const LISTED_ACKS_MAX: usize = 10;

/// Makes views, and counts the work.
#[derive(Debug)]
pub(crate) struct Viewer<'c> {
    core: &'c Dispatch,
    now: Now,
    acks_max: usize,
    /// People told by the first step of a roster: the same roster serves many alerts.
    people: BTreeMap<Digest, usize>,
    /// Notifications, people and alerts looked at.
    pub(crate) cost: usize,
}

impl<'c> Viewer<'c> {
    /// For a list.
    pub(crate) fn of_list(core: &'c Dispatch, now: Now) -> Self {
        Self { core, now, acks_max: LISTED_ACKS_MAX, people: BTreeMap::new(), cost: 0 }
    }

    /// For one alert.
    pub(crate) fn of_one(core: &'c Dispatch, now: Now) -> Self {
        Self { acks_max: usize::MAX, ..Self::of_list(core, now) }
    }

    /// How that alert is seen.
    pub(crate) fn view(&mut self, id: AlertId, open: &Open) -> AlertBody {
        let alert = &open.alert;
        let content = open.content();
        let facts = &open.facts;
        let roster = self.core.state().rosters.get(&alert.roster);
        let acks = in_order(facts);
        self.cost += 1 + facts.sent.len() + acks.len() + facts.answers.len();
        let standing = self.core.standing(id).map_or("open", |standing| standing.word());
        let recall = roster.is_some_and(|roster| roster.policy.mode == Mode::Recall);
        AlertBody {
            id: id.to_string(),
            code: alert.code.to_string(),
            state: standing.to_owned(),
            severity: content.severity.word().to_owned(),
            source: alert.source.to_string(),
            summary: content.summary.to_string(),
            details: content.details.to_string(),
            labels: content
                .labels
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            route: alert.route.to_string(),
            policy: roster.map(|roster| roster.policy_name.to_string()),
            mode: roster.map(|roster| mode(roster.policy.mode).to_owned()),
            accepted_at: moment::written(open.at),
            age_seconds: self.now.wall.since(open.at).as_secs(),
            acknowledged: acks.first().map(|ack| acknowledgement(ack)),
            missing: if recall { roster.map_or(0, |roster| missing(roster, alert, &acks)) } else { 0 },
            acknowledgements: acks.iter().take(self.acks_max).map(|ack| acknowledgement(ack)).collect(),
            ended: facts.end().map(|end| EndBody {
                why: end.why.word().to_owned(),
                by: end.by.to_string(),
                at: moment::written(end.at),
            }),
            closed_at: None,
            recipients: roster.map_or(0, |roster| self.first(roster, alert)),
            progress: self.progress(id, facts, roster.map(AsRef::as_ref)),
            next_step: self.core.next_step(self.now, id).map(|next| NextStepBody {
                step: next.step.step,
                round: next.step.round.saturating_add(1),
                due_in_seconds: next.due_in.map(|due| due.as_secs()),
                people: next.people,
            }),
            escalates: alert.escalates,
            system: alert.system,
            late: facts.fired.values().any(|fired| !fired.late.is_zero()),
            answers: AnswersBody::tally(open, self.acks_max.min(ANSWERS_LISTED_MAX)),
            held_back: self.core.why_held(id),
        }
    }

    /// How many people the first step is for.
    fn first(&mut self, roster: &Roster, alert: &Alert) -> usize {
        let count = |told: &[Reach]| told.chunk_by(|a, b| a.person == b.person).count();
        let told = roster.told(StepKey::default(), &alert.on_call, &alert.withheld);
        if !alert.on_call.is_empty() || !alert.withheld.is_empty() {
            self.cost += told.len();
            return count(&told);
        }
        let cost = &mut self.cost;
        *self.people.entry(roster.id).or_insert_with(|| {
            *cost += roster.people.len();
            count(&told)
        })
    }

    fn progress(&self, id: AlertId, facts: &Facts, roster: Option<&Roster>) -> Progress {
        let of_alert = || facts.sent.values().filter(|sent| matches!(sent.purpose, Purpose::Alert(_)));
        let sent = of_alert().filter(|sent| sent.accepted()).count();
        let failed = of_alert().filter(|sent| sent.concluded() && !sent.accepted()).count();
        let told = |(key, fired): (&StepKey, &Fired)| {
            Some(roster?.told(*key, &fired.on_call, &fired.withheld).len())
        };
        let planned: usize = facts.fired.iter().filter_map(told).sum();
        let total = planned.max(of_alert().count());
        let waiting = if self.core.pending(id) { total.saturating_sub(sent + failed) } else { 0 };
        Progress { sent, failed, waiting, total }
    }
}

/// The acknowledgements in their order.
fn in_order(facts: &Facts) -> Vec<&Acknowledgement> {
    let mut acks: Vec<_> = facts.acks.iter().collect();
    acks.sort_by_key(|(id, ack)| (ack.at, **id));
    acks.into_iter().map(|(_, ack)| ack).collect()
}

/// How many of the first recipients have not acknowledged. An operator's acknowledgement is for everybody.
fn missing(roster: &Roster, alert: &Alert, acks: &[&Acknowledgement]) -> usize {
    if acks.iter().any(|ack| ack.recipient.is_none()) {
        return 0;
    }
    let came: BTreeSet<_> = acks.iter().filter_map(|ack| ack.recipient.as_ref()).collect();
    let told = roster.told(StepKey::default(), &alert.on_call, &alert.withheld);
    let first: BTreeSet<_> =
        told.iter().filter_map(|reach| roster.at(*reach)).map(|(who, _)| &who.name).collect();
    first.difference(&came).count()
}

/// The word for a mode.
pub(crate) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::None => "none",
        Mode::Basic => "basic",
        Mode::Recall => "recall",
    }
}

fn acknowledgement(ack: &Acknowledgement) -> AcknowledgementBody {
    AcknowledgementBody {
        by: ack.by.to_string(),
        recipient: ack.recipient.as_ref().map(ToString::to_string),
        at: moment::written(ack.at),
        comment: ack.comment.as_ref().map(ToString::to_string),
    }
}

/// Reads a code as people write it: a letter and a number, in either case.
pub(crate) fn read_code(text: &str) -> Option<Code> {
    let mut chars = text.trim().chars();
    let letter = chars.next()?.to_ascii_uppercase();
    let digits = chars.as_str();
    if !letter.is_ascii_uppercase() || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(Code { letter, number: digits.parse().ok()? })
}

/// How long ago `at` was, in words, at `now`.
pub(crate) fn age(now: Wall, at: Wall) -> String {
    let seconds = now.since(at).as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_write_them() {
        for (text, code) in [
            ("A17", Some(('A', 17))),
            ("a17", Some(('A', 17))),
            (" b1 ", Some(('B', 1))),
            ("17", None),
            ("A", None),
            ("A-1", None),
            ("é1", None),
            ("A99999999999", None),
        ] {
            assert_eq!(read_code(text), code.map(|(letter, number)| Code { letter, number }), "{text}");
        }
    }
}
