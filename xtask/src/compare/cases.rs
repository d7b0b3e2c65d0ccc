//! Three cases in which a pair is asked for what it is bought for, and what becomes of each alert.
//!
//! Separate from `takeover`, which measures one time: here is counted what arrived, how often, and when.

use std::time::{Duration, Instant};

use super::alertmanager::Alertmanagers;
use super::ours::{self, Ours};
use super::pair::{Pair, Room};
use super::{Ground, trials};
use crate::bench::Row;
use crate::say;

/// How long the first message may take before an alert counts as not delivered.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long further messages are waited for: longer than the 15 s that Alertmanager's second node waits.
const LATER: Duration = Duration::from_secs(20);
/// Alertmanager's `group_wait` in all cases: its default of 30 s would only add 29 s to each of its times.
const GROUP_WAIT: &str = "1s";
/// The one with which it sends at once, so that its first message and the kill race.
const NO_GROUP_WAIT: &str = "0s";
/// Trials at the same time.
const THREADS: usize = 5;

/// What is done to a pair.
#[derive(Clone, Copy, Debug)]
enum Case {
    /// Both have the alert; the one that would send dies.
    KillSender,
    /// One has the alert, and dies.
    KillAcceptor,
    /// Both have the alert and do not hear each other.
    Part,
}

impl Case {
    const ALL: [Self; 3] = [Self::KillSender, Self::KillAcceptor, Self::Part];

    fn name(self) -> &'static str {
        match self {
            Self::KillSender => "posted to both; the one to send is killed (-9) after the second yes",
            Self::KillAcceptor => "posted to one, which is killed (-9) after its yes; later started again",
            Self::Part => "posted to both while they cannot reach each other; later they can",
        }
    }
}

/// What became of one alert.
struct Seen {
    /// Messages that arrived before the fault was mended.
    early: usize,
    /// Messages that arrived in all.
    sends: usize,
    /// From the last yes to the first message.
    first: Option<Duration>,
}

/// Every case with ours, if there is such a thing, and with theirs.
pub(super) fn run(ground: &Ground) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for case in Case::ALL {
        let ours = if ours::is_there() { Some(of_ours(ground, case)?) } else { None };
        rows.extend(rows_of(case, ours.as_deref(), &of_theirs(ground, case, GROUP_WAIT)?));
        if let Case::KillAcceptor = case {
            let raced = of_theirs(ground, case, NO_GROUP_WAIT)?;
            let what = format!("  the same with `group_wait: {NO_GROUP_WAIT}`");
            rows.push(Row::new(what, "", delivered(&raced)));
        }
        say::complaint(&format!("{}: done", case.name()));
    }
    Ok(rows)
}

fn of_ours(ground: &Ground, case: Case) -> Result<Vec<Seen>, String> {
    trials::run(ground.trials, THREADS, |number| {
        let room = Room::new(ground, &format!("cases-ours-{case:?}-{number}"))?;
        judge(case, &mut Ours::start(&room, "")?, &room)
    })
}

fn of_theirs(ground: &Ground, case: Case, group_wait: &str) -> Result<Vec<Seen>, String> {
    trials::run(ground.trials, THREADS, |number| {
        let room = Room::new(ground, &format!("cases-alertmanager-{case:?}-{group_wait}-{number}"))?;
        judge(case, &mut Alertmanagers::start(&room, group_wait)?, &room)
    })
}

/// One trial.
fn judge(case: Case, pair: &mut impl Pair, room: &Room) -> Result<Seen, String> {
    let alert = "pump-7-stopped";
    let (first, second) = (pair.first(), 1 - pair.first());
    let yes = match case {
        Case::KillSender => {
            pair.post(first, alert)?;
            pair.post(second, alert)?;
            kill(pair, first)?
        }
        Case::KillAcceptor => {
            pair.post(first, alert)?;
            kill(pair, first)?
        }
        Case::Part => {
            room.lan.cut(0, 1)?;
            pair.post(first, alert)?;
            pair.post(second, alert)?;
            Instant::now()
        }
    };
    let _ = room.sink.wait(alert, 1, PATIENCE);
    let early = room.sink.wait(alert, usize::MAX, LATER).len();
    match case {
        Case::KillSender | Case::KillAcceptor => pair.restart(first)?,
        Case::Part => room.lan.heal(0, 1)?,
    }
    let arrivals = room.sink.wait(alert, usize::MAX, LATER);
    let first = arrivals.first().map(|arrival| arrival.at.saturating_duration_since(yes));
    Ok(Seen { early, sends: arrivals.len(), first })
}

/// Kills a node at once, and says when it had said yes.
fn kill(pair: &mut impl Pair, node: usize) -> Result<Instant, String> {
    let yes = Instant::now();
    pair.process(node)?.kill();
    Ok(yes)
}

fn rows_of(case: Case, ours: Option<&[Seen]>, theirs: &[Seen]) -> [Row; 4] {
    let row = |what: &str, text: fn(&[Seen]) -> String| {
        Row::new(format!("  {what}"), ours.map_or_else(|| "–".to_owned(), text), text(theirs))
    };
    [
        Row::new(case.name(), "", ""),
        row("alerts delivered / only when the fault was mended / lost", delivered),
        row("messages per alert, least … most", |seen| {
            let sends = || seen.iter().map(|seen| seen.sends);
            let (least, most) = (sends().min().unwrap_or_default(), sends().max().unwrap_or_default());
            if least == most { least.to_string() } else { format!("{least} … {most}") }
        }),
        row("from the yes to the first message, median / worst", |seen| {
            trials::median_and_worst(seen.iter().filter_map(|seen| seen.first).collect())
        }),
    ]
}

fn delivered(seen: &[Seen]) -> String {
    let count = |is_so: fn(&Seen) -> bool| seen.iter().filter(|seen| is_so(seen)).count();
    let early = count(|seen| seen.early != 0);
    let late = count(|seen| seen.early == 0 && seen.sends != 0);
    format!("{early} / {late} / {}", count(|seen| seen.sends == 0))
}
