//! Says in an operator's words what the core does.

use base::time::Human;
use base::{AlertId, Name};
use dispatch::record::{
    Actor, Code, Comment, Entry, Fired, Outcome, Purpose, Record, Send, Shift, StepKey, Withheld,
};
use dispatch::state::State;
use dispatch::{Answer, Delivery, Refusal, Taken};
use std::collections::{BTreeMap, BTreeSet};

/// The codes of alerts, finished ones too.
pub(crate) type CodesKnown = BTreeMap<AlertId, Code>;

fn code(codes: &CodesKnown, alert: AlertId) -> String {
    codes.get(&alert).map_or_else(|| "an unknown alert".into(), Code::to_string)
}

/// What a record says; none for those that an operator would not see by themselves.
pub(crate) fn record(codes: &CodesKnown, state: &State, entry: &Entry, held: bool) -> Option<String> {
    let of = |alert: &AlertId| code(codes, *alert);
    Some(match &entry.record {
        Record::Start { because, .. } => format!("started: {because}"),
        Record::Roster(_) | Record::Done { .. } => return None,
        Record::Accept(alert) => {
            let roster = state.rosters.get(&alert.roster)?;
            let told = roster.told(StepKey::default(), &alert.on_call, &alert.withheld);
            let people = told.chunk_by(|a, b| a.person == b.person).count();
            let exempt = if alert.escalates { "" } else { ", exempt from escalation" };
            format!(
                "accepted {} \"{}\" ({}) for {}, policy {}, route {}{exempt}{}",
                alert.code,
                alert.content.summary,
                alert.content.severity,
                persons(people),
                roster.policy_name,
                alert.route,
                chosen(&alert.on_call, &alert.withheld),
            )
        }
        Record::Update { alert, silent: true, .. } => format!("{} was not heard of in time", of(alert)),
        Record::Update { alert, content, silent: false } => {
            format!("{} now says \"{}\" ({})", of(alert), content.summary, content.severity)
        }
        Record::StepFired { alert, step, fired } => {
            format!("{} {}", of(alert), firing(state, *alert, *step, fired))
        }
        Record::Intent { alert, sends } if held => format!("{} announced: {}", of(alert), recipients(sends)),
        Record::Intent { .. } => return None,
        Record::Ack { alert, ack } => {
            let who = ack.recipient.as_ref().map_or("an operator for everybody", Name::as_str);
            let words = ack.comment.as_ref().map_or_else(String::new, |text| format!(": \"{text}\""));
            let chosen = ack.chosen.as_ref().map_or_else(String::new, |it| format!(", answering {it}"));
            format!("{} acknowledged by {who}{chosen}{words}", of(alert))
        }
        Record::Comment { alert, comment: Comment { by, answer: Some(answer), .. } } => {
            let words = answer.comment.as_ref().map_or_else(String::new, |text| format!(": \"{text}\""));
            format!("{} answered by {}: {}{words}", of(alert), who(by), answer.chosen)
        }
        Record::Comment { alert, comment } => {
            format!("{} comment by {}: \"{}\"", of(alert), who(&comment.by), comment.text)
        }
        Record::End { alert, end } => format!("{} ends: {}, by {}", of(alert), end.why.word(), who(&end.by)),
        Record::Closed { alert } => format!("{} closed", of(alert)),
        Record::Silence(silence) => {
            format!("silenced {} by {}: {}", silence.matchers, who(&silence.by), silence.comment)
        }
        Record::Unsilence { by, .. } => format!("silence ended by {}", who(by)),
        Record::Pause { by, reason } => format!("paused by {}: {reason}", who(by)),
        Record::Resume { by, .. } => format!("resumed by {}", who(by)),
        Record::Claim(claim) => format!("took over what the last run left, epoch {}", claim.epoch),
        Record::Release { .. }
        | Record::Delegate { .. }
        | Record::Duty(_)
        | Record::Merged { .. }
        | Record::RosterDropped { .. }
        | Record::PeerState { .. }
        | Record::Member { .. }
        | Record::Conduct { .. } => return None,
        Record::Directory { edition, .. } => format!("directory version {}", edition.version),
        Record::Provider { provider, to, because } => format!("provider {provider} is {to}: {because}"),
        Record::Note { what, .. } => format!("trail: {what}"),
    })
}

fn who(by: &Actor) -> &str {
    by.who.split_once(':').map_or(&by.who, |(_, name)| name)
}

fn persons(count: usize) -> String {
    if count == 1 { "1 person".into() } else { format!("{count} people") }
}

fn recipients(sends: &[Send]) -> String {
    let names: Vec<String> = sends.iter().map(|send| send.recipient.to_string()).collect();
    shortened(&names)
}

/// At most six names, then the last and the number of all.
fn shortened(names: &[String]) -> String {
    match names {
        [first, .., last] if names.len() > 6 => format!("{first} to {last} ({})", names.len()),
        _ => names.join(", "),
    }
}

fn firing(state: &State, alert: AlertId, step: StepKey, fired: &Fired) -> String {
    let asked = fired.by.as_ref().map_or_else(String::new, |by| format!(", asked for by {}", who(by)));
    let late = if fired.late.is_zero() { String::new() } else { format!(", {} late", Human(fired.late)) };
    let round = if step.round == 0 { String::new() } else { format!(" of round {}", step.round + 1) };
    let whom = if fired.empty { "nobody is left to tell".into() } else { told(state, alert, step) };
    format!(
        "step {}{round} fires: {whom}{late}{asked}{}",
        step.step + 1,
        chosen(&fired.on_call, &fired.withheld)
    )
}

/// `; anna on call in nights (turn 2)`, for each schedule, and `; filter quiet withholds mail`.
fn chosen(shifts: &BTreeSet<Shift>, withheld: &BTreeSet<Withheld>) -> String {
    let shifts = shifts.iter().map(|shift| format!("; {shift}"));
    shifts.chain(withheld.iter().map(|withheld| format!("; {withheld}"))).collect()
}

/// Whom a step is for, but for those who have acknowledged.
fn told(state: &State, alert: AlertId, step: StepKey) -> String {
    let Some(open) = state.open.get(&alert) else { return "nobody".into() };
    let Some(roster) = state.rosters.get(&open.alert.roster) else { return "nobody".into() };
    let Some(fired) = open.facts.fired.get(&step) else { return "nobody".into() };
    let acks = open.facts.acks.values();
    let acked: Vec<&Name> = acks.filter_map(|ack| ack.recipient.as_ref()).collect();
    let wider = roster.with_joined(step, &fired.on_call);
    let roster = wider.as_ref().unwrap_or(roster);
    let told = roster.told(step, &fired.on_call, &fired.withheld);
    let who = told.iter().filter_map(|reach| roster.at(*reach)).map(|(who, _)| &who.name);
    let mut names: Vec<String> = who.filter(|name| !acked.contains(name)).map(Name::to_string).collect();
    names.dedup();
    shortened(&names)
}

/// What one attempt is, without its address, so that many like it can be told together.
pub(crate) fn delivery(codes: &CodesKnown, delivery: &Delivery) -> String {
    if !delivery.others.is_empty() {
        let each: Vec<String> = delivery.each().map(|each| one(codes, each)).collect();
        return format!("one message: {}", each.join("; "));
    }
    one(codes, delivery)
}

fn one(codes: &CodesKnown, delivery: &Delivery) -> String {
    let what = match delivery.purpose {
        Purpose::Alert(StepKey { round: 0, step }) => format!("alert, step {}", step + 1),
        Purpose::Alert(StepKey { round, step }) => format!("alert, step {} of round {}", step + 1, round + 1),
        Purpose::Acknowledgement(_) => "news of the acknowledgement".into(),
        Purpose::Comment(_) => "news of a comment".into(),
        Purpose::End => "news of the end".into(),
    };
    let said = delivery.said.as_ref().map_or_else(String::new, |said| {
        let by = said.by.split_once(':').map_or(&*said.by, |(_, name)| name);
        format!(" ({by}: \"{}\")", said.words)
    });
    let attempt =
        if delivery.attempt == 1 { String::new() } else { format!(", attempt {}", delivery.attempt) };
    let mark =
        delivery.repeat.map_or_else(String::new, |cause| format!(", may be a repeat ({})", cause.word()));
    format!("{} {what}{said}{attempt}{mark}", code(codes, delivery.alert_id))
}

pub(crate) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { .. } => "accepted".into(),
        Outcome::Refused { then, why } => format!("refused {} \"{why}\"", then.word()),
        Outcome::Unknown { why } => format!("unknown \"{why}\""),
    }
}

pub(crate) fn answer(codes: &CodesKnown, answer: &Answer) -> String {
    match answer {
        Answer::Taken { taken, alert, recipients, copies } => {
            let alert = alert.map_or_else(String::new, |(_, code)| format!(" {code}"));
            match taken {
                Taken::New => format!("new{alert}, {}, copies {copies}", persons(*recipients)),
                Taken::Repeated => format!("repeated{alert}, copies {copies}"),
                Taken::Resolved => format!("resolved{alert}, copies {copies}"),
                Taken::NothingOpen => "nothing open to resolve".into(),
            }
        }
        Answer::Silenced { .. } => "silenced".into(),
        Answer::Done { alerts, .. } if alerts.is_empty() => "done".into(),
        Answer::Done { alerts, .. } => {
            let names: Vec<String> = alerts.iter().map(|alert| code(codes, *alert)).collect();
            format!("done for {}", shortened(&names))
        }
        Answer::Refused(refusal) => format!("refused, {}", refused(refusal)),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotPrimary { .. }
        | Refusal::Solo
        | Refusal::Witness
        | Refusal::Blocked { .. }
        | Refusal::UnknownNode { .. } => "refused by the cluster".into(),
        Refusal::NoSilence => "there is no such silence".into(),
        Refusal::TooManySilences { limit } => format!("{limit} silences lie ahead"),
        Refusal::UnknownTarget { name } => format!("nobody is called {name}"),
        Refusal::UnknownPolicy { name } => format!("no policy is called {name}"),
        Refusal::NoRoute => "no route matches and there are no operators".into(),
        Refusal::ReachesNobody => "it would reach nobody".into(),
        Refusal::KeyReused => "the key was used for another request".into(),
        Refusal::TooManyOpen { limit } => format!("{limit} alerts are open"),
        Refusal::DiskFull { why } => format!("the disk is full: {why}"),
        Refusal::NotOpen { .. } => "that alert is not open".into(),
        Refusal::UnknownCode { code } => format!("code {code} is unknown here"),
        Refusal::NoFurtherStep => "there is no further step".into(),
        Refusal::NoChoice { code, number, .. } => format!("{code} offers no choice {number}"),
        Refusal::TooManyComments => "it has its full number of comments".into(),
        Refusal::UnknownMonitor { name } => format!("no monitor is called {name}"),
        Refusal::NoHeartbeat => "nobody is to get a heartbeat".into(),
        Refusal::NotPaused => "nothing is paused".into(),
        Refusal::Stale { version } => format!("the directory is at version {version}"),
    }
}

/// Who answered what.
pub(crate) fn tally(core: &dispatch::Dispatch, code: Code) -> Vec<String> {
    let open = core.by_code(code).and_then(|alert| core.state().open.get(&alert));
    let answers = open.into_iter().flat_map(|open| &open.facts.answers);
    let line = |(who, answered): (&Option<Name>, &dispatch::state::Answered)| {
        let who = who.as_ref().map_or("operator", Name::as_str);
        let said = answered.comment.as_ref().map_or_else(String::new, |text| format!(" \"{text}\""));
        format!("{who}: {}{said}", answered.chosen)
    };
    answers.map(line).collect()
}

/// How every monitor is.
pub(crate) fn monitors(core: &dispatch::Dispatch, now: base::Now) -> Vec<String> {
    let line = |view: dispatch::MonitorView| {
        let heard =
            view.heard.map_or_else(|| "never heard".into(), |ago| format!("heard {} ago", Human(ago)));
        let why = view.why.map_or_else(String::new, |why| format!(": {why}"));
        let alert = view.alert.map_or_else(String::new, |code| format!(", {code}"));
        format!("{} is {}{why}, {heard}, due in {}{alert}", view.name, view.pulse.word(), Human(view.due))
    };
    core.monitors(now).into_iter().map(line).collect()
}
