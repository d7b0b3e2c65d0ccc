//! `cargo xtask test`: everything that must hold before a change is taken, against real peers.
//!
//! Separate from `check`, because it installs foreign programs (see `peers`) and takes minutes. Tests
//! find them through `STEADFAST_PEERS`. A test that needs a network of its own makes one with
//! `unshare -Urnm`, or as root, and says so where neither is allowed.

use std::path::PathBuf;

use crate::{codegen, nothing_more, peers, say, step};

/// One line of help.
pub(crate) const HELP: &str = "all tests, with the foreign programs they talk to";

/// Installs the peers, runs all tests, simulates clusters at full speed, then runs those in the documentation, then compares generated files.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    nothing_more(words)?;
    let peers = peers_or_none()?;
    let mut count = Count::default();
    let mut tests = step::cargo(&["test", "--workspace", "--locked", "--all-targets", "--no-fail-fast"]);
    if let Some(folder) = &peers {
        tests.env("STEADFAST_PEERS", folder);
    }
    let ran = step::watch("tests", &mut tests, |text| count.read(text));
    let words = ["test", "--locked", "--release", "--package", "sim", "--test", "runs"];
    let simulated = step::watch("simulated clusters", &mut step::cargo(&words), |text| count.read(text));
    let mut examples = step::cargo(&["test", "--workspace", "--locked", "--doc", "--no-fail-fast"]);
    let documented = step::watch("tests in the documentation", &mut examples, |text| count.read(text));
    let generated = codegen::run(&["--check".to_owned()]);
    say::line(&count.sentence());
    ran.and(simulated).and(documented).and(generated)
}

/// The folder with the peers; without them, a person's tests go on, and a CI machine's fail.
fn peers_or_none() -> Result<Option<PathBuf>, String> {
    match peers::install(peers::FOR_TESTS) {
        Ok(folder) => Ok(Some(folder)),
        Err(why) if step::is_ci() => Err(why),
        Err(why) => {
            say::complaint(&format!("{why}\nxtask: the tests that talk to these programs will be skipped"));
            Ok(None)
        }
    }
}

/// What the test programs reported, added up.
#[derive(Default, Debug, PartialEq, Eq)]
struct Count {
    /// Test programs that ran.
    programs: u64,
    /// Tests that passed.
    passed: u64,
    /// Tests that failed.
    failed: u64,
}

impl Count {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`; other lines add nothing.
    fn read(&mut self, text: &str) {
        let Some(result) = text.strip_prefix("test result: ") else { return };
        self.programs += 1;
        self.passed += number_before(result, " passed");
        self.failed += number_before(result, " failed");
    }

    fn sentence(&self) -> String {
        let Self { programs, passed, failed } = self;
        format!("{passed} tests passed, {failed} failed, in {programs} programs")
    }
}

/// The number that stands before `word` in `text`, or 0.
fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_are_added_up() {
        let mut count = Count::default();
        for text in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 17 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s",
        ] {
            count.read(text);
        }
        assert_eq!(count, Count { programs: 2, passed: 20, failed: 2 });
    }
}
