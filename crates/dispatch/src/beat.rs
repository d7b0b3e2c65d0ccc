//! The daily heartbeat: one message a day that says how all is. Whoever misses it knows that something is wrong.
//!
//! Any node sends it, under an idempotency key with the day: what another node has sent is not sent again, and where
//! two send at once they are twins.

use crate::bind::{Binding, Routed, constant};
use crate::directory::{Civil, Severity};
use crate::input::{Answer, Beat, Notice, Refusal, Taken};
use crate::record::Content;
use crate::{Dispatch, Effect};
use base::{Hasher, Name, Now};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Whom the message is from.
const SOURCE: &str = "heartbeat";
/// How long it may still be sent.
const TTL: Duration = Duration::from_secs(24 * 3600);

impl Dispatch {
    /// Tells how all is, unless that was told on this day.
    pub(crate) fn beat(&mut self, now: Now, beat: &Beat, out: &mut Vec<Effect>) -> Result<Answer, Refusal> {
        let to = self.state.edition.directory.settings.heartbeat.as_ref().map(|daily| daily.to.clone());
        let to = to.filter(|to| !to.is_empty()).ok_or(Refusal::NoHeartbeat)?;
        let source: Name = constant(SOURCE);
        // The same for all nodes, whatever each of them finds to say.
        let key =
            beat.day.as_ref().map(|day| (Arc::clone(day), Hasher::new("daily heartbeat").text(day).finish()));
        let known = key.as_ref().and_then(|(day, _)| self.keys.find(&source, day));
        if let Some(known) = known {
            let alert = Some((known.alert, known.code));
            return Ok(Answer::Taken { taken: Taken::Repeated, alert, recipients: 0, copies: 0 });
        }
        let binding = Binding {
            to: to.clone(),
            policy: None,
            templates: Vec::new(),
            avoid: self.failing(now),
            system: true,
        };
        let roster = self.bind(now, &binding, out)?;
        let content = Content {
            severity: Severity::Info,
            summary: Arc::clone(&beat.summary),
            details: Arc::clone(&beat.details),
            labels: BTreeMap::new(),
            origin: None,
        };
        let notice = Notice {
            source,
            key,
            fingerprint: None,
            resolved: false,
            stands_for: None,
            content,
            to,
            policy: None,
            choices: Vec::new(),
            civil: Civil::default(),
        };
        let routed = Routed { route: constant("system"), binding, ttl: TTL };
        let alert = self.open(now, notice, &routed, &roster, out);
        let recipients = self.runs.get(&alert.0).map_or(0, |run| run.first.len());
        Ok(Answer::Taken { taken: Taken::New, alert: Some(alert), recipients, copies: 0 })
    }
}
