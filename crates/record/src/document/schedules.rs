//! The rules of schedules and calendars as the core carries them: JSON text, written and read here alone.

use dispatch::directory::Directory;
use schedule::form::Book;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The rules of a schedule or calendar, as text.
pub(super) fn rules(form: &impl Serialize) -> Arc<str> {
    serde_json::to_string(form).expect("the form of a schedule holds texts and small numbers only").into()
}

/// The form that `rules` were written from.
pub(super) fn form<T: DeserializeOwned + Default>(rules: &str) -> T {
    // A directory that was made by hand, in a test, may hold anything; nothing else wrote rules but `rules`.
    serde_json::from_str(rules).unwrap_or_default()
}

/// The schedules and calendars of a directory, as they were written. To compute with them, read it with the time
/// zones that are at hand.
pub fn book(directory: &Directory) -> Book {
    let schedules = directory.schedules.iter();
    let calendars = directory.calendars.iter();
    Book {
        schedules: schedules.map(|(name, entry)| (name.to_string(), form(&entry.rules))).collect(),
        calendars: calendars.map(|(name, entry)| (name.to_string(), form(&entry.rules))).collect(),
    }
}
