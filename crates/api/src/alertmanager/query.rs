//! The alerts that are not over, as Alertmanager lists them.

use super::params::Params;
use super::shown::{AlertBody, shown};
use super::{Receiver, Told};
use crate::auth::{Allowed, Read};
use crate::problem::Rejection;
use crate::{Server, Shared};
use axum::Json;
use axum::extract::{RawQuery, State};
use base::{AlertId, Now};
use dispatch::{Dispatch, Standing};
use matcher::{Expression, Matchers};
use serde::Serialize;
use std::collections::BTreeMap;

/// Alerts that are looked at in one turn of the event loop.
const SLICE: usize = 2000;

/// Which alerts.
#[derive(Clone, Debug)]
struct Wanted {
    filter: Matchers,
    receiver: Option<Expression>,
    active: bool,
    silenced: bool,
    inhibited: bool,
}

impl Wanted {
    fn read(query: Option<&str>) -> Result<Self, Told> {
        let params = Params::read(query);
        // Nothing is unprocessed here: to leave those out changes nothing.
        params.flag("unprocessed")?;
        Ok(Self {
            filter: params.filter()?,
            receiver: params.receiver()?,
            active: params.flag("active")?,
            silenced: params.flag("silenced")?,
            inhibited: params.flag("inhibited")?,
        })
    }

    fn includes(&self, alert: &AlertBody) -> bool {
        // As there: what is both silenced and inhibited is left out with either, and a mute time is no matter here.
        let (silenced, inhibited) =
            (!alert.status.silenced_by.is_empty(), !alert.status.inhibited_by.is_empty());
        let asked = (self.silenced || !silenced) && (self.inhibited || !inhibited);
        let asked = asked && (self.active || silenced || inhibited || !alert.status.muted_by.is_empty());
        let to = |receiver: &Receiver| self.receiver.as_ref().is_none_or(|it| it.matches(&receiver.name));
        asked
            && alert.receivers.iter().any(to)
            && self.filter.matches(|name| alert.labels.get(name).map(String::as_str))
    }
}

/// Lists alerts by their fingerprints.
pub(super) async fn alerts(
    State(shared): Server,
    caller: Result<Allowed<Read>, Rejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<AlertBody>>, Told> {
    caller?;
    found(&shared, Wanted::read(query.as_deref())?).await.map(Json)
}

async fn found(shared: &Shared, wanted: Wanted) -> Result<Vec<AlertBody>, Told> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let wanted = wanted.clone();
        let (some, last) = shared.api.calls.read(move |core, now| slice(core, now, &wanted, after)).await?;
        all.extend(some);
        if last.is_none() {
            break;
        }
        after = last;
    }
    all.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    Ok(all)
}

/// Those among the next after `after`, and the last that was looked at; none at the end.
fn slice(
    core: &Dispatch,
    now: Now,
    wanted: &Wanted,
    after: Option<AlertId>,
) -> (Vec<AlertBody>, Option<AlertId>) {
    let mut last = None;
    let mut some = Vec::new();
    for (looked_at, (id, open)) in core.open_after(after).enumerate() {
        if looked_at == SLICE {
            return (some, last);
        }
        last = Some(id);
        if core.standing(id) != Some(Standing::Ended) {
            some.extend(Some(shown(core, now, id, open)).filter(|alert| wanted.includes(alert)));
        }
    }
    (some, None)
}

/// Alerts of one receiver and one name.
#[derive(Debug, Serialize)]
pub(super) struct GroupBody {
    labels: BTreeMap<String, String>,
    receiver: Receiver,
    alerts: Vec<AlertBody>,
}

/// Lists alerts by receiver and name.
pub(super) async fn groups(
    State(shared): Server,
    caller: Result<Allowed<Read>, Rejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<GroupBody>>, Told> {
    caller?;
    let mut groups: BTreeMap<(Receiver, String), Vec<AlertBody>> = BTreeMap::new();
    for alert in found(&shared, Wanted::read(query.as_deref())?).await? {
        let name = alert.labels.get("alertname").cloned().unwrap_or_default();
        for receiver in alert.receivers.clone() {
            groups.entry((receiver, name.clone())).or_default().push(alert.clone());
        }
    }
    let body = |((receiver, name), alerts)| GroupBody {
        labels: BTreeMap::from([("alertname".to_owned(), name)]),
        receiver,
        alerts,
    };
    Ok(Json(groups.into_iter().map(body).collect()))
}
