//! One English sentence for each record, as the trail shows it to operators.
//!
//! Separate from the projection, because these are words: they can be changed without changing what is kept.

use base::{AlertId, NotificationId, RecordId};
use dispatch::record::{
    Acknowledgement, Actor, Alert, Answer, Comment, Concluded, Conduct, Content, End, Fired, Outcome,
    Purpose, Record, Send, Shift, Silence, StepKey, Withheld,
};

use ownership::Member;
use std::collections::BTreeSet;

/// Notifications and outcomes that a sentence tells one by one; of further ones it gives the number.
const TOLD_MAX: usize = 3;

/// What a sentence needs to know besides the record.
pub trait Lookup {
    /// The code of an alert.
    fn code(&self, alert: AlertId) -> Option<String>;
    /// A notification, as `mail to anna at anna@x.test`, and the provider that tried it last.
    fn notification(&self, id: NotificationId) -> Option<(String, String)>;
}

/// The kind of a record, as it is written.
pub fn kind(record: &Record) -> &'static str {
    match record {
        Record::Start { .. } => "start",
        Record::Roster(_) => "roster",
        Record::Accept(_) => "accept",
        Record::Update { .. } => "update",
        Record::StepFired { .. } => "step-fired",
        Record::Intent { .. } => "intent",
        Record::Done { .. } => "done",
        Record::Ack { .. } => "ack",
        Record::Comment { .. } => "comment",
        Record::End { .. } => "end",
        Record::Closed { .. } => "closed",
        Record::Pause { .. } => "pause",
        Record::Resume { .. } => "resume",
        Record::Silence(_) => "silence",
        Record::Unsilence { .. } => "unsilence",
        Record::Claim(_) => "claim",
        Record::Release { .. } => "release",
        Record::Delegate { .. } => "delegate",
        Record::Duty(_) => "duty",
        Record::Merged { .. } => "merged",
        Record::RosterDropped { .. } => "roster-dropped",
        Record::PeerState { .. } => "peer-state",
        Record::Member { .. } => "member",
        Record::Conduct { .. } => "conduct",
        Record::Directory { .. } => "directory",
        Record::Provider { .. } => "provider",
        Record::Note { .. } => "note",
    }
}

/// Who made this record happen, where it was somebody.
pub fn actor(record: &Record) -> Option<&Actor> {
    match record {
        Record::Ack { ack: Acknowledgement { by, .. }, .. }
        | Record::Comment { comment: Comment { by, .. }, .. }
        | Record::End { end: End { by, .. }, .. }
        | Record::Pause { by, .. }
        | Record::Resume { by, .. }
        | Record::Unsilence { by, .. }
        | Record::Member { by, .. }
        | Record::Conduct { by, .. }
        | Record::Directory { by, .. }
        | Record::Note { by, .. } => Some(by),
        Record::StepFired { fired, .. } => fired.by.as_ref(),
        Record::Silence(silence) => Some(&silence.by),
        Record::Start { .. }
        | Record::Roster(_)
        | Record::Accept(_)
        | Record::Update { .. }
        | Record::Intent { .. }
        | Record::Done { .. }
        | Record::Closed { .. }
        | Record::Claim(_)
        | Record::Release { .. }
        | Record::Delegate { .. }
        | Record::Duty(_)
        | Record::Merged { .. }
        | Record::RosterDropped { .. }
        | Record::PeerState { .. }
        | Record::Provider { .. } => None,
    }
}

/// What happened, in a sentence without a full stop.
pub fn sentence(id: RecordId, record: &Record, lookup: &dyn Lookup) -> String {
    let name = |alert: &AlertId| lookup.code(*alert).unwrap_or_else(|| alert.to_string());
    match record {
        Record::Start { version, because } => {
            format!("node {} started, version {version}, {because}", id.log.node)
        }
        Record::Roster(roster) => {
            let people = count(roster.people.len(), "person", "people");
            format!("{people} bound under policy {}", roster.policy_name)
        }
        Record::Accept(alert) => accepted(alert),
        Record::Update { alert, silent: true, .. } => {
            format!("{} was not heard of in time: the other nodes are asked", name(alert))
        }
        Record::Update { alert, content, silent: false } => {
            format!("{} now says {}", name(alert), says(content))
        }
        Record::StepFired { alert, step, fired } => stepped(&name(alert), *step, fired),
        Record::Intent { alert, sends } => format!("{}: {}", name(alert), sending(sends)),
        Record::Done { alert, outcomes } => format!("{}: {}", name(alert), concluded(outcomes, lookup)),
        Record::Ack { alert, ack } => acknowledged(&name(alert), ack),
        Record::Comment { alert, comment: Comment { by, answer: Some(answer), .. } } => {
            answered(&name(alert), by, answer)
        }
        Record::Comment { alert, comment } => {
            format!("{} said about {}: {}", who(&comment.by), name(alert), comment.text)
        }
        Record::End { alert, end } => {
            format!("{} ended as {}: {}", name(alert), end.why.word(), who(&end.by))
        }
        Record::Closed { alert } => format!("{} closed", name(alert)),
        Record::Pause { by, reason } => format!("{} paused sending and escalation: {reason}", who(by)),
        Record::Silence(silence) => silenced(silence),
        Record::Unsilence { by, .. } => format!("{} ended a silence before its time", who(by)),
        Record::Resume { pauses, by } => {
            format!("{} resumed what {} held up", who(by), count(pauses.len(), "pause", "pauses"))
        }
        Record::Claim(claim) => format!(
            "node {} took over the alerts from {} to before {} of log {}, epoch {}",
            id.log.node, claim.from, claim.upto, claim.log, claim.epoch
        ),
        Record::Release { to, claims } => {
            let ranges = count(claims.len(), "range", "ranges");
            format!("node {} handed its alerts, {ranges}, to node {}", id.log.node, to.node)
        }
        Record::Duty(duty) => {
            let holds = if duty.duty.as_str() == "front" { "is in control" } else { "has the duty" };
            format!("node {} {holds}: {}", duty.to.node, duty.because)
        }
        Record::Delegate { alert, channel, to, .. } => {
            format!("{}: node {} sends by {channel} for node {}", name(alert), to.node, id.log.node)
        }
        Record::Merged { code, into, .. } => {
            format!("{code} is the same alert as {}, which stands for both", name(into))
        }
        Record::RosterDropped { rosters } => {
            format!("{} not referred to any more", count(rosters.len(), "roster is", "rosters are"))
        }
        Record::PeerState { peer, to, because } => {
            format!("node {} sees node {peer} as {}: {because}", id.log.node, to.word())
        }
        Record::Member { node, member, by, .. } => membership(*node, member.as_ref(), by),
        Record::Conduct { conduct, by } => format!("{} {}", who(by), conducted(conduct)),
        Record::Directory { edition, by, summary } => {
            format!("{} changed the directory to {}.{}: {summary}", who(by), edition.term, edition.version)
        }
        Record::Provider { provider, to, because } => format!("provider {provider} is {to}: {because}"),
        Record::Note { by, what } => format!("{}: {what}", who(by)),
    }
}

fn silenced(silence: &Silence) -> String {
    let Silence { matchers, by, author, comment, .. } = silence;
    format!("{} silenced alerts with {matchers} in the name of {author}: {comment}", who(by))
}

fn membership(node: base::NodeId, member: Option<&Member>, by: &Actor) -> String {
    match member {
        Some(member) => {
            let at = member.addresses.join(", ");
            let role = member.role.word();
            format!("{} enrolled node {} ({node}) as {role}, reached at {at}", who(by), member.name)
        }
        None => format!("{} took node {node} out of the cluster", who(by)),
    }
}

fn conducted(conduct: &Conduct) -> String {
    let mode = if conduct.passive { "active/passive" } else { "active/active" };
    let takeover = if conduct.by_hand { "by hand only" } else { "by itself" };
    let work = conduct.maintenance.as_ref().map(|why| format!(", maintenance: {why}")).unwrap_or_default();
    format!("set the cluster to {mode}, takeover {takeover}{work}")
}

/// `anna through the link from 192.0.2.7`: recipients and users go by their names, others by what they are.
fn who(actor: &Actor) -> String {
    let text = actor.to_string();
    let short = text.strip_prefix("recipient:").or_else(|| text.strip_prefix("user:"));
    short.map(ToOwned::to_owned).unwrap_or(text)
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn says(content: &Content) -> String {
    format!("\"{}\" ({})", content.summary, content.severity)
}

fn accepted(alert: &Alert) -> String {
    let says = says(&alert.content);
    let exempt = if alert.escalates { "" } else { ", does not escalate" };
    let chosen = chosen(&alert.on_call, &alert.withheld);
    format!("{} accepted from {}: {says}, route {}{exempt}{chosen}", alert.code, alert.source, alert.route)
}

fn stepped(name: &str, step: StepKey, fired: &Fired) -> String {
    let round = u32::from(step.round) + 1;
    let parts = [
        Some(format!("{name} reached step {}", step.step)),
        (round > 1).then(|| format!(" of round {round}")),
        (!fired.late.is_zero()).then(|| format!(", {} late", base::time::Human(fired.late))),
        fired.empty.then(|| ", which has nobody to tell".to_owned()),
        fired.by.as_ref().map(|by| format!(", because {} asked for it", who(by))),
    ];
    parts.into_iter().flatten().collect::<String>() + &chosen(&fired.on_call, &fired.withheld)
}

/// `; anna on call in nights (turn 2 of nights)`, for each schedule, and `; filter quiet withholds mail`.
fn chosen(shifts: &BTreeSet<Shift>, withheld: &BTreeSet<Withheld>) -> String {
    let shifts = shifts.iter().map(|shift| format!("; {shift}"));
    shifts.chain(withheld.iter().map(|withheld| format!("; {withheld}"))).collect()
}

/// `mail to anna at anna@x.test`, with what it is for where that is not the alert itself.
pub(crate) fn destination(channel: &str, recipient: &str, address: &str, purpose: &str) -> String {
    let about = match purpose {
        "alert" => String::new(),
        other => format!(" about the {other}"),
    };
    format!("{channel} to {recipient} at {address}{about}")
}

/// The word for what a notification is for.
pub(crate) fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Alert(_) => "alert",
        Purpose::Acknowledgement(_) => "acknowledgement",
        Purpose::Comment(_) => "comment",
        Purpose::End => "end",
    }
}

fn sending(sends: &[Send]) -> String {
    let one = |send: &Send| {
        let address = &send.address;
        let to = destination(
            address.channel.as_str(),
            send.recipient.as_str(),
            &address.value,
            purpose(send.purpose),
        );
        let attempt = if send.attempt > 1 { format!(", attempt {}", send.attempt) } else { String::new() };
        let repeat = send.repeat.map(|cause| format!(", may be a repeat ({})", cause.word()));
        format!("{to} goes to {}{attempt}{}", send.provider, repeat.unwrap_or_default())
    };
    first_few(sends.iter().map(one), sends.len())
}

fn concluded(outcomes: &[Concluded], lookup: &dyn Lookup) -> String {
    let one = |concluded: &Concluded| {
        let (to, provider) = lookup
            .notification(concluded.notification)
            .unwrap_or_else(|| (format!("notification {}", concluded.notification), "a provider".to_owned()));
        match &concluded.outcome {
            Outcome::Accepted { receipt } => format!("{to} accepted by {provider}: {receipt}"),
            Outcome::Refused { then, why } => format!("{to} refused by {provider} ({}): {why}", then.word()),
            Outcome::Unknown { why } => format!("{to} may have been taken by {provider}: {why}"),
        }
    };
    first_few(outcomes.iter().map(one), outcomes.len())
}

fn first_few(sentences: impl Iterator<Item = String>, number: usize) -> String {
    let told: Vec<String> = sentences.take(TOLD_MAX).collect();
    let rest = number.saturating_sub(TOLD_MAX);
    let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
    told.join("; ") + &more
}

/// `anna answered A12 through the link: 2 = cannot come: abroad`.
fn answered(name: &str, by: &Actor, answer: &Answer) -> String {
    let actor = who(by);
    let for_whom = match &answer.recipient {
        Some(recipient) if *by.who != *format!("recipient:{recipient}") => format!(" for {recipient}"),
        Some(_) | None => String::new(),
    };
    let said = answer.comment.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    let (actor, path) = actor.split_once(' ').map_or((actor.as_str(), ""), |(who, path)| (who, path));
    let told = format!("{actor} answered {name}{for_whom} {path}").trim_end().to_owned();
    format!("{told}: {}{said}", answer.chosen)
}

fn acknowledged(name: &str, ack: &Acknowledgement) -> String {
    // The recipient it counts for is told where that is not who acted.
    let actor = who(&ack.by);
    let for_whom = match &ack.recipient {
        Some(recipient) if *ack.by.who != *format!("recipient:{recipient}") => format!(" for {recipient}"),
        Some(_) => String::new(),
        None => " for everybody".to_owned(),
    };
    let said = ack.comment.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    let said = ack.chosen.as_ref().map(|chosen| format!(", answering {chosen}")).unwrap_or_default() + &said;
    let (actor, path) = actor.split_once(' ').map_or((actor.as_str(), ""), |(who, path)| (who, path));
    format!("{actor} acknowledged {name}{for_whom} {path}").trim_end().to_owned() + &said
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{BootId, LogId, Name, NodeId, Wall};
    use dispatch::directory::Address;
    use dispatch::record::{Cause, Then, Via};
    use std::time::Duration;

    struct Known;

    impl Lookup for Known {
        fn code(&self, _: AlertId) -> Option<String> {
            Some("A12".to_owned())
        }
        fn notification(&self, id: NotificationId) -> Option<(String, String)> {
            (id.0 < 9).then(|| ("mail to anna at anna@x.test".to_owned(), "smtp-a".to_owned()))
        }
    }

    fn id() -> RecordId {
        RecordId { log: LogId { node: NodeId(1), boot: BootId(2) }, seq: 3 }
    }

    fn check(record: &Record, told: &str) {
        assert_eq!(sentence(id(), record, &Known), told);
    }

    fn done(outcomes: Vec<Outcome>) -> Record {
        let one = |(at, outcome)| Concluded { notification: NotificationId(at), intent: id(), outcome };
        Record::Done { alert: AlertId(id()), outcomes: (8..).zip(outcomes).map(one).collect() }
    }

    #[test]
    fn outcomes_are_told_by_what_the_provider_said() {
        let accepted = Outcome::Accepted { receipt: "250 ok".into() };
        check(&done(vec![accepted.clone()]), "A12: mail to anna at anna@x.test accepted by smtp-a: 250 ok");
        let refused = Outcome::Refused { then: Then::GiveUp, why: "550 no such user".into() };
        check(
            &done(vec![refused]),
            "A12: mail to anna at anna@x.test refused by smtp-a (give-up): 550 no such user",
        );
        let unknown = Outcome::Unknown { why: "lost after DATA".into() };
        check(
            &done(vec![unknown]),
            "A12: mail to anna at anna@x.test may have been taken by smtp-a: lost after DATA",
        );
        let many = sentence(id(), &done(vec![accepted; 10]), &Known);
        assert!(many.ends_with("; and 7 more"), "{many}");
        assert!(many.contains("notification 00000000000000000000000000000009 accepted"), "{many}");
    }

    #[test]
    fn a_repeat_is_told_with_its_cause() {
        let name = |text| Name::new(text).unwrap();
        let send = Send {
            notification: NotificationId(1),
            recipient: name("anna"),
            address: Address { channel: name("mail"), value: "anna@x.test".into() },
            purpose: Purpose::End,
            provider: name("smtp-b"),
            attempt: 2,
            repeat: Some(Cause::Crash),
        };
        check(
            &Record::Intent { alert: AlertId(id()), sends: vec![send] },
            "A12: mail to anna at anna@x.test about the end goes to smtp-b, attempt 2, may be a repeat (crash)",
        );
    }

    #[test]
    fn a_step_is_told_with_what_was_unusual() {
        let bea = Actor { who: "user:bea".into(), via: Via::Api, from: None };
        let fired = Fired {
            at: Wall(0),
            late: Duration::from_secs(3),
            empty: true,
            by: Some(bea),
            on_call: BTreeSet::new(),
            withheld: BTreeSet::new(),
        };
        let step = StepKey { round: 1, step: 2 };
        check(
            &Record::StepFired { alert: AlertId(id()), step, fired },
            "A12 reached step 2 of round 2, 3s late, which has nobody to tell, because bea through the api asked for it",
        );
    }

    #[test]
    fn an_acknowledgement_is_told_with_whom_it_counts_for() {
        let ack = |who: &str, recipient: Option<&str>| Record::Ack {
            alert: AlertId(id()),
            ack: Acknowledgement {
                at: Wall(0),
                recipient: recipient.map(|name| Name::new(name).unwrap()),
                by: Actor { who: who.into(), via: Via::Api, from: None },
                comment: None,
                chosen: None,
            },
        };
        check(&ack("recipient:anna", Some("anna")), "anna acknowledged A12 through the api");
        check(&ack("user:bea", Some("anna")), "bea acknowledged A12 for anna through the api");
        check(&ack("token:ops", None), "token:ops acknowledged A12 for everybody through the api");
    }
}
