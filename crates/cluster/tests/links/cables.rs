//! Networks that are cut and healed: two nodes in network namespaces of their own, and nobody tells them.

use crate::stage::{Authority, Node, Odd};
use base::NodeId;
use lab::Lan;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A node at its place in the network, with threads of its own there.
fn at(lan: &Lan, place: usize, authority: &Authority, node: u32) -> (Runtime, Node) {
    let there = lan.on(place, || {
        let runtime = Runtime::new().unwrap();
        let listener = TcpListener::bind((lan.address(place), 0)).unwrap();
        let odd = Odd { listener: Some(listener), ..Odd::default() };
        let node = runtime.block_on(async { Node::odd(&authority.credentials(NodeId(node)), node, odd) });
        (runtime, node)
    });
    there.unwrap()
}

/// Two nodes at their places, acquainted.
fn two(lan: &Lan) -> ((Runtime, Node), (Runtime, Node)) {
    let authority = Authority::new();
    let ((one, a), (two, b)) = (at(lan, 0, &authority, 1), at(lan, 1, &authority, 2));
    let rows = vec![a.row(), b.row()];
    one.block_on(async { a.links.set_members(rows.clone()) });
    two.block_on(async { b.links.set_members(rows) });
    ((one, a), (two, b))
}

/// Cuts with `cut`, waits until both notice, heals with `heal`, and waits until both talk again.
fn survive(cut: impl Fn(&Lan), heal: impl Fn(&Lan)) {
    let lan = Lan::new(2).unwrap();
    let ((one, mut a), (two, mut b)) = two(&lan);
    for round in 0..2 {
        one.block_on(a.greet(b.me.node));
        two.block_on(b.greet(a.me.node));
        one.block_on(a.hears_hello(b.me.node));
        two.block_on(b.hears_hello(a.me.node));
        a.links.say(b.me.node, a.beat(round));
        two.block_on(b.hears_beat(a.me, round));
        if round == 0 {
            cut(&lan);
            a.links.say(b.me.node, a.beat(100));
            b.links.say(a.me.node, b.beat(100));
            one.block_on(a.disconnected());
            two.block_on(b.disconnected());
            heal(&lan);
        }
    }
    assert!(!a.was_told_of_a_death() && !b.was_told_of_a_death(), "silence is not death");
}

#[test]
fn after_a_cut_both_directions_connect_again_and_nobody_is_called_dead() {
    lab::within(|| survive(|lan| lan.cut(0, 1).unwrap(), |lan| lan.heal(0, 1).unwrap()));
}

#[test]
fn after_a_pulled_cable_both_directions_connect_again_and_nobody_is_called_dead() {
    lab::within(|| survive(|lan| lan.unplug(1).unwrap(), |lan| lan.plug(1).unwrap()));
}

#[test]
fn a_link_that_carries_one_way_only_is_lost_for_both_and_nobody_is_called_dead() {
    lab::within(|| survive(|lan| lan.cut_one_way(0, 1).unwrap(), |lan| lan.heal(0, 1).unwrap()));
}

#[test]
fn a_slow_link_carries_records_whole_and_heartbeats_beside_them() {
    lab::within(|| {
        let lan = Lan::new(2).unwrap();
        let ((one, mut a), (two, mut b)) = two(&lan);
        one.block_on(a.greet(b.me.node));
        two.block_on(b.hears_hello(a.me.node));
        lan.slow(1, Some(500)).unwrap();
        let body = |number: u8| Arc::from(vec![number; 20_000]);
        a.links.records(b.me.node, a.me, 0, (0..10).map(body).collect());
        for number in 1..=3 {
            a.links.say(b.me.node, a.beat(number));
            two.block_on(b.hears_beat(a.me, number));
        }
        let mut arrived = Vec::new();
        while arrived.len() < 10 {
            arrived.extend(two.block_on(b.records()).1);
        }
        assert_eq!(arrived, (0..10).map(body).collect::<Vec<_>>());
        assert!(!a.was_cut(), "and over one connection");
    });
}
