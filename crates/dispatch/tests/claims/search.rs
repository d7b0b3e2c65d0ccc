//! Goes through all orders of events, the shortest first, and remembers how it came to each state.

use crate::node::Kept;
use crate::world::{Event, Fault, Scene, World};
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// What a search found.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) deepest: usize,
    /// States that only time could move on; each was run to its end.
    pub(crate) ended: usize,
    /// Different nodes that the states are made of.
    pub(crate) nodes: usize,
    /// All orders in which less than this many things overtake others were looked at.
    pub(crate) bound: usize,
    /// Nothing was left to look at.
    pub(crate) whole: bool,
    pub(crate) fault: Option<(Fault, Vec<String>)>,
}

/// How a state was reached: from which, by what.
type Origin = (u32, Option<Event>);

pub(crate) fn search(scene: &Scene, states: usize) -> Found {
    let mut kept = Kept::new(scene.timings, scene.rules);
    let first = World::new(&mut kept, scene);
    let mut seen: HashMap<u64, usize> = HashMap::from([(first.digest(), 0)]);
    let mut origins: Vec<Origin> = vec![(0, None)];
    let mut queues: Vec<VecDeque<(World, u32, usize)>> = vec![VecDeque::from([(first.clone(), 0, 0)])];
    let (mut deepest, mut ended, mut bound) = (0, 0, 0);
    let mut fault = None;
    'all: while bound < queues.len() && origins.len() < states {
        while let Some((world, at, depth)) = queues[bound].pop_front() {
            if seen.get(&world.digest()).is_some_and(|cost| *cost < bound) {
                continue; // It was reached for less meanwhile.
            }
            if origins.len() >= states {
                break 'all;
            }
            deepest = deepest.max(depth);
            if world.is_quiet(&kept) {
                ended += 1;
                if let Err(why) = world.conclude(&mut kept, scene) {
                    fault = Some((format!("{why}, where nothing goes wrong any more"), at, None));
                    break 'all;
                }
            }
            for (event, cost) in world.events(&kept, scene) {
                let next = match world.after(&mut kept, scene, event) {
                    Ok(next) => next,
                    Err(why) => {
                        fault = Some((why, at, Some(event)));
                        break 'all;
                    }
                };
                let cost = bound + cost;
                let known = seen.entry(next.digest()).or_insert(usize::MAX);
                if *known <= cost {
                    continue;
                }
                *known = cost;
                let new = u32::try_from(origins.len()).expect("fewer");
                origins.push((at, Some(event)));
                queues.resize_with(queues.len().max(cost + 1), VecDeque::new);
                queues[cost].push_back((next, new, depth + 1));
            }
        }
        bound += 1;
    }
    let whole = queues.iter().all(VecDeque::is_empty);
    let told = fault.map(|(why, at, event)| (why, tell(&mut kept, scene, first, &path(&origins, at, event))));
    Found { states: seen.len(), deepest, ended, nodes: kept.nodes.len(), bound, whole, fault: told }
}

fn path(origins: &[Origin], mut at: u32, last: Option<Event>) -> Vec<Event> {
    let mut events: Vec<Event> = last.into_iter().collect();
    while let (before, Some(event)) = origins[usize::try_from(at).expect("small")] {
        events.push(event);
        at = before;
    }
    events.reverse();
    events
}

fn tell(kept: &mut Kept, scene: &Scene, first: World, path: &[Event]) -> Vec<String> {
    let mut world = first;
    let mut lines = Vec::new();
    for event in path {
        let told = world.tell(kept, *event);
        match world.after(kept, scene, *event) {
            Ok(next) => {
                lines.push(format!("{told}{}", world.tell_change(kept, &next)));
                world = next;
            }
            Err(why) => lines.push(format!("{told}; and there: {why}")),
        }
    }
    lines
}

/// Searches, and prints what was looked at.
pub(crate) fn look(scene: &Scene) -> Found {
    let states = std::env::var("STEADFAST_STATES").ok().and_then(|text| text.parse().ok());
    let began = Instant::now();
    let found = search(scene, states.unwrap_or(scene.states));
    let Found { states, deepest, ended, nodes, bound, whole, fault } = &found;
    let whole = if *whole { "all".into() } else { format!("all below {bound} overtakings,") };
    let name = scene.name;
    let took = began.elapsed().as_millis();
    println!(
        "{name}: {whole} {states} states, {deepest} deep, {ended} run to their ends, {nodes} nodes, {took} ms"
    );
    if let Some((why, path)) = fault {
        println!("{name}: {why}\n  {}", path.join("\n  "));
    }
    found
}
