//! How a template reads: for an alert that the request describes, and at its longest and its shortest; as a short
//! message also what that costs.

use crate::auth::{Allowed, Read};
use crate::directory::{aside, unplaced};
use crate::nearest::{quoted, suggestion};
use crate::problem::{Kind, Rejection};
use crate::read::Json;
use crate::{Rendered, Sampled, Server};
use axum::extract::State;
use base::gsm;
use dispatch::directory::Severity;
use dispatch::record::Content;
use record::document::{Problem, form};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// The channel whose messages have parts.
const SMS: &str = "sms";

/// A template, and an alert to try it on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewForm {
    /// The template.
    template: form::Template,
    /// What the alert says; an example if absent.
    sample: Option<SampleForm>,
}

/// What an alert says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleForm {
    /// `info`, `warning` (if absent), `high` or `critical`.
    severity: Option<String>,
    /// The one line.
    summary: String,
    /// More.
    #[serde(default)]
    details: String,
    /// Labels.
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Messages made from a template.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewBody {
    /// The subject line, where the channel has one.
    subject: Option<String>,
    /// The message.
    body: String,
    /// How long it is.
    size: SizeBody,
    /// The same of an alert in which everything is said.
    longest: SampleBody,
    /// The same of an alert in which as little as possible is.
    shortest: SampleBody,
}

/// A message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SampleBody {
    /// The subject line, where the channel has one.
    subject: Option<String>,
    /// The message.
    body: String,
    /// How long it is.
    size: SizeBody,
}

/// How long a message is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SizeBody {
    /// Characters, without the subject.
    characters: usize,
    /// What it comes to as a short message, if it is one.
    sms: Option<SmsBody>,
}

/// What a text comes to as a short message (3GPP TS 23.038 and 23.040).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShortMessage)]
pub(crate) struct SmsBody {
    /// `gsm-7` or `ucs-2`.
    encoding: String,
    /// Septets, or 16-bit units.
    units: usize,
    /// Parts: of 160 septets if it is one, else of 153; of 70 and 67 units in UCS-2.
    parts: usize,
    /// The characters for whose sake it is UCS-2.
    because_of: Vec<String>,
}

impl SizeBody {
    fn of(channel: &str, text: &str) -> Self {
        let sms = (channel == SMS).then(|| {
            let cost = gsm::cost(text);
            SmsBody {
                encoding: cost.encoding.word().to_owned(),
                units: cost.units,
                parts: cost.parts,
                because_of: cost.lacking.iter().map(char::to_string).collect(),
            }
        });
        Self { characters: text.chars().count(), sms }
    }
}

/// Makes messages from a template, to see how it reads.
#[utoipa::path(post, operation_id = "preview_template", path = "/api/v1/templates/preview", tag = "directory", request_body = PreviewForm,
    responses((status = 200, body = PreviewBody, description = "The messages"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "The template does not hold")))]
pub(crate) async fn preview(
    State(shared): Server,
    _: Allowed<Read>,
    Json(form): Json<PreviewForm>,
) -> Result<axum::Json<PreviewBody>, Rejection> {
    let sample = content(form.sample)?;
    let services = Arc::clone(&shared.api.services);
    let made = aside(move || {
        let make = |sample: Sampled<'_>| -> Result<SampleBody, Vec<Problem>> {
            let Rendered { subject, body } = services.preview(&form.template, sample)?;
            let size = SizeBody::of(&form.template.channel, &body);
            Ok(SampleBody { subject, body, size })
        };
        Ok::<_, Vec<Problem>>((
            make(Sampled::Said(&sample))?,
            make(Sampled::Longest)?,
            make(Sampled::Shortest)?,
        ))
    });
    let made = made.await?.map_err(|problems| unplaced(problems).below("/template"))?;
    let (SampleBody { subject, body, size }, longest, shortest) = made;
    Ok(axum::Json(PreviewBody { subject, body, size, longest, shortest }))
}

fn content(sample: Option<SampleForm>) -> Result<Content, Rejection> {
    let sample = sample.unwrap_or_else(|| SampleForm {
        severity: Some("high".to_owned()),
        summary: "pump 3 stopped".to_owned(),
        details: "Motor current 0 A for 30 s.".to_owned(),
        labels: [("site".to_owned(), "north".to_owned())].into(),
    });
    let word = sample.severity.as_deref().unwrap_or("warning");
    let severity = Severity::parse(word).ok_or_else(|| {
        let hint = suggestion(word, Severity::ALL.map(Severity::word));
        Rejection::at(
            Kind::Invalid,
            "/sample/severity",
            format!("there is no severity {}{hint}", quoted(word)),
        )
    })?;
    let labels = sample.labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    Ok(Content {
        severity,
        summary: sample.summary.into(),
        details: sample.details.into(),
        labels,
        origin: None,
    })
}
