//! What is going on: lists of alerts, one alert, and what became of its notifications.
//!
//! Open alerts come from the core, closed ones from the history. Lists are read in slices, so that the event
//! loop never stands still for long.

use crate::alert::{AlertBody, Viewer, read_code};
use crate::auth::{Allowed, Read};
use crate::moment;
use crate::nearest::{quoted, suggestion};
use crate::problem::{Kind, Rejection};
use crate::read::{Path, Query as Asked};
use crate::{Server, Shared};
use axum::Json;
use axum::extract::State;
use base::{AlertId, Name, NotificationId, Now};
use dispatch::Dispatch;
use dispatch::record::{Outcome, Purpose};
use dispatch::state::{Open, Sent};
use ledger::AlertCursor;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Bound;
use utoipa::ToSchema;

/// Rows of a page where nothing else is asked for.
const PAGE: usize = 100;
/// Rows of a page at most.
const PAGE_MAX: usize = 500;
/// What one slice of a list may cost the event loop, in alerts and notifications looked at.
const SLICE_COST: usize = 10_000;
/// Characters of a search.
const SEARCH_CHARS_MAX: usize = 200;

/// Which alerts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// `current` (all that are not closed; if absent), `open`, `acknowledged`, `ended`, `closed` or `all`.
    state: Option<String>,
    /// Only those with this text, without case, in summary, details, source, code or a label; of closed ones
    /// in the summary.
    q: Option<String>,
    /// Rows, 1 to 500; 100 if absent.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of alerts, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListBody {
    /// The alerts.
    alerts: Vec<AlertBody>,
    /// For the next page; none on the last.
    next_cursor: Option<String>,
}

/// One alert with all that was said and done.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OneBody {
    /// The alert.
    #[serde(flatten)]
    pub(crate) alert: AlertBody,
    /// What was said, in order.
    pub(crate) comments: Vec<CommentBody>,
    /// The steps that fired, in order.
    pub(crate) steps: Vec<StepBody>,
}

/// Something said about an alert.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Comment)]
pub(crate) struct CommentBody {
    /// Who.
    pub(crate) by: String,
    /// When.
    pub(crate) at: String,
    /// What.
    pub(crate) text: String,
}

/// A step that fired.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = FiredStep)]
pub(crate) struct StepBody {
    /// Which time through the policy, from 1.
    pub(crate) round: u16,
    /// Which; 0 is the notification of the first recipients.
    pub(crate) step: u16,
    /// When.
    pub(crate) at: String,
    /// How much later than the policy says.
    pub(crate) late_seconds: u64,
    /// It had nobody to tell.
    pub(crate) empty: bool,
    /// Who asked for it before its time.
    pub(crate) by: Option<String>,
    /// Who was on call in the schedules it names, and why.
    pub(crate) on_call: Vec<String>,
    /// Which filters withhold messages of it.
    pub(crate) withheld: Vec<String>,
}

/// A page of what is on its way or arrived.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotificationsBody {
    /// The notifications, by their id.
    pub(crate) notifications: Vec<NotificationBody>,
    /// For the next page; none on the last.
    pub(crate) next_cursor: Option<String>,
}

/// One message for one recipient at one address for one purpose.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification)]
pub(crate) struct NotificationBody {
    /// Its id; the Message-ID of a mail follows from it.
    pub(crate) id: String,
    /// Whom it is for.
    pub(crate) recipient: String,
    /// The channel.
    pub(crate) channel: String,
    /// Where.
    pub(crate) address: String,
    /// `alert`, `acknowledgement`, `comment` or `end`.
    pub(crate) purpose: String,
    /// `sent`, `failed`, `unknown`, `under-way` or `waiting`.
    pub(crate) state: String,
    /// Every attempt, in order; of a closed alert the last.
    pub(crate) attempts: Vec<AttemptBody>,
    /// How often it was tried.
    pub(crate) tries: u32,
    /// It may have arrived more than once.
    pub(crate) repeat: bool,
}

/// One try.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptBody {
    /// By which provider.
    pub(crate) provider: String,
    /// `accepted`, `refused`, `unknown`; none while it is under way.
    pub(crate) outcome: Option<String>,
    /// The provider's words, or its receipt.
    pub(crate) why: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Rows, 1 to 500; 100 if absent.
    pub(crate) limit: Option<usize>,
    /// The `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Which alerts a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Current,
    Open,
    Acknowledged,
    Ended,
    Closed,
    All,
}

impl Wanted {
    const WORDS: [(&'static str, Self); 6] = [
        ("current", Self::Current),
        ("open", Self::Open),
        ("acknowledged", Self::Acknowledged),
        ("ended", Self::Ended),
        ("closed", Self::Closed),
        ("all", Self::All),
    ];

    fn parse(word: Option<&str>) -> Result<Self, Rejection> {
        let Some(word) = word else { return Ok(Self::Current) };
        let found = Self::WORDS.into_iter().find(|(known, _)| *known == word);
        found.map(|(_, wanted)| wanted).ok_or_else(|| {
            let hint = suggestion(word, Self::WORDS.map(|(known, _)| known));
            Rejection::at(Kind::Invalid, "state", format!("there is no state {}{hint}", quoted(word)))
        })
    }

    fn includes(self, standing: Option<dispatch::Standing>) -> bool {
        match self {
            Self::Current | Self::All => true,
            Self::Open => standing == Some(dispatch::Standing::Open),
            Self::Acknowledged => standing == Some(dispatch::Standing::Acknowledged),
            Self::Ended => standing == Some(dispatch::Standing::Ended),
            Self::Closed => false,
        }
    }
}

/// How many rows a page has.
pub(crate) fn page_size(limit: Option<usize>) -> Result<usize, Rejection> {
    match limit {
        None => Ok(PAGE),
        Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Rejection::at(Kind::Invalid, "limit", format!("a page has 1 to {PAGE_MAX} rows"))),
    }
}

pub(crate) fn bad_cursor() -> Rejection {
    Rejection::at(Kind::Invalid, "cursor", "this is not the next_cursor of an earlier page")
}

/// Lists alerts, the newest first.
#[utoipa::path(get, operation_id = "list_alerts", path = "/api/v1/alerts", tag = "alerts", params(ListQuery),
    responses((status = 200, body = ListBody, description = "A page of alerts"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn list(
    State(shared): Server,
    _: Allowed<Read>,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<ListBody>, Rejection> {
    let wanted = Wanted::parse(query.state.as_deref())?;
    let limit = page_size(query.limit)?;
    if query.q.as_ref().is_some_and(|q| q.chars().count() > SEARCH_CHARS_MAX) {
        let detail = format!("a search has at most {SEARCH_CHARS_MAX} characters");
        return Err(Rejection::at(Kind::Invalid, "q", detail));
    }
    let search = query.q.filter(|q| !q.is_empty()).map(|q| q.to_lowercase());
    let from = query.cursor.as_deref().map_or_else(|| Ok(Start::first(wanted)), Start::parse)?;
    let (mut alerts, mut next) = (Vec::new(), Some(from));
    if let Some(Start::Current(before)) = next {
        let (found, rest) = current(&shared, wanted, search.clone(), limit, before).await?;
        alerts = found;
        next = rest.map(|id| Start::Current(Some(id)));
        if next.is_none() && wanted == Wanted::All {
            next = Some(Start::Closed(None));
        }
    }
    if let Some(Start::Closed(before)) = next
        && alerts.len() < limit
    {
        let (found, rest) = shared.histories.closed(search, limit - alerts.len(), before).await?;
        alerts.extend(found);
        next = rest.map(|cursor| Start::Closed(Some(cursor)));
    }
    Ok(Json(ListBody { alerts, next_cursor: next.map(|start| start.to_string()) }))
}

/// Where a page begins: among the alerts in memory, or among the closed ones.
#[derive(Clone, Copy, Debug)]
enum Start {
    Current(Option<AlertId>),
    Closed(Option<AlertCursor>),
}

impl Start {
    fn first(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Closed => Self::Closed(None),
            Wanted::Current | Wanted::Open | Wanted::Acknowledged | Wanted::Ended | Wanted::All => {
                Self::Current(None)
            }
        }
    }

    fn parse(text: &str) -> Result<Self, Rejection> {
        match text.split_once('~') {
            Some(("closed", "")) => Ok(Self::Closed(None)),
            Some(("closed", cursor)) => {
                cursor.parse().map(|it| Self::Closed(Some(it))).map_err(|_| bad_cursor())
            }
            _ => text.parse().map(|id| Self::Current(Some(id))).map_err(|_| bad_cursor()),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current(id) => id.map_or(Ok(()), |id| id.fmt(f)),
            Self::Closed(None) => f.write_str("closed~"),
            Self::Closed(Some(cursor)) => write!(f, "closed~{cursor}"),
        }
    }
}

/// A page of those that are not closed, read slice by slice.
async fn current(
    shared: &Shared,
    wanted: Wanted,
    search: Option<String>,
    limit: usize,
    mut before: Option<AlertId>,
) -> Result<(Vec<AlertBody>, Option<AlertId>), Rejection> {
    let mut alerts = Vec::new();
    loop {
        let (search, room) = (search.clone(), limit - alerts.len());
        let read = move |core: &Dispatch, now| slice(core, now, wanted, search.as_deref(), room, before);
        let (more, next) = shared.api.calls.read(read).await?;
        alerts.extend(more);
        if next.is_none() || alerts.len() >= limit {
            return Ok((alerts, next));
        }
        before = next;
    }
}

/// At most `room` alerts older than `before`, and where to go on; none at the end.
fn slice(
    core: &Dispatch,
    now: Now,
    wanted: Wanted,
    search: Option<&str>,
    room: usize,
    before: Option<AlertId>,
) -> (Vec<AlertBody>, Option<AlertId>) {
    let upto = before.map_or(Bound::Unbounded, Bound::Excluded);
    let mut viewer = Viewer::of_list(core, now);
    let mut alerts = Vec::new();
    let mut last = before;
    for (id, open) in core.state().open.range((Bound::Unbounded, upto)).rev() {
        if alerts.len() >= room || viewer.cost >= SLICE_COST {
            return (alerts, last);
        }
        last = Some(*id);
        viewer.cost += 1;
        if wanted.includes(core.standing(*id)) && search.is_none_or(|search| mentions(open, search)) {
            alerts.push(viewer.view(*id, open));
        }
    }
    (alerts, None)
}

fn mentions(open: &Open, search: &str) -> bool {
    let content = open.content();
    let labels = content.labels.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]);
    [content.summary.as_ref(), content.details.as_ref(), open.alert.source.as_str()]
        .into_iter()
        .chain(labels)
        .any(|text| text.to_lowercase().contains(search))
        || open.alert.code.to_string().to_lowercase() == search
}

/// Shows one alert.
#[utoipa::path(get, operation_id = "show_alert", path = "/api/v1/alerts/{alert}", tag = "alerts",
    params(("alert" = String, Path, description = "Its id, or its code while it is not closed")),
    responses((status = 200, body = OneBody, description = "The alert"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn one(
    State(shared): Server,
    _: Allowed<Read>,
    Path(alert): Path<String>,
) -> Result<Json<OneBody>, Rejection> {
    let asked = Reference::parse(&alert)?;
    let found = shared.api.calls.read(move |core, now| {
        let id = asked.find(core)?;
        core.state().open.get(&id).map(|open| whole(core, now, id, open))
    });
    if let Some(one) = found.await? {
        return Ok(Json(one));
    }
    shared.histories.one(asked).await?.map(Json).ok_or_else(|| asked.unknown())
}

fn whole(core: &Dispatch, now: Now, id: AlertId, open: &Open) -> OneBody {
    let comments = open.facts.comments.values().map(|comment| CommentBody {
        by: comment.by.to_string(),
        at: moment::written(comment.at),
        text: comment.text.to_string(),
    });
    let steps = open.facts.fired.iter().map(|(key, fired)| StepBody {
        round: key.round.saturating_add(1),
        step: key.step,
        at: moment::written(fired.at),
        late_seconds: fired.late.as_secs(),
        empty: fired.empty,
        by: fired.by.as_ref().map(ToString::to_string),
        on_call: fired.on_call.iter().map(ToString::to_string).collect(),
        withheld: fired.withheld.iter().map(ToString::to_string).collect(),
    });
    OneBody {
        alert: Viewer::of_one(core, now).view(id, open),
        comments: comments.collect(),
        steps: steps.collect(),
    }
}

/// Shows what became of an alert's notifications.
#[utoipa::path(get, operation_id = "list_notifications", path = "/api/v1/alerts/{alert}/notifications", tag = "alerts", params(PageQuery,
    ("alert" = String, Path, description = "Its id, or its code while it is not closed")),
    responses((status = 200, body = NotificationsBody, description = "A page of notifications"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn notifications(
    State(shared): Server,
    _: Allowed<Read>,
    Path(alert): Path<String>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<NotificationsBody>, Rejection> {
    let limit = page_size(query.limit)?;
    let cursor =
        query.cursor.map(|text| text.parse::<NotificationId>().map_err(|_| bad_cursor())).transpose()?;
    let after = cursor.map_or(Bound::Unbounded, Bound::Excluded);
    let asked = Reference::parse(&alert)?;
    let found = shared.api.calls.read(move |core, _| {
        let open = core.state().open.get(&asked.find(core)?)?;
        let mut rows = open.facts.sent.range((after, Bound::Unbounded));
        let page: Vec<_> = rows.by_ref().take(limit).map(|(id, sent)| (*id, sent.clone())).collect();
        let next = if rows.next().is_some() { page.last().map(|(id, _)| id.to_string()) } else { None };
        Some((page, next))
    });
    if let Some((page, next_cursor)) = found.await? {
        let notifications = page.iter().map(|(id, sent)| notification(*id, sent)).collect();
        return Ok(Json(NotificationsBody { notifications, next_cursor }));
    }
    let found = shared.histories.notifications(asked, cursor, limit).await?;
    let (notifications, next) = found.ok_or_else(|| asked.unknown())?;
    Ok(Json(NotificationsBody { notifications, next_cursor: next.map(|id| id.to_string()) }))
}

fn notification(id: NotificationId, sent: &Sent) -> NotificationBody {
    let purpose = match sent.purpose {
        Purpose::Alert(_) => "alert",
        Purpose::Acknowledgement(_) => "acknowledgement",
        Purpose::Comment(_) => "comment",
        Purpose::End => "end",
    };
    let state = match sent.attempts.last().map(|attempt| &attempt.outcome) {
        _ if sent.accepted() => "sent",
        _ if sent.concluded() => "failed",
        Some(None) => "under-way",
        Some(Some(Outcome::Unknown { .. })) => "unknown",
        Some(Some(Outcome::Accepted { .. } | Outcome::Refused { .. })) | None => "waiting",
    };
    let provider = |name: &Name| name.to_string();
    let attempts = sent.attempts.iter().map(|attempt| {
        let (outcome, why) = match &attempt.outcome {
            None => (None, None),
            Some(Outcome::Accepted { receipt }) => (Some("accepted"), Some(receipt)),
            Some(Outcome::Refused { why, .. }) => (Some("refused"), Some(why)),
            Some(Outcome::Unknown { why }) => (Some("unknown"), Some(why)),
        };
        let (outcome, why) = (outcome.map(ToOwned::to_owned), why.map(ToString::to_string));
        AttemptBody { provider: provider(&attempt.provider), outcome, why }
    });
    // An attempt without a known end, with another after it, may have arrived.
    let open_ended = |outcome: &Option<Outcome>| matches!(outcome, None | Some(Outcome::Unknown { .. }));
    let repeat = sent.attempts.len() > 1
        && sent.attempts.iter().take(sent.attempts.len() - 1).any(|attempt| open_ended(&attempt.outcome));
    NotificationBody {
        id: id.to_string(),
        recipient: sent.recipient.to_string(),
        channel: sent.address.channel.to_string(),
        address: sent.address.value.to_string(),
        purpose: purpose.to_owned(),
        state: state.to_owned(),
        attempts: attempts.collect(),
        tries: u32::try_from(sent.attempts.len()).unwrap_or(u32::MAX),
        repeat,
    }
}

/// An alert as a request names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// By its id.
    Id(AlertId),
    /// By its code.
    Code(dispatch::record::Code),
}

impl Reference {
    /// Reads an id or a code.
    pub(crate) fn parse(text: &str) -> Result<Self, Rejection> {
        if let Some(code) = read_code(text) {
            return Ok(Self::Code(code));
        }
        text.parse().map(Self::Id).map_err(|_| {
            let detail = format!(
                "{} is neither a code such as A17 nor an id such as 1f3a9c02-10a3f9b21-17",
                quoted(text)
            );
            Rejection::new(Kind::NotFound, detail)
        })
    }

    /// The open alert that it names.
    pub(crate) fn find(self, core: &Dispatch) -> Option<AlertId> {
        match self {
            // One that turned out to be another's twin is looked for under the other's id.
            Self::Id(id) => Some(core.state().target(id)).filter(|id| core.state().open.contains_key(id)),
            Self::Code(code) => core.by_code(code),
        }
    }

    /// The refusal for one that names nothing.
    pub(crate) fn unknown(self) -> Rejection {
        let detail = match self {
            Self::Id(id) => format!("there is no alert {id}"),
            Self::Code(code) => format!("no open alert has the code {code}"),
        };
        Rejection::new(Kind::NotFound, detail)
    }
}
