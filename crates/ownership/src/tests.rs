//! What one boot concludes from what its peers say: told as short scenes of two and three nodes.

use crate::{Cluster, Condition, Heartbeat, Member, Own, Range, Role, Rules, Shipment, Timings, Vector};
use base::{BootId, LogId, Mono, Name, NodeId, Wall};
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: u64 = 1000;

fn boot(node: u32, boot: u64) -> LogId {
    LogId { node: NodeId(node), boot: BootId(boot << 32) }
}

fn member(node: u32, role: Role) -> (NodeId, Member) {
    let member = Member {
        node: NodeId(node),
        name: Name::new(&format!("node-{node}")).expect("a name"),
        letter: 'A',
        role,
        rank: u16::try_from(node).expect("small"),
        addresses: Vec::new(),
        api: "".into(),
    };
    (NodeId(node), member)
}

/// Node 1 among members, at time 0.
fn cluster(roles: &[Role]) -> Cluster {
    let mut cluster = Cluster::new(boot(1, 1), Timings::default(), Rules::default(), Mono(0));
    let members: BTreeMap<_, _> = (1..).zip(roles).map(|(node, role)| member(node, *role)).collect();
    cluster.enrol(members, Mono(0));
    cluster
}

fn beat(from: LogId, durable: &[(LogId, u64)], hears: Option<LogId>) -> Heartbeat {
    let durable: Vector = durable.iter().copied().collect();
    Heartbeat {
        boot: from,
        wall: Wall(0),
        held: durable.clone(),
        durable,
        hears,
        ups: Vec::new(),
        unsynced: Duration::ZERO,
        standby: false,
        lacks: false,
    }
}

fn held(logs: &[(LogId, u64)]) -> Vector {
    logs.iter().copied().collect()
}

/// The peer says at `at` that it holds all of ours, and we look.
fn speaks(cluster: &mut Cluster, at: u64, beat: &Heartbeat, mine: &Vector) {
    cluster.hear(Mono(at), Wall(0), beat.boot.node, beat, mine);
    let own = mine.get(&boot(1, 1)).copied().unwrap_or(0);
    cluster.tick(Mono(at), mine, own);
}

#[test]
fn a_peer_is_up_once_each_holds_what_the_other_had() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let mine = held(&[(me, 10)]);
    speaks(&mut cluster, 10, &beat(you, &[(me, 3), (you, 5)], Some(me)), &mine);
    assert_eq!(cluster.condition(you.node), Some(Condition::CatchingUp));
    speaks(&mut cluster, 20, &beat(you, &[(me, 10)], Some(me)), &mine);
    assert_eq!(cluster.condition(you.node), Some(Condition::CatchingUp), "we lack its five records");
    speaks(&mut cluster, 30, &beat(you, &[(me, 10)], Some(me)), &held(&[(me, 10), (you, 5)]));
    assert_eq!(cluster.condition(you.node), Some(Condition::Up));
    assert_eq!((cluster.copies(10), cluster.copies(11), cluster.mirrored()), (2, 1, 10));
}

#[test]
fn a_peer_that_does_not_hear_us_is_down_although_we_hear_it() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let mine = held(&[(me, 1)]);
    for at in (0..3 * SECOND).step_by(100) {
        speaks(&mut cluster, at, &beat(you, &[(me, 1)], None), &mine);
    }
    assert_eq!(cluster.condition(you.node), Some(Condition::Down));
    assert_eq!(cluster.mirrored(), u64::MAX, "nobody is waited for");
}

#[test]
fn silence_makes_a_peer_down_and_its_boot_dead_after_a_second() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let mine = held(&[(me, 1)]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1)], Some(me)), &mine);
    for at in (100..=SECOND).step_by(100) {
        assert_eq!(cluster.tick(Mono(at), &mine, 1), [], "at {at}");
        assert!(!cluster.is_dead(you, Mono(at)));
    }
    let changes = cluster.tick(Mono(SECOND + 1), &mine, 1);
    assert_eq!(changes.iter().map(|change| change.to).collect::<Vec<_>>(), [Condition::Down]);
    assert!(cluster.is_dead(you, Mono(SECOND + 1)));
    assert_eq!(cluster.adopter(you), me.node);
}

#[test]
fn a_process_that_is_gone_is_dead_at_once() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1)], Some(me)), &held(&[(me, 1)]));
    assert_eq!(cluster.gone(you.node).map(|change| change.to), Some(Condition::Down));
    assert!(cluster.is_dead(you, Mono(1)));
}

#[test]
fn the_next_boot_of_a_node_is_not_dead_because_the_last_one_is() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1)], Some(me)), &held(&[(me, 1)]));
    cluster.tick(Mono(5 * SECOND), &held(&[(me, 1)]), 1);
    cluster.tick(Mono(7 * SECOND), &held(&[(me, 1)]), 1);
    let next = boot(2, 2);
    cluster.note_log(next, Mono(7 * SECOND)); // Its first record came before its first heartbeat.
    assert!(cluster.is_dead(you, Mono(7 * SECOND)));
    assert!(!cluster.is_dead(next, Mono(7 * SECOND)));
}

#[test]
fn records_of_a_boot_that_come_from_its_own_node_show_that_it_lives() {
    let (me, you, third) = (boot(1, 1), boot(2, 1), boot(3, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member, Role::Member]);
    let mine = held(&[(me, 1)]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1)], Some(me)), &mine);
    cluster.tick(Mono(5 * SECOND), &mine, 1);
    cluster.tick(Mono(7 * SECOND), &mine, 1);
    cluster.note_sign(third.node, you, Mono(7 * SECOND));
    assert!(cluster.is_dead(you, Mono(7 * SECOND)), "another node may have had them for long");
    assert!(cluster.may_live(you), "silence alone tells nothing");
    cluster.note_sign(you.node, you, Mono(7 * SECOND));
    assert!(!cluster.is_dead(you, Mono(7 * SECOND)));
    cluster.note_log(boot(2, 2), Mono(7 * SECOND));
    assert!(!cluster.may_live(you), "its node was started again");
}

#[test]
fn nobody_is_dead_whom_a_living_peer_vouches_for() {
    let (me, you, third) = (boot(1, 1), boot(2, 1), boot(3, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member, Role::Witness]);
    let mine = held(&[(me, 1)]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1)], Some(me)), &mine);
    for at in (0..5 * SECOND).step_by(100) {
        let vouching = Heartbeat { ups: vec![you], ..beat(third, &[], Some(me)) };
        speaks(&mut cluster, at, &vouching, &mine);
    }
    assert_eq!(cluster.condition(you.node), Some(Condition::Down));
    assert!(!cluster.is_dead(you, Mono(5 * SECOND)));
    speaks(&mut cluster, 5 * SECOND, &beat(third, &[], Some(me)), &mine);
    assert!(cluster.is_dead(you, Mono(5 * SECOND)));
}

#[test]
fn an_acknowledgement_counts_once_we_hold_what_the_peer_held() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let mine = held(&[(me, 1)]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1)], Some(me)), &mine);
    assert!(cluster.is_confirmed(0));
    let ahead = beat(you, &[(me, 2), (you, 7)], Some(me));
    speaks(&mut cluster, 10, &ahead, &held(&[(me, 2)]));
    assert!(!cluster.is_confirmed(1), "it knew seven records that we do not");
    speaks(&mut cluster, 20, &beat(you, &[], Some(me)), &held(&[(me, 2), (you, 7)]));
    assert!(cluster.is_confirmed(1));
}

#[test]
fn a_process_that_stood_still_blames_nobody() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let mine = held(&[(me, 1)]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1)], Some(me)), &mine);
    assert_eq!(cluster.tick(Mono(30 * SECOND), &mine, 1), []);
    assert_eq!(cluster.condition(you.node), Some(Condition::Unknown));
    assert!(!cluster.may_adopt(Mono(30 * SECOND), false));
}

#[test]
fn a_backup_adopts_only_where_no_member_is_left_and_a_witness_never() {
    let (me, you, third) = (boot(1, 1), boot(2, 1), boot(3, 1));
    let dead = boot(4, 1);
    let mut cluster = cluster(&[Role::Backup, Role::Member, Role::Witness, Role::Member]);
    let mine = held(&[(me, 1)]);
    assert_eq!(cluster.adopter(dead), me.node);
    speaks(&mut cluster, 0, &beat(third, &[], Some(me)), &mine);
    assert_eq!(cluster.adopter(dead), me.node);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1)], Some(me)), &mine);
    assert_eq!(cluster.adopter(dead), you.node);
}

#[test]
fn a_peer_gets_what_it_lacks_and_the_rest_when_that_has_arrived() {
    let (me, you, old) = (boot(1, 1), boot(2, 2), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let mine = held(&[(me, 20_000), (old, 3)]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1000)], Some(me)), &mine);
    cluster.connected(you.node);
    let ranges = |shipments: Vec<Shipment>| -> Vec<(LogId, u64, u64)> {
        let range = |shipment: &Shipment| match shipment {
            Shipment::Records(Range { log, from, upto }) => (*log, *from, *upto),
            Shipment::Snapshot => panic!("nothing was dropped"),
        };
        shipments.iter().map(range).collect()
    };
    let first = ranges(cluster.ship(you.node, &mine, &mine, &Vector::new()));
    assert_eq!(first.first(), Some(&(me, 1000, 3048)));
    assert_eq!(first.iter().filter(|(log, ..)| *log == me).map(|(_, _, upto)| *upto).max(), Some(17_384));
    assert!(first.contains(&(old, 0, 3)), "its disk is a new one");
    assert_eq!(ranges(cluster.ship(you.node, &mine, &mine, &Vector::new())), []);
    speaks(&mut cluster, 10, &beat(you, &[(me, 17_384)], Some(me)), &mine);
    assert_eq!(
        ranges(cluster.ship(you.node, &mine, &mine, &Vector::new())),
        [(me, 17_384, 19_432), (me, 19_432, 20_000)]
    );
    let truncated = held(&[(me, 50)]);
    cluster.connected(you.node);
    assert_eq!(ranges(cluster.ship(you.node, &mine, &mine, &truncated)).first(), Some(&(me, 17_384, 19_432)));
}

#[test]
fn a_peer_that_lacks_what_is_gone_gets_a_snapshot_once() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let mine = held(&[(me, 100)]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 10)], Some(me)), &mine);
    cluster.connected(you.node);
    let base = held(&[(me, 50)]);
    assert_eq!(cluster.ship(you.node, &mine, &mine, &base), [Shipment::Snapshot]);
    assert_eq!(cluster.ship(you.node, &mine, &mine, &base), []);
}

#[test]
fn a_peer_that_lost_records_gets_all_that_we_know_once_and_again_when_we_learn_more() {
    let (me, you, third) = (boot(1, 1), boot(2, 1), boot(3, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member, Role::Member]);
    let mine = held(&[(me, 10)]);
    let lacking = Heartbeat { lacks: true, ..beat(you, &[(me, 9)], Some(me)) };
    speaks(&mut cluster, 0, &lacking, &mine);
    cluster.connected(you.node);
    let ranges = Shipment::Records(Range { log: me, from: 9, upto: 10 });
    let ship = |cluster: &mut Cluster| cluster.ship(you.node, &mine, &mine, &Vector::new());
    assert_eq!(
        ship(&mut cluster),
        [ranges.clone(), Shipment::Snapshot],
        "what it lacks first, so that its log is whole"
    );
    assert_eq!(ship(&mut cluster), []);
    // We lost the same, and a third node has it.
    cluster.note_snapshot(third.node, true);
    assert_eq!(ship(&mut cluster), [Shipment::Snapshot]);
    // None of what was sent on the last connection is sure to have arrived.
    cluster.connected(you.node);
    assert_eq!(ship(&mut cluster), [ranges, Shipment::Snapshot]);
    cluster.disconnected(you.node);
    cluster.connected(you.node);
    let whole = ship(&mut cluster);
    assert!(
        !whole.contains(&Shipment::Snapshot),
        "whether it still lacks anything it has yet to say: {whole:?}"
    );
}

#[test]
fn records_that_cannot_be_read_when_they_are_to_be_sent_are_passed_over_by_a_snapshot() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let mine = held(&[(me, 10)]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 2)], Some(me)), &mine);
    cluster.connected(you.node);
    let ship = |cluster: &mut Cluster, base| cluster.ship(you.node, &mine, &mine, &held(&[(me, base)]));
    assert_eq!(ship(&mut cluster, 0), [Shipment::Records(Range { log: me, from: 2, upto: 10 })]);
    cluster.fell_short(me);
    assert_eq!(ship(&mut cluster, 6), [Shipment::Snapshot]);
    assert_eq!(ship(&mut cluster, 6), []);
}

#[test]
fn who_lost_records_adopts_nothing_before_its_peers_have_said_what_they_know_of_them() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let mine = held(&[(me, 1)]);
    speaks(&mut cluster, 0, &beat(you, &[(me, 1)], Some(me)), &mine);
    assert!(cluster.may_adopt(Mono(10), false) && !cluster.may_adopt(Mono(10), true));
    assert!(
        cluster.may_adopt(Mono(5 * SECOND), true),
        "it may speak a protocol that does not know of losses"
    );
    cluster.note_snapshot(you.node, false);
    assert!(cluster.may_adopt(Mono(10), true));
}

#[test]
fn a_heartbeat_tells_what_is_new_unless_it_is_whole() {
    let me = boot(1, 1);
    let mut cluster = cluster(&[Role::Member, Role::Member]);
    let vector = held(&[(me, 5)]);
    let own = Own { durable: &vector, held: &vector, unsynced: Duration::ZERO, standby: false, lacks: false };
    let mut said = |whole| cluster.heartbeat(Mono(0), Wall(0), NodeId(2), own, whole).durable.len();
    assert_eq!([said(false), said(false), said(true)], [1, 0, 1]);
}

#[test]
fn a_first_word_that_was_long_under_way_does_not_make_a_clock_seem_behind() {
    let (me, you) = (boot(1, 1), boot(2, 1));
    let hears = |at: u64, first: i64| {
        let mut cluster = cluster(&[Role::Member, Role::Member]);
        let said = Heartbeat { wall: Wall(first), ..beat(you, &[], Some(me)) };
        for at in (0..=at).step_by(100) {
            cluster.hear(Mono(at), Wall(0), you.node, &said, &Vector::new());
        }
        cluster.ahead(you.node)
    };
    let day = 86_400_000;
    assert_eq!(hears(0, -3_000), Some(0));
    assert_eq!(hears(10 * SECOND, -3_000), Some(-3_000), "all that it says is that old");
    assert_eq!((hears(0, 3_000), hears(0, day), hears(0, -day)), (Some(3_000), Some(day), Some(-day)));
}
