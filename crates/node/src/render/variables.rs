//! What a template can say: one table, from which the manual's page and the samples are made.

use base::Name;
use dispatch::directory::{Mode, Policy, Severity};
use dispatch::record::{Cause, Choice, Code, Content, Flapping, Purpose, StepKey, Why};
use std::time::Duration;

/// A variable of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// As it is written in a template.
    pub name: &'static str,
    /// What it stands for. Empty where there is nothing to say, unless told otherwise.
    pub meaning: &'static str,
    /// What it may look like.
    pub example: &'static str,
}

/// Every variable there is.
pub const VARIABLES: &[Variable] = &[
    variable("severity", "How much the alert matters: info, warning, high or critical.", "high"),
    variable("summary", "The alert's one line.", "Pump 3 stopped"),
    variable("details", "What the source adds to it.", "Pressure fell to 1.2 bar."),
    variable("labels", "The alert's labels by name, as in {{ labels.site }}.", "{\"site\": \"north\"}"),
    variable("code", "What to reply with to acknowledge, where the policy takes replies.", "A123"),
    variable("link", "Where to acknowledge, where the policy gives links.", "https://alerts.x.test/a/Zm9v"),
    variable(
        "choices",
        "What can be answered, where the alert offers choices.",
        "1 = coming, 2 = cannot come",
    ),
    variable("source", "Who sent the alert.", "scada"),
    variable("recipient", "The name of who gets this message.", "anna"),
    variable("title", "The same, as people read it.", "Anna Berg"),
    variable("step", "The step of the escalation; 0 is the first notification.", "1"),
    variable("round", "Which time through the policy, from 1.", "1"),
    variable("late", "How much later than the policy says, where that is a minute or more.", "4m"),
    variable(
        "flapping",
        "How often the same trouble came and went, where that is why the message waited.",
        "raised 5 times in 30m",
    ),
    variable(
        "repeat",
        "Why this may be a repeat; put above every such message by itself.",
        "an earlier try may have arrived",
    ),
    variable("time", "When the alert was accepted, in the directory's time zone.", "2027-01-01 08:00"),
    variable("acknowledged_by", "Who acknowledged, in a message about that.", "Bea Lund"),
    variable("comment", "What somebody said, in a message about that.", "on my way"),
    variable("why", "Why the alert is over, in a message about that.", "resolved"),
];

const fn variable(name: &'static str, meaning: &'static str, example: &'static str) -> Variable {
    Variable { name, meaning, example }
}

/// All that one message is made from.
#[derive(Clone, Copy, Debug)]
pub struct RenderInput<'a> {
    /// What the message is for.
    pub purpose: Purpose,
    /// The channel it goes out by.
    pub channel: &'a Name,
    /// The recipient's language.
    pub language: Option<&'a Name>,
    /// The templates that the route named.
    pub templates: &'a [Name],
    /// Says whether link and code are put in, and what stands below.
    pub policy: &'a Policy,
    /// What the alert says.
    pub content: &'a Content,
    /// What people type back.
    pub code: Code,
    /// Where to acknowledge.
    pub link: Option<&'a str>,
    /// What can be answered.
    pub choices: &'a [Choice],
    /// Who sent the alert.
    pub source: &'a Name,
    /// Whom the message is for.
    pub recipient: &'a Name,
    /// The same, as people read it.
    pub title: &'a str,
    /// How much later than the policy says.
    pub late: Duration,
    /// The trouble came and went so often that the alert had to stand for a while first.
    pub flapping: Option<Flapping>,
    /// Set when an earlier attempt may have arrived.
    pub repeat: Option<Cause>,
    /// When the alert was accepted, as people read it.
    pub time: &'a str,
    /// Who acknowledged, as people read it.
    pub acknowledged_by: Option<&'a str>,
    /// What somebody said.
    pub comment: Option<&'a str>,
    /// Why the alert is over.
    pub why: Option<Why>,
}

/// Why a message may be a repeat, for the one who gets it.
pub(crate) fn repeat_text(cause: Cause) -> &'static str {
    match cause {
        Cause::Crash => "the sending node stopped before it knew whether an earlier try arrived",
        Cause::Takeover => "another node was to send this and is silent, so nobody knows whether it arrived",
        Cause::Unknown => "the provider did not say whether an earlier try arrived",
    }
}

/// The choices in a line: `1 = coming, 2 = cannot come`.
fn listed(choices: &[Choice]) -> String {
    let one = |(number, choice): (usize, &Choice)| format!("{number} = {}", choice.text);
    (1..).zip(choices).map(one).collect::<Vec<_>>().join(", ")
}

/// What templates say about an end.
fn why_text(why: Why) -> &'static str {
    match why {
        Why::Resolved => "resolved",
        Why::ByHand => "closed by hand",
        Why::Automatic => "closed automatically",
        Why::Expired => "expired",
        Why::Cancelled => "cancelled",
    }
}

/// The variables' values for `input`.
pub(super) fn values(input: &RenderInput<'_>) -> minijinja::Value {
    let text = |text: &str| minijinja::Value::from(text);
    let (step, round) = match input.purpose {
        Purpose::Alert(StepKey { round, step }) => (step.into(), (u32::from(round) + 1).into()),
        Purpose::Acknowledgement(_) | Purpose::Comment(_) | Purpose::End => (text(""), text("")),
    };
    // Where nobody's acknowledgement counts, nobody is asked for one.
    let asks = input.policy.mode != Mode::None;
    let code = if asks && input.policy.reply { input.code.to_string() } else { String::new() };
    let link = input.link.filter(|_| asks && input.policy.link);
    let late = Some(input.late).filter(|late| *late >= Duration::from_secs(1));
    let labels = input.content.labels.iter().map(|(name, value)| (text(name), text(value)));
    minijinja::Value::from_pairs([
        ("severity", text(input.content.severity.word())),
        ("summary", text(&input.content.summary)),
        ("details", text(&input.content.details)),
        ("labels", minijinja::Value::from_pairs(labels)),
        ("code", code.into()),
        ("link", text(link.unwrap_or_default())),
        ("choices", listed(input.choices).into()),
        ("source", text(input.source.as_str())),
        ("recipient", text(input.recipient.as_str())),
        ("title", text(input.title)),
        ("step", step),
        ("round", round),
        ("late", late.map(|late| base::time::Human(late).to_string()).unwrap_or_default().into()),
        ("flapping", input.flapping.map(|it| it.to_string()).unwrap_or_default().into()),
        ("repeat", text(input.repeat.map(repeat_text).unwrap_or_default())),
        ("time", text(input.time)),
        ("acknowledged_by", text(input.acknowledged_by.unwrap_or_default())),
        ("comment", text(input.comment.unwrap_or_default())),
        ("why", text(input.why.map(why_text).unwrap_or_default())),
    ])
}

/// Made-up data, to try templates with when they are saved and to show what they look like.
pub(super) struct Sample {
    name: Name,
    content: Content,
    policy: Policy,
    choices: Vec<Choice>,
}

impl Sample {
    /// A sample in which everything is said, or as little as can be.
    pub(super) fn new(full: bool) -> Self {
        let said = |name: &str| VARIABLES.iter().find(|it| it.name == name).map_or("", |it| it.example);
        let labels = [("site".into(), "north".into())];
        let choice = |text: &str, acknowledges| Choice { text: text.into(), acknowledges };
        let choices = vec![choice("coming", true), choice("cannot come", false)];
        Self {
            name: Name::new("anna").expect("letters are a name"),
            content: Content {
                severity: Severity::High,
                summary: said("summary").into(),
                details: if full { said("details").into() } else { "".into() },
                labels: labels.into_iter().filter(|_| full).collect(),
                origin: None,
            },
            policy: Policy { link: full, reply: full, ..Policy::default() },
            choices: if full { choices } else { Vec::new() },
        }
    }

    /// What its alert says.
    #[cfg(test)]
    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// Its policy.
    #[cfg(test)]
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The sample as a message's input.
    pub(super) fn input(&self, purpose: Purpose) -> RenderInput<'_> {
        RenderInput {
            purpose,
            channel: &self.name,
            language: None,
            templates: &[],
            policy: &self.policy,
            content: &self.content,
            code: Code { letter: 'A', number: 123 },
            link: Some("https://alerts.x.test/a/Zm9v"),
            choices: &self.choices,
            source: &self.name,
            recipient: &self.name,
            title: "Anna Berg",
            late: Duration::ZERO,
            flapping: None,
            repeat: None,
            time: "2027-01-01 08:00",
            acknowledged_by: matches!(purpose, Purpose::Acknowledgement(_)).then_some("Bea Lund"),
            comment: matches!(purpose, Purpose::Comment(_)).then_some("on my way"),
            why: matches!(purpose, Purpose::End).then_some(Why::Resolved),
        }
    }
}
