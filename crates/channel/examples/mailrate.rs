//! Sends N mails to a plain SMTP server on loopback over CONNS connections, and prints mails per second.
//!
//! `cargo run --release -p channel --example mailrate -- PORT N CONNS`

use base::{NotificationId, Wall};
use channel::{Channel, Message, Sources, kind};
use dispatch::directory::Severity;
use dispatch::record::Outcome;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

fn message(number: usize) -> Message {
    Message {
        notification: NotificationId(u128::try_from(number).unwrap_or(u128::MAX)),
        alert: "0000001f-20000abcd-17".to_owned(),
        code: "A123".to_owned(),
        attempt: 1,
        repeat: None,
        to: "ops@example.org".into(),
        recipient: "ops".to_owned(),
        recipient_title: "Operations".to_owned(),
        subject: Some(format!("[A{number}] Pump 3 HIGH")),
        text: format!(
            "Alert {number}: pump 3 stopped.\nAcknowledge: https://steadfast.example/a/A{number}\n"
        ),
        severity: Severity::High,
        summary: "pump 3 stopped".into(),
        details: "".into(),
        labels: BTreeMap::new(),
        purpose: "alert".to_owned(),
        link: None,
        thread: None,
        at: Wall(1_700_000_000_000),
        together: Vec::new(),
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "printing its figure is all this program is for")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<usize> =
        std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [port, mails, connections] = arguments[..] else { return Err("usage: mailrate PORT N CONNS".into()) };
    let table = format!(
        "host='127.0.0.1'\nport={port}\ntls='plain'\nsender='alerts@plant.example'\nconnections={connections}"
    );
    let provider: Arc<dyn Channel> =
        (kind("mail")?.open)(table.parse()?, &Sources::new(Path::new(".")))?.into();
    let (next, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (provider, next, accepted) = (Arc::clone(&provider), Arc::clone(&next), Arc::clone(&accepted));
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= mails {
                    return;
                }
                if let Outcome::Accepted { .. } = provider.deliver(&message(number)).await {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    senders.join_all().await;
    let millis = base::time::millis(began.elapsed()).max(1);
    let rate = u64::try_from(mails)?.saturating_mul(1000) / millis;
    println!(
        "{rate} mails/s ({} of {mails} accepted, {connections} connections)",
        accepted.load(Ordering::Relaxed)
    );
    Ok(())
}
