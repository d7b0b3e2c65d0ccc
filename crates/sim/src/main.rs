//! `sim`: runs many seeds, or tells one.

use std::process::ExitCode;
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let get = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let number = |name: &str, other: u64| get(name).and_then(|text| text.parse().ok()).unwrap_or(other);
    let profile = sim::profile::find(get("--profile").map_or("calm", String::as_str)).expect("a profile");
    let nodes = number("--nodes", 2) as usize;
    let rules = ownership::Rules::default();
    if get("--seed").is_some() {
        let plan = sim::Plan { profile, nodes, seed: number("--seed", 0), rules, told: true };
        let outcome = sim::run(plan);
        std::io::Write::write_all(&mut std::io::stdout(), outcome.transcript.as_bytes()).ok();
        println!("{:?}", outcome.tally);
        for line in outcome.broken {
            println!("BROKEN {line}");
        }
        return ExitCode::SUCCESS;
    }
    let begun = std::time::Instant::now();
    let mut bad = 0;
    let mut tally = sim::Tally::default();
    let mut kinds = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for seed in 0..number("--seeds", 100) {
        let plan = sim::Plan { profile, nodes, seed, rules, told: false };
        let outcome = std::panic::catch_unwind(|| sim::run(plan))
            .unwrap_or_else(|_| sim::Outcome { broken: vec!["panic at 0".into()], ..Default::default() });
        if let Some(first) = outcome.broken.first() {
            bad += 1;
            if bad <= 8 {
                println!("seed {seed}: {first}");
            }
            let kind = first.split(' ').next().unwrap_or("").to_owned();
            let slot = kinds.entry(kind).or_insert((0, seed));
            slot.0 += 1;
        }
        let t = outcome.tally;
        tally.accepted += t.accepted;
        tally.solo += t.solo;
        tally.deliveries += t.deliveries;
        tally.duplicates += t.duplicates;
        tally.crashes += t.crashes;
        tally.cuts += t.cuts;
        tally.snapshots += t.snapshots;
        tally.claims += t.claims;
        tally.merged += t.merged;
        tally.ended += t.ended;
        tally.destroyed += t.destroyed;
    }
    println!(
        "{} n={nodes}: {bad} bad seeds in {:.1} s; {kinds:?} {tally:?}",
        profile.name,
        begun.elapsed().as_secs_f64()
    );
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
