//! `cargo xtask soak`: the same trials as in the tests, in full number, and the figures they print.
//!
//! Separate from `test`, because it takes an hour rather than minutes. Each part's test reads the number of
//! its trials from the variable named below; one that is set already counts, so `STEADFAST_TRIALS=1000 cargo
//! xtask soak kill` goes further. What is worth publishing stands on lines with `figure: `. A timing is
//! printed, never asserted.

use crate::{choose, peers, say, step};

/// One line of help.
pub(crate) const HELP: &str = "the trials of the tests in full number; prints their figures";

/// One part: a package's tests with more trials.
struct Part {
    /// What is typed.
    name: &'static str,
    /// The package.
    package: &'static str,
    /// The test program in it.
    program: &'static str,
    /// Which of its tests: those that have this in their names.
    tests: &'static str,
    /// The variables that say how much to do, and how much where the environment does not say.
    trials: &'static [(&'static str, &'static str)],
}

/// Every part.
const PARTS: &[Part] = &[
    Part {
        name: "laws",
        package: "dispatch",
        program: "laws",
        tests: "",
        trials: &[("PROPTEST_CASES", "20000")],
    },
    Part {
        name: "walks",
        package: "dispatch",
        program: "random",
        tests: "",
        trials: &[("STEADFAST_SEEDS", "100000")],
    },
    Part {
        name: "kill",
        package: "steadfast",
        program: "whole",
        tests: "kill::a_kill_at_any_moment",
        trials: &[("STEADFAST_TRIALS", "200")],
    },
    Part {
        name: "cluster",
        package: "steadfast",
        program: "whole",
        tests: "cluster::",
        trials: &[("STEADFAST_TRIALS", "500"), ("STEADFAST_ALERTS", "100000"), ("STEADFAST_FACTS", "100000")],
    },
];

/// Runs the parts named, or all, and repeats their figures at the end.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
    let chosen = choose(words, &names)?;
    let folder = peers::install(peers::FOR_TESTS)?;
    let mut figures = Vec::new();
    let mut failed = Vec::new();
    for part in PARTS.iter().filter(|part| chosen.contains(&part.name)) {
        let mut command = step::cargo(&words_of(part));
        command.env("STEADFAST_PEERS", &folder);
        for (variable, trials) in part.trials {
            if std::env::var_os(variable).is_none() {
                command.env(variable, trials);
            }
        }
        let done = step::watch(part.name, &mut command, |text| figures.extend(figure(text)));
        failed.extend(done.err());
    }
    say::line("");
    for text in &figures {
        say::line(text);
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

fn words_of(part: &Part) -> Vec<&'static str> {
    let mut words = vec!["test", "--release", "--locked", "-p", part.package, "--test", part.program];
    // One after the other: two that want the whole machine would make each other late.
    words.extend(["--", "--nocapture", "--test-threads=1", part.tests]);
    words.retain(|word| !word.is_empty());
    words
}

/// The figure on this line of a test's output, if there is one.
fn figure(text: &str) -> Option<String> {
    // With --nocapture a figure may stand behind the name of its test.
    text.split_once("figure: ").map(|(_, figure)| figure.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_wherever_the_test_printed_them() {
        assert_eq!(figure("figure: 200 kills, 0 alerts lost"), Some("200 kills, 0 alerts lost".to_owned()));
        assert_eq!(figure("test kill ... figure: 3 s"), Some("3 s".to_owned()));
        assert_eq!(figure("test kill ... ok"), None);
    }
}
