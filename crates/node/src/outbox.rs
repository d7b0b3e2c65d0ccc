//! Hands deliveries to the providers: rendering and sending happen in tasks, never in the loop.
//!
//! Every delivery ends in exactly one report for each notification that it is for. A channel that panics is a failed attempt of unknown outcome,
//! not the end of the node.

use crate::letter::Letters;
use base::{AlertId, Name, NotificationId, RecordId};
use channel::Channel;
use dispatch::Delivery;
use dispatch::directory::Edition;
use dispatch::record::{Concluded, Outcome, Record};
use futures_util::FutureExt as _;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The way out of the loop.
pub(crate) struct Outbox {
    providers: BTreeMap<Name, Arc<dyn Channel>>,
    letters: Arc<Letters>,
    reports: mpsc::UnboundedSender<(AlertId, Concluded)>,
}

impl Outbox {
    pub(crate) fn new(
        providers: BTreeMap<Name, Arc<dyn Channel>>,
        letters: Arc<Letters>,
        reports: mpsc::UnboundedSender<(AlertId, Concluded)>,
    ) -> Self {
        Self { providers, letters, reports }
    }

    /// Keeps up with the directory: templates are compiled once for each of its versions.
    pub(crate) fn follow(&self, present: &Edition, record: &Record) {
        if let Record::Directory { edition, .. } = record
            && edition.place() == present.place()
        {
            self.letters.adopt(&edition.directory);
        }
    }

    /// Writes by this directory from now on.
    pub(crate) fn keep(&self, edition: &Edition) {
        self.letters.adopt(&edition.directory);
    }

    /// Makes an attempt in a task of its own. As many are under way at once as providers offered to take.
    pub(crate) fn deliver(&self, delivery: Delivery) {
        let provider = self.providers.get(&delivery.provider).map(Arc::clone);
        let letters = Arc::clone(&self.letters);
        let reports = self.reports.clone();
        tokio::spawn(async move {
            let each = delivery.each().map(|one| (one.alert_id, one.notification, one.intent));
            let each: Vec<(AlertId, NotificationId, RecordId)> = each.collect();
            let outcome = attempt(provider, letters, delivery).await;
            for (alert, notification, intent) in each {
                let concluded = Concluded { notification, intent, outcome: outcome.clone() };
                // Only a loop that has ended no longer listens; the next boot will find the attempt unfinished.
                drop(reports.send((alert, concluded)));
            }
        });
    }
}

async fn attempt(provider: Option<Arc<dyn Channel>>, letters: Arc<Letters>, delivery: Delivery) -> Outcome {
    let Some(provider) = provider else {
        return Outcome::Unknown { why: "the provider is not configured on this node".into() };
    };
    let sent = AssertUnwindSafe(async move {
        let message = letters.write(&delivery);
        provider.deliver(&message).await
    });
    sent.catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a channel panicked; the attempt counts as unknown");
        Outcome::Unknown { why: "the channel failed in a way that is a fault of ours".into() }
    })
}
