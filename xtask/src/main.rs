//! What a maintainer runs: checks, tests, figures, generated files. `cargo xtask` lists the commands.
//!
//! Separate from the product, so that none of this is compiled into it. This file is the table of
//! contents; each command has a file of its own. Only `fix`, `codegen` and `peers` write anything
//! outside `target`, and `peers` writes below `target/peers` alone.

mod bench;
mod check;
mod codegen;
mod compare;
mod fix;
mod peers;
mod say;
mod sim;
mod soak;
mod step;
mod test;
mod tidy;

use std::process::ExitCode;

/// One command: its name, a line of help, and what runs it with the words after its name.
struct Command {
    /// What is typed.
    name: &'static str,
    /// What follows the name, as shown in the help.
    usage: &'static str,
    /// One sentence of help.
    help: &'static str,
    /// Runs it; an error is a sentence for the person who typed the command.
    run: fn(&[String]) -> Result<(), String>,
}

/// Every command, in the order in which a day's work meets them.
const COMMANDS: &[Command] = &[
    Command { name: "check", usage: "", help: check::HELP, run: check::run },
    Command { name: "fix", usage: "", help: fix::HELP, run: fix::run },
    Command { name: "tidy", usage: "", help: tidy::HELP, run: tidy::run },
    Command { name: "test", usage: "", help: test::HELP, run: test::run },
    Command {
        name: "sim",
        usage: "[--profile P] [--nodes N] [--seeds N] [--seed S]",
        help: sim::HELP,
        run: sim::run,
    },
    Command { name: "soak", usage: "[part…]", help: soak::HELP, run: soak::run },
    Command { name: "bench", usage: "[--write] [part…]", help: bench::HELP, run: bench::run },
    Command {
        name: "compare",
        usage: "[--write] [--trials N] [part…]",
        help: compare::HELP,
        run: compare::run,
    },
    Command { name: "codegen", usage: "[--check]", help: codegen::HELP, run: codegen::run },
    Command { name: "peers", usage: "", help: peers::HELP, run: peers::run },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.split_first() {
        None => {
            say::line(&help());
            Ok(())
        }
        Some((name, _)) if matches!(name.as_str(), "help" | "--help" | "-h") => {
            say::line(&help());
            Ok(())
        }
        Some((name, rest)) => find(name).and_then(|command| (command.run)(rest)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say::complaint(&why);
            ExitCode::FAILURE
        }
    }
}

/// The command called `name`, or a sentence with the nearest one.
fn find(name: &str) -> Result<&'static Command, String> {
    COMMANDS.iter().find(|command| command.name == name).ok_or_else(|| {
        let names = COMMANDS.iter().map(|command| command.name);
        format!("there is no command \"{name}\"; did you mean \"{}\"?\n\n{}", nearest(name, names), help())
    })
}

/// The one of `names` that is fewest edits away from `typed`.
fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> &'a str {
    names.min_by_key(|name| strsim::damerau_levenshtein(typed, name)).unwrap_or_default()
}

/// Checks that each of `wanted` is in `known`; nothing wanted means all. The order is that of `known`.
fn choose<'a>(wanted: &[String], known: &[&'a str]) -> Result<Vec<&'a str>, String> {
    for name in wanted {
        if !known.contains(&name.as_str()) {
            let near = nearest(name, known.iter().copied());
            return Err(format!("there is no part \"{name}\"; did you mean \"{near}\"?"));
        }
    }
    let chosen = |name: &&&str| wanted.is_empty() || wanted.iter().any(|word| word == **name);
    Ok(known.iter().filter(chosen).copied().collect())
}

/// Refuses words after a command that takes none.
fn nothing_more(words: &[String]) -> Result<(), String> {
    match words.first() {
        None => Ok(()),
        Some(word) => Err(format!("this command takes nothing after its name, and was given \"{word}\"")),
    }
}

/// The list of commands as shown to people.
fn help() -> String {
    let line = |Command { name, usage, help, run: _ }: &Command| {
        let call = format!("{name} {usage}");
        format!("\n  {call:<26}{help}")
    };
    let lines: String = COMMANDS.iter().map(line).collect();
    format!("cargo xtask <command>\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest() {
        for (typed, near) in [("tydi", "tidy"), ("tests", "test"), ("codgen", "codegen"), ("pers", "peers")] {
            let Err(why) = find(typed) else { panic!("{typed} was found") };
            assert!(why.contains(&format!("did you mean \"{near}\"?")), "{typed}: {why}");
        }
    }

    #[test]
    fn every_command_is_in_the_help() {
        let help = help();
        for command in COMMANDS {
            assert!(help.contains(command.help), "{}", command.name);
        }
    }

    #[test]
    fn parts_are_chosen_by_name_and_all_of_them_without_one() {
        let known = ["kill", "core"];
        assert_eq!(choose(&[], &known), Ok(vec!["kill", "core"]));
        assert_eq!(choose(&["core".to_owned()], &known), Ok(vec!["core"]));
        assert_eq!(
            choose(&["kil".to_owned()], &known),
            Err("there is no part \"kil\"; did you mean \"kill\"?".to_owned())
        );
    }
}
