//! `cargo xtask codegen`: files written by the product about itself, and the check that they are fresh.
//!
//! Separate, because a document that repeats the code is only true while something compares the two.
//! The product's own binary produces each text (`steadfast codegen <part>`), so nothing here knows
//! what an API or a configuration is.

use std::fs;
use std::path::Path;

use crate::{say, step};

/// One line of help.
pub(crate) const HELP: &str = "writes the generated files; with --check only says which are stale";

/// A generated text: where it goes and which part of the binary's `codegen` makes it.
struct Generated {
    /// The file, from the root of the repository.
    path: &'static str,
    /// The word after `steadfast codegen`.
    part: &'static str,
    /// How much of the file it is.
    extent: Extent,
}

/// How much of a file is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// All of it.
    Whole,
    /// What stands between `<!-- generated: part -->` and `<!-- end -->`; the rest is written by hand.
    Section,
}

/// Every generated text.
const GENERATED: &[Generated] = &[
    Generated { path: "docs/api/openapi.json", part: "openapi", extent: Extent::Whole },
    Generated { path: "config/reference.toml", part: "reference", extent: Extent::Whole },
    Generated { path: "docs/manual/cli.md", part: "cli", extent: Extent::Whole },
    Generated { path: "docs/manual/exit-codes.md", part: "exit-codes", extent: Extent::Section },
    Generated { path: "docs/manual/limits.md", part: "limits", extent: Extent::Section },
    Generated { path: "docs/manual/metrics.md", part: "metrics", extent: Extent::Section },
    Generated { path: "docs/manual/templates.md", part: "variables", extent: Extent::Section },
];

/// Writes what is stale, or with `--check` complains about it.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    match words {
        [] => each(write),
        [word] if word == "--check" => each(compare),
        [word, ..] => Err(format!("codegen knows --check, and was given \"{word}\"")),
    }
}

/// Produces every text, and gives those that differ from their file to `then`.
fn each(then: fn(&Path, &str) -> Result<(), String>) -> Result<(), String> {
    let mut complaints = Vec::new();
    for Generated { path, part, extent } in GENERATED {
        let output = step::output(&mut step::cargo(&[
            "run",
            "--quiet",
            "--locked",
            "-p",
            "steadfast",
            "--",
            "codegen",
            part,
        ]))?;
        let file = step::root().join(path);
        let old = fs::read_to_string(&file).unwrap_or_default();
        let new = place(path, &old, part, *extent, &output)?;
        if new != old {
            complaints.extend(then(&file, &new).err());
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .map_err(|why| format!("{}: could not be made: {why}", folder.display()))?;
    }
    fs::write(file, text).map_err(|why| format!("{}: could not be written: {why}", file.display()))?;
    say::line(&format!("{}: written", file.display()));
    Ok(())
}

fn compare(file: &Path, _text: &str) -> Result<(), String> {
    Err(format!("{}: is stale; run cargo xtask codegen", file.display()))
}

/// The file's new text: `output` in the place that `extent` names.
fn place(path: &str, old: &str, part: &str, extent: Extent, output: &str) -> Result<String, String> {
    match extent {
        Extent::Whole => Ok(output.to_owned()),
        Extent::Section => {
            let open = format!("<!-- generated: {part} -->\n");
            let (before, rest) =
                old.split_once(&open).ok_or_else(|| format!("{path}: has no line {}", open.trim()))?;
            let (_, after) = rest
                .split_once("<!-- end -->")
                .ok_or_else(|| format!("{path}: has no <!-- end --> after {}", open.trim()))?;
            Ok(format!("{before}{open}{}\n<!-- end -->{after}", output.trim_end()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_what_stands_around_it_stays() {
        let old = "# Exits\n<!-- generated: errors -->\nstale\n<!-- end -->\nBy hand.\n";
        let new = place("exits.md", old, "errors", Extent::Section, "0 well\n1 not\n");
        let expect = "# Exits\n<!-- generated: errors -->\n0 well\n1 not\n<!-- end -->\nBy hand.\n";
        assert_eq!(new.as_deref(), Ok(expect));
        assert_eq!(
            place("exits.md", expect, "errors", Extent::Section, "0 well\n1 not\n").as_deref(),
            Ok(expect)
        );
    }

    #[test]
    fn a_file_without_the_place_is_named() {
        let why = place("exits.md", "# Exits\n", "errors", Extent::Section, "x").unwrap_err();
        assert_eq!(why, "exits.md: has no line <!-- generated: errors -->");
        let open = "<!-- generated: errors -->\n";
        let why = place("exits.md", open, "errors", Extent::Section, "x").unwrap_err();
        assert_eq!(why, "exits.md: has no <!-- end --> after <!-- generated: errors -->");
    }

    #[test]
    fn a_whole_file_is_what_the_binary_wrote() {
        assert_eq!(place("openapi.json", "old", "openapi", Extent::Whole, "{}\n").as_deref(), Ok("{}\n"));
    }

    #[test]
    fn an_unknown_flag_is_refused() {
        assert_eq!(
            run(&["--chek".to_owned()]),
            Err("codegen knows --check, and was given \"--chek\"".to_owned())
        );
    }
}
