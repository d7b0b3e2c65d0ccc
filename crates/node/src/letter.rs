//! Writes the message of one delivery: the words from the templates, the link, the identity.

mod bundle;

use crate::render::{RenderInput, Renderer};
use api::LinkKey;
use base::Wall;
use channel::Message;
use dispatch::directory::{Directory, Mode, Policy};
use dispatch::record::{Person, Purpose, Why};
use dispatch::{Delivery, Said};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How long a link in a message can be used to acknowledge.
const LINK_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What all messages are written with.
pub(crate) struct Letters {
    renderer: RwLock<Arc<Renderer>>,
    links: LinkKey,
    public_url: String,
}

impl Letters {
    pub(crate) fn new(directory: &Directory, links: LinkKey, public_url: String) -> Self {
        Self { renderer: RwLock::new(Arc::new(compile(directory))), links, public_url }
    }

    /// Uses the templates of another version of the directory from now on.
    pub(crate) fn adopt(&self, directory: &Directory) {
        let renderer = Arc::new(compile(directory));
        *self.renderer.write().unwrap_or_else(PoisonError::into_inner) = renderer;
    }

    fn renderer(&self) -> Arc<Renderer> {
        Arc::clone(&self.renderer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The message that `delivery` asks for.
    pub(crate) fn write(&self, delivery: &Delivery) -> Message {
        if !delivery.others.is_empty() {
            return self.write_together(delivery);
        }
        let person = delivery.roster.at(delivery.reach).map(|(person, _)| person);
        let link = person.and_then(|person| self.link(delivery, person));
        let words = Words::of(delivery);
        let time = time(delivery.accepted);
        let title = person.map_or("", |person| &*person.title);
        let code = delivery.alert.code;
        let nobody = Person {
            name: delivery.alert.source.clone(),
            title: "".into(),
            language: None,
            addresses: vec![],
        };
        let person = person.unwrap_or(&nobody);
        let policy = without_replies(delivery);
        let rendered = self.renderer().render(&RenderInput {
            purpose: delivery.purpose,
            channel: &delivery.address.channel,
            language: person.language.as_ref(),
            templates: &delivery.roster.templates,
            policy: policy.as_ref().unwrap_or(&delivery.roster.policy),
            content: &delivery.content,
            code,
            link: link.as_deref(),
            choices: &delivery.alert.choices,
            source: &delivery.alert.source,
            recipient: &person.name,
            title,
            late: delivery.late,
            flapping: delivery.alert.flapping,
            repeat: delivery.repeat,
            time: &time,
            acknowledged_by: words.acknowledged_by.as_deref(),
            comment: words.comment.as_deref(),
            why: words.why,
        });
        if let Some(problem) = rendered.problem {
            tracing::warn!(%problem, "a template failed; the built-in one was used");
        }
        Message {
            notification: delivery.notification,
            alert: delivery.alert_id.to_string(),
            code: code.to_string(),
            attempt: delivery.attempt,
            repeat: delivery.repeat,
            to: Arc::clone(&delivery.address.value),
            recipient: person.name.to_string(),
            recipient_title: title.to_owned(),
            subject: rendered.subject,
            text: rendered.text,
            severity: delivery.content.severity,
            summary: Arc::clone(&delivery.content.summary),
            details: Arc::clone(&delivery.content.details),
            labels: delivery.content.labels.clone(),
            purpose: purpose(delivery.purpose).to_owned(),
            link,
            thread: Some(delivery.alert_id.to_string()),
            at: delivery.accepted,
            together: Vec::new(),
        }
    }

    /// Where the recipient acknowledges, if the policy gives links and there is something to acknowledge.
    fn link(&self, delivery: &Delivery, person: &Person) -> Option<String> {
        let policy = &delivery.roster.policy;
        let asks = policy.link && policy.mode != Mode::None && matches!(delivery.purpose, Purpose::Alert(_));
        let until = Wall(crate::clock::wall()) + LINK_LIFE;
        let token = || api::link_token(&self.links, &delivery.alert_id, &person.name, until);
        asks.then(|| format!("{}/a/{}", self.public_url, token()))
    }
}

/// The policy to write with where the alert's own asks for replies and nobody hears them on this channel: a
/// code that people reply with in vain is worse than none.
fn without_replies(delivery: &Delivery) -> Option<Policy> {
    let policy = &delivery.roster.policy;
    let heard =
        channel::kind(delivery.address.channel.as_str()).is_ok_and(|kind| kind.abilities.takes_replies);
    (policy.reply && !heard).then(|| Policy { reply: false, ..policy.clone() })
}

/// What a delivery says besides the alert.
#[derive(Default)]
struct Words {
    acknowledged_by: Option<String>,
    comment: Option<String>,
    why: Option<Why>,
}

impl Words {
    fn of(delivery: &Delivery) -> Self {
        let Some(Said { by, words, .. }) = &delivery.said else { return Self::default() };
        let by = by.strip_prefix("recipient:").unwrap_or(by);
        let title = || delivery.roster.people.iter().find(|person| person.name.as_str() == by);
        match delivery.purpose {
            Purpose::Alert(_) => Self::default(),
            Purpose::Acknowledgement(_) => Self {
                acknowledged_by: Some(title().map_or(by, |person| &*person.title).to_owned()),
                comment: (!words.is_empty()).then(|| words.to_string()),
                why: None,
            },
            Purpose::Comment(_) => Self { comment: Some(format!("{by}: {words}")), ..Self::default() },
            Purpose::End => {
                Self { why: Why::ALL.into_iter().find(|why| why.word() == &**words), ..Self::default() }
            }
        }
    }
}

/// The renderer of a directory. Templates that do not compile cannot be in the book, for they were judged when
/// it was saved; should they be all the same (by another version of this program), the built-in ones serve.
fn compile(directory: &Directory) -> Renderer {
    let (renderer, problems) = Renderer::lenient(directory);
    for problem in problems {
        tracing::error!(%problem, "a template does not compile; the built-in one is used");
    }
    renderer
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Alert(_) => "alert",
        Purpose::Acknowledgement(_) => "acknowledgement",
        Purpose::Comment(_) => "comment",
        Purpose::End => "end",
    }
}

/// A time as people read it, in UTC, to the second.
fn time(at: Wall) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default()
}
