//! What the program writes about itself: completions, manual pages, and the Markdown of `docs/manual/cli.md`.
//!
//! Separate, because all of it is made from the definitions in `args`, so that none can be out of date.

use crate::args::{Cli, Part};
use crate::exit::{self, Failure, Outcome};
use crate::output::Output;
use crate::tables;
use clap::{Arg, Command, CommandFactory as _};
use std::fmt::Write as _;
use std::path::Path;

/// `completions`.
pub(crate) fn completions(out: &mut Output, shell: clap_complete::Shell) -> Outcome {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "steadfast", &mut bytes);
    out.data(&String::from_utf8_lossy(&bytes))
}

/// `man`.
pub(crate) fn man(out: &mut Output, folder: Option<&Path>) -> Outcome {
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
        return clap_mangen::generate_to(Cli::command(), folder)
            .map_err(|error| Failure::file(folder, &error));
    }
    let mut bytes = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut bytes)
        .map_err(|error| Failure::failed(error.to_string()))?;
    out.data(&String::from_utf8_lossy(&bytes))
}

/// `codegen`.
pub(crate) fn codegen(out: &mut Output, part: Part) -> Outcome {
    let text = match part {
        Part::Cli => markdown(),
        Part::ExitCodes => exit::markdown(),
        Part::Openapi => node::openapi(),
        Part::Reference => node::config::reference(),
        Part::Metrics => tables::metrics(),
        Part::Variables => tables::variables(),
        Part::Limits => tables::limits(),
    };
    out.data(&text)
}

/// Every command, as the manual shows it.
pub(crate) fn markdown() -> String {
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut text = format!(
        "# The command line\n\n<!-- Written by `steadfast codegen cli`. Do not edit. -->\n\n{}.\n\n\
         Data goes to standard output and talk to standard error. Every command takes the global options; \
         `--json` prints the node's own answer.\n\n## Exit codes\n\n{}\n## Global options\n\n",
        sentence(&root),
        exit::markdown()
    );
    let global = root.get_arguments().filter(|arg| arg.is_global_set());
    text.extend(global.map(argument));
    text.push_str("\n## Commands\n");
    for command in visible(&root) {
        describe(command, &mut text);
    }
    text
}

/// The commands that people are told of.
fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
}

fn describe(command: &Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    write!(text, "\n### `{name}`\n\n{}.\n", sentence(command)).unwrap_or_default();
    if command.get_subcommands().next().is_none() || command.get_arguments().any(|arg| arg.is_positional()) {
        write!(text, "\n```\n{}\n```\n", usage(command)).unwrap_or_default();
    }
    let own = command.get_arguments().filter(|arg| !arg.is_global_set() && !is_builtin(arg));
    let own: String = own.filter(|arg| !arg.is_hide_set()).map(argument).collect();
    if !own.is_empty() {
        write!(text, "\n{own}").unwrap_or_default();
    }
    if let Some(examples) = command.get_after_help() {
        write!(text, "\n```\n{}\n```\n", examples.to_string().trim_end()).unwrap_or_default();
    }
    for inner in visible(command) {
        describe(inner, text);
    }
}

/// `--help` and `--version`, which every command has.
fn is_builtin(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn sentence(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn usage(command: &Command) -> String {
    let text = command.clone().render_usage().to_string();
    text.trim_start_matches("Usage: ").to_owned()
}

/// One option or argument as an item of a list.
fn argument(arg: &Arg) -> String {
    let mut notes = Vec::new();
    let choices: Vec<_> = arg.get_possible_values().into_iter().filter(|it| !it.is_hide_set()).collect();
    if arg.get_action().takes_values() && !choices.is_empty() {
        let told = choices.iter().map(|choice| match choice.get_help() {
            Some(help) => format!("`{}` ({help})", choice.get_name()),
            None => format!("`{}`", choice.get_name()),
        });
        notes.push(format!("One of {}.", told.collect::<Vec<_>>().join(", ")));
    }
    if let Some(default) = arg.get_default_values().first().filter(|_| arg.get_action().takes_values()) {
        notes.push(format!("Default: `{}`.", default.to_string_lossy()));
    }
    if let Some(variable) = arg.get_env() {
        notes.push(format!("Environment: `{}`.", variable.to_string_lossy()));
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('<', "&lt;");
    let notes = notes.iter().map(|note| format!(" {note}")).collect::<String>();
    format!("- `{}`: {help}.{notes}\n", spelt(arg))
}

/// An argument as it is typed.
fn spelt(arg: &Arg) -> String {
    let value = || {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    match (names.is_empty(), arg.get_action().takes_values()) {
        (true, _) => format!("<{}>", value()),
        (false, true) => format!("{} <{}>", names.join(", "), value()),
        (false, false) => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::heard;

    #[test]
    fn the_manual_names_every_visible_command_and_no_hidden_one() {
        let text = markdown();
        for command in ["send", "alerts", "ack", "directory apply", "token add", "recipients set", "restore"]
        {
            assert!(text.contains(&format!("\n### `steadfast {command}`\n")), "{command}");
        }
        assert!(!text.contains("steadfast codegen`"));
        assert!(!text.replace("...", "").contains("..\n"), "a sentence ends with one full stop");
    }

    #[test]
    fn completions_and_manual_pages_are_made() {
        let (mut out, page, _) = heard(false);
        completions(&mut out, clap_complete::Shell::Bash).unwrap();
        assert!(page.text().contains("escalate-now"));
        let folder = tempfile::tempdir().unwrap();
        man(&mut out, Some(folder.path())).unwrap();
        assert!(folder.path().join("steadfast-send.1").exists());
    }
}
