//! The history: what it tells, page by page, and that it can be made again from the records.

use crate::common::{NINE, Pen, edition, notification, open, roster, stored};
use dispatch::directory::Severity;
use dispatch::record::Record;
use ledger::{
    AlertCursor, AlertFilter, AlertRow, AlertState, History, NotificationRow, TrailFilter, TrailPage,
    TrailRow,
};
use std::path::Path;
use std::sync::Arc;

/// A ledger with `alerts` stories, of which the last is cut short after three records.
fn fill(folder: &Path, alerts: u32) -> Pen {
    let (ledger, recovered, _told) = open(folder).unwrap();
    let mut pen = Pen::new(recovered.log);
    let mut records = vec![pen.start(), pen.write(Record::Roster(Arc::new(roster()))), pen.write(edition(1))];
    for number in 1..alerts {
        records.extend(pen.story(number).1);
    }
    records.extend(pen.beginning(alerts, 3).1);
    ledger.append(stored(records));
    ledger.settle();
    ledger.close().unwrap();
    pen
}

#[test]
fn the_trail_tells_a_story_in_sentences() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 2);
    let history = History::open_reader(folder.path()).unwrap();
    let trail = history.trail(&TrailFilter::default(), TrailPage::After(0), 100).unwrap();
    let told: Vec<&str> = trail.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(
        told,
        [
            "node 1f3a9c02 started, version 0.1.0, clean",
            "1 person bound under policy default",
            "steadfast changed the directory to 1.1: first edition",
            "A1 accepted from scada: \"pump 1 stopped\" (high), route pumps",
            "A1: mail to anna at anna@x.test goes to smtp-a",
            "A1: mail to anna at anna@x.test accepted by smtp-a: 250 queued as 4F1",
            "anna acknowledged A1 through the link from 192.0.2.7: on my way",
            "A1 ended as resolved: anna through the link from 192.0.2.7",
            "A1 closed",
            "A2 accepted from scada: \"pump 2 stopped\" (high), route pumps",
            "A2: mail to anna at anna@x.test goes to smtp-a",
            "A2: mail to anna at anna@x.test accepted by smtp-a: 250 queued as 4F1",
        ]
    );
    let ack = trail.iter().find(|row| row.kind == "ack").unwrap();
    assert_eq!(ack.who.as_deref(), Some("recipient:anna"));
    assert_eq!((ack.via.as_deref(), ack.from.as_deref()), (Some("link"), Some("192.0.2.7")));
    assert!(ack.json.as_deref().unwrap().starts_with("{\"ack\":{"), "{ack:?}");
}

#[test]
fn an_alert_is_told_with_its_counts_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 2);
    let history = History::open_reader(folder.path()).unwrap();
    let alerts = history.alerts(&AlertFilter::default(), None, 10).unwrap();
    assert_eq!(alerts.iter().map(|row| row.code.as_str()).collect::<Vec<_>>(), ["A2", "A1"]);
    let first = &alerts[1];
    assert_eq!((first.state, first.recipients, first.sent, first.failed), (AlertState::Closed, 1, 1, 0));
    assert_eq!(first.acknowledged_by.as_deref(), Some("recipient:anna"));
    assert_eq!(first.why.as_deref(), Some("resolved"));
    assert_eq!(history.alert(first.id).unwrap().as_ref(), Some(first));
    let notes = history.notifications(first.id, None, 10).unwrap();
    assert_eq!(notes.iter().map(|row| row.id).collect::<Vec<_>>(), [notification(first.id)]);
    assert_eq!((notes[0].state.as_str(), notes[0].attempts, notes[0].step), ("accepted", 1, Some((0, 0))));
    assert_eq!(history.progress(first.id).unwrap(), [("accepted".to_owned(), 1)]);
    assert_eq!(history.counts().unwrap().alerts, [1, 0, 0, 1]);
}

#[test]
fn filters_pick_alerts() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 12);
    let history = History::open_reader(folder.path()).unwrap();
    let check = |filter: AlertFilter, expected: usize| {
        assert_eq!(history.alerts(&filter, None, 100).unwrap().len(), expected, "{filter:?}");
    };
    let all = AlertFilter::default;
    check(all(), 12);
    check(AlertFilter { states: vec![AlertState::Open], ..all() }, 1);
    check(AlertFilter { states: vec![AlertState::Open, AlertState::Closed], ..all() }, 12);
    check(AlertFilter { source: Some("scada".into()), ..all() }, 12);
    check(AlertFilter { source: Some("other".into()), ..all() }, 0);
    check(AlertFilter { severity: Some(Severity::High), ..all() }, 12);
    check(AlertFilter { severity: Some(Severity::Critical), ..all() }, 0);
    check(AlertFilter { text: Some("PUMP 12".into()), ..all() }, 1);
    check(AlertFilter { text: Some("%".into()), ..all() }, 0);
    check(AlertFilter { code: Some("A7".into()), ..all() }, 1);
    check(AlertFilter { until: Some(NINE), ..all() }, 0);
    check(AlertFilter { since: Some(NINE), ..all() }, 12);
}

#[test]
fn pages_meet_without_overlap() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 25);
    let history = History::open_reader(folder.path()).unwrap();
    let all = history.alerts(&AlertFilter::default(), None, 100).unwrap();
    let mut paged: Vec<AlertRow> = Vec::new();
    loop {
        let cursor: Option<AlertCursor> = paged.last().map(|row| row.cursor().to_string().parse().unwrap());
        let page = history.alerts(&AlertFilter::default(), cursor, 7).unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let newest = history.trail(&TrailFilter::default(), TrailPage::Newest, 2).unwrap();
    let before = history.trail(&TrailFilter::default(), TrailPage::Before(newest[1].n), 1).unwrap();
    assert_eq!(before[0].n, newest[1].n - 1);
    assert_eq!(
        history.trail(&TrailFilter::default(), TrailPage::After(newest[1].n), 9).unwrap(),
        newest[..1]
    );
    let kinds = TrailFilter { kinds: vec!["ack".into(), "closed".into()], ..TrailFilter::default() };
    assert_eq!(history.trail(&kinds, TrailPage::Newest, 500).unwrap().len(), 48);
    let of_alert = TrailFilter { alert: Some(all[5].id), ..TrailFilter::default() };
    assert_eq!(history.trail(&of_alert, TrailPage::Newest, 500).unwrap().len(), 6);
    assert!("7".parse::<AlertCursor>().is_err());
}

type Everything = (Vec<AlertRow>, Vec<Vec<NotificationRow>>, Vec<TrailRow>);

fn everything(folder: &Path) -> Everything {
    let history = History::open_reader(folder).unwrap();
    let alerts = history.alerts(&AlertFilter::default(), None, 500).unwrap();
    let notes = alerts.iter().map(|row| history.notifications(row.id, None, 500).unwrap()).collect();
    (alerts, notes, history.trail(&TrailFilter::default(), TrailPage::After(0), 500).unwrap())
}

#[test]
fn the_history_made_anew_from_the_records_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // Written in several runs and steps, with nothing forgotten.
    let (ledger, recovered, _told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    ledger.append(stored(vec![pen.write(Record::Roster(Arc::new(roster())))]));
    for number in 1..30 {
        let mut story = pen.story(number).1;
        story.truncate(5); // Without `Closed`, so that no record goes.
        pen.next -= 1;
        ledger.append(stored(story));
    }
    ledger.settle();
    ledger.close().unwrap();
    let made = everything(folder.path());
    assert_eq!(made.0.len(), 29);

    std::fs::remove_file(folder.path().join("history.db")).unwrap();
    let (ledger, recovered, _told) = open(folder.path()).unwrap();
    assert_eq!(recovered.history_lost, None);
    ledger.settle();
    ledger.close().unwrap();
    assert_eq!(everything(folder.path()), made);
}

#[test]
fn a_damaged_history_is_put_aside_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 1);
    std::fs::write(folder.path().join("history.db"), "this is no database, but it is long enough to tell")
        .unwrap();
    let (ledger, recovered, _told) = open(folder.path()).unwrap();
    assert!(recovered.history_lost.unwrap().contains("history.db.damaged"));
    ledger.settle();
    assert_eq!(everything(folder.path()).0.len(), 1);
}

#[test]
fn pruning_takes_closed_alerts_and_leaves_open_ones() {
    let folder = tempfile::tempdir().unwrap();
    let pen = fill(folder.path(), 5);
    let (ledger, _, _told) = open(folder.path()).unwrap();
    ledger.prune(pen.at);
    ledger.settle();
    ledger.close().unwrap();
    let (alerts, notes, trail) = everything(folder.path());
    assert_eq!(alerts.iter().map(|row| row.code.as_str()).collect::<Vec<_>>(), ["A5"]);
    assert_eq!(notes.iter().map(Vec::len).collect::<Vec<_>>(), [1]);
    assert_eq!(trail.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>(), ["accept", "intent", "done"]);
}
