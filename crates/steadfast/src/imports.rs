//! `import`: another program's configuration becomes a directory document, and a report.

use crate::exit::{Exit, Failure, Outcome};
use crate::import_args::{Import, ImportAction};
use crate::output::Output;
use import::{ImportError, Imported, Report};
use record::document::Rules;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// What reads a program's configuration.
type Read = fn(&str, &Rules<'_>) -> Result<Imported, ImportError>;

/// `import …`.
pub(crate) fn import(out: &mut Output, action: &ImportAction) -> Outcome {
    match action {
        ImportAction::Alertmanager(args) => one(out, args, import::alertmanager),
        ImportAction::Goalert(args) => one(out, args, import::goalert),
        ImportAction::Oncall(args) => one(out, args, import::oncall),
    }
}

fn one(out: &mut Output, args: &Import, read: Read) -> Outcome {
    let shown = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).map_err(|error| Failure::file(&args.file, &error))?;
    let imported = node::judge::by_rules(|rules| read(&text, rules));
    let imported =
        imported.map_err(|error| Failure::failed(format!("{}: {error}", place(&shown, error.line))))?;
    let written = imported.write(&shown);
    if let Err(wrong) = node::judge::directory_text(&written, "the imported directory") {
        let why = "what was made of it is no directory; please report this";
        return Err(Failure::failed(format!("{why}:\n{}", wrong.join("\n"))));
    }
    let lines = told(&shown, &imported.report);
    if let Some(file) = &args.report {
        create(file, &lines.join(""))?;
    } else if !out.json {
        lines.iter().for_each(|line| out.say(line.trim_end()));
    }
    match &args.output {
        Some(file) => create(file, &written)?,
        None if !out.json => out.data(&written)?,
        None => (),
    }
    if out.json {
        out.data(&answer(&written, &imported.report).to_string())?;
    }
    if imported.report.is_whole() {
        return Ok(());
    }
    let text = format!("not all of {shown} could be carried over; the report says what, and what to do");
    Err(Failure::new(Exit::Partly, text))
}

fn place(file: &str, line: usize) -> String {
    if line == 0 { file.to_owned() } else { format!("{file}:{line}") }
}

fn told(file: &str, report: &Report) -> Vec<String> {
    report.lines().iter().map(|line| format!("{}: {line}\n", place(file, line.line))).collect()
}

/// For programs.
fn answer(directory: &str, report: &Report) -> Value {
    let line = |line: &&import::Line| {
        json!({
            "line": line.line, "what": line.what, "fate": line.fate.words(), "why": line.why, "advice": line.advice,
        })
    };
    let lines: Vec<Value> = report.lines().iter().map(line).collect();
    json!({ "directory": directory, "whole": report.is_whole(), "report": lines })
}

/// Writes a file that is not there yet.
fn create(file: &Path, text: &str) -> Outcome {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).open(file);
    let mut made = made.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            return Failure::new(Exit::Conflict, format!("{}: it is there already", file.display()));
        }
        Failure::file(file, &error)
    })?;
    made.write_all(text.as_bytes()).map_err(|error| Failure::file(file, &error))
}
