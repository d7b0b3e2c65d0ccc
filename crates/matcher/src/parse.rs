//! From text to matchers, by the rules of Alertmanager 0.25, and where in the text it is wrong.

use std::fmt;

use crate::limits::MATCHERS_MAX;
use crate::{Expression, Matcher, Test};

/// Why a text is no matcher, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// In characters from the begin of the text, from 1.
    pub column: usize,
    /// What is wrong there, as a fragment of a sentence.
    pub why: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.why)
    }
}

impl std::error::Error for ParseError {}

/// A part of the text, which knows where it stands.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    /// Characters before it.
    before: usize,
}

impl<'a> Part<'a> {
    fn error(self, why: impl Into<String>) -> ParseError {
        ParseError { column: self.before + 1, why: why.into() }
    }

    /// What is left after the first `bytes`.
    fn after(self, bytes: usize) -> Self {
        let (passed, text) = self.text.split_at_checked(bytes).unwrap_or((self.text, ""));
        Self { text, before: self.before + passed.chars().count() }
    }

    fn until(self, bytes: usize) -> Self {
        Self { text: self.text.get(..bytes).unwrap_or(self.text), before: self.before }
    }

    fn trim(self) -> Self {
        let rest = self.after(self.text.len() - self.text.trim_start_matches(is_space).len());
        Self { text: rest.text.trim_end_matches(is_space), before: rest.before }
    }
}

/// What `\s` is in Go.
fn is_space(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\x0c' | '\r' | ' ')
}

/// Whether `text` is the name of a label.
pub(crate) fn is_label(text: &str) -> bool {
    label_length(text) == text.len() && !text.is_empty()
}

/// Bytes of the label's name that `text` begins with; 0 if there is none.
fn label_length(text: &str) -> usize {
    if text.starts_with(|letter: char| letter.is_ascii_digit()) {
        return 0;
    }
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    text.find(|letter| !is_letter(letter)).unwrap_or(text.len())
}

/// Bytes of the quoted text that `part` begins with, its quotes included.
fn quoted_length(part: Part<'_>) -> Result<usize, ParseError> {
    let mut is_escaped = true; // The first quote ends nothing.
    let end = part.text.bytes().position(|byte| {
        let was_escaped = is_escaped;
        is_escaped = byte == b'\\' && !was_escaped;
        byte == b'"' && !was_escaped
    });
    end.map(|end| end + 1).ok_or_else(|| part.error("the quote that begins here does not end"))
}

/// Reads one matcher.
pub(crate) fn matcher(text: &str) -> Result<Matcher, ParseError> {
    read(Part { text, before: 0 })
}

/// Reads a list. Braces and a comma at the end may be there or not, each by itself, as in Alertmanager.
pub(crate) fn matchers(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let whole = Part { text, before: 0 };
    let list = if text.starts_with('{') { whole.after(1) } else { whole };
    let list = list.until(list.text.len() - usize::from(list.text.ends_with('}')));
    let parts = split(list);
    if let Some(part) = parts.get(MATCHERS_MAX) {
        return Err(part.error(format!("has {} matchers; {MATCHERS_MAX} are the most", parts.len())));
    }
    parts.into_iter().map(read).collect()
}

/// The parts between commas that are outside of quotes. Nothing after the last comma is no part.
fn split(list: Part<'_>) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), list);
    loop {
        let (mut is_quoted, mut is_escaped) = (false, false);
        let comma = rest.text.find(|letter: char| {
            let was_escaped = std::mem::replace(&mut is_escaped, false);
            match letter {
                '"' if !was_escaped => is_quoted = !is_quoted,
                '\\' => is_escaped = !was_escaped,
                ',' if !is_quoted => return true,
                _ => (),
            }
            false
        });
        match comma {
            Some(comma) => {
                parts.push(rest.until(comma));
                rest = rest.after(comma + 1);
            }
            None => {
                parts.extend((!rest.text.is_empty()).then_some(rest));
                return parts;
            }
        }
    }
}

fn read(part: Part<'_>) -> Result<Matcher, ParseError> {
    let part = part.trim();
    let length = if part.text.starts_with('"') { quoted_length(part)? } else { label_length(part.text) };
    let name = part.until(length);
    let label = if name.text.starts_with('"') { unquoted(name)? } else { name.text.to_owned() };
    if label.is_empty() {
        return Err(part.error("there is no label's name, such as severity in severity=\"high\""));
    }
    let sign_at = part.after(length).trim();
    let sign = ["=~", "!~", "!=", "="].into_iter().find(|sign| sign_at.text.starts_with(sign));
    let Some(sign) = sign else {
        return Err(sign_at.error(format!("there is none of =, !=, =~ and !~ after {label}")));
    };
    let value_at = sign_at.after(sign.len()).trim();
    let value = unquoted(value_at)?;
    let expression = |value: &str| Expression::new(value).map_err(|why| value_at.error(why));
    let test = match sign {
        "=" => Test::Equal(value),
        "!=" => Test::NotEqual(value),
        "=~" => Test::Match(expression(&value)?),
        _ => Test::NoMatch(expression(&value)?),
    };
    Ok(Matcher { label, test })
}

/// The value that a text in quotes, or without any, stands for.
fn unquoted(part: Part<'_>) -> Result<String, ParseError> {
    let is_quoted = part.text.starts_with('"');
    let body = part.after(usize::from(is_quoted));
    let mut value = String::new();
    let mut letters = body.text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, other @ ('"' | '\\'))) => value.push(other),
                Some((_, other)) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            '"' if is_quoted && at + 1 == body.text.len() => return Ok(value),
            '"' => return Err(body.after(at).error("there is a quote inside the value; write it as \\\"")),
            other => value.push(other),
        }
    }
    if is_quoted {
        return Err(part.error("the quote that begins here does not end"));
    }
    Ok(value)
}
