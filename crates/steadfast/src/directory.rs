//! `directory`: the whole book as one document, exported, compared, judged, applied and edited.
//!
//! Separate from `sections`, which change one entry. A document is read here first, so that a mistake is shown
//! in the user's own file before anything is sent; the node judges again and has the last word.

use crate::args::{DirectoryAction, Sure};
use crate::client::{Answer, Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::forms::{Diff, DiffChange, Lost};
use crate::output::{Output, count, one_line};
use record::document::{Change, Kind, Lines, Located, Problem, Rules, read_json, read_toml};
use reqwest::header::{ACCEPT, IF_MATCH};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The media type of TOML (RFC 6838 registration `application/toml`).
const TOML: &str = "application/toml";
const JSON: &str = "application/json";

/// `directory …`.
pub(crate) async fn directory(client: &Client, out: &mut Output, action: &DirectoryAction) -> Outcome {
    match action {
        DirectoryAction::Export => export(client, out).await,
        DirectoryAction::Diff { file: Some(file), lost: _ } => {
            show_diff(client, out, &Draft::read(file)?).await
        }
        DirectoryAction::Diff { file: None, lost: _ } => show_lost(client, out).await,
        DirectoryAction::Apply { file, sure } => apply(client, out, &Draft::read(file)?, *sure).await,
        DirectoryAction::Check { file } => judge(client, out, &Draft::read(file)?).await,
        DirectoryAction::Edit { sure } => edit(client, out, *sure).await,
    }
}

async fn export(client: &Client, out: &mut Output) -> Outcome {
    let media = if out.json { JSON } else { TOML };
    let answer = client.ask(Ask::get(&["directory"]).header(ACCEPT, media)).await?;
    out.data(&answer.body)
}

impl From<DiffChange> for Change {
    fn from(change: DiffChange) -> Self {
        let kind = match change.kind.as_str() {
            "added" => Kind::Added,
            "removed" => Kind::Removed,
            _ => Kind::Changed,
        };
        Self { what: change.what, kind, from: change.from, to: change.to }
    }
}

/// A document that a user wrote.
struct Draft {
    /// What the user calls it.
    file: String,
    text: String,
    toml: bool,
}

impl Draft {
    fn read(file: &Path) -> Outcome<Self> {
        Self::of(file, read_file(file)?)
    }

    /// Reads a text, with every mistake that can be seen without a node.
    fn of(file: &Path, text: String) -> Outcome<Self> {
        let name = if file.as_os_str() == "-" { "standard input".into() } else { file.display().to_string() };
        let toml = file.extension().is_none_or(|extension| extension != "json");
        let read = if toml { read_toml(&text, &name) } else { read_json(&text, &name) };
        let document = read.map_err(|located| Failure::new(Exit::Refused, located.to_string()))?;
        let draft = Self { file: name, text, toml };
        match document.resolve(&Rules::any()) {
            Ok(_) => Ok(draft),
            Err(problems) => Err(Failure::new(Exit::Refused, draft.shown(problems))),
        }
    }

    fn ask(&self, ask: Ask) -> Ask {
        ask.body(if self.toml { TOML } else { JSON }, self.text.clone())
    }

    /// Problems at their lines.
    fn shown(&self, problems: Vec<Problem>) -> String {
        let lines = self.toml.then(|| Lines::new(&self.text));
        let told = problems.into_iter().map(|problem| match &lines {
            Some(lines) => lines.located(problem, &self.file).to_string(),
            None => Located { file: self.file.clone(), line: 0, column: 0, problem }.to_string(),
        });
        told.collect::<Vec<_>>().join("\n")
    }

    /// A failure of the node's, shown in this file where it names places.
    fn relocated(&self, mut failure: Failure) -> Failure {
        let faults = std::mem::take(&mut failure.faults);
        if !faults.is_empty() {
            let problems =
                faults.into_iter().map(|it| Problem { pointer: it.pointer, detail: it.detail }).collect();
            failure.text = crate::output::harmless(&self.shown(problems));
        }
        failure
    }
}

/// Reads a file, or standard input for `-`.
pub(crate) fn read_file(file: &Path) -> Outcome<String> {
    if file.as_os_str() != "-" {
        return std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error));
    }
    let mut text = String::new();
    match std::io::stdin().lock().read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::failed(format!("standard input: {error}"))),
    }
}

async fn judge(client: &Client, out: &mut Output, draft: &Draft) -> Outcome {
    let ask = draft.ask(Ask::post(&["directory", "check"], &serde_json::Value::Null)).repeatable();
    let answer = client.ask(ask).await.map_err(|failure| draft.relocated(failure))?;
    out.answer(&answer.body, || Ok(format!("{}: well", draft.file)))
}

async fn show_diff(client: &Client, out: &mut Output, draft: &Draft) -> Outcome {
    let answer = ask_diff(client, draft).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let changes = changes(&answer)?;
    if changes.is_empty() {
        out.say("nothing would change");
        return Ok(());
    }
    out.data(&changes.join("\n"))
}

/// Has the node compare: it alone knows what a user may not see, and that what is left out stays.
async fn ask_diff(client: &Client, draft: &Draft) -> Outcome<Answer> {
    let ask = draft.ask(Ask::post(&["directory", "diff"], &serde_json::Value::Null)).repeatable();
    client.ask(ask).await.map_err(|failure| draft.relocated(failure))
}

/// The changes of a diff, a line each.
fn changes(answer: &Answer) -> Outcome<Vec<String>> {
    let diff: Diff = answer.read()?;
    Ok(diff.changes.into_iter().map(|change| one_line(&Change::from(change).to_string())).collect())
}

/// Shows what another node changed, and what the cluster did not keep of it.
async fn show_lost(client: &Client, out: &mut Output) -> Outcome {
    let answer = client.ask(Ask::get(&["directory", "lost"])).await?;
    if out.json {
        return out.data(&answer.body);
    }
    let lost: Lost = answer.read()?;
    let changes = lost.changes.into_iter().map(|change| one_line(&Change::from(change).to_string()));
    let changes: Vec<_> = changes.collect();
    let by = lost.name.or(lost.node).unwrap_or_else(|| "another node".into());
    out.say(&format!(
        "{by} had version {}.{} of the directory, which was lost when {}.{} was kept; to go back to it, make these \
         changes again:",
        lost.term, lost.version, lost.kept_term, lost.kept_version
    ));
    out.data(&changes.join("\n"))
}

/// Shows what would change, asks, and puts the document in place of the one that was compared.
async fn apply(client: &Client, out: &mut Output, draft: &Draft, sure: Sure) -> Outcome {
    // The version is read first: what is changed between it and the diff is refused as a conflict.
    let etag = client.ask(Ask::get(&["directory"])).await?.etag;
    let changes = changes(&ask_diff(client, draft).await?)?;
    if changes.is_empty() {
        out.say("nothing would change");
        return Ok(());
    }
    out.say(&changes.join("\n"));
    out.confirm(&format!("apply {}?", count(changes.len(), "change")), sure.yes)?;
    let mut ask = draft.ask(Ask::put(&["directory"]));
    if let Some(etag) = etag {
        ask = ask.header(IF_MATCH, etag);
    }
    let answer = client.ask(ask).await.map_err(|failure| draft.relocated(failure))?;
    out.answer(&answer.body, || Ok(format!("applied {}", count(changes.len(), "change"))))
}

/// The directory in an editor, again and again until it can be applied or is given up.
async fn edit(client: &Client, out: &mut Output, sure: Sure) -> Outcome {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Refused, "there is no terminal to edit on; use export and apply"));
    }
    let before = client.ask(Ask::get(&["directory"]).header(ACCEPT, TOML)).await?.body;
    let file = scratch(&before)?;
    loop {
        run_editor(&file)?;
        let text = read_file(&file)?;
        if text == before {
            out.say("nothing was changed");
            return remove_scratch(&file);
        }
        let applied = match Draft::of(&file, text) {
            Ok(draft) => apply(client, out, &draft, sure).await,
            Err(failure) => Err(failure),
        };
        let Err(failure) = applied else { return remove_scratch(&file) };
        out.complain(&failure.text);
        let kept = |failure: &Failure| kept(&file, failure);
        out.confirm("edit again?", false).map_err(|_| kept(&failure))?;
    }
}

/// A failure that says where the user's work is.
fn kept(file: &Path, failure: &Failure) -> Failure {
    Failure::new(failure.exit, format!("not applied; what was written is kept in {}", file.display()))
}

fn scratch(text: &str) -> Outcome<PathBuf> {
    let failed = |error: std::io::Error| Failure::file(&std::env::temp_dir(), &error);
    let made = tempfile::Builder::new().prefix("steadfast-").suffix(".toml").tempfile().map_err(failed)?;
    let (mut file, path) = made.keep().map_err(|error| failed(error.error))?;
    file.write_all(text.as_bytes()).map_err(|error| Failure::file(&path, &error))?;
    Ok(path)
}

fn remove_scratch(file: &Path) -> Outcome {
    std::fs::remove_file(file).map_err(|error| Failure::file(file, &error))
}

fn run_editor(file: &Path) -> Outcome {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".into());
    // An editor may come with arguments, such as `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = std::process::Command::new(program).args(words).arg(file).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::failed(format!("{program}: {status}; see {}", file.display()))),
        Err(error) => Err(Failure::failed(format!("{program}: {error}; set EDITOR"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Fault;

    fn draft(text: &str) -> Outcome<Draft> {
        Draft::of(Path::new("d.toml"), text.to_owned())
    }

    #[test]
    fn a_mistake_is_shown_in_the_users_file_before_anything_is_sent() {
        let failure = draft("[groups.a]\nmembers = [\"nobody\"]").err().unwrap();
        assert_eq!(failure.exit, Exit::Refused);
        assert!(failure.text.starts_with("d.toml:2: groups.a.members[0]: there is no"), "{failure}");
    }

    #[test]
    fn what_the_node_finds_is_shown_at_its_line_too() {
        let draft = draft("\n[groups.a]\nmembers = []").unwrap();
        let mut failure = Failure::new(Exit::Refused, "not valid");
        failure.faults =
            vec![Fault { pointer: "/groups/a/members".into(), detail: "is empty".into(), line: None }];
        assert_eq!(draft.relocated(failure).text, "d.toml:3: groups.a.members: is empty");
    }

    #[test]
    fn a_failure_without_places_stays_as_it_is() {
        let failure = Failure::new(Exit::Conflict, "changed meanwhile");
        assert_eq!(draft("").unwrap().relocated(failure.clone()), failure);
    }
}
