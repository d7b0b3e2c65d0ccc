//! What the integration tests share: a message, and a provider from its table.

use base::{NotificationId, Wall};
use channel::{Channel, Message, Sources, kind};
use dispatch::directory::Severity;
use std::collections::BTreeMap;
use std::path::Path;

/// The password and key of every provider in the tests.
pub(crate) const SECRET: &str = "tiger-77";

/// A message to `to`.
pub(crate) fn message(to: &str) -> Message {
    Message {
        notification: NotificationId(0x5eed),
        alert: "0000001f-20000abcd-17".to_owned(),
        code: "A123".to_owned(),
        attempt: 1,
        repeat: None,
        to: to.into(),
        recipient: "anna".to_owned(),
        recipient_title: "Anna Lüdke".to_owned(),
        subject: Some("[A123] Pumpe 3 steht 🚨".to_owned()),
        text: "Pumpe 3 steht.\n.\nAcknowledge: https://steadfast.example/a\n".to_owned(),
        severity: Severity::High,
        summary: "Pumpe 3 steht".into(),
        details: "".into(),
        labels: BTreeMap::from([("plant".into(), "north".into())]),
        purpose: "alert".to_owned(),
        link: None,
        thread: Some("0000001f-20000abcd-17".to_owned()),
        at: Wall(1_700_000_000_000),
        together: Vec::new(),
    }
}

/// A provider of `channel` from its table. The environment holds one variable, `SECRET`.
pub(crate) fn open(channel: &str, table: &str) -> Box<dyn Channel> {
    let sources =
        Sources::with_variables(Path::new("/nowhere"), |name| (name == "SECRET").then(|| SECRET.to_owned()));
    let table = table.parse().expect("the test's table is TOML");
    (kind(channel).expect("the channel is there").open)(table, &sources).expect("the test's table is right")
}
