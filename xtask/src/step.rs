//! Running other programs as steps: each is named before it runs, and its time is told after it.
//!
//! Separate, because `check`, `test`, `soak` and `codegen` all are lists of steps.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::say;

/// The folder of the repository; every step runs there.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}

/// The folder for everything that is made and may be deleted.
pub(crate) fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Whether this is a machine that checks for everybody: what is missing there is a failure, not a skip.
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// `cargo` with these words, at the repository's root.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(words).current_dir(root());
    command
}

/// Runs a step whose output goes to the terminal.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<(), String> {
    say::complaint(&format!("{name} …"));
    let begun = Instant::now();
    let status = command.status().map_err(|why| cannot_start(command, &why))?;
    conclude(name, status.success(), begun.elapsed())
}

/// Runs a step whose standard output is shown and handed, line by line, to `read` as well.
pub(crate) fn watch(name: &str, command: &mut Command, mut read: impl FnMut(&str)) -> Result<(), String> {
    say::complaint(&format!("{name} …"));
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|why| cannot_start(command, &why))?;
    let output = child.stdout.take().ok_or("the step's output could not be read")?;
    for text in BufReader::new(output).lines() {
        let text = text.map_err(|why| format!("the output of {name} could not be read: {why}"))?;
        say::line(&text);
        read(&text);
    }
    let status = child.wait().map_err(|why| format!("the end of {name} was not seen: {why}"))?;
    conclude(name, status.success(), begun.elapsed())
}

/// Runs a program quietly and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let done = command.output().map_err(|why| cannot_start(command, &why))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{} failed: {}", shown(command), said.trim()));
    }
    String::from_utf8(done.stdout).map_err(|_| format!("{} wrote bytes that are not UTF-8", shown(command)))
}

fn conclude(name: &str, well: bool, took: Duration) -> Result<(), String> {
    let took = took.as_secs_f64();
    if !well {
        return Err(format!("{name} failed after {took:.1} s"));
    }
    say::complaint(&format!("{name}: well, {took:.1} s"));
    Ok(())
}

fn cannot_start(command: &Command, why: &std::io::Error) -> String {
    format!("{} could not be started: {why}", shown(command))
}

/// A command as a person would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_what_it_said() {
        let why = output(Command::new("sh").args(["-c", "echo bad luck >&2; exit 3"])).unwrap_err();
        assert_eq!(why, "sh -c echo bad luck >&2; exit 3 failed: bad luck");
    }

    #[test]
    fn a_missing_program_is_named() {
        let why = output(&mut Command::new("steadfast-no-such-program")).unwrap_err();
        assert!(why.starts_with("steadfast-no-such-program could not be started"), "{why}");
    }

    #[test]
    fn a_watched_step_hands_over_each_line() {
        let mut seen = Vec::new();
        let words = ["-c", "echo one; echo two"];
        watch("a step", Command::new("sh").args(words), |text| seen.push(text.to_owned())).unwrap();
        assert_eq!(seen, ["one", "two"]);
    }
}
