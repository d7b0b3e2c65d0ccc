//! Label matchers as Alertmanager 0.25 writes them: `foo="bar"`, `!=`, `=~`, `!~`, alone or as `{a="b",c=~"d|e"}`.
//!
//! Separate, because routes, silences and two foreign APIs must read the same text in the same way.
//!
//! - A label that is absent is the same as an empty one: `foo=""` and `foo!="x"` match where there is no `foo`.
//! - An expression (`=~`, `!~`) has to match the whole value, over line ends only where it says `(?s)`.
//! - A value may stand without quotes; spaces around it do not belong to it. In either form `\"`, `\\` and `\n`
//!   mean a quote, a backslash and a new line, and any other backslash is itself.
//! - Braces around a list, one comma after it, and an empty list are allowed, as there. A list without matchers
//!   matches everything.
//! - A label whose name is not of the letters that Prometheus allows stands in quotes, as in later Alertmanagers:
//!   `"site name"="north"`. Version 0.25 knows no such labels, and refuses that.
//! - Expressions are those of Go (RE2), in the letters that they share with Rust: `\d`, `\w`, `\s` and `\b` are
//!   ASCII, brackets do not nest, `\Q…\E` quotes. See [`Expression`].

mod expression;
mod index;
pub mod limits;
mod parse;

use std::fmt::{self, Write as _};
use std::str::FromStr;

pub use expression::Expression;
pub use index::Index;
pub use parse::ParseError;

/// How a label's value is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// `=`: it is this.
    Equal(String),
    /// `!=`: it is something else.
    NotEqual(String),
    /// `=~`: the expression matches all of it.
    Match(Expression),
    /// `!~`: the expression does not.
    NoMatch(Expression),
}

/// A test of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    label: String,
    test: Test,
}

/// Matchers that must all match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers(Vec<Matcher>);

impl Matcher {
    /// A matcher of `label`. None if that is no name of a label: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    pub fn new(label: &str, test: Test) -> Option<Self> {
        parse::is_label(label).then(|| Self { label: label.to_owned(), test })
    }

    /// A matcher of a label that may be called anything. None if its name is empty.
    pub fn of_any(label: &str, test: Test) -> Option<Self> {
        (!label.is_empty()).then(|| Self { label: label.to_owned(), test })
    }

    /// The name of the label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// How its value is compared.
    pub fn test(&self) -> &Test {
        &self.test
    }

    /// Whether it matches the label's `value`; an absent label has an empty one.
    pub fn matches_value(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(other) => value == other,
            Test::NotEqual(other) => value != other,
            Test::Match(expression) => expression.matches(value),
            Test::NoMatch(expression) => !expression.matches(value),
        }
    }

    /// Whether it matches a set of labels, in which `value_of` looks one up.
    pub fn matches<'a>(&self, value_of: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.matches_value(value_of(&self.label).unwrap_or_default())
    }
}

impl Matchers {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Matcher> {
        self.0.iter()
    }

    /// Whether they match where there is no label at all, and so most probably everything.
    pub fn matches_nothing_said(&self) -> bool {
        self.iter().all(|matcher| matcher.matches_value(""))
    }

    /// Whether all of them match a set of labels, in which `value_of` looks one up.
    pub fn matches<'a>(&self, value_of: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|matcher| matcher.matches(&value_of))
    }
}

impl FromIterator<Matcher> for Matchers {
    fn from_iter<I: IntoIterator<Item = Matcher>>(matchers: I) -> Self {
        Self(matchers.into_iter().collect())
    }
}

impl FromStr for Matcher {
    type Err = ParseError;

    /// Reads one matcher, without braces.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse::matcher(text)
    }
}

impl FromStr for Matchers {
    type Err = ParseError;

    /// Reads a list, with or without braces.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse::matchers(text).map(Self)
    }
}

/// `text` in quotes.
fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' | '\\' => write!(f, "\\{letter}")?,
            '\n' => f.write_str("\\n")?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}

/// As it is read: the value always in quotes, the label where it has to be.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, value) = match &self.test {
            Test::Equal(value) => ("=", value.as_str()),
            Test::NotEqual(value) => ("!=", value.as_str()),
            Test::Match(expression) => ("=~", expression.as_str()),
            Test::NoMatch(expression) => ("!~", expression.as_str()),
        };
        if parse::is_label(&self.label) {
            f.write_str(&self.label)?;
        } else {
            quote(f, &self.label)?;
        }
        f.write_str(sign)?;
        quote(f, value)
    }
}

/// As it is read: in braces.
impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (index, matcher) in self.0.iter().enumerate() {
            if 0 < index {
                f.write_char(',')?;
            }
            write!(f, "{matcher}")?;
        }
        f.write_char('}')
    }
}
