//! `cargo xtask bench`: figures of ours beside those of others, in one run on one machine.
//!
//! Separate from `soak`, which counts what must be zero: here nothing is asserted, and everything is
//! printed. Each part is made of programs that run on loopback and end with it.

mod accept;
mod alertmanager;
mod child;
mod cluster;
pub(crate) mod load;
mod mail;
mod mass;
mod node;
mod sink;
mod start;
mod weight;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use crate::{choose, peers, say, step};

/// One line of help.
pub(crate) const HELP: &str =
    "figures of ours beside Alertmanager's and Postfix's; --write puts them into the manual";

/// Where `--write` puts the figures.
const PAGE: &str = "docs/manual/figures.md";
/// What stands above the figures there.
const PREFACE: &str = include_str!("bench/preface.md");

/// What a part may use.
struct Ground {
    /// The folder with the foreign programs.
    peers: PathBuf,
    /// A folder for this part's files, emptied before it starts.
    scratch: PathBuf,
}

/// A figure: what was measured, and its value with its unit, ours and somebody else's.
pub(crate) struct Row {
    what: String,
    ours: String,
    theirs: String,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, ours: impl Into<String>, theirs: impl Into<String>) -> Self {
        Self { what: what.into(), ours: ours.into(), theirs: theirs.into() }
    }
}

/// One part: its name and what measures it.
struct Part {
    /// What is typed.
    name: &'static str,
    /// Measures.
    run: fn(&Ground) -> Result<Vec<Row>, String>,
}

/// Every part.
const PARTS: &[Part] = &[
    Part { name: "accept", run: accept::run },
    Part { name: "mail", run: mail::run },
    Part { name: "mass", run: mass::run },
    Part { name: "start", run: start::run },
    Part { name: "weight", run: weight::run },
    Part { name: "pair", run: cluster::accepts },
    Part { name: "rejoin", run: cluster::rejoin },
    Part { name: "takeover", run: cluster::takeover },
    Part { name: "once", run: cluster::once },
];

/// Measures the parts named, or all; a part that cannot be measured does not stop the others.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
    let (flags, words): (Vec<_>, Vec<_>) = words.iter().cloned().partition(|word| word == "--write");
    let chosen = choose(&words, &names)?;
    step::run("build", &mut step::cargo(&["build", "--release", "--locked", "-p", "steadfast"]))?;
    let peers = peers::install(peers::FOR_BENCH)?;
    let mut failed = Vec::new();
    let mut measured = Vec::new();
    for part in PARTS.iter().filter(|part| chosen.contains(&part.name)) {
        say::complaint(&format!("measuring {} …", part.name));
        match ground(&peers, part.name).and_then(|ground| (part.run)(&ground)) {
            Ok(figures) => {
                let mut rows = vec![Row::new("measure", "Steadfast", "beside it")];
                rows.extend(figures);
                let text = format!("{}\n\n{}", machine(&peers), shown(&rows));
                say::line(&text);
                measured.push((part.name, text));
            }
            Err(why) => failed.push(format!("{}: {why}", part.name)),
        }
    }
    if !flags.is_empty() {
        write(&measured)?;
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\nxtask: ")) }
}

/// Puts what was measured onto the page, and leaves there what was not.
fn write(measured: &[(&str, String)]) -> Result<(), String> {
    let page = step::root().join(PAGE);
    let failed = |why: std::io::Error| format!("{}: {why}", page.display());
    let before = fs::read_to_string(&page).map_err(failed)?;
    fs::write(&page, renewed(&before, measured)).map_err(failed)
}

/// The page with these sections in place of the ones it had.
fn renewed(before: &str, measured: &[(&str, String)]) -> String {
    let mut page = PREFACE.to_owned();
    for Part { name, .. } in PARTS {
        let new = measured.iter().find(|(of, _)| of == name).map(|(_, text)| text.as_str());
        if let Some(text) = new.or_else(|| section(before, name)) {
            page = format!("{page}\n## {name}\n\n{}\n", text.trim());
        }
    }
    page
}

/// What stands under a heading.
fn section<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!("\n## {name}\n"))?;
    Some(rest.split("\n## ").next().unwrap_or(rest))
}

/// So many things in that time.
fn rate(count: usize, took: Duration) -> String {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    format!("{:.0}/s", count / took.as_secs_f64())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / (1 << 20))
}

fn ground(peers: &Path, name: &str) -> Result<Ground, String> {
    let scratch = step::target().join("bench").join(name);
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(|why| format!("{}: {why}", scratch.display()))?;
    }
    fs::create_dir_all(&scratch).map_err(|why| format!("{}: {why}", scratch.display()))?;
    Ok(Ground { peers: peers.to_owned(), scratch })
}

/// What the figures depend on: when, by what, and where.
fn machine(peers: &Path) -> String {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, name)| name);
    let said = |command: &mut Command| step::output(command).unwrap_or_default();
    let date = said(Command::new("date").args(["-u", "+%Y-%m-%d"]));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let ours = said(Command::new(node::program()).arg("--version"));
    let theirs = said(peers::alertmanager(peers).arg("--version"));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "Measured on {} on {cores} cores of {model}, Linux {}, by `cargo xtask bench`: {}, {}. Load of the machine when the last figure was taken: {}.",
        date.trim(),
        kernel.trim(),
        ours.trim(),
        first_words(&theirs, 3),
        load.split(' ').next().unwrap_or_default(),
    )
}

/// `alertmanager, version 0.25.0 (branch …` as `alertmanager, version 0.25.0`.
fn first_words(text: &str, count: usize) -> String {
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

/// The rows as a table that reads well in a terminal and in Markdown.
pub(crate) fn shown(rows: &[Row]) -> String {
    let longest =
        |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or_default();
    let (left, middle, right) =
        (longest(|row| &row.what), longest(|row| &row.ours), longest(|row| &row.theirs));
    let line =
        |row: &Row| format!("| {:<left$} | {:>middle$} | {:>right$} |\n", row.what, row.ours, row.theirs);
    let rule = format!("|{:-<1$}|{2:->3$}|{4:->5$}|\n", "", left + 2, ":", middle + 2, ":", right + 2);
    let (first, rest) = rows.split_at(rows.len().min(1));
    let lines = |rows: &[Row]| rows.iter().map(line).collect::<String>();
    format!("{}{rule}{}", lines(first), lines(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_stays_on_the_page() {
        let first = [("accept", "| 1 |\n".to_owned()), ("start", "| 2 |\n".to_owned())];
        let page = renewed("", &first);
        assert_eq!(page, format!("{PREFACE}\n## accept\n\n| 1 |\n\n## start\n\n| 2 |\n"));
        let page = renewed(&page, &[("start", "| 3 |".to_owned()), ("mail", "| 4 |".to_owned())]);
        let tail = "\n## accept\n\n| 1 |\n\n## mail\n\n| 4 |\n\n## start\n\n| 3 |\n";
        assert_eq!(page, format!("{PREFACE}{tail}"));
    }

    #[test]
    fn rows_stand_under_each_other() {
        let rows = [
            Row::new("measure", "ours", "theirs"),
            Row::new("alerts", "3,000/s", "–"),
            Row::new("p50", "1 ms", "22 ms"),
        ];
        assert_eq!(
            shown(&rows),
            "| measure |    ours | theirs |\n|---------|--------:|-------:|\n| alerts  | 3,000/s |      – |\n\
             | p50     |    1 ms |  22 ms |\n"
        );
    }
}
