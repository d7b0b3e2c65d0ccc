//! `cargo xtask bench`: figures of ours beside those of others, in one run on one machine.
//!
//! Separate from `soak`, which counts what must be zero: here nothing is asserted, and everything is
//! printed. Each part is made of programs that run on loopback and end with it.

mod alertmanager;
mod child;
mod load;
mod mail;
mod sink;
mod steadfast;

use std::path::PathBuf;
use std::{fs, thread};

use crate::{choose, peers, say, step};

/// One line of help.
pub(crate) const HELP: &str = "figures of ours beside Alertmanager's and Postfix's; asserts nothing";

/// What a part may use.
struct Ground {
    /// The folder with the foreign programs.
    peers: PathBuf,
    /// A folder for this part's files, emptied before it starts.
    scratch: PathBuf,
}

/// A figure: what was measured, and its value with its unit.
struct Row {
    /// What was measured.
    what: String,
    /// The value.
    value: String,
}

impl Row {
    fn new(what: impl Into<String>, value: impl Into<String>) -> Self {
        Self { what: what.into(), value: value.into() }
    }
}

/// One part: its name and what measures it.
struct Part {
    /// What is typed.
    name: &'static str,
    /// What the table says above its rows.
    title: &'static str,
    /// Measures.
    run: fn(&Ground) -> Result<Vec<Row>, String>,
}

/// Every part, ours last, so that theirs can be compared with it at one glance.
const PARTS: &[Part] = &[
    Part {
        name: "alertmanager",
        title: "Alertmanager 0.25 (in memory, not durable)",
        run: alertmanager::run,
    },
    Part { name: "mail", title: "Postfix's smtp-source into its smtp-sink", run: mail::run },
    Part { name: "steadfast", title: "Steadfast (every accepted alert synced to disk)", run: steadfast::run },
];

/// Measures the parts named, or all; a part that cannot be measured does not stop the others.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
    let chosen = choose(words, &names)?;
    let peers = peers::install(peers::FOR_BENCH)?;
    let mut failed = Vec::new();
    let mut table = format!("Measured on {}.\n", machine());
    for part in PARTS.iter().filter(|part| chosen.contains(&part.name)) {
        say::complaint(&format!("measuring {} …", part.name));
        let measured = ground(&peers, part.name).and_then(|ground| (part.run)(&ground));
        match measured {
            Ok(rows) => table.push_str(&shown(part.title, &rows)),
            Err(why) => failed.push(format!("{}: {why}", part.name)),
        }
    }
    say::line(&table);
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\nxtask: ")) }
}

fn ground(peers: &std::path::Path, name: &str) -> Result<Ground, String> {
    let scratch = step::target().join("bench").join(name);
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(|why| format!("{}: {why}", scratch.display()))?;
    }
    fs::create_dir_all(&scratch).map_err(|why| format!("{}: {why}", scratch.display()))?;
    Ok(Ground { peers: peers.to_owned(), scratch })
}

/// What the figures depend on, in a few words.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!("{cores} cores of {}", model.map_or("an unknown processor", |(_, name)| name))
}

/// The rows as a table that reads well in a terminal and in Markdown.
fn shown(title: &str, rows: &[Row]) -> String {
    let longest =
        |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or_default();
    let (left, right) = (longest(|row| &row.what), longest(|row| &row.value));
    let line = |row: &Row| format!("| {:<left$} | {:>right$} |\n", row.what, row.value);
    let rule = format!("|{:-<1$}|", "", left + 2) + &format!("{:->1$}|\n", ":", right + 2);
    let (first, rest) = rows.split_at(rows.len().min(1));
    let lines = |rows: &[Row]| rows.iter().map(line).collect::<String>();
    format!("\n{title}\n\n{}{rule}{}", lines(first), lines(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_under_each_other() {
        let rows = [Row::new("measure", "value"), Row::new("alerts", "3,000/s"), Row::new("p50", "1 ms")];
        assert_eq!(
            shown("Ours", &rows),
            "\nOurs\n\n| measure |   value |\n|---------|--------:|\n| alerts  | 3,000/s |\n| p50     |    1 ms |\n"
        );
    }
}
