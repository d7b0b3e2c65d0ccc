//! The history of several logs: the same whichever is read first.

use crate::common::{NINE, open, stored};
use crate::world::{World, Written, log};
use base::{NodeId, Wall};
use ledger::{AlertFilter, AlertRow, History, NotificationRow, TotalsRow, TrailFilter, TrailPage, TrailRow};
use std::time::Duration;

/// All that can be asked, in an order that does not depend on when it was read.
type Everything = (Vec<AlertRow>, Vec<NotificationRow>, Vec<TrailRow>, Vec<TotalsRow>);

fn told(parts: &[Vec<Written>]) -> Everything {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, ..) = open(folder.path()).unwrap();
    for part in parts {
        ledger.append(stored(part.clone()));
        ledger.settle();
    }
    let history = History::open_reader(folder.path()).unwrap();
    let alerts = history.alerts(&AlertFilter::default(), None, 500).unwrap();
    let of = |row: &AlertRow| history.notifications(row.id, None, 500).unwrap();
    let notifications = alerts.iter().flat_map(of).collect();
    let mut trail = history.trail(&TrailFilter::default(), TrailPage::After(0), 500).unwrap();
    trail.sort_by(|one, other| one.record.cmp(&other.record));
    trail.iter_mut().for_each(|row| row.n = 0);
    (alerts, notifications, trail, history.totals(NINE, Wall(i64::MAX)).unwrap())
}

#[test]
fn the_order_in_which_logs_are_read_does_not_show() {
    let mut tried_twice = 0;
    for seed in 100..108 {
        let world = World::new(seed, 160);
        let [one, two, three] = [1, 2, 3].map(|node| world.of(node));
        let as_written = told(&world.records.chunks(5).map(<[Written]>::to_vec).collect::<Vec<_>>());
        tried_twice += as_written.1.iter().filter(|row| row.attempts > 1).count();
        for order in [[&one, &two, &three], [&three, &two, &one], [&two, &three, &one]] {
            let read = told(&order.map(Clone::clone));
            for (row, expected) in read.2.iter().zip(&as_written.2) {
                assert_eq!(row, expected, "seed {seed}");
            }
            assert_eq!(read, as_written, "seed {seed}");
        }
    }
    assert!(tried_twice > 10, "several nodes tried the same: {tried_twice}");
}

#[test]
fn what_went_through_each_node_is_counted() {
    let world = World::new(7, 180);
    let (.., trail, totals) = told(&[1, 2, 3].map(|node| world.of(node)));
    assert_eq!(totals.iter().map(|row| row.node).collect::<Vec<_>>(), [NodeId(1), NodeId(2), NodeId(3)]);
    let outcomes = |row: &TotalsRow| row.sent + row.refused + row.unknown;
    for row in &totals {
        let rows = |kind: &str| {
            let of_kind = trail.iter().filter(|told| told.node == row.node && told.kind == kind);
            u64::try_from(of_kind.count()).unwrap()
        };
        assert_eq!(row.source.as_deref(), Some("scada"));
        assert_eq!((row.accepted, outcomes(row)), (rows("accept"), rows("done")), "{row:?}");
        assert_eq!(row.acknowledged, rows("ack"), "{row:?}");
    }
    assert!(totals.iter().any(|row| row.sent > 0 && row.refused > 0 && row.unknown > 0), "{totals:?}");
}

#[test]
fn totals_and_trail_are_picked_by_time_and_node() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, ..) = open(folder.path()).unwrap();
    let world = World::new(7, 160);
    ledger.append(stored(world.records.clone()));
    ledger.settle();
    let history = History::open_reader(folder.path()).unwrap();
    let accepted = |since: Wall, until: Wall| -> u64 {
        history.totals(since, until).unwrap().iter().map(|row| row.accepted).sum()
    };
    let middle = NINE + Duration::from_secs(10);
    let (whole, early) = (accepted(NINE, Wall(i64::MAX)), accepted(NINE, middle));
    assert!(0 < early && early < whole, "{early} of {whole}");
    assert_eq!(early + accepted(middle, Wall(i64::MAX)), whole);
    for node in 1..=3 {
        let filter = TrailFilter { node: Some(NodeId(node)), ..TrailFilter::default() };
        let rows = history.trail(&filter, TrailPage::After(0), 500).unwrap();
        assert_eq!(rows.len(), world.of(node).len());
        assert!(rows.iter().all(|row| row.record.starts_with(&log(node).to_string())));
    }
    let nobody = TrailFilter { node: Some(NodeId(4)), ..TrailFilter::default() };
    assert_eq!(history.trail(&nobody, TrailPage::Newest, 9).unwrap(), []);
}
