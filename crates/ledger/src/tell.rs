//! One English sentence for each record, as the trail shows it to operators.
//!
//! Separate from the projection, because these are words: they can be changed without changing what is kept.

use base::{AlertId, NotificationId, RecordId};
use dispatch::record::{
    Acknowledgement, Actor, Alert, Comment, Concluded, Content, End, Fired, Outcome, Purpose, Record, Send,
    StepKey,
};

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
        Record::Claim(_) => "claim",
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
        | Record::Directory { by, .. }
        | Record::Note { by, .. } => Some(by),
        Record::StepFired { fired, .. } => fired.by.as_ref(),
        Record::Start { .. }
        | Record::Roster(_)
        | Record::Accept(_)
        | Record::Update { .. }
        | Record::Intent { .. }
        | Record::Done { .. }
        | Record::Closed { .. }
        | Record::Claim(_)
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
        Record::Update { alert, content } => format!("{} now says {}", name(alert), says(content)),
        Record::StepFired { alert, step, fired } => stepped(&name(alert), *step, fired),
        Record::Intent { alert, sends } => format!("{}: {}", name(alert), sending(sends)),
        Record::Done { alert, outcomes } => format!("{}: {}", name(alert), concluded(outcomes, lookup)),
        Record::Ack { alert, ack } => acknowledged(&name(alert), ack),
        Record::Comment { alert, comment } => {
            format!("{} said about {}: {}", who(&comment.by), name(alert), comment.text)
        }
        Record::End { alert, end } => {
            format!("{} ended as {}: {}", name(alert), end.why.word(), who(&end.by))
        }
        Record::Closed { alert } => format!("{} closed", name(alert)),
        Record::Pause { by, reason } => format!("{} paused sending and escalation: {reason}", who(by)),
        Record::Resume { pauses, by } => {
            format!("{} resumed what {} held up", who(by), count(pauses.len(), "pause", "pauses"))
        }
        Record::Claim(claim) => format!(
            "node {} took over the alerts from {} to before {} of log {}, epoch {}",
            id.log.node, claim.from, claim.upto, claim.log, claim.epoch
        ),
        Record::Directory { edition, by, summary } => {
            format!("{} changed the directory to {}.{}: {summary}", who(by), edition.term, edition.version)
        }
        Record::Provider { provider, to, because } => format!("provider {provider} is {to}: {because}"),
        Record::Note { by, what } => format!("{}: {what}", who(by)),
    }
}

/// `anna by link from 192.0.2.7`: recipients and users go by their names, others by what they are.
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
    format!("{} accepted from {}: {says}, route {}{exempt}", alert.code, alert.source, alert.route)
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
    parts.into_iter().flatten().collect()
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

fn acknowledged(name: &str, ack: &Acknowledgement) -> String {
    // The recipient it counts for is told where that is not who acted.
    let actor = who(&ack.by);
    let for_whom = match &ack.recipient {
        Some(recipient) if *ack.by.who != *format!("recipient:{recipient}") => format!(" for {recipient}"),
        Some(_) => String::new(),
        None => " for everybody".to_owned(),
    };
    let said = ack.comment.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    let (actor, path) = actor.split_once(' ').map_or((actor.as_str(), ""), |(who, path)| (who, path));
    format!("{actor} acknowledged {name}{for_whom} {path}").trim_end().to_owned() + &said
}
