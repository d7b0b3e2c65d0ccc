//! Logs of peers: kept as long as somebody lacks them, read for them, and taken over by a snapshot.

use crate::common::{Opened, Pen, edition, flip, open, open_as, state, stored, wait_stored};
use crate::world::{Chance, World, Written, log};
use base::{AlertId, LogId, RecordId};
use dispatch::record::Record;
use dispatch::state::State;
use ledger::{Incoming, LedgerEvent, Options, ReadError, Reader, Snapshot, Stored, TrailFilter, TrailPage};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::Receiver;

fn mirrored(folder: &Path) -> Opened {
    open_as(folder, 1, |options| Options { mirrored: true, ..options }).unwrap()
}

/// The next log that is said to begin later.
fn truncated(told: &Receiver<LedgerEvent>) -> (LogId, u64) {
    loop {
        match told.recv().unwrap() {
            LedgerEvent::Truncated { log, base } => return (log, base),
            LedgerEvent::Stored { .. } => (),
            other @ (LedgerEvent::Full { .. } | LedgerEvent::Roomy | LedgerEvent::Failed { .. }) => {
                panic!("{other:?}")
            }
        }
    }
}

fn places(range: Vec<(u64, Vec<u8>)>) -> Vec<u64> {
    range.into_iter().map(|(seq, _)| seq).collect()
}

#[test]
fn records_are_kept_until_all_peers_have_them() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = mirrored(folder.path());
    let (mut ours, mut theirs) = (Pen::new(recovered.log), Pen::new(log(2)));
    ledger.append(stored(vec![ours.start(), theirs.start()]));
    let (finished, story) = theirs.story(1);
    ledger.append(stored(story));
    ledger.forget(vec![finished], vec![]);
    ledger.settle();
    // Both are read by the history. What a peer lacks stays, although the other goes in the same moment.
    ledger.retain(BTreeMap::from([(ours.log, 1), (theirs.log, 0)]));
    assert_eq!(truncated(&told), (ours.log, 1));
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(places(reader.range(theirs.log, 0, 99, usize::MAX).unwrap()), [0, 1, 2, 3, 4, 5, 6]);
    ledger.retain(BTreeMap::from([(ours.log, 1), (theirs.log, 7)]));
    assert_eq!(truncated(&told), (theirs.log, 7));
    let refused = reader.range(theirs.log, 6, 7, usize::MAX).unwrap_err();
    assert!(matches!(refused, ReadError::Truncated { base: 7, .. }), "{refused}");
    ledger.close().unwrap();
    let (_ledger, recovered, _) = open(folder.path()).unwrap();
    assert_eq!(recovered.base, BTreeMap::from([(ours.log, 1), (theirs.log, 7)]));
    assert!(recovered.records.is_empty(), "{:?}", recovered.records);
}

#[test]
fn past_the_limit_the_oldest_go_although_a_peer_lacks_them() {
    let folder = tempfile::tempdir().unwrap();
    let change = |options| Options { mirrored: true, retained_records_max: 20, ..options };
    let (ledger, recovered, told) = open_as(folder.path(), 1, change).unwrap();
    let mut pen = Pen::new(recovered.log);
    ledger.retain(BTreeMap::from([(pen.log, 0)]));
    let stories: Vec<_> = (1..=10).map(|number| pen.story(number)).collect();
    let alerts = stories.iter().map(|(id, _)| *id).collect();
    stories.into_iter().for_each(|(_, story)| ledger.append(stored(story)));
    ledger.forget(alerts, vec![]);
    ledger.settle();
    // Ten stories of six records, of which three may wait.
    assert_eq!(truncated(&told), (pen.log, 42));
    let reader = Reader::open(folder.path()).unwrap();
    let kept = reader.range(pen.log, 42, 60, usize::MAX).unwrap();
    assert_eq!(places(kept), (42..60).collect::<Vec<_>>());
}

#[test]
fn what_comes_late_about_a_finished_alert_goes_too() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let (mut ours, mut theirs) = (Pen::new(recovered.log), Pen::new(log(2)));
    let (finished, story) = ours.story(1);
    ledger.append(stored(story));
    ledger.forget(vec![finished], vec![]);
    ledger.settle();
    assert_eq!(truncated(&told), (ours.log, 6));
    let (_, (_, late)) = (theirs.start(), theirs.write(Record::Closed { alert: finished }));
    theirs.next = 0;
    ledger.append(stored(vec![theirs.write(late.record)]));
    ledger.settle();
    assert_eq!(truncated(&told), (theirs.log, 1));
}

#[test]
fn a_range_has_no_gap_or_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    let (open_alert, mut records) = pen.beginning(1, 3); // Places 0 to 2 stay.
    let (finished, story) = pen.story(2); // 3 to 8 go.
    records.extend(story);
    records.extend(pen.beginning(3, 3).1); // 9 to 11 stay.
    let bodies: Vec<_> = stored(records.clone()).into_iter().map(|one| one.body.to_vec()).collect();
    ledger.append(stored(records));
    ledger.forget(vec![finished], vec![]);
    ledger.settle();
    assert_eq!(truncated(&told), (pen.log, 9));
    let reader = Reader::open(folder.path()).unwrap();
    let check = |from: u64, upto: u64, bytes: usize, expected: &[u64]| {
        let range = reader.range(pen.log, from, upto, bytes).unwrap_or_default();
        assert!(range.iter().all(|(seq, body)| *body == bodies[usize::try_from(*seq).unwrap()]));
        assert_eq!(places(range), expected, "{from} to {upto}, {bytes} bytes");
    };
    check(0, 12, usize::MAX, &[]);
    check(2, 3, usize::MAX, &[]); // It is there, but below the base.
    check(9, 12, usize::MAX, &[9, 10, 11]);
    check(9, 99, usize::MAX, &[9, 10, 11]);
    check(9, 12, 1, &[9]);
    check(9, 12, bodies[9].len() + bodies[10].len(), &[9, 10]);
    check(10, 11, usize::MAX, &[10]);
    check(12, 13, usize::MAX, &[]);
    check(10, 10, usize::MAX, &[]);
    let ahead = reader.range(pen.log, 12, 13, usize::MAX).unwrap_err();
    assert!(matches!(ahead, ReadError::Ahead { upto: 12, .. }), "{ahead}");
    let unknown = reader.range(log(9), 0, 1, usize::MAX).unwrap_err();
    assert!(matches!(unknown, ReadError::Ahead { upto: 0, .. }), "{unknown}");
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(snapshot.rows.iter().map(|(id, _)| id.seq).collect::<Vec<_>>(), [0, 1, 2, 9, 10, 11]);
    assert_eq!(snapshot.upto, BTreeMap::from([(pen.log, 12)]));
    assert_eq!(open_alert.0.seq, 0);
}

#[test]
fn a_damaged_record_is_not_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    ledger.append(stored(pen.beginning(1, 3).1));
    wait_stored(&told, pen.log, 3);
    ledger.close().unwrap();
    flip(&folder.path().join("ledger.db"), b"smtp-a", b"smtp-b");
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(places(reader.range(pen.log, 0, 3, usize::MAX).unwrap()), [0]);
    let bad = RecordId { log: pen.log, seq: 1 };
    let damaged = |error: &ReadError| matches!(error, ReadError::Damaged { id, .. } if *id == bad);
    assert!(damaged(&reader.range(pen.log, 1, 3, usize::MAX).unwrap_err()));
    // What a snapshot leaves out is taken for finished, so that it names what it had to leave out.
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(snapshot.rows.iter().map(|(id, _)| id.seq).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(snapshot.lost, BTreeSet::from([bad]));
    assert!(damaged(&reader.digest().unwrap_err()));
}

/// A snapshot as it is after its way over the wire.
fn received(snapshot: Snapshot) -> Incoming {
    let row = |(id, body): (RecordId, Vec<u8>)| Stored {
        id,
        entry: record::decode(&body).unwrap(),
        body: body.into(),
    };
    Incoming {
        upto: snapshot.upto,
        rows: snapshot.rows.into_iter().map(row).collect(),
        extra: snapshot.extra,
        lost: snapshot.lost,
    }
}

/// Fills the ledger in `folder` with records, forgets what is over, and says what they fold to.
fn fill(folder: &Path, records: &[Written]) -> State {
    let (ledger, _, told) = open_as(folder, 9, |options| options).unwrap();
    let mut state = State::default();
    for (id, entry) in records {
        state.apply(*id, entry).unwrap();
    }
    ledger.append(stored(records.to_vec()));
    let accepted = records.iter().filter(|(_, entry)| matches!(entry.record, Record::Accept(_)));
    let pending = |id: &AlertId| state.open.contains_key(id) || state.merged.contains_key(id);
    ledger.forget(accepted.map(|(id, _)| AlertId(*id)).filter(|id| !pending(id)).collect(), vec![]);
    ledger.settle();
    // Every log begins with something that goes.
    let mut whole: BTreeSet<LogId> = state.applied.keys().copied().collect();
    while !whole.is_empty() {
        whole.remove(&truncated(&told).0);
    }
    ledger.close().unwrap();
    state
}

/// What a start finds in `folder`, without what only says how it was closed.
fn found(folder: &Path) -> (State, [String; 3]) {
    let (ledger, recovered, _told) = open_as(folder, 9, |options| options).unwrap();
    ledger.close().unwrap();
    assert!(recovered.poisoned.is_empty() && recovered.missing.is_empty());
    let mut keys = recovered.keys.clone();
    keys.sort_by(|one, other| one.key.cmp(&other.key));
    let outliving = [format!("{keys:?}"), format!("{:?}", recovered.codes), format!("{:?}", recovered.quota)];
    (state(&recovered), outliving)
}

/// Equal states; part by part, so that a difference can be found.
fn same(state: &State, expected: &State, seed: u64) {
    assert_eq!(state.applied, expected.applied, "seed {seed}");
    assert!(state.open.keys().eq(expected.open.keys()), "seed {seed}");
    for (alert, open) in &state.open {
        assert_eq!(open, &expected.open[alert], "seed {seed}");
    }
    assert_eq!((&state.pauses, &state.paused), (&expected.pauses, &expected.paused), "seed {seed}");
    assert_eq!(state.merged, expected.merged, "seed {seed}");
    assert_eq!((&state.early, &state.early_closed), (&expected.early, &expected.early_closed), "seed {seed}");
    assert_eq!(state.edition, expected.edition, "seed {seed}");
    assert_eq!(state.claims, expected.claims, "seed {seed}");
    assert_eq!(state, expected, "seed {seed}");
}

#[test]
fn a_snapshot_makes_any_ledger_level_with_its_source() {
    for seed in 0..16 {
        let world = World::new(seed, 160);
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let there = fill(source.path(), &world.records);
        // What arrived before is a part of each log: nothing at all for the first seeds.
        let mut chance = Chance(seed ^ 0xabcd);
        let parts = [1, 2, 3].map(|node| {
            let length = world.of(node).len();
            if seed < 4 { 0 } else { u64::try_from(chance.below(length + 1)).unwrap() }
        });
        let arrived = |id: &RecordId| id.seq < parts[usize::try_from(id.log.node.0 - 1).unwrap()];
        let part: Vec<Written> = world.records.iter().filter(|(id, _)| arrived(id)).cloned().collect();
        let here = fill(target.path(), &part);

        let joined = here.join(&there);
        same(&joined, &there, seed);
        let finished: Vec<_> =
            here.open.keys().filter(|alert| !joined.open.contains_key(alert)).copied().collect();
        let snapshot = Reader::open(source.path()).unwrap().snapshot().unwrap();
        let take = |times: usize| {
            let (ledger, _, told) = open_as(target.path(), 9, |options| options).unwrap();
            for _ in 0..times {
                ledger.merge(received(snapshot.clone()), finished.clone());
            }
            ledger.settle();
            ledger.close().unwrap();
            told.try_iter().filter(|event| matches!(event, LedgerEvent::Stored { .. })).count()
        };
        let raised = parts
            .iter()
            .zip(1..)
            .filter(|(part, node)| usize::try_from(**part).unwrap() < world.of(*node).len());
        assert_eq!(take(1), raised.count(), "seed {seed}: each log that reaches further is told");
        let ((after, outliving), (source_after, expected)) = (found(target.path()), found(source.path()));
        same(&source_after, &there, seed);
        same(&after, &there, seed);
        assert_eq!(outliving, expected, "seed {seed}");
        let level = |folder: &Path| Reader::open(folder).unwrap().digest().unwrap();
        assert_eq!(level(target.path()), level(source.path()), "seed {seed}");
        let once = Reader::open(target.path()).unwrap().snapshot().unwrap();
        assert_eq!(once, snapshot, "seed {seed}: it can be passed on");
        assert_eq!(take(2), 0, "seed {seed}: the same once more says nothing new");
        assert_eq!(Reader::open(target.path()).unwrap().snapshot().unwrap(), once, "seed {seed}");
    }
}

/// Lets every `nth` row of the ledger in `folder` be another than was written.
fn damage(folder: &Path, nth: usize) -> usize {
    let db = rusqlite::Connection::open(folder.join("ledger.db")).unwrap();
    let rows = "SELECT log, seq FROM records ORDER BY log, seq";
    let rows: Vec<(i64, i64)> = db
        .prepare(rows)
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let bad: Vec<_> = rows.into_iter().step_by(nth).collect();
    for (log, seq) in &bad {
        db.execute("UPDATE records SET crc = crc + 1 WHERE log = ?1 AND seq = ?2", [log, seq]).unwrap();
    }
    bad.len()
}

#[test]
fn what_a_disk_lost_comes_back_with_the_snapshot_of_a_peer() {
    for seed in 0..16 {
        let world = World::new(seed, 160);
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let there = fill(source.path(), &world.records);
        // Both have seen all of it, or one a part.
        let part = if seed % 2 == 0 { world.records.len() } else { world.records.len() / 2 };
        fill(target.path(), &world.records[..part]);
        let damaged = damage(target.path(), 3 + usize::try_from(seed).unwrap() % 5);
        let (ledger, recovered, _told) = open_as(target.path(), 9, |options| options).unwrap();
        assert_eq!((recovered.poisoned.len(), recovered.lost.len()), (damaged, damaged), "seed {seed}");
        ledger.close().unwrap();
        // A second start knows of it as well.
        let (ledger, recovered, _told) = open_as(target.path(), 9, |options| options).unwrap();
        assert_eq!((recovered.poisoned.len(), recovered.lost.len()), (0, damaged), "seed {seed}");
        let here = state(&recovered);
        let joined = here.join(&there);
        assert!(joined.lost.is_empty() && joined.open == there.open, "seed {seed}");
        let finished = here.open.keys().filter(|alert| !joined.open.contains_key(alert)).copied().collect();
        let snapshot = Reader::open(source.path()).unwrap().snapshot().unwrap();
        ledger.merge(received(snapshot.clone()), finished);
        ledger.settle();
        ledger.close().unwrap();
        let (ledger, recovered, _told) = open_as(target.path(), 9, |options| options).unwrap();
        assert!(recovered.lost.is_empty(), "seed {seed}: {:?}", recovered.lost);
        same(&state(&recovered), &there, seed);
        ledger.settle();
        ledger.close().unwrap();
        let level = |folder: &Path| Reader::open(folder).unwrap().digest().unwrap();
        assert_eq!(level(target.path()), level(source.path()), "seed {seed}");
        let sound = ledger::verify(target.path()).unwrap();
        assert!(sound.sound(), "seed {seed}: {sound:?}");
    }
}

#[test]
fn what_the_source_lost_is_not_taken_for_finished() {
    let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut pen = Pen::new(log(1));
    let (alert, records) = pen.beginning(1, 3);
    let (ledger, ..) = open_as(source.path(), 8, |options| options).unwrap();
    ledger.append(stored(records));
    ledger.settle();
    ledger.close().unwrap();
    let bad = {
        let db = rusqlite::Connection::open(source.path().join("ledger.db")).unwrap();
        db.execute("UPDATE records SET crc = crc + 1 WHERE seq = ?1", [alert.0.seq.cast_signed()]).unwrap();
        alert.0
    };
    let (ledger, ..) = open_as(source.path(), 8, |options| options).unwrap();
    let snapshot = Reader::open(source.path()).unwrap().snapshot().unwrap();
    assert_eq!(snapshot.lost, BTreeSet::from([bad]));
    assert_eq!(snapshot.rows.len(), 2, "what is known of an alert that may come back");
    drop(ledger);
    let (ledger, ..) = open_as(target.path(), 9, |options| options).unwrap();
    ledger.merge(received(snapshot), vec![]);
    ledger.settle();
    ledger.close().unwrap();
    let (_ledger, recovered, _told) = open_as(target.path(), 9, |options| options).unwrap();
    assert_eq!(recovered.lost, BTreeSet::from([bad]));
    assert!(state(&recovered).early.contains_key(&alert), "it waits for its acceptance");
}

#[test]
fn what_is_kept_for_peers_shows_neither_in_a_snapshot_nor_in_a_digest() {
    for seed in 40..44 {
        let world = World::new(seed, 160);
        let (bare, keeping) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fill(bare.path(), &world.records);
        let (ledger, ..) = mirrored(keeping.path());
        ledger.append(stored(world.records.clone()));
        ledger.settle();
        let [bare, keeping] = [&bare, &keeping].map(|folder| Reader::open(folder.path()).unwrap());
        assert_eq!(bare.digest().unwrap(), keeping.digest().unwrap(), "seed {seed}");
        assert_eq!(bare.snapshot().unwrap(), keeping.snapshot().unwrap(), "seed {seed}");
        let places = |reader: &Reader| reader.range(log(1), 0, 9, usize::MAX).map(places).unwrap_or_default();
        assert_eq!((places(&bare), places(&keeping)), (vec![], (0..9).collect()), "seed {seed}");
    }
}

#[test]
fn a_digest_changes_with_what_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    let reader = Reader::open(folder.path()).unwrap();
    let mut seen = vec![reader.digest().unwrap()];
    for record in pen.story(1).1 {
        ledger.append(stored(vec![record]));
        wait_stored(&told, pen.log, u64::try_from(seen.len()).unwrap());
        seen.push(reader.digest().unwrap());
    }
    let empty = seen[0].1;
    assert_eq!(seen[6].1, empty, "nothing is open");
    assert!(seen[1..6].windows(2).all(|pair| pair[0].1 != pair[1].1 && pair[1].1 != empty));
    assert_eq!(
        seen.iter().map(|(vector, _)| vector.get(&pen.log).copied()).collect::<Vec<_>>()[1..],
        [1, 2, 3, 4, 5, 6].map(Some)
    );
}

#[test]
fn a_log_that_jumped_goes_on_and_the_trail_says_what_it_lacks() {
    let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ledger, _, told) = open_as(source.path(), 8, |options| options).unwrap();
    let mut pen = Pen::new(log(1));
    let beginning = vec![pen.start(), pen.write(edition(1))];
    let (ended, story) = pen.story(1);
    let (before, after) = story.split_at(3);
    let (finished, gone) = pen.story(2);
    let (pending, rest) = pen.beginning(3, 3);
    let all = [beginning.clone(), story.clone(), gone, rest].concat();
    ledger.append(stored(all));
    ledger.forget(vec![ended, finished], vec![]);
    ledger.settle();
    while truncated(&told).1 < 14 {}
    let snapshot = Reader::open(source.path()).unwrap().snapshot().unwrap();
    assert_eq!(after.len(), 3);

    let (ledger, _, told) = open_as(target.path(), 9, |options| options).unwrap();
    ledger.append(stored([beginning, before.to_vec()].concat()));
    // Not a moment for the history to read what is over the next: it has to find it all the same.
    ledger.merge(received(snapshot), vec![ended]);
    wait_stored(&told, pen.log, 17);
    let next = pen.write(Record::Closed { alert: pending });
    ledger.append(stored(vec![next]));
    wait_stored(&told, pen.log, 18);
    ledger.settle();
    let reader = Reader::open(target.path()).unwrap();
    assert!(matches!(reader.range(pen.log, 16, 17, 9), Err(ReadError::Truncated { base: 17, .. })));
    assert_eq!(places(reader.range(pen.log, 17, 18, 9).unwrap()), [17]);
    let history = ledger::History::open_reader(target.path()).unwrap();
    let rows = history.trail(&TrailFilter::default(), TrailPage::After(0), 100).unwrap();
    let told: Vec<(&str, &str)> =
        rows.iter().map(|row| (row.record.rsplit('-').next().unwrap(), row.kind.as_str())).collect();
    assert_eq!(
        told,
        [
            ("0", "start"),
            ("1", "directory"),
            ("2", "accept"),
            ("3", "intent"),
            ("4", "done"),
            ("5", "snapshot"),
            ("14", "accept"),
            ("15", "intent"),
            ("16", "done"),
            ("17", "closed"),
        ]
    );
    assert_eq!(
        rows[5].text,
        "this node was brought level by a snapshot: of records 5 to 16 of node 00000001 only those of alerts \
         that were not over are told here, the rest in the trail of the other nodes"
    );
}

#[test]
fn a_snapshot_says_nothing_about_the_log_that_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    let upto = BTreeMap::from([(pen.log, 50), (log(2), 3)]);
    let mut stranger = Pen::new(log(3));
    let rows = stored(vec![stranger.start()]); // Of a log that it does not cover.
    let extra = b"{\"v\":1,\"keys\":[[1]],\"codes\":7}".to_vec();
    ledger.merge(Incoming { upto, rows, extra, lost: BTreeSet::new() }, vec![]);
    ledger.append(stored(vec![pen.start()]));
    wait_stored(&told, pen.log, 1);
    let vector = Reader::open(folder.path()).unwrap().vector().unwrap();
    assert_eq!(vector, BTreeMap::from([(pen.log, 1), (log(2), 3)]));
}

#[test]
fn of_each_term_of_the_directory_the_last_edition_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, recovered, told) = open(folder.path()).unwrap();
    let mut pen = Pen::new(recovered.log);
    let mut records = Vec::new();
    for term in 1..=12 {
        for version in [1, 2] {
            let Record::Directory { mut edition, by, summary } = edition(version) else { panic!() };
            edition.term = term;
            records.push(pen.write(Record::Directory { edition, by, summary }));
        }
    }
    ledger.append(stored(records));
    ledger.settle();
    while truncated(&told).1 < 23 {}
    let rows = Reader::open(folder.path()).unwrap().snapshot().unwrap().rows;
    ledger.close().unwrap();
    let (_ledger, recovered, _) = open(folder.path()).unwrap();
    let kept: Vec<u64> = recovered.records.iter().map(|(id, _)| id.seq).collect();
    assert_eq!(kept, [7, 9, 11, 13, 15, 17, 19, 21, 23], "terms 4 to 12, the second edition of each");
    assert_eq!(rows.iter().map(|(id, _)| id.seq).collect::<Vec<_>>(), kept);
    assert_eq!(state(&recovered).edition.term, 12);
}
