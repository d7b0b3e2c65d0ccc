//! Regular expressions as Go understands them, run by the engine that we have: linear in time, limited in size.
//!
//! Separate, because two letters in a hundred differ between RE2's syntax in Go and the one in Rust, and an
//! expression that was written for Alertmanager must keep its meaning.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

use crate::limits::{CACHE_BYTES_MAX, COMPILED_BYTES_MAX, EXPRESSION_BYTES_MAX, NESTING_MAX};

/// An expression that matches whole values. Equal where the text is.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    compiled: Regex,
}

impl Expression {
    /// Compiles `text`.
    ///
    /// # Errors
    /// What is wrong with it, as a fragment of a sentence: not an expression, or over a limit.
    pub fn new(text: &str) -> Result<Self, String> {
        if EXPRESSION_BYTES_MAX < text.len() {
            return Err(format!(
                "the expression has {} bytes; {EXPRESSION_BYTES_MAX} are the most",
                text.len()
            ));
        }
        let compile = |pattern: &str| {
            RegexBuilder::new(pattern)
                .size_limit(COMPILED_BYTES_MAX)
                .dfa_size_limit(CACHE_BYTES_MAX)
                .nest_limit(NESTING_MAX)
                .build()
        };
        let pattern = rewritten(text);
        // By itself first: in "a)|(b" the parentheses of the frame would balance what is not.
        let compiled = compile(&pattern).and_then(|_| compile(&format!("^(?:{pattern})$")));
        let compiled = compiled.map_err(|why| {
            if matches!(why, regex::Error::CompiledTooBig(_)) {
                return "the expression is too large when compiled; repeat less".to_owned();
            }
            format!("{text:?} is not an expression: {}", last_line(&why.to_string()))
        })?;
        Ok(Self { text: text.to_owned(), compiled })
    }

    /// Whether it matches all of `value`.
    pub fn matches(&self, value: &str) -> bool {
        self.compiled.is_match(value)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

/// The engine shows the expression with a pointer below it; the reason is on the last line.
fn last_line(message: &str) -> &str {
    let line = message.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}

/// The expression in the engine's syntax.
fn rewritten(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => escape(&mut letters, &mut out),
            '[' => class(&mut letters, &mut out),
            other => out.push(other),
        }
    }
    out
}

/// What follows a backslash outside of brackets.
fn escape(letters: &mut Peekable<Chars<'_>>, out: &mut String) {
    match letters.next() {
        Some('d') => out.push_str("[0-9]"),
        Some('D') => out.push_str("[^0-9]"),
        Some('w') => out.push_str("[0-9A-Za-z_]"),
        Some('W') => out.push_str("[^0-9A-Za-z_]"),
        Some('s') => out.push_str(r"[\t\n\f\r ]"),
        Some('S') => out.push_str(r"[^\t\n\f\r ]"),
        Some('b') => out.push_str(r"(?-u:\b)"),
        Some('B') => out.push_str(r"(?-u:\B)"),
        Some('Q') => quoted(letters, out),
        Some(other) => out.extend(['\\', other]),
        None => out.push('\\'),
    }
}

/// Everything up to `\E` or the end is itself.
fn quoted(letters: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut text = String::new();
    for letter in letters.by_ref() {
        text.push(letter);
        if text.ends_with(r"\E") {
            text.truncate(text.len() - 2);
            break;
        }
    }
    out.push_str(&regex::escape(&text));
}

/// What is in brackets, where the engine would see nested ones and operators such as `&&`, which Go has not.
fn class(letters: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if letters.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    // A bracket that comes first is one of the letters.
    if letters.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    while let Some(letter) = letters.next() {
        match letter {
            ']' => return out.push(']'),
            '[' if letters.peek() == Some(&':') => posix(letters, out),
            '[' | '&' | '~' => out.extend(['\\', letter]),
            // Two hyphens are a range that begins with one, or ends with one.
            '-' if letters.next_if_eq(&'-').is_some() => {
                let begins = out.ends_with(['[', '^']);
                out.push_str(if begins { r"\--" } else { r"-\-" });
            }
            '\\' => match letters.next() {
                Some('d') => out.push_str("0-9"),
                Some('w') => out.push_str("0-9A-Za-z_"),
                Some('s') => out.push_str(r"\t\n\f\r "),
                Some(not @ ('D' | 'W' | 'S')) => {
                    out.push('[');
                    escape(&mut format!("{not}").chars().peekable(), out);
                    out.push(']');
                }
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
}

/// A named class such as `[:alpha:]`, which both have; its bracket has been read.
fn posix(letters: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    for letter in letters.by_ref() {
        out.push(letter);
        if letter == ']' {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, matches: &[&str], others: &[&str]) {
        let expression = Expression::new(text).unwrap();
        for value in matches {
            assert!(expression.matches(value), "{text} and {value:?}");
        }
        for value in others {
            assert!(!expression.matches(value), "{text} and {value:?}");
        }
    }

    #[test]
    fn an_expression_matches_the_whole_value() {
        check("b", &["b"], &["ab", "bc", "", "b\n"]);
        check("a|b", &["a", "b"], &["ab", "xa", "bx"]);
        check(".*", &["", "x y"], &["a\nb"]);
        check("(?s).*", &["a\nb"], &[]);
        check("(?i)ß|STRASSE", &["strasse", "ẞ"], &["strassen"]);
        check("^x$", &["x"], &["xx"]);
        check("", &[""], &["x"]);
    }

    #[test]
    fn classes_are_those_of_go() {
        check(r"\d+", &["09"], &["٣", "a"]);
        check(r"\w+", &["a_9Z"], &["ä"]);
        check(r"[\d\s.]+", &["1 2.3\t"], &["\u{a0}", "\u{b}"]);
        check(r"[^\W]", &["a", "_"], &["ä", "-"]);
        check(r"[\D]", &["a"], &["7"]);
        check("[a[b]+", &["a[b["], &["]"]);
        check("[a&&b]+", &["a&b"], &["c"]);
        check("[]a]+", &["]a"], &["["]);
        check("[^]a]", &["b"], &["]", "a"]);
        check("[+--]+", &["+,-"], &["."]);
        check("[--0]+", &["-./0"], &["1"]);
        check(r"foo\B.*", &["foobar"], &["foo bar", "foo"]);
        check("[a~~b]+", &["a~b"], &[]);
        check("[[:alpha:]_]+", &["aZ_"], &["9", "["]);
        check(r"\bfoo\b.*", &["foo bar"], &["foobar"]);
        check(r"\Qa.b*\E+", &["a.b*", "a.b**"], &["axb*"]);
        check(r"\pL+", &["äß"], &["1"]);
    }

    #[test]
    fn what_is_no_expression_or_too_large_is_refused() {
        for text in ["(", "a)|(b", "*", "[b-a]", "[a", r"\", "(?P<n>a)(?P<n>b)", r"\E", "(?=a)"] {
            let why = Expression::new(text).unwrap_err();
            assert!(why.contains("is not an expression: ") && !why.contains('\n'), "{why}");
        }
        assert!(Expression::new("((((a{1000}){1000}){1000}){1000})").unwrap_err().contains("too large"));
        assert!(Expression::new(&"a".repeat(5000)).unwrap_err().contains("has 5000 bytes"));
        assert!(Expression::new(&format!("{}{}", "(".repeat(500), ")".repeat(500))).is_err());
    }
}
