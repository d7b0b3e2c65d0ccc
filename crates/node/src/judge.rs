//! Judges what operators write, as a node would at its start: the node file with its providers, and a
//! directory with its names, addresses, times and templates.

use crate::config::{self, NodeConfig};
use crate::render::Renderer;
use channel::CHANNELS;
use dispatch::directory::Directory;
use record::document::{ChannelRule, Document, Lines, Problem, Rules, form, read_toml};
use std::path::Path;

/// The directory that a document describes, if there is nothing wrong with it.
///
/// # Errors
/// Every problem, with a pointer to its place.
pub fn directory(document: &Document) -> Result<Directory, Vec<Problem>> {
    let directory = by_rules(|rules| document.resolve(rules))?;
    Renderer::new(&directory)?;
    Ok(directory)
}

/// What `judge` makes of the channels, zones and calendars that this program knows.
pub fn by_rules<T>(judge: impl FnOnce(&Rules<'_>) -> T) -> T {
    let channels: Vec<ChannelRule<'_>> =
        CHANNELS.iter().map(|kind| ChannelRule { name: kind.name, check: kind.check_address }).collect();
    let zone_known = |name: &str| jiff::tz::TimeZone::get(name).is_ok();
    let schedules = |book: &form::Book| book.check(jiff::tz::db());
    judge(&Rules { channels: &channels, zone_known, schedules })
}

/// The directory that a text describes, such as one that is not in a file yet.
///
/// # Errors
/// Every problem as `file:line:column: what, and the nearest valid choice`.
pub fn directory_text(text: &str, shown: &str) -> Result<Directory, Vec<String>> {
    let document = read_toml(text, shown).map_err(|located| vec![located.to_string()])?;
    directory(&document).map_err(|problems| {
        let lines = Lines::new(text);
        problems.into_iter().map(|problem| lines.located(problem, shown).to_string()).collect()
    })
}

/// The same for a TOML file.
///
/// # Errors
/// Every problem as `file:line:column: what, and the nearest valid choice`.
pub fn directory_file(file: &Path) -> Result<Directory, Vec<String>> {
    let shown = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|error| vec![format!("{shown}: cannot be read: {error}")])?;
    directory_text(&text, &shown)
}

/// Judges a node file and opens each of its providers, which connects to nothing.
///
/// # Errors
/// Every problem, beginning with the file and, where one line is to blame, that line.
pub fn node_file(file: &Path) -> Result<NodeConfig, Vec<String>> {
    let config = config::read_file(file).map_err(|error| vec![error.to_string()])?;
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let wrong: Vec<String> =
        config.providers.iter().filter_map(|provider| provider.open(folder).err()).collect();
    if wrong.is_empty() { Ok(config) } else { Err(wrong) }
}
