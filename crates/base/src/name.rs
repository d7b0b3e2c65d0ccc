//! The short names by which directory entries, sources and providers refer to each other.

use crate::limits::NAME_CHARS_MAX;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A short name such as `anna`, `pump-room` or `night.shift`: 1 to 64 letters (any script), digits,
/// `-`, `_` and `.`, starting with a letter or digit. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// There is nothing in it.
    Empty,
    /// It has more than 64 characters.
    TooLong,
    /// It holds a character that names do not have.
    Character(char),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name must not be empty"),
            Self::TooLong => write!(f, "a name has at most {NAME_CHARS_MAX} characters"),
            Self::Character(c) => write!(
                f,
                "a name consists of letters, digits, '-', '_' and '.', and starts with a letter or digit; it must not hold {c:?} there"
            ),
        }
    }
}

impl std::error::Error for NameError {}

impl Name {
    /// Takes `text` as a name.
    ///
    /// # Errors
    /// [`NameError`] if it is empty, too long, or holds a character that names do not have.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let mut chars = text.chars();
        let first = chars.next().ok_or(NameError::Empty)?;
        if !first.is_alphanumeric() {
            return Err(NameError::Character(first));
        }
        if let Some(bad) = chars.find(|c| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
            return Err(NameError::Character(bad));
        }
        if text.chars().count() > NAME_CHARS_MAX {
            return Err(NameError::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_are_taken() {
        for text in ["anna", "pump-room", "night.shift", "Größe_2", "泵", "4711"] {
            assert_eq!(Name::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_could_be_mistaken_for_something_else_is_refused() {
        for (text, error) in [
            ("", NameError::Empty),
            ("-x", NameError::Character('-')),
            ("a b", NameError::Character(' ')),
            ("a\nb", NameError::Character('\n')),
            ("a/b", NameError::Character('/')),
        ] {
            assert_eq!(Name::new(text), Err(error), "{text:?}");
        }
        assert_eq!(Name::new(&"x".repeat(65)), Err(NameError::TooLong));
    }
}
