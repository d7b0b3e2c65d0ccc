//! What each fuzz target does with its input: parsers that face strangers, and what must hold of them.
//!
//! Separate from the targets' programs, so that an ordinary test on the stable toolchain replays the
//! corpora through the same functions (`xtask/tests/corpora.rs`). A target panics where something is wrong.

use std::str;

use base::{AlertId, LogId, Name, NotificationId, RecordId};
use dispatch::record::Entry;
use dispatch::state::State;
use record::document::{Document, Rules, read_json, read_toml, write_toml};

/// A target: its name, which is also that of its corpus, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. A new one brings its row here, its program in `targets`, its `[[bin]]` and its corpus.
pub const TARGETS: &[Target] = &[
    ("address", address),
    ("directory_json", directory_json),
    ("directory_toml", directory_toml),
    ("record_decode", record_decode),
    ("words", words),
];

/// Lines that a peer or a damaged disk may hold: each is refused, or reads back as it was written, and
/// folding them into a state never panics, whatever they say. Recovery folds them to the same state.
pub fn record_decode(data: &[u8]) {
    let mut applied = State::default();
    let mut recovered = State::default();
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(entry) = record::decode(line) else { continue };
        let again = record::decode(&record::encode(&entry));
        assert_eq!(again.as_ref(), Ok(&entry), "a record reads back as it was written");
        fold(&mut applied, &mut recovered, &entry);
    }
    assert_eq!(applied, recovered, "recovery folds to the same state");
    assert_eq!(applied.join(&recovered), applied, "a join takes in nothing twice");
}

fn fold(applied: &mut State, recovered: &mut State, entry: &Entry) {
    let log: LogId = "1-100000001".parse().expect("an id of this form is one");
    let id = RecordId { log, seq: applied.applied(log) };
    let _ = record::index(id, entry);
    let _ = record::to_json(&entry.record);
    let before = applied.clone();
    if applied.apply(id, entry).is_err() {
        assert_eq!(*applied, before, "a poison record changes nothing");
    } else {
        recovered.recover(id, entry);
    }
}

/// A directory as people write it.
pub fn directory_toml(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(document) = read_toml(text, "directory.toml") {
        judge(&document);
    }
}

/// A directory as programs send it.
pub fn directory_json(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(document) = read_json(text, "the body") {
        judge(&document);
    }
}

/// What was read is written so that it reads back, and what is let through survives the way to the core.
fn judge(document: &Document) {
    let text = write_toml(document);
    assert_eq!(read_toml(&text, "written").ok().as_ref(), Some(document), "{text}");
    let Ok(directory) = document.resolve(&Rules::any()) else { return };
    let again = Document::from(&directory).resolve(&Rules::any());
    assert_eq!(again, Ok(directory), "a directory survives being written");
}

/// Names, identities and durations: what is accepted prints as a text that is accepted as the same.
pub fn words(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(name) = text.parse::<Name>() {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    if let Ok(id) = text.parse::<AlertId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(id) = text.parse::<NotificationId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let _ = base::time::parse_duration(text);
}

/// Addresses of every channel: judged without a panic. One of mail is refused if it could end a line of a
/// header; a URL is encoded before it goes anywhere.
pub fn address(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for kind in channel::CHANNELS {
        let well = (kind.check_address)(text).is_ok();
        let could_inject = kind.name == "mail" && text.contains(['\r', '\n', '\0']);
        assert!(!well || !could_inject, "{} takes {text:?}", kind.name);
    }
}
