//! The page behind a link in a message: what is wrong, and one big button.
//!
//! Made on the server, without scripts, because it must work on any telephone at three in the morning. GET
//! only shows it, because mail scanners follow links; POST acknowledges. The link is the credential: it names
//! alert and recipient, and nothing else can be done with it.

use crate::alert::{AlertBody, Viewer, age};
use crate::auth::Peer;
use crate::link::{Link, LinkError, check_token};
use crate::orders::{done, words};
use crate::problem::Rejection;
use crate::read::body_bytes;
use crate::{Server, Shared, moment};
use axum::body::Body;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::limits::CHOICE_CHARS_MAX;
use dispatch::input::{Acknowledge, Choose, Order};
use dispatch::record::{Actor, Choice, Chosen, Via};
use dispatch::{Answer, Input, Refusal, Standing, Which};
use serde::Deserialize;
use std::sync::Arc;

/// Bytes of the form that the page sends: a comment at its limit, percent-encoded, fits.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// Characters of an alert's texts that the page shows, so that it stays small.
const SUMMARY_SHOWN: usize = 600;
const DETAILS_SHOWN: usize = 1200;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1rem}\
h1{font-size:1.4rem;line-height:1.3;overflow-wrap:anywhere}\
.s{font-weight:700}.critical,.high{color:light-dark(#a30000,#ff9b90)}\
p,pre,dd{overflow-wrap:anywhere}pre{white-space:pre-wrap;font:inherit;border-left:.2rem solid #888;padding-left:.8rem}\
dt{opacity:.75;font-size:.9rem}dd{margin:0 0 .5rem}\
label{display:block}textarea{width:100%;box-sizing:border-box;font:inherit;min-height:4rem}\
button{display:block;width:100%;font:inherit;font-weight:700;padding:1rem;margin:1rem 0;border:.15rem solid;border-radius:.5rem;cursor:pointer}\
.ack{background:#0b5d1e;color:#fff;border-color:#0b5d1e;font-size:1.3rem;padding:1.3rem}\
.esc{background:transparent;color:inherit}\
:focus-visible{outline:.2rem solid #2f7bff;outline-offset:.15rem}";

/// What the page's form says.
#[derive(Debug, Default, Deserialize)]
struct Form {
    #[serde(default)]
    comment: String,
    #[serde(default)]
    action: String,
}

/// What the button that was pressed stands for.
#[derive(Clone, Copy, Debug)]
enum Action {
    Acknowledge,
    Escalate,
    /// The number of a choice, from 1.
    Answer(u8),
}

impl Action {
    /// What is not understood acknowledges: a button was pressed.
    fn of(form: &Form, seen: &Seen) -> Self {
        match form.action.as_str() {
            "escalate" => Self::Escalate,
            action if !seen.choices.is_empty() => action.parse().map_or(Self::Acknowledge, Self::Answer),
            _ => Self::Acknowledge,
        }
    }
}

/// What a link led to.
struct Seen {
    alert: AlertBody,
    standing: Standing,
    /// The name that the recipient is greeted by.
    title: Arc<str>,
    /// They have acknowledged themselves, or somebody has for everybody.
    acknowledged: bool,
    /// What they can answer.
    choices: Vec<Choice>,
    /// What they answered last.
    answered: Option<Chosen>,
    age: String,
}

/// Shows what a link is about; changes nothing.
#[utoipa::path(get, operation_id = "show_link", path = "/a/{token}", tag = "pages",
    params(("token" = String, Path, description = "From a link in a message")),
    responses((status = 200, content_type = "text/html", description = "The alert, with a button to acknowledge it"),
        (status = 403, content_type = "text/html", description = "The link is not one of ours"),
        (status = 410, content_type = "text/html", description = "The link or the alert is over")))]
pub(crate) async fn show(State(shared): Server, Path(token): Path<String>) -> Response {
    match look(&shared, &token).await {
        Ok((_, seen)) => page(StatusCode::OK, &seen.alert.summary, &alert_page(&seen)),
        Err(response) => response,
    }
}

/// Acknowledges or answers what a link is about, or has it escalated at once.
#[utoipa::path(post, operation_id = "use_link", path = "/a/{token}", tag = "pages",
    params(("token" = String, Path, description = "From a link in a message")),
    request_body(content_type = "application/x-www-form-urlencoded", content = String,
        description = "`action` is `acknowledge` (if absent), `escalate`, or the number of a choice; `comment` is said with it"),
    responses((status = 200, content_type = "text/html", description = "It was done"),
        (status = 403, content_type = "text/html", description = "The link is not one of ours"),
        (status = 410, content_type = "text/html", description = "The link or the alert is over")))]
pub(crate) async fn act(
    State(shared): Server,
    Path(token): Path<String>,
    Peer(from): Peer,
    body: Body,
) -> Response {
    let (link, seen) = match look(&shared, &token).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let form = match read_form(body).await {
        Ok(form) => form,
        Err(rejection) => return failed(&rejection),
    };
    let action = Action::of(&form, &seen);
    match order(&shared, &link, from, &form, action).await {
        Ok(()) => acted(&seen, action),
        Err(rejection) => failed(&rejection),
    }
}

async fn look(shared: &Shared, token: &str) -> Result<(Link, Seen), Response> {
    let link = check_token(&shared.api.links, token, moment::now()).map_err(|error| match error {
        LinkError::Forged => told(
            StatusCode::FORBIDDEN,
            "This link does not work",
            "It may have been cut short on its way. Open it again from the message, or tell an operator the code that the message gives.",
        ),
        LinkError::Expired => told(
            StatusCode::GONE,
            "This link has expired",
            "If the alert is still open, a newer message has a newer link.",
        ),
    })?;
    let asked = link.clone();
    let read = shared.api.calls.read(move |core, now| {
        let alert = core.state().target(asked.alert);
        let open = core.state().open.get(&alert)?;
        let standing = core.standing(alert)?;
        let roster = core.state().rosters.get(&open.alert.roster);
        let person = roster.and_then(|roster| roster.person(&asked.recipient));
        let title =
            person.map_or_else(|| asked.recipient.as_str().into(), |person| Arc::clone(&person.title));
        let mut acks = open.facts.acks.values();
        let own = acks.any(|ack| ack.recipient.as_ref().is_none_or(|name| *name == asked.recipient));
        let acknowledged = standing != Standing::Open || own;
        let alert = Viewer::of_list(core, now).view(asked.alert, open);
        let choices = open.alert.choices.clone();
        let answered = open.facts.answers.get(&Some(asked.recipient.clone()));
        let answered = answered.map(|answered| answered.chosen.clone());
        let age = age(now.wall, open.at);
        Some(Seen { alert, standing, title, acknowledged, choices, answered, age })
    });
    match read.await {
        Ok(Some(seen)) => Ok((link, seen)),
        Ok(None) => {
            Err(told(StatusCode::GONE, "This alert is closed", "There is nothing left to do. Thank you."))
        }
        Err(error) => Err(failed(&error.into())),
    }
}

async fn read_form(body: Body) -> Result<Form, Rejection> {
    let mut request = Request::new(Body::from(body_bytes(body, FORM_BYTES_MAX).await?));
    *request.method_mut() = Method::POST;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    // What is not a form acknowledges without a comment: the button was pressed.
    Ok(axum::Form::from_request(request, &()).await.map(|form| form.0).unwrap_or_default())
}

async fn order(
    shared: &Shared,
    link: &Link,
    from: Option<Arc<str>>,
    form: &Form,
    action: Action,
) -> Result<(), Rejection> {
    let by = Actor::recipient(&link.recipient, Via::Link, from);
    let comment = words(&form.comment, "comment")?;
    let comment = Some(comment).filter(|words| !words.is_empty());
    let which = Which::Alerts(vec![link.alert]);
    let mut orders = Vec::new();
    let recipient = Some(link.recipient.clone());
    match action {
        Action::Escalate => {
            let said = comment.map(|text| Order::Comment { which: which.clone(), text });
            orders.extend(said);
            orders.push(Order::Escalate { which });
        }
        Action::Acknowledge => orders.push(Order::Acknowledge(Acknowledge { which, recipient, comment })),
        Action::Answer(number) => orders.push(Order::Choose(Choose { which, number, recipient, comment })),
    }
    for order in orders {
        let by = by.clone();
        let answer = shared.api.calls.put(move |ticket| Input::Order { ticket, by, order }).await?;
        if answer != Answer::Refused(Refusal::NoFurtherStep) {
            done(answer)?;
        }
    }
    Ok(())
}

fn acted(seen: &Seen, action: Action) -> Response {
    let name = escaped(&seen.title, 200);
    let code = &seen.alert.code;
    let (title, words) = match action {
        Action::Escalate => (
            "Escalated",
            format!("Thank you for saying so, {name}. The next people are being told of {code} now."),
        ),
        Action::Acknowledge => {
            ("Acknowledged", format!("Thank you, {name}. {code} does not escalate any further for you."))
        }
        Action::Answer(number) => {
            let choice = seen.choices.get(usize::from(number).saturating_sub(1));
            let text = choice.map_or_else(String::new, |choice| escaped(&choice.text, CHOICE_CHARS_MAX));
            (
                "Answered",
                format!("Your answer to {code}: <strong>{text}</strong>. The link takes another one."),
            )
        }
    };
    let body = format!(
        "<h1>{title}. Thank you, {name}.</h1><p>{words}</p><p>{}</p>",
        escaped(&seen.alert.summary, SUMMARY_SHOWN)
    );
    page(StatusCode::OK, title, &body)
}

fn alert_page(seen: &Seen) -> String {
    let alert = &seen.alert;
    let details = match alert.details.as_str() {
        "" => String::new(),
        details => format!("<pre dir=\"auto\">{}</pre>", escaped(details, DETAILS_SHOWN)),
    };
    let who = alert.acknowledged.as_ref().map_or_else(String::new, |ack| {
        let said =
            ack.comment.as_ref().map_or_else(String::new, |words| format!(": {}", escaped(words, 300)));
        format!("<dt>Acknowledged</dt><dd>{}{said}</dd>", escaped(&ack.by, 200))
    });
    format!(
        "<p class=\"s {severity}\">{shape} {severity}</p><h1 dir=\"auto\">{summary}</h1>{details}\
         <dl><dt>Code</dt><dd>{code}</dd><dt>Since</dt><dd>{age} ago</dd><dt>From</dt><dd>{source}</dd>{who}</dl>{form}",
        severity = alert.severity,
        shape = shape(&alert.severity),
        summary = escaped(&alert.summary, SUMMARY_SHOWN),
        code = alert.code,
        age = seen.age,
        source = escaped(&alert.source, 200),
        form = form(seen),
    )
}

/// Severity has a shape and a word: colour alone tells nothing to many people.
fn shape(severity: &str) -> &'static str {
    match severity {
        "critical" => "◆",
        "high" => "▲",
        "warning" => "●",
        _ => "○",
    }
}

fn form(seen: &Seen) -> String {
    if seen.standing == Standing::Ended {
        return "<p><strong>This alert is over. There is nothing left to do.</strong></p>".to_owned();
    }
    if !seen.choices.is_empty() {
        return choices_form(seen);
    }
    if seen.acknowledged {
        return "<p><strong>This alert is acknowledged. There is nothing left to do for you.</strong></p>"
            .to_owned();
    }
    let name = escaped(&seen.title, 200);
    format!(
        "<form method=\"post\"><label>Comment (optional)<textarea name=\"comment\" maxlength=\"1000\"></textarea></label>\
         <button class=\"ack\" name=\"action\" value=\"acknowledge\">Acknowledge as {name}</button>\
         <button class=\"esc\" name=\"action\" value=\"escalate\">I cannot, escalate now</button></form>"
    )
}

/// A button for each choice. They stay after an answer, because people find out that they cannot come.
fn choices_form(seen: &Seen) -> String {
    let name = escaped(&seen.title, 200);
    let answered = seen.answered.as_ref().map_or_else(String::new, |chosen| {
        let text = escaped(&chosen.text, CHOICE_CHARS_MAX);
        format!("<p>You answered: <strong>{text}</strong>. Another answer takes its place.</p>")
    });
    let button = |(number, choice): (usize, &Choice)| {
        let class = if choice.acknowledges { "ack" } else { "esc" };
        let text = escaped(&choice.text, CHOICE_CHARS_MAX);
        format!("<button class=\"{class}\" name=\"action\" value=\"{number}\">{number} = {text}</button>")
    };
    let buttons: String = (1..).zip(&seen.choices).map(button).collect();
    format!(
        "{answered}<form method=\"post\"><p>Answer as {name}:</p>{buttons}\
         <label>Comment (optional)<textarea name=\"comment\" maxlength=\"1000\"></textarea></label></form>"
    )
}

fn told(status: StatusCode, title: &str, words: &str) -> Response {
    page(status, title, &format!("<h1>{title}</h1><p>{words}</p>"))
}

fn failed(rejection: &Rejection) -> Response {
    let status = StatusCode::from_u16(rejection.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let detail = escaped(&rejection.detail, 500);
    told(status, "That did not work", &format!("{detail}. Try again, or tell an operator the code."))
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title, 100);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    );
    const SECURITY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, SECURITY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, html).into_response()
}

/// `text` for a page, at most `max` characters of it.
fn escaped(text: &str, max: usize) -> String {
    let mut out = String::new();
    for c in text.chars().take(max) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    if text.chars().nth(max).is_some() {
        out.push('…');
    }
    out
}
