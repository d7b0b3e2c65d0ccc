//! Reads the node file: what belongs to this machine and is not replicated.
//!
//! One struct per section, unknown keys refused with the nearest known one. What comes out is valid: the
//! addresses parse, the providers open, the names are names.

use crate::config::error::{ConfigError, Lines, Place};
use base::Name;
use channel::{Sources, nearest};
use dispatch::ProviderSpec;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod cluster;
mod error;
mod reference;

pub use cluster::{ClusterConfig, PEERS_LISTEN, dialled};
pub use error::ConfigError as NodeFileError;
pub use reference::reference;

/// What a node file is called in its data folder.
pub const NODE_FILE: &str = "node.toml";

/// A node file as it stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default = "letter")]
    letter: char,
    public_url: Option<String>,
    #[serde(default)]
    listen: Listen,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    cluster: cluster::Section,
    #[serde(default)]
    log: Log,
    #[serde(default)]
    history: History,
    #[serde(default)]
    trail: Trail,
    #[serde(default)]
    selection: Cooling,
    #[serde(default)]
    providers: Vec<toml::Table>,
}

/// Where the node listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// HTTPS: the API, and the pages behind the links in messages.
    pub api: SocketAddr,
    /// Plain HTTP for tools that cannot do otherwise; none is off. Loopback, unless you know better.
    pub ingest: Option<SocketAddr>,
    /// The source that notices without a token count as, on the plain listener.
    pub ingest_source: String,
}

/// The certificate that the API shows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM; relative to the data folder.
    pub certificate: PathBuf,
    /// PEM; relative to the data folder.
    pub key: PathBuf,
}

/// What the program says of itself, on standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
}

/// How long finished alerts can be looked up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// A duration such as `400d`.
    pub keep: String,
}

/// Where the trail goes besides the ledger.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trail {
    /// A datagram socket that speaks syslog, such as `/dev/log`; none is off.
    pub syslog: Option<PathBuf>,
}

/// How long a failed provider is left alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cooling {
    /// After the first failure.
    pub cool_down_min: String,
    /// At most; doubled with each failure in a row.
    pub cool_down_max: String,
}

fn letter() -> char {
    'A'
}

impl Default for Listen {
    fn default() -> Self {
        Self { api: SocketAddr::from(([127, 0, 0, 1], 8443)), ingest: None, ingest_source: "local".into() }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self { certificate: "tls/cert.pem".into(), key: "tls/key.pem".into() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: "text".into() }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { keep: "400d".into() }
    }
}

impl Default for Cooling {
    fn default() -> Self {
        Self { cool_down_min: "5s".into(), cool_down_max: "5m".into() }
    }
}

/// A provider of the node file: who it is, and the channel's own table.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Its name, channel, rate and quota.
    pub spec: ProviderSpec,
    /// What the channel makes of it.
    pub table: toml::Table,
    /// Where it stands.
    place: Place,
}

/// A node file, judged.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The name that people know the machine by.
    pub name: Name,
    /// The letter of the codes that this node gives out.
    pub letter: char,
    /// The address that links in messages begin with; none is the API's own address.
    pub public_url: Option<String>,
    /// Where the node listens.
    pub listen: Listen,
    /// The source of notices without a token on the plain listener.
    pub ingest_source: Name,
    /// The certificate.
    pub tls: Tls,
    /// What this machine brings to a cluster.
    pub cluster: ClusterConfig,
    /// What the program says of itself.
    pub log: Log,
    /// How long finished alerts can be looked up.
    pub history_keep: Duration,
    /// Where the trail goes besides the ledger.
    pub trail: Trail,
    /// How long a failed provider is left alone.
    pub selection: selection::Timing,
    /// The ways out, the preferred one of each channel first.
    pub providers: Vec<ProviderConfig>,
}

/// Reads `<folder>/node.toml`.
///
/// # Errors
/// A message with file, line, key and the nearest valid choice.
pub fn read(folder: &Path) -> Result<NodeConfig, ConfigError> {
    read_file(&folder.join(NODE_FILE))
}

/// Reads a node file.
///
/// # Errors
/// A message with file, line, key and the nearest valid choice.
pub fn read_file(file: &Path) -> Result<NodeConfig, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let remedy = if missing { "; `steadfast init` makes one" } else { "" };
        ConfigError::whole(file, format!("cannot be read: {error}{remedy}"))
    })?;
    parse(file, &text)
}

/// Judges the text of a node file.
///
/// # Errors
/// A message with file, line, key and the nearest valid choice.
pub fn parse(path: &Path, text: &str) -> Result<NodeConfig, ConfigError> {
    let lines = Lines { path, text };
    let file: File = toml::from_str(text).map_err(|error| lines.syntax(&error))?;
    let name = Name::new(&file.name).map_err(|error| lines.at("name", &error))?;
    if !file.letter.is_ascii_uppercase() {
        return Err(lines.at("letter", &"must be one letter from A to Z, another on each node of a cluster"));
    }
    let ingest_source =
        Name::new(&file.listen.ingest_source).map_err(|error| lines.at("ingest_source", &error))?;
    choice(&lines, "level", &file.log.level, &["error", "warn", "info", "debug", "trace"])?;
    choice(&lines, "format", &file.log.format, &["text", "json"])?;
    let duration =
        |key: &str, text: &str| base::time::parse_duration(text).map_err(|error| lines.at(key, &error));
    let timing = selection::Timing {
        cool_down_min: duration("cool_down_min", &file.selection.cool_down_min)?,
        cool_down_max: duration("cool_down_max", &file.selection.cool_down_max)?,
    };
    if timing.cool_down_min > timing.cool_down_max || timing.cool_down_min.is_zero() {
        return Err(lines.at("cool_down_min", &"must be more than 0s and not more than cool_down_max"));
    }
    if file.public_url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://"))
    {
        return Err(lines.at("public_url", &"must begin with https:// or http://"));
    }
    let history_keep = duration("keep", &file.history.keep)?;
    let cluster = file.cluster.judge(&lines)?;
    let providers = providers(&lines, file.providers)?;
    Ok(NodeConfig {
        name,
        letter: file.letter,
        public_url: file.public_url.map(|url| url.trim_end_matches('/').to_owned()),
        listen: file.listen,
        ingest_source,
        tls: file.tls,
        cluster,
        log: file.log,
        history_keep,
        trail: file.trail,
        selection: timing,
        providers,
    })
}

fn choice(lines: &Lines<'_>, key: &str, value: &str, choices: &[&str]) -> Result<(), ConfigError> {
    if choices.contains(&value) {
        return Ok(());
    }
    Err(lines.at(key, &format!("cannot be {value:?}{}", nearest(value, choices))))
}

fn providers(lines: &Lines<'_>, tables: Vec<toml::Table>) -> Result<Vec<ProviderConfig>, ConfigError> {
    let mut names = BTreeSet::new();
    let mut out = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let place = lines.place("providers", index);
        let provider =
            provider(table, place).map_err(|(key, why)| lines.in_table("providers", index, &key, &why))?;
        if !names.insert(provider.spec.name.clone()) {
            let why = format!("{} names two providers", provider.spec.name);
            return Err(lines.in_table("providers", index, "name", &why));
        }
        out.push(provider);
    }
    Ok(out)
}

/// Takes the keys that every provider has; the rest is the channel's.
fn provider(mut table: toml::Table, place: Place) -> Result<ProviderConfig, (String, String)> {
    let mut text = |key: &str| match table.remove(key) {
        Some(toml::Value::String(text)) => Ok(text),
        Some(_) => Err((key.to_owned(), "must be a text".to_owned())),
        None => Err((key.to_owned(), "is missing".to_owned())),
    };
    let name = Name::new(&text("name")?).map_err(|error| ("name".to_owned(), error.to_string()))?;
    let kind = channel::kind(&text("channel")?).map_err(|why| ("channel".to_owned(), why))?;
    let channel = Name::new(kind.name).map_err(|error| ("channel".to_owned(), error.to_string()))?;
    let mut number = |key: &str| match table.remove(key) {
        None => Ok(None),
        Some(toml::Value::Integer(number)) if (1..=1_000_000_000).contains(&number) => {
            Ok(u32::try_from(number).ok())
        }
        Some(_) => Err((key.to_owned(), "must be a whole number from 1".to_owned())),
    };
    let (per_minute, per_day) = (number("per_minute")?, number("per_day")?);
    Ok(ProviderConfig { spec: ProviderSpec { name, channel, per_minute, per_day }, table, place })
}

impl ProviderConfig {
    /// Makes the provider ready to send.
    ///
    /// # Errors
    /// A message with file, line, provider and key.
    pub fn open(&self, folder: &Path) -> Result<Box<dyn channel::Channel>, String> {
        let kind = channel::kind(self.spec.channel.as_str())?;
        let opened = (kind.open)(self.table.clone(), &Sources::new(folder));
        opened.map_err(|error| {
            let place = self.place.of(error.key.as_deref());
            format!("{place}: provider {}: {error}", self.spec.name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(Path::new("node.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_smallest_node_file_has_sane_defaults() {
        let config = parse(Path::new("node.toml"), "name = \"a\"\n").unwrap();
        assert_eq!((config.letter, config.listen.api.port()), ('A', 8443));
        assert!(config.listen.api.ip().is_loopback());
    }

    #[test]
    fn mistakes_are_named_with_line_key_and_the_nearest_choice() {
        let check = |text: &str, parts: &[&str]| {
            let error = error(text);
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        check("", &["node.toml", "name"]);
        check("name = \"a\"\nletre = \"B\"\n", &["node.toml:2", "letre", "letter"]);
        check("name = \"a\"\nletter = \"b\"\n", &["node.toml:2", "letter", "A to Z"]);
        check("name = \"a\"\n[log]\nlevel = \"inof\"\n", &["node.toml:3", "info"]);
        check("name = \"a\"\n[listen]\napi = \"nowhere\"\n", &["node.toml:3", "api"]);
        check(
            "name = \"a\"\n[[providers]]\nname = \"x\"\nchannel = \"mial\"\n",
            &["node.toml:4", "\"mail\""],
        );
        check("name = \"a\"\n[[providers]]\nchannel = \"mail\"\n", &["node.toml:2", "name", "missing"]);
    }
}
