//! What each fuzz target does with its input: parsers that face strangers, and what must hold of them.
//!
//! Separate from the targets' programs, so that an ordinary test on the stable toolchain replays the
//! corpora through the same functions (`xtask/tests/corpora.rs`). A target panics where something is wrong.

use std::path::Path;
use std::str;

use api::{
    LinkError, LinkKey, Member, check_token, link_token as written_token, parse_alertmanager_hook,
    parse_grafana_hook, parse_notice, parse_posted, parse_silence, read_token,
};
use base::limits::{DETAILS_BYTES_MAX, LABEL_BYTES_MAX, LABELS_MAX, MESSAGE_BYTES_MAX, SUMMARY_BYTES_MAX};
use base::{AlertId, LogId, Name, NotificationId, RecordId, Wall};
use dispatch::directory::Template;
use dispatch::record::Entry;
use dispatch::state::State;
use record::document::{Document, Rules, read_json, read_toml, write_toml};

/// A target: its name, which is also that of its corpus, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. A new one brings its row here, its program in `targets`, its `[[bin]]` and its corpus.
pub const TARGETS: &[Target] = &[
    ("address", address),
    ("alertmanager_hook", alertmanager_hook),
    ("alertmanager_json", alertmanager_json),
    ("certificate", certificate),
    ("directory_json", directory_json),
    ("directory_toml", directory_toml),
    ("grafana_hook", grafana_hook),
    ("link_token", link_token),
    ("node_file", node_file),
    ("notice_json", notice_json),
    ("peer_frame", peer_frame),
    ("record_decode", record_decode),
    ("smtp_reply", smtp_reply),
    ("template", template),
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

/// What a mail server says: read, refused or not whole yet, and more of it never changes the first reply.
pub fn smtp_reply(data: &[u8]) {
    if let Ok(Some((code, words))) = channel::parse_reply(data) {
        assert!((200..600).contains(&code), "{code} is no reply code");
        assert!(!words.contains(['\r', '\n']), "{words:?} is one line");
        let more = [data, b"250 more\r\n"].concat();
        assert_eq!(channel::parse_reply(&more), Ok(Some((code, words))), "the first reply stays the first");
    }
}

/// Frames of a peer, `version kind payload` each behind the other's length: what is read is written so that
/// it reads back as the same.
pub fn peer_frame(data: &[u8]) {
    let mut rest = data;
    while let Some(([version, kind, high, low], more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (payload, behind) = more.split_at(length);
        rest = behind;
        let spoken = cluster::VERSIONS.iter().find(|spoken| spoken.number == *version);
        let Some(version) = spoken else { continue };
        let Ok(message) = cluster::frame::decode(*version, *kind, payload) else { continue };
        let again = cluster::frame::encode(*version, &message);
        assert_eq!(cluster::frame::decode(*version, *kind, &again), Ok(message));
    }
}

/// Certificates, whose time is read before anything about them is known to be true.
pub fn certificate(data: &[u8]) {
    if let Some(validity) = cluster::validity(data) {
        let _ = validity.expires();
        let longer = [data, b"more"].concat();
        assert_eq!(cluster::validity(&longer), Some(validity), "what stands behind it says nothing");
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

/// Alerts and silences as Prometheus and its tools send them: read the same each time, and the matchers of a silence
/// read back as they are written.
pub fn alertmanager_json(data: &[u8]) {
    let now = Wall(1_772_366_400_000);
    assert_eq!(parse_posted(data, now), parse_posted(data, now), "an alert is read the same each time");
    if let Ok(silence) = parse_silence(data, now) {
        assert!(silence.from < silence.until, "a silence has a time");
        let written = silence.matchers.to_string();
        assert_eq!(written.parse(), Ok(silence.matchers), "matchers read back as they are written");
    }
}

/// What Alertmanager posts as a webhook.
pub fn alertmanager_hook(data: &[u8]) {
    let read = || parse_alertmanager_hook(data, Wall(1_772_366_400_000));
    posted(read(), read());
}

/// What Grafana posts as a webhook, old and new.
pub fn grafana_hook(data: &[u8]) {
    let read = || parse_grafana_hook(data, Wall(1_772_366_400_000));
    posted(read(), read());
}

/// Every alert of a post is within the limits of a notice, whatever was posted, and is read the same each time.
fn posted(one: Result<Vec<Member>, api::Rejection>, other: Result<Vec<Member>, api::Rejection>) {
    match &one {
        Err(rejection) => assert!((400..500).contains(&rejection.status), "{rejection:?}"),
        Ok(members) => members.iter().for_each(within_limits),
    }
    assert_eq!(one.ok(), other.ok(), "a post is read the same each time");
}

fn within_limits(member: &Member) {
    let content = &member.content;
    assert!(content.summary.len() <= SUMMARY_BYTES_MAX && !content.summary.contains('\n'));
    assert!(content.details.len() <= DETAILS_BYTES_MAX);
    assert!((1..=LABELS_MAX).contains(&content.labels.len()));
    for (name, value) in &content.labels {
        assert!(name.len() + value.len() <= LABEL_BYTES_MAX, "{name}");
    }
}

/// Notices as strangers post them: read the same each time, whatever they are.
pub fn notice_json(data: &[u8]) {
    let (one, other) = (parse_notice(data), parse_notice(data));
    assert_eq!(one.ok(), other.ok(), "a notice is read the same each time");
}

/// Tokens of links: read without a panic, never taken for ours, and one that we wrote reads back.
pub fn link_token(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let key = LinkKey([7; 32]);
    let _ = read_token(text);
    assert_ne!(check_token(&key, text, Wall(i64::MIN)).err(), None, "a token that fuzzing made is not ours");
    if let Ok(recipient) = text.parse::<Name>() {
        let log: LogId = "1-100000001".parse().expect("an id of this form is one");
        let alert = AlertId(RecordId { log, seq: data.len() as u64 });
        let token = written_token(&key, &alert, &recipient, Wall(10));
        let link = check_token(&key, &token, Wall(10)).expect("our own token counts until its time is over");
        assert_eq!((link.alert, link.recipient), (alert, recipient));
        assert_eq!(check_token(&key, &token, Wall(11)), Err(LinkError::Expired));
    }
}

/// Node files: judged without a panic, and every complaint names the file.
pub fn node_file(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Err(error) = node::config::parse(Path::new("node.toml"), text) {
        assert!(error.to_string().starts_with("node.toml:"), "{error}");
    }
}

/// Templates of operators, `subject NUL body NUL footnote`: what is let through makes a message within its
/// limit, with a subject in one line.
pub fn template(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut parts = text.split('\0');
    let mut part = || parts.next().map(Into::into);
    let (subject, body) = (part(), part().unwrap_or_default());
    let channel = "mail".parse().expect("letters are a name");
    let template = Template { channel, language: None, default: true, subject, body };
    let Ok(rendered) = node::render::preview(&template, parts.next(), None, true) else { return };
    assert!(rendered.text.len() <= MESSAGE_BYTES_MAX, "{} bytes", rendered.text.len());
    let breaks = |subject: String| subject.contains(['\r', '\n']);
    assert!(!rendered.subject.is_some_and(breaks), "a subject has one line");
    assert_eq!(rendered.problem, None, "what was let through does not fail when it is used");
}
