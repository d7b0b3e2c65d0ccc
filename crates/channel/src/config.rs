//! Reads a provider's table of the node file, and says what is wrong with it.
//!
//! Separate, so that every channel's mistakes read alike: the key, what is wrong, the nearest valid key.

use base::time::parse_duration;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a provider cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key of the provider's table it is about, if it is about one.
    pub key: Option<String>,
    /// What is wrong, as a lowercase fragment; it does not repeat the key.
    pub why: String,
}

impl ConfigError {
    /// About one key.
    pub(crate) fn at(key: &str, why: impl Into<String>) -> Self {
        Self { key: Some(key.to_owned()), why: why.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "key \"{key}\": {}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Looks an environment variable up.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where the files and secrets come from that a provider's table names.
#[derive(Clone)]
pub struct Sources {
    folder: PathBuf,
    variables: Arc<Variables>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Sources {
    /// Relative paths count from `folder` (the node file's); variables are the process's.
    pub fn new(folder: &Path) -> Self {
        Self::with_variables(folder, |name| std::env::var(name).ok())
    }

    /// As [`Sources::new`], with other environment variables.
    pub fn with_variables(
        folder: &Path,
        variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self { folder: folder.to_owned(), variables: Arc::new(variables) }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }

    /// The text of the file at `path`, which may have `bytes` bytes.
    pub(crate) fn read(&self, path: &Path, bytes: u64) -> Result<String, String> {
        let path = self.folder.join(path);
        let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let file = std::fs::File::open(&path).map_err(failed)?;
        let mut text = String::new();
        file.take(bytes + 1).read_to_string(&mut text).map_err(failed)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > bytes {
            return Err(format!("{} has more than {bytes} bytes", path.display()));
        }
        Ok(text)
    }
}

/// Reads `table` as a `T`, whose keys are `keys`.
pub(crate) fn read<T: DeserializeOwned>(table: toml::Table, keys: &[&str]) -> Result<T, ConfigError> {
    if let Some(unknown) = table.keys().find(|key| !keys.contains(&key.as_str())) {
        return Err(ConfigError::at(unknown, format!("is not known{}", nearest(unknown, keys))));
    }
    let values = table.clone();
    table.try_into().map_err(|error: toml::de::Error| blame::<T>(&values, keys, error.message()))
}

/// Finds the key that `message` is about: the one without which the message is another.
fn blame<T: DeserializeOwned>(values: &toml::Table, keys: &[&str], message: &str) -> ConfigError {
    let missing = keys.iter().find(|key| message == format!("missing field `{key}`"));
    if let Some(key) = missing {
        return ConfigError::at(key, "is missing");
    }
    let guilty = values.keys().find(|key| {
        let mut without = values.clone();
        without.remove(key.as_str());
        without.try_into::<T>().err().is_none_or(|error: toml::de::Error| error.message() != message)
    });
    ConfigError { key: guilty.cloned(), why: message.replace('`', "\"") }
}

/// `; did you mean "x"?`, or all of the choices where none is near.
pub fn nearest(word: &str, choices: &[&str]) -> String {
    let near = choices.iter().map(|choice| (strsim::damerau_levenshtein(word, choice), choice)).min();
    match near {
        Some((distance, choice)) if distance * 2 <= choice.len() => format!("; did you mean \"{choice}\"?"),
        Some(_) | None => format!("; there are {}", listed(choices)),
    }
}

/// `a, b and c`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => "none".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A duration with its unit, such as `"30s"`.
pub(crate) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let duration = parse_duration(&text).map_err(D::Error::custom)?;
    if duration.is_zero() {
        return Err(D::Error::custom("must be longer than 0s"));
    }
    Ok(duration)
}

/// `reference` as a table in which the optional keys are set too; for tests of the documented examples.
#[cfg(test)]
pub(crate) fn with_optional_keys(reference: &str) -> toml::Table {
    let lines: Vec<&str> = reference
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(|line| line.trim_start_matches('#'))
        .collect();
    lines.join("\n").parse().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its absence and type matter here")]
        host: String,
        #[expect(dead_code, reason = "only its type matters here")]
        port: Option<u16>,
        #[serde(default, deserialize_with = "duration")]
        #[expect(dead_code, reason = "only its form matters here")]
        wait: Duration,
    }

    fn check(table: &str, expect: &str) {
        let error = read::<Sample>(table.parse().unwrap(), &["host", "port", "wait"]).unwrap_err();
        assert_eq!(error.to_string(), expect, "{table}");
    }

    #[test]
    fn a_mistake_names_its_key_and_the_nearest_valid_one() {
        check("host='a'\nprot=1", "key \"prot\": is not known; did you mean \"port\"?");
        check("host='a'\ncolour=1", "key \"colour\": is not known; there are host, port and wait");
        check("port=1", "key \"host\": is missing");
        check("host='a'\nport='x'", "key \"port\": invalid type: string \"x\", expected u16");
        check("host='a'\nport=70000", "key \"port\": invalid value: integer \"70000\", expected u16");
        check(
            "host='a'\nwait='5'",
            "key \"wait\": \"5\" has a number without a unit; write a duration with its unit, such as \"30s\", \"5m\", \"1h30m\" or \"2d\"",
        );
        check("host='a'\nwait='0s'", "key \"wait\": must be longer than 0s");
    }
}
