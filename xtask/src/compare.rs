//! `cargo xtask compare`: what two machines do when one of them dies, ours beside others, in one run.
//!
//! Separate from `bench`, which measures programs that run undisturbed: here each trial has a network of its own
//! (see `crates/lab`), in which machines are killed, unplugged and parted. The others are Debian's packages with
//! their own defaults where nothing else is said. Nothing is asserted, and everything is printed.

mod alertmanager;
mod cases;
mod keepalived;
mod ours;
mod pair;
mod takeover;
mod trials;

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, thread};

use lab::Place;

use crate::bench::{Row, shown};
use crate::{choose, peers, say, step};

/// One line of help.
pub(crate) const HELP: &str =
    "what becomes of alerts when a machine dies, ours beside others; --write publishes";

/// Where `--write` puts what was measured, and what stands above it there.
const PAGE: &str = "docs/manual/comparison.md";
const PREFACE: &str = include_str!("compare/preface.md");
/// Where it puts the table of alerts as well, between two lines.
const README: &str = "README.md";
const MARKS: [&str; 2] = ["<!-- written by cargo xtask compare --write -->", "<!-- up to here -->"];
/// Trials of each row where nobody says how many.
const TRIALS: usize = 5;

/// What a part may use.
struct Ground {
    /// The folder with the foreign programs.
    peers: PathBuf,
    /// A folder for the files of all trials, emptied at the start.
    scratch: PathBuf,
    /// Trials of each row.
    trials: usize,
}

/// One part: its name, its heading, and what measures it.
struct Part {
    /// What is typed.
    name: &'static str,
    /// The head of its table.
    head: [&'static str; 3],
    /// Measures.
    run: fn(&Ground) -> Result<Vec<Row>, String>,
}

/// Every part.
const PARTS: &[Part] = &[
    Part { name: "cases", head: ["alerts", "Steadfast", "Alertmanager"], run: cases::run },
    Part { name: "takeover", head: ["takeover", "Steadfast", "keepalived"], run: takeover::run },
];

/// Measures the parts named, or all.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let wanted = Wanted::read(words)?;
    if !lab::is_inside() {
        // Inside there is no network to fetch anything from.
        step::run("build", &mut step::cargo(&["build", "--release", "--locked", "-p", "steadfast"]))?;
        peers::install(peers::FOR_COMPARE)?;
    }
    match lab::enter()? {
        Place::Inside => measure(&wanted),
        Place::Outside(status) if status.success() => Ok(()),
        Place::Outside(status) => Err(format!("the comparison ended with {status}")),
    }
}

/// What was asked for.
struct Wanted {
    parts: Vec<&'static str>,
    trials: usize,
    write: bool,
}

impl Wanted {
    fn read(words: &[String]) -> Result<Self, String> {
        let mut wanted = Self { parts: Vec::new(), trials: TRIALS, write: false };
        let mut named = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--write" => wanted.write = true,
                "--trials" => wanted.trials = number(words.next())?,
                _ => named.push(word.clone()),
            }
        }
        let known: Vec<&'static str> = PARTS.iter().map(|part| part.name).collect();
        wanted.parts = choose(&named, &known)?;
        Ok(wanted)
    }
}

/// The number of trials, which is 1 at least.
fn number(word: Option<&String>) -> Result<usize, String> {
    let number = word.and_then(|word| word.parse().ok()).filter(|number| *number != 0);
    number.ok_or_else(|| "--trials wants a number from 1".to_owned())
}

fn measure(wanted: &Wanted) -> Result<(), String> {
    // Two runs at once would empty each other's folders, and measure each other.
    let _held = alone()?;
    let ground =
        Ground { peers: peers::install(peers::FOR_COMPARE)?, scratch: scratch()?, trials: wanted.trials };
    let mut text = machine(&ground);
    let mut tables = Vec::new();
    for part in PARTS.iter().filter(|part| wanted.parts.contains(&part.name)) {
        say::complaint(&format!("comparing {} …", part.name));
        let [what, ours, theirs] = part.head;
        let mut rows = vec![Row::new(what, ours, theirs)];
        rows.extend((part.run)(&ground).map_err(|why| format!("{}: {why}", part.name))?);
        tables.push((part.name, shown(&rows)));
    }
    for (_, table) in &tables {
        text.push_str("\n\n");
        text.push_str(table.trim_end());
    }
    text.push('\n');
    say::line(text.trim_end());
    if wanted.write { write(&text, &tables) } else { Ok(()) }
}

/// Writes the page, and the table of alerts into the README.
fn write(text: &str, tables: &[(&str, String)]) -> Result<(), String> {
    let page = step::root().join(PAGE);
    fs::write(&page, format!("{PREFACE}\n{text}")).map_err(|why| format!("{}: {why}", page.display()))?;
    let Some((_, alerts)) = tables.iter().find(|(name, _)| *name == "cases") else { return Ok(()) };
    let readme = step::root().join(README);
    let failed = |why: std::io::Error| format!("{}: {why}", readme.display());
    let before = fs::read_to_string(&readme).map_err(failed)?;
    let after = between_marks(&before, alerts)
        .ok_or_else(|| format!("{README} has no place for the table; it wants the lines {MARKS:?}"))?;
    fs::write(&readme, after).map_err(failed)
}

/// The text with `table` between its two marks; nothing where it has none.
fn between_marks(text: &str, table: &str) -> Option<String> {
    let [begin, end] = MARKS;
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", table.trim()))
}

/// Waits until no other run measures; this one does until the file is closed.
fn alone() -> Result<File, String> {
    let lock = step::target().join("compare.lock");
    let held = File::create(&lock).map_err(|why| format!("{}: {why}", lock.display()))?;
    held.lock().map_err(|why| format!("{}: could not be locked: {why}", lock.display()))?;
    Ok(held)
}

/// An empty folder.
fn scratch() -> Result<PathBuf, String> {
    let scratch = step::target().join("compare");
    let failed = |why: std::io::Error| format!("{}: {why}", scratch.display());
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(failed)?;
    }
    fs::create_dir_all(&scratch).map_err(failed)?;
    Ok(scratch)
}

/// What the figures depend on: when, on what, with what, and how often.
fn machine(ground: &Ground) -> String {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let date = step::output(Command::new("date").args(["-u", "+%Y-%m-%d"])).unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "Measured on {} on {cores} cores, Linux {}, by `cargo xtask compare`, {} trials of each row: {}, {}, {}.",
        date.trim(),
        kernel.trim(),
        ground.trials,
        ours::version(),
        alertmanager::version(&ground.peers),
        keepalived::version(&ground.peers),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_stands_between_its_marks_and_nothing_else_changes() {
        let [begin, end] = MARKS;
        let text = format!("above\n{begin}\nold\n{end}\nbelow\n");
        let written = between_marks(&text, "| new |\n");
        assert_eq!(written, Some(format!("above\n{begin}\n\n| new |\n\n{end}\nbelow\n")));
        assert_eq!(between_marks("above\n", "| new |"), None);
    }

    #[test]
    fn what_is_wanted_is_read_in_any_order() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let wanted =
            Wanted::read(&words("takeover --trials 3 --write")).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((wanted.parts, wanted.trials, wanted.write), (vec!["takeover"], 3, true));
        let wanted = Wanted::read(&[]).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((wanted.parts.len(), wanted.trials, wanted.write), (PARTS.len(), TRIALS, false));
        for wrong in ["--trials", "--trials 0", "--trials many", "case"] {
            assert!(Wanted::read(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
