//! `sim`: runs a cluster many times under faults, or tells one run in words.
//!
//! `sim --seeds 1000 --profile full --nodes 3`, `sim --seed 17 --profile full --nodes 3`, `sim --mutations`.

use ownership::Rules;
use sim::profile::{PROFILES, find};
use sim::{MUTATIONS, Plan, Profile, Sweep, judge, run, sweep};
use std::io::Write as _;
use std::process::ExitCode;

/// Runs of each rule's absence.
const MUTATION_SEEDS: u64 = 300;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match Wish::read(&words).and_then(|wish| fulfil(&wish)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&format!("{why}\n\n{}", help()));
            ExitCode::from(2)
        }
    }
}

fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").unwrap_or_default(); // Nobody listens any more.
}

fn help() -> String {
    let profiles: String =
        PROFILES.iter().map(|profile| format!("\n  {:<12}{}", profile.name, profile.about)).collect();
    let rules: Vec<&str> = MUTATIONS.iter().map(|mutation| mutation.rule).collect();
    format!(
        "sim [--profile P] [--nodes 2..5] [--seeds N [--from N]] [--seed S] [--without RULE] [--mutations]\n{profiles}\n\n\
         rules: {}",
        rules.join(", ")
    )
}

/// What was asked for.
#[derive(Debug, Default)]
struct Wish {
    profile: Option<String>,
    nodes: Option<usize>,
    seeds: Option<u64>,
    from: Option<u64>,
    seed: Option<u64>,
    without: Option<String>,
    mutations: bool,
}

impl Wish {
    /// The rules of the protocol, but for the one that is to be left out.
    fn rules(&self) -> Result<Rules, String> {
        let mut rules = Rules::default();
        if let Some(name) = &self.without {
            let mutation = MUTATIONS.iter().find(|mutation| mutation.rule == name);
            let mutation = mutation.ok_or_else(|| format!("there is no rule \"{name}\""))?;
            (mutation.off)(&mut rules);
        }
        Ok(rules)
    }

    fn read(words: &[String]) -> Result<Self, String> {
        let mut wish = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--mutations" {
                wish.mutations = true;
                continue;
            }
            if word == "--help" {
                return Err("clusters of the product's own core under simulated faults".into());
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let number =
                || value.parse::<u64>().map_err(|_| format!("{word} takes a number, not \"{value}\""));
            match word.as_str() {
                "--profile" => wish.profile = Some(value.clone()),
                "--nodes" => wish.nodes = Some(usize::try_from(number()?).unwrap_or(0)),
                "--without" => wish.without = Some(value.clone()),
                "--seeds" => wish.seeds = Some(number()?),
                "--from" => wish.from = Some(number()?),
                "--seed" => wish.seed = Some(number()?),
                other => return Err(format!("{other} is not understood")),
            }
        }
        if wish.nodes.is_some_and(|nodes| !(2..=5).contains(&nodes)) {
            return Err("--nodes takes 2 to 5".into());
        }
        Ok(wish)
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// True if everything held.
fn fulfil(wish: &Wish) -> Result<bool, String> {
    if wish.mutations {
        return Ok(mutate(wish.seeds.unwrap_or(MUTATION_SEEDS)));
    }
    let chosen = wish
        .profile
        .as_deref()
        .map(|name| find(name).ok_or_else(|| format!("there is no profile \"{name}\"")));
    let chosen = chosen.transpose()?;
    let rules = wish.rules()?;
    let nodes: Vec<usize> = wish.nodes.map_or_else(|| vec![2, 3], |nodes| vec![nodes]);
    if let Some(seed) = wish.seed {
        let profile = chosen.ok_or("say with --profile which run to tell")?;
        let nodes = wish.nodes.unwrap_or(2);
        let outcome = run(Plan { profile, nodes, seed, rules, told: true });
        say(&outcome.transcript);
        return Ok(outcome.broken.is_empty());
    }
    let from = wish.from.unwrap_or(0);
    let seeds = from..from + wish.seeds.unwrap_or(100);
    let mut held = true;
    let wanted = |profile: &&Profile| match chosen {
        Some(chosen) => chosen.name == profile.name,
        None => profile.hole.is_none(),
    };
    for profile in PROFILES.iter().filter(wanted) {
        for nodes in nodes.iter().copied() {
            let summary = sweep(&Sweep { profile, nodes, seeds: seeds.clone(), rules, threads: threads() });
            say(&summary.line(profile.name, nodes));
            for (seed, what) in summary.failures.iter().take(5) {
                say(&format!("  seed {seed}: {}", what.chars().take(300).collect::<String>()));
            }
            held &= summary.failures.is_empty();
        }
    }
    Ok(held)
}

/// True if each rule's absence is noticed.
fn mutate(seeds: u64) -> bool {
    let mut all = true;
    for mutation in MUTATIONS {
        let verdict = judge(mutation, seeds, threads());
        let words = verdict.noticed.as_deref().unwrap_or("NOBODY NOTICES");
        say(&format!("without {:13} {}", verdict.rule, words.chars().take(220).collect::<String>()));
        all &= verdict.noticed.is_some();
    }
    all
}
