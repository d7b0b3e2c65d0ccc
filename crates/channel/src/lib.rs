//! The ways out: each channel hands a rendered message to a service that we do not run.
//!
//! Separate, because what lies behind it belongs to strangers: it may hang, lie, drop or be gone. A channel
//! decides nothing about alerts; it makes one attempt and says what came of it as an
//! [`Outcome`](dispatch::record::Outcome). Channels do not know each other.
//!
//! A new channel brings its file, its `mod` and its row in [`CHANNELS`]; the contract in `tests/contract.rs`
//! then holds for it too.

mod config;
mod message;
mod secret;
mod smtp;
mod tls;
mod webhook;

pub use config::{ConfigError, Sources, nearest};
pub use message::{Listed, Message, reason};
pub use secret::Secret;
pub use smtp::parse_reply;

use async_trait::async_trait;
use dispatch::record::Outcome;

/// Every channel we speak.
pub const CHANNELS: &[Kind] = &[smtp::KIND, webhook::KIND];

/// What opening a provider comes to.
pub type Opened = Result<Box<dyn Channel>, ConfigError>;

/// What there is to know of a channel before a provider of it is opened.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The word used in addresses and in the node file, such as `mail`.
    pub name: &'static str,
    /// What it can do.
    pub abilities: Abilities,
    /// Checks an address value; the error says what a right one looks like.
    pub check_address: fn(&str) -> Result<(), String>,
    /// Opens a provider from its table of the node file. Reads the files named there, and connects to
    /// nothing.
    pub open: fn(toml::Table, &Sources) -> Opened,
    /// The table with every key, documented; the optional ones stand behind `#`.
    pub reference: &'static str,
}

/// What a channel can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// It reports later whether the message arrived.
    pub confirms: bool,
    /// People can answer on it.
    pub takes_replies: bool,
    /// Its messages have a subject.
    pub subject: bool,
    /// Bytes of the text; the caller cuts a longer one.
    pub text_max: usize,
}

/// One provider: a configured instance of a channel.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Makes one attempt. Ends by itself, within the provider's timeouts.
    ///
    /// A panic or a dropped future leaves the provider usable; the attempt is then unknown to the caller.
    async fn deliver(&self, message: &Message) -> Outcome;

    /// How many deliveries it makes at once. More wait for each other.
    fn slots(&self) -> usize;

    /// Tries everything short of sending, and says what was found.
    ///
    /// # Errors
    /// What failed, in words for an operator.
    async fn probe(&self) -> Result<String, String>;
}

/// The channel of that name.
///
/// # Errors
/// A sentence that names the nearest channel.
pub fn kind(name: &str) -> Result<&'static Kind, String> {
    CHANNELS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<&str> = CHANNELS.iter().map(|kind| kind.name).collect();
        format!("there is no channel {name:?}{}", nearest(name, &names))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Files of `src` that are not channels.
    const SUPPORT: [&str; 5] = ["lib.rs", "config.rs", "message.rs", "secret.rs", "tls.rs"];

    #[test]
    fn every_file_is_a_channel_with_a_row_or_known_support() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let rows: BTreeSet<String> = std::fs::read_to_string(source.join("lib.rs"))
            .unwrap()
            .lines()
            .find_map(|line| line.strip_prefix("pub const CHANNELS: &[Kind] = &["))
            .unwrap()
            .trim_end_matches("];")
            .split(", ")
            .map(|row| row.replace("::KIND", ".rs"))
            .collect();
        let files: BTreeSet<String> = std::fs::read_dir(source)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| !SUPPORT.contains(&name.as_str()))
            .collect();
        assert_eq!(rows, files);
    }

    #[test]
    fn a_misspelt_channel_is_told_the_nearest() {
        assert_eq!(kind("mail").unwrap().name, "mail");
        assert_eq!(kind("mial").unwrap_err(), "there is no channel \"mial\"; did you mean \"mail\"?");
        assert_eq!(kind("fax").unwrap_err(), "there is no channel \"fax\"; there are mail and webhook");
    }
}
