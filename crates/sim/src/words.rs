//! What happens, in words: one line for each event, with the names people would use.

use crate::machine::Asker;
use crate::net::Ix;
use crate::world::World;
use base::{AlertId, LogId, RecordId};
use dispatch::record::{Code, Entry, Outcome, Purpose, Record};
use dispatch::{Answer, Delivery, Order};

/// What a provider said.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { .. } => "accepted".into(),
        Outcome::Refused { then, .. } => format!("refused ({})", then.word()),
        Outcome::Unknown { .. } => "nothing certain".into(),
    }
}

/// What somebody asks for.
pub(crate) fn order(what: &str, order: &Order) -> String {
    match order {
        Order::Acknowledge(ack) => format!("{what} by {:?}", ack.recipient),
        Order::Enrol { member } => format!("{what} {} as {}", member.name, member.role.word()),
        Order::Dismiss { node } => format!("{what} {node}"),
        Order::Conduct { passive, by_hand, .. } => format!("{what} passive {passive:?} by hand {by_hand:?}"),
        Order::Silence(silence) => format!("silence {}", silence.matchers),
        Order::Unsilence { silence } => format!("end silence {silence}"),
        Order::Comment { .. }
        | Order::Close { .. }
        | Order::Escalate { .. }
        | Order::DeletePending { .. }
        | Order::Pause { .. }
        | Order::Resume { .. }
        | Order::Directory { .. }
        | Order::SwitchOver { .. }
        | Order::TakeOver { .. }
        | Order::ForcePrimary
        | Order::Warn { .. }
        | Order::Choose(_)
        | Order::Ping { .. }
        | Order::Beat(_)
        | Order::Note { .. } => what.into(),
    }
}

fn purpose(purpose: Purpose) -> String {
    match purpose {
        Purpose::Alert(key) => format!("round {} step {}", key.round, key.step),
        Purpose::Acknowledgement(_) => "acknowledgement".into(),
        Purpose::Comment(_) => "comment".into(),
        Purpose::End => "end".into(),
    }
}

impl World {
    pub(crate) fn name(&self, ix: Ix) -> char {
        self.machine(ix).letter
    }

    /// A boot: `B2` is the second of node B.
    pub(crate) fn log(&self, log: LogId) -> String {
        {
            let boots = self.history.boots.get(&log.node).map_or(0, |all| all.range(..=log).count());
            format!("{}{boots}", self.name(self.ix(log.node)))
        }
    }

    pub(crate) fn record(&self, id: RecordId) -> String {
        format!("{}/{}", self.log(id.log), id.seq)
    }

    /// An alert by its code, and where it stands.
    pub(crate) fn alert(&self, alert: AlertId) -> String {
        let code: Option<Code> = self.history.alerts.get(&alert).map(|known| known.code);
        let code = code.map_or_else(|| "?".into(), |code| code.to_string());
        format!("{code}({})", self.record(alert.0))
    }

    pub(crate) fn delivery(&self, delivery: &Delivery) -> String {
        let repeat =
            delivery.repeat.map(|cause| format!(", perhaps again: {}", cause.word())).unwrap_or_default();
        let what = purpose(delivery.purpose);
        let alert = self.alert(delivery.alert_id);
        format!("{alert} to {}, {what}, try {}{repeat}", delivery.address.value, delivery.attempt)
    }

    pub(crate) fn answer_words(&self, asker: &Asker, answer: &Answer) -> String {
        let who = match asker {
            Asker::Client(ix) => format!("notice {ix}"),
            Asker::Person(what) => format!("\"{what}\""),
        };
        let what = match answer {
            Answer::Taken { taken, alert, copies, .. } => {
                let alert = alert.map(|(alert, _)| self.alert(alert)).unwrap_or_default();
                format!("yes, {taken:?} {alert} on {copies} disk(s)")
            }
            Answer::Silenced { copies, .. } => format!("silenced, on {copies} disk(s)"),
            Answer::Done { copies, .. } => format!("done, on {copies} disk(s)"),
            Answer::Refused(refusal) => format!("no: {refusal:?}"),
        };
        format!("{who}: {what}")
    }

    /// A record.
    pub(crate) fn entry(&self, id: RecordId, entry: &Entry) -> String {
        let about = entry.record.alert(id).map(|alert| self.alert(alert)).unwrap_or_default();
        match &entry.record {
            Record::Accept(alert) => format!("Accept {} \"{}\"", alert.code, alert.content.summary),
            Record::StepFired { step, fired, .. } => {
                format!("StepFired {about} {}.{} late {:?}", step.round, step.step, fired.late)
            }
            Record::Intent { sends, .. } => {
                let to = sends.iter().map(|send| format!("{} {}", send.address.value, purpose(send.purpose)));
                format!("Intent {about} {}", to.collect::<Vec<_>>().join(", "))
            }
            Record::Done { outcomes, .. } => {
                let all = outcomes.iter().map(|concluded| outcome(&concluded.outcome));
                format!("Done {about} {}", all.collect::<Vec<_>>().join(", "))
            }
            Record::Ack { ack, .. } => format!("Ack {about} by {:?}", ack.recipient),
            Record::End { end, .. } => format!("End {about} {}", end.why.word()),
            Record::Claim(claim) => {
                format!("Claim {}/{}..{} at {}", self.log(claim.log), claim.from, claim.upto, claim.epoch)
            }
            Record::Release { to, claims } => {
                format!("Release {} range(s) to {}", claims.len(), self.log(*to))
            }
            Record::Duty(duty) => {
                format!("Duty {} for {} at {}: {}", duty.duty, self.log(duty.to), duty.epoch, duty.because)
            }
            Record::Merged { alert, into, .. } => {
                format!("Merged {} into {}", self.alert(*alert), self.alert(*into))
            }
            Record::PeerState { peer, to, because } => {
                format!("PeerState {} {}: {because}", self.name(self.ix(*peer)), to.word())
            }
            Record::Member { node, generation, member, .. } => {
                let role = member.as_ref().map_or("nothing", |member| member.role.word());
                format!("Member {} is {role}, generation {generation}", self.name(self.ix(*node)))
            }
            Record::Conduct { conduct, .. } => format!(
                "Conduct {} passive {} by hand {}",
                conduct.generation, conduct.passive, conduct.by_hand
            ),
            Record::Directory { edition, .. } => {
                format!("Directory term {} version {}", edition.term, edition.version)
            }
            Record::Note { what, .. } => format!("Note {what}"),
            Record::Start { .. } => "Start".into(),
            Record::Roster(roster) => format!("Roster {}", &roster.id.to_string()[..6]),
            Record::Update { silent, .. } => format!("Update {about} silent {silent}"),
            Record::Comment { .. } => format!("Comment {about}"),
            Record::Closed { .. } => format!("Closed {about}"),
            Record::Pause { .. } => "Pause".into(),
            Record::Resume { .. } => "Resume".into(),
            Record::Silence(silence) => format!("Silence {}", silence.matchers),
            Record::Unsilence { silence, .. } => format!("Unsilence {silence}"),
            Record::RosterDropped { rosters } => format!("RosterDropped {}", rosters.len()),
            Record::Delegate { channel, epoch, to, .. } => {
                format!("Delegate {about} {channel} at {epoch} to {}", self.log(*to))
            }
            Record::Provider { to, .. } => format!("Provider {to}"),
        }
    }
}
