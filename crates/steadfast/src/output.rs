//! How the program speaks: data on standard output, talk on standard error.
//!
//! Separate, so that every command prints the same way: aligned tables, colour only on a terminal and never
//! with `NO_COLOR`, and no text of a stranger's that could steer the terminal.

use crate::args::Global;
use crate::exit::{Exit, Failure, Outcome};
use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::time::Duration;

/// Columns of a table that is not on a terminal, whose width is not known.
const WIDTH: usize = 1_000;

/// The program's voice.
pub(crate) struct Output {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Answers are printed as they came.
    pub(crate) json: bool,
    quiet: bool,
    colour: bool,
    /// Columns of the terminal that data goes to, if it is one.
    width: Option<usize>,
}

/// How a cell looks on a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As any text.
    #[default]
    Plain,
    /// Of less interest.
    Faint,
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// Bad.
    Bad,
}

impl Tone {
    const fn codes(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Warn => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
        }
    }

    /// The tone of a severity, by its word.
    pub(crate) fn of_severity(word: &str) -> Self {
        match word {
            "critical" => Self::Bad,
            "high" => Self::Warn,
            _ => Self::Plain,
        }
    }
}

/// One cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

/// A text as a cell, with its tone.
pub(crate) fn cell(text: impl AsRef<str>, tone: Tone) -> Cell {
    Cell { text: one_line(text.as_ref()), tone }
}

/// A text as a cell.
pub(crate) fn plain(text: impl AsRef<str>) -> Cell {
    cell(text, Tone::Plain)
}

impl Output {
    /// The voice that the options and the terminal ask for.
    pub(crate) fn new(global: &Global) -> Self {
        let on_terminal = io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            json: global.json,
            quiet: global.quiet,
            colour: on_terminal && !dumb && !set("NO_COLOR"),
            width: on_terminal.then(terminal_width),
        }
    }

    /// Whether data goes to a terminal.
    pub(crate) fn on_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// Whether progress is welcome on standard error.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Prints data, with a line's end if it has none.
    ///
    /// # Errors
    /// As the system says; a reader that went away ends the program quietly.
    pub(crate) fn data(&mut self, text: &str) -> Outcome {
        let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        let written = self.out.write_all(text.as_bytes());
        let written = written.and_then(|()| self.out.write_all(end.as_bytes()));
        match written.and_then(|()| self.out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::new(Exit::Done, "")),
            Err(error) => Err(Failure::failed(format!("standard output: {error}"))),
        }
    }

    /// Prints the node's answer as it came, or in words: whichever was asked for.
    pub(crate) fn answer(&mut self, body: &str, words: impl FnOnce() -> Outcome<String>) -> Outcome {
        if self.json { self.data(body) } else { words().and_then(|text| self.data(&text)) }
    }

    /// Says something to the person, unless told to be quiet.
    pub(crate) fn say(&mut self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// Says why something failed. Where even that fails, only the exit code is left.
    pub(crate) fn complain(&mut self, text: &str) {
        drop(writeln!(self.err, "{text}"));
    }

    /// Asks before something that cannot be taken back.
    ///
    /// # Errors
    /// `Refused` if the answer is not yes, or if nobody can be asked.
    pub(crate) fn confirm(&mut self, question: &str, yes: bool) -> Outcome {
        if yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::new(Exit::Refused, format!("{question} nobody can be asked; add --yes")));
        }
        drop(write!(self.err, "{question} [y/N] "));
        drop(self.err.flush());
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        match (read, line.trim()) {
            (Ok(_), "y" | "Y" | "yes") => Ok(()),
            _ => Err(Failure::new(Exit::Refused, "not confirmed; nothing was changed")),
        }
    }

    /// Clears the screen of a terminal.
    pub(crate) fn clear(&mut self) -> Outcome {
        if self.on_terminal() { self.data("\x1b[H\x1b[2J\x1b[H") } else { Ok(()) }
    }

    /// Rows under their headings, aligned; the last column takes what the terminal leaves.
    pub(crate) fn table(&self, headings: &[&str], rows: &[Vec<Cell>]) -> String {
        let head: Vec<_> = headings.iter().map(|text| cell(text, Tone::Faint)).collect();
        let widths: Vec<_> = (0..headings.len())
            .map(|at| std::iter::once(&head).chain(rows).map(|row| width_of(row, at)).max().unwrap_or(0))
            .collect();
        std::iter::once(&head).chain(rows).map(|row| self.line(row, &widths)).collect()
    }

    /// Names and values, one to a line; those without a value are left out.
    pub(crate) fn facts(&self, facts: &[(&str, Cell)]) -> String {
        let rows: Vec<_> = facts.iter().filter(|(_, value)| !value.text.is_empty()).collect();
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        rows.iter()
            .map(|(name, value)| {
                let name = self.toned(&format!("{name:width$}"), Tone::Faint);
                format!("{name}  {}\n", self.toned(&value.text, value.tone))
            })
            .collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> String {
        let mut used = 0;
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let last = at + 1 == row.len();
            let width =
                if last { self.width.unwrap_or(WIDTH).saturating_sub(used).max(8) } else { widths[at] };
            let text = cut(&cell.text, width);
            let pad = if last { 0 } else { width + 2 - text.chars().count() };
            line += &self.toned(&text, cell.tone);
            line.extend(std::iter::repeat_n(' ', pad));
            used += width + 2;
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }

    fn toned(&self, text: &str, tone: Tone) -> String {
        match tone.codes() {
            codes if self.colour && !codes.is_empty() => format!("{codes}{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

fn width_of(row: &[Cell], at: usize) -> usize {
    row.get(at).map_or(0, |cell| cell.text.chars().count())
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(io::stdout())
        .map_or(WIDTH, |size| if size.ws_col == 0 { WIDTH } else { usize::from(size.ws_col) })
}

/// A stranger's text in one line, without what would steer a terminal or reverse the reading order.
pub(crate) fn one_line(text: &str) -> String {
    harmless(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A stranger's text with its lines, without what would steer a terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// Control characters, but for line ends and tabs; marks that reverse the order of what follows (Unicode
/// Annex 9), which could make a sentence read as another one.
fn steers(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A length of time as people say it: the two largest units, such as `2m 10s`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units {
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break; // `1h 5s` would be more exact than anybody wants.
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0s".into() } else { parts.join(" ") }
}

/// How long ago, from whole seconds.
pub(crate) fn ago(seconds: u64) -> String {
    format!("{} ago", span(Duration::from_secs(seconds)))
}

/// `1 alert`, `2 alerts`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Reads a text typed by the person, without showing it.
///
/// # Errors
/// `Refused` where nobody can be asked.
pub(crate) fn ask_secret(prompt: &str) -> Outcome<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let input = io::stdin();
    if !input.is_terminal() {
        return Err(Failure::new(Exit::Refused, "nobody can be asked for the password; add --password-file"));
    }
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("standard input: {error}"));
    let before = tcgetattr(&input).map_err(|error| failed(&error))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    let mut err = io::stderr();
    drop(write!(err, "{prompt}: "));
    drop(err.flush());
    tcsetattr(&input, OptionalActions::Flush, &silent).map_err(|error| failed(&error))?;
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    let restored = tcsetattr(&input, OptionalActions::Flush, &before);
    drop(writeln!(err));
    read.map_err(|error| failed(&error))?;
    restored.map_err(|error| failed(&error))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// What was printed, shared with the test.
    #[derive(Clone, Default)]
    pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        fn put(&self, bytes: &[u8]) {
            self.0.lock().unwrap().extend_from_slice(bytes);
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.put(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A voice that is heard by the test: standard output and standard error.
    pub(crate) fn heard(json: bool) -> (Output, Page, Page) {
        let (out, err) = (Page::default(), Page::default());
        let output = Output {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            json,
            quiet: false,
            colour: false,
            width: Some(40),
        };
        (output, out, err)
    }

    #[test]
    fn a_length_of_time_is_told_in_two_units() {
        let check = |seconds, expect: &str| assert_eq!(span(Duration::from_secs(seconds)), expect);
        check(0, "0s");
        check(59, "59s");
        check(130, "2m 10s");
        check(3600, "1h");
        check(3605, "1h");
        check(3_661, "1h 1m");
        check(90_000, "1d 1h");
    }

    #[test]
    fn a_table_is_aligned_and_its_last_column_cut() {
        let (output, ..) = heard(false);
        let rows = vec![
            vec![plain("A1"), plain("high"), plain("pump")],
            vec![plain("A123"), plain("info"), plain("a text that is longer than the line has room for")],
        ];
        assert_eq!(
            output.table(&["code", "severity", "summary"], &rows),
            "code  severity  summary\nA1    high      pump\nA123  info      a text that is longer t…\n"
        );
    }

    #[test]
    fn colour_is_used_only_where_it_is_wanted() {
        let (mut output, ..) = heard(false);
        assert_eq!(output.toned("x", Tone::Bad), "x");
        output.colour = true;
        assert_eq!(output.toned("x", Tone::Bad), "\x1b[1;31mx\x1b[0m");
        assert_eq!(output.toned("x", Tone::Plain), "x");
    }

    #[test]
    fn a_strangers_text_cannot_steer_the_terminal() {
        assert_eq!(one_line("red\x1b[31m\nnext\u{202e}back"), "red\u{fffd}[31m next\u{fffd}back");
        assert_eq!(harmless("a\nb\tc\u{7}"), "a\nb\tc\u{fffd}");
        assert_eq!(one_line("مضخة ⚠ 3"), "مضخة ⚠ 3");
    }

    #[test]
    fn an_answer_is_printed_unchanged_as_json() {
        let (mut output, out, _) = heard(true);
        output.answer("{ \"a\":1}", || unreachable!()).unwrap();
        assert_eq!(out.text(), "{ \"a\":1}\n");
    }
}
