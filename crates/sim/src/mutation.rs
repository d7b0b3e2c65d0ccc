//! Each rule of the protocol, switched off, and the profiles that have to notice.
//!
//! A rule that nothing notices is not needed, or its profile is missing.

use crate::history::Tally;
use crate::profile::find;
use crate::sweep::{Summary, Sweep, sweep};
use ownership::Rules;

/// A rule, and how to do without it.
pub struct Mutation {
    /// Its name in [`Rules`].
    pub rule: &'static str,
    /// Switches it off.
    pub off: fn(&mut Rules),
    /// Which profiles, of how many nodes, are to notice.
    noticed_by: &'static [(&'static str, usize)],
}

/// Every rule that can be switched off.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        rule: "mutual",
        off: |rules| rules.mutual = false,
        noticed_by: &[("asym", 2), ("partition", 2), ("partition", 3)],
    },
    Mutation {
        rule: "vouching",
        off: |rules| rules.vouching = false,
        noticed_by: &[("asym", 3), ("partition", 3)],
    },
    Mutation {
        rule: "per_boot",
        off: |rules| rules.per_boot = false,
        noticed_by: &[("crash", 2), ("crash", 3), ("flap", 3), ("flap", 2)],
    },
    Mutation { rule: "mirrored", off: |rules| rules.mirrored = false, noticed_by: &[("calm", 2)] },
    Mutation {
        rule: "gate",
        off: |rules| rules.gate = false,
        noticed_by: &[("calm", 2), ("crash", 2), ("crash", 3), ("flap", 3)],
    },
    Mutation {
        rule: "claim_wait",
        off: |rules| rules.claim_wait = false,
        noticed_by: &[("lossy", 2), ("lossy", 3), ("flap", 3)],
    },
    Mutation {
        rule: "caught_up",
        off: |rules| rules.caught_up = false,
        noticed_by: &[("lossy", 3), ("partition", 3)],
    },
    Mutation {
        rule: "barrier",
        off: |rules| rules.barrier = false,
        noticed_by: &[("crash", 3), ("flap", 3), ("power", 3), ("full", 3)],
    },
    Mutation {
        rule: "pause_guard",
        off: |rules| rules.pause_guard = false,
        noticed_by: &[("pause", 2), ("pause", 3)],
    },
    Mutation { rule: "home", off: |rules| rules.home = false, noticed_by: &[("full", 2), ("lossy", 3)] },
    Mutation { rule: "chosen", off: |rules| rules.chosen = false, noticed_by: &[("crash", 3), ("flap", 3)] },
    Mutation { rule: "fence", off: |rules| rules.fence = false, noticed_by: &[("lossy", 3), ("pause", 3)] },
    Mutation { rule: "aliases", off: |rules| rules.aliases = false, noticed_by: &[("calm", 2)] },
    Mutation {
        rule: "patience",
        off: |rules| rules.patience = false,
        noticed_by: &[("passive", 2), ("partition", 2), ("partition", 3), ("flap", 3)],
    },
    Mutation { rule: "hush", off: |rules| rules.hush = false, noticed_by: &[("hush", 2), ("hush", 3)] },
];

/// Rules that matter after a few steps in one order, which hardly any seed takes: the exhaustive search in
/// `crates/dispatch/tests/claims` fails without them, `fence` together with `patience`.
const SEARCHED: &[&str] = &["caught_up", "fence"];

/// Duplicates and marks beyond those of the whole protocol that count as noticing: half as many again.
const DUPLICATES_FACTOR_TENTHS: u64 = 15;
/// Fewer than this prove nothing.
const DUPLICATES_MIN: u64 = 20;

/// What became of one rule's absence.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The rule.
    pub rule: &'static str,
    /// Which profile noticed, and by what, or that the search shows it; none if nobody noticed.
    pub noticed: Option<String>,
}

/// Switches one rule off and looks who notices.
pub fn judge(mutation: &Mutation, seeds: u64, threads: usize) -> Verdict {
    let mut rules = Rules::default();
    (mutation.off)(&mut rules);
    let noticed = mutation.noticed_by.iter().find_map(|(name, nodes)| {
        let profile = find(name)?;
        let with = |rules| sweep(&Sweep { profile, nodes: *nodes, seeds: 0..seeds, rules, threads });
        let without = with(rules);
        notice(&without, || with(Rules::default())).map(|what| format!("{name} with {nodes} nodes: {what}"))
    });
    let searched = || {
        let words = "no profile notices; the exhaustive search in crates/dispatch/tests/claims shows it";
        SEARCHED.contains(&mutation.rule).then(|| words.to_owned())
    };
    Verdict { rule: mutation.rule, noticed: noticed.or_else(searched) }
}

fn notice(without: &Summary, whole: impl Fn() -> Summary) -> Option<String> {
    let whole = whole();
    let usual = |seed: u64| whole.failures.iter().any(|(other, _)| *other == seed);
    let mut new = without.failures.iter().filter(|(seed, _)| !usual(*seed));
    if let Some((seed, what)) = new.next() {
        return Some(format!("{} of {} seeds, first {seed}: {what}", new.count() + 1, without.runs));
    }
    if whole.tally.solo == 0 && without.tally.solo > 0 {
        let Tally { solo, accepted, .. } = &without.tally;
        return Some(format!("{solo} of {accepted} alerts were answered on one disk"));
    }
    let kinds = |tally: &Tally| {
        [
            ("messages came twice", tally.duplicates),
            ("messages were marked as repeats", tally.marked),
            ("claims were made", tally.claims),
        ]
    };
    kinds(&without.tally).into_iter().zip(kinds(&whole.tally)).find_map(|((what, more), (_, less))| {
        let clear = more >= DUPLICATES_MIN && more * 10 >= less * DUPLICATES_FACTOR_TENTHS;
        clear.then(|| format!("{more} {what}, where {less} are usual"))
    })
}
