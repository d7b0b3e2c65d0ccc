//! Passwords and keys, which no log, screen or reason may show.
//!
//! Separate, so that there is one way to give a secret and one place that could leak it.

use crate::Sources;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a secret. A larger file is not one.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// What stands for a secret that was shown.
const HIDDEN: &str = "[secret]";

/// A password or key. `Debug` does not show it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Secret {
    /// Takes `text` as a secret.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that uses it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of the secret hidden. A short secret would blank out ordinary words, so
    /// one of fewer than 4 bytes is not looked for.
    pub(crate) fn hide_in(&self, text: &str) -> String {
        if self.0.len() < 4 { text.to_owned() } else { text.replace(&*self.0, HIDDEN) }
    }
}

/// Where a secret is kept: `{ file = "path" }` or `{ env = "NAME" }`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) enum SecretRef {
    /// In a file; one line end at its end does not belong to it.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

impl TryFrom<toml::Value> for SecretRef {
    type Error = String;

    /// By hand, because a derived error would repeat a password that somebody wrote in place.
    fn try_from(value: toml::Value) -> Result<Self, String> {
        let one = value.as_table().filter(|table| table.len() == 1);
        let text = |key: &str| Some(one?.get(key)?.as_str()?.to_owned());
        if let Some(path) = text("file") {
            return Ok(Self::File(path.into()));
        }
        text("env").map(Self::Env).ok_or_else(|| {
            "a secret does not stand here itself; write { file = \"path\" } or { env = \"NAME\" }".to_owned()
        })
    }
}

impl SecretRef {
    /// Fetches it.
    ///
    /// # Errors
    /// What is missing, empty or unreadable.
    pub(crate) fn fetch(&self, sources: &Sources) -> Result<Secret, String> {
        let text = match self {
            Self::File(path) => sources.read(path, SECRET_BYTES_MAX)?,
            Self::Env(name) => {
                sources.variable(name).ok_or_else(|| format!("environment variable {name} is not set"))?
            }
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(match self {
                Self::File(path) => format!("{} is empty", path.display()),
                Self::Env(name) => format!("environment variable {name} is empty"),
            });
        }
        Ok(Secret::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_without_its_line_end_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pw"), "pass word\r\n").unwrap();
        let sources = Sources::new(folder.path());
        let secret = SecretRef::File("pw".into()).fetch(&sources).unwrap();
        assert_eq!(secret.reveal(), "pass word");
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.hide_in("no pass word here"), "no [secret] here");
    }

    #[test]
    fn a_missing_secret_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let sources = Sources::with_variables(folder.path(), |name| (name == "BLANK").then(String::new));
        let error = |source: SecretRef| source.fetch(&sources).unwrap_err();
        assert!(error(SecretRef::File("gone".into())).contains("gone"), "names the file");
        assert_eq!(error(SecretRef::File("empty".into())), "empty is empty");
        assert_eq!(error(SecretRef::Env("NONE".into())), "environment variable NONE is not set");
        assert_eq!(error(SecretRef::Env("BLANK".into())), "environment variable BLANK is empty");
    }
}
