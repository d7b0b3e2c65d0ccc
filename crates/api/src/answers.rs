//! Choices that a notice offers, what people answer, and the tally of that.
//!
//! Separate from acknowledgements, although many answers are such: what is asked here is not whether somebody takes
//! responsibility, but what they say.

use crate::auth::{Allowed, Operate};
use crate::orders::{DoneBody, Several, carry_out, recipient, words};
use crate::problem::{Kind, Place, Rejection};
use crate::read::{Json, Path};
use crate::{Server, moment};
use axum::extract::State;
use base::limits::{CHOICE_CHARS_MAX, CHOICES_MAX};
use dispatch::input::{Choose, Order};
use dispatch::record::{Choice, Code, Purpose};
use dispatch::state::{Answered, Open};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Choices that a notice offers at least, if it offers any.
const CHOICES_MIN: usize = 2;
/// Names that are listed for each choice of one alert.
pub(crate) const ANSWERS_LISTED_MAX: usize = 1000;

/// One of the answers that a notice offers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Choice)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChoiceForm {
    /// What it says; at most 40 characters.
    text: String,
    /// Whoever answers so takes responsibility. Where no choice says it, the first does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acknowledges: Option<bool>,
}

/// What the people of an alert answered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Answers)]
pub(crate) struct AnswersBody {
    /// The choices, in their order.
    choices: Vec<TallyBody>,
    /// How many of those who were told have not answered.
    unanswered: usize,
    /// Who they are: at most a thousand, in lists ten; of a closed alert none.
    unanswered_by: Vec<String>,
}

/// A choice, and who took it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Tally)]
pub(crate) struct TallyBody {
    /// From 1.
    number: usize,
    /// What it says.
    text: String,
    /// Whoever answers so takes responsibility.
    acknowledges: bool,
    /// How many answered so, each by their last answer.
    count: usize,
    /// Who: at most a thousand, in lists ten.
    answers: Vec<AnsweredBody>,
}

/// Somebody's last answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Answered)]
pub(crate) struct AnsweredBody {
    /// The recipient it counts for; an operator's has none.
    pub(crate) recipient: Option<String>,
    /// Who acted, and how.
    pub(crate) by: String,
    /// When.
    pub(crate) at: String,
    /// What they said with it.
    pub(crate) comment: Option<String>,
}

/// An answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerForm {
    /// The number of the choice, from 1.
    choice: u8,
    /// On whose behalf; without it the answer is an operator's.
    recipient: Option<String>,
    /// Said with it; at most 4 KiB.
    comment: Option<String>,
}

/// Judges the choices of a notice.
pub(crate) fn choices(given: &[ChoiceForm], found: &mut Vec<Place>) -> Vec<Choice> {
    if given.is_empty() {
        return Vec::new();
    }
    if !(CHOICES_MIN..=CHOICES_MAX).contains(&given.len()) {
        let detail = format!("there are {}; a notice offers {CHOICES_MIN} to {CHOICES_MAX}", given.len());
        found.push(Place::new("/choices", detail));
    }
    let nobody_says = given.iter().all(|choice| choice.acknowledges.is_none());
    let mut texts = BTreeSet::new();
    let mut judged = Vec::new();
    for (at, choice) in given.iter().take(CHOICES_MAX).enumerate() {
        let text = crate::notices::one_line(&choice.text);
        let chars = text.chars().count();
        let wrong = match chars {
            0 => Some("a choice needs a text".to_owned()),
            1..=CHOICE_CHARS_MAX if texts.insert(text.to_lowercase()) => None,
            1..=CHOICE_CHARS_MAX => Some("another choice says the same".to_owned()),
            _ => Some(format!("it has {chars} characters; at most {CHOICE_CHARS_MAX}")),
        };
        found.extend(wrong.map(|why| Place::new(format!("/choices/{at}/text"), why)));
        let acknowledges = choice.acknowledges.unwrap_or(nobody_says && at == 0);
        judged.push(Choice { text: text.into(), acknowledges });
    }
    judged
}

/// The choices in a line: `1 = coming, 2 = cannot come`.
fn listed(choices: &[Choice]) -> String {
    let one = |(number, choice): (usize, &Choice)| format!("{number} = {}", choice.text);
    (1..).zip(choices).map(one).collect::<Vec<_>>().join(", ")
}

/// Why a choice cannot be taken.
pub(crate) fn no_choice(code: Code, number: u8, choices: &[Choice]) -> Rejection {
    let detail = match choices {
        [] => format!("{code} asks for no answer"),
        some => format!("{code} offers no choice {number}; there are {}", listed(some)),
    };
    Rejection::at(Kind::Invalid, "/choice", detail)
}

impl AnswersBody {
    /// What was answered to an open alert; none where it offers no choices. Names at most `max` each.
    pub(crate) fn tally(open: &Open, max: usize) -> Option<Self> {
        let offered = &open.alert.choices;
        if offered.is_empty() {
            return None;
        }
        let answers = &open.facts.answers;
        let choices = (1..).zip(offered).map(|(number, choice)| {
            let took = |(_, answered): &(_, &Answered)| usize::from(answered.chosen.number) == number;
            let given = answers.iter().filter(took).take(max);
            let given = given.map(|(recipient, answered)| AnsweredBody {
                recipient: recipient.as_ref().map(ToString::to_string),
                by: answered.by.to_string(),
                at: moment::written(answered.at),
                comment: answered.comment.as_ref().map(ToString::to_string),
            });
            TallyBody {
                number,
                text: choice.text.to_string(),
                acknowledges: choice.acknowledges,
                count: answers.iter().filter(took).count(),
                answers: given.collect(),
            }
        });
        let told = open.facts.sent.values();
        let told = told.filter(|sent| matches!(sent.purpose, Purpose::Alert(_)) && sent.accepted());
        let told: BTreeSet<_> = told.map(|sent| &sent.recipient).collect();
        let silent = told.into_iter().filter(|name| !answers.contains_key(&Some((*name).clone())));
        let mut unanswered_by: Vec<String> = silent.map(ToString::to_string).collect();
        let unanswered = unanswered_by.len();
        unanswered_by.truncate(max);
        Some(Self { choices: choices.collect(), unanswered, unanswered_by })
    }
}

/// The answers of a closed alert, as its history tells them one after the other.
#[derive(Debug, Default)]
pub(crate) struct ClosedAnswers {
    choices: Vec<(String, bool)>,
    last: BTreeMap<Option<String>, (usize, AnsweredBody)>,
}

impl ClosedAnswers {
    /// Of an alert that was accepted with these choices.
    pub(crate) fn of(written: Option<&Value>) -> Self {
        let choice = |choice: &Value| {
            let text = choice.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
            (text, choice.get("acknowledges").and_then(Value::as_bool).unwrap_or(false))
        };
        let choices = written.and_then(Value::as_array).into_iter().flatten().map(choice).collect();
        Self { choices, last: BTreeMap::new() }
    }

    /// Takes note of an answer; the number 0 is none.
    pub(crate) fn add(&mut self, number: u64, given: &AnsweredBody) {
        let number = usize::try_from(number).unwrap_or(0);
        let older = self.last.get(&given.recipient).is_none_or(|(_, before)| before.at <= given.at);
        if number > 0 && older {
            self.last.insert(given.recipient.clone(), (number, given.clone()));
        }
    }

    /// The tally, of an alert that was for so many recipients.
    pub(crate) fn body(self, recipients: usize) -> Option<AnswersBody> {
        let named = self.last.keys().filter(|recipient| recipient.is_some()).count();
        let tally = |(number, (text, acknowledges)): (usize, &(String, bool))| {
            let took = self.last.values().filter(|(chosen, _)| *chosen == number);
            let answers: Vec<_> = took.map(|(_, given)| given.clone()).collect();
            let (text, acknowledges) = (text.clone(), *acknowledges);
            TallyBody { number, text, acknowledges, count: answers.len(), answers }
        };
        let choices: Vec<_> = (1..).zip(&self.choices).map(tally).collect();
        let unanswered = recipients.saturating_sub(named);
        (!choices.is_empty()).then_some(AnswersBody { choices, unanswered, unanswered_by: Vec::new() })
    }
}

/// Answers an alert with one of the choices that it offers.
///
/// Each recipient's last answer counts. One that acknowledges does what an acknowledgement does.
#[utoipa::path(post, operation_id = "answer_alert", path = "/api/v1/alerts/{alert}/answer", tag = "orders", request_body = AnswerForm,
    params(("alert" = String, Path, description = "Its id or code")),
    responses((status = 200, body = DoneBody, description = "It was answered"),
        (status = "default", body = Rejection, content_type = "application/problem+json", description = "Refused")))]
pub(crate) async fn answer(
    State(shared): Server,
    Allowed(caller, ..): Allowed<Operate>,
    Path(alert): Path<String>,
    Json(form): Json<AnswerForm>,
) -> Result<axum::Json<DoneBody>, Rejection> {
    let comment = form.comment.as_deref().map(|text| words(text, "/comment")).transpose()?;
    let comment = comment.filter(|words| !words.is_empty());
    let recipient = match form.recipient.as_deref() {
        Some(text) => Some(recipient(&shared, text).await?),
        None => None,
    };
    let (which, found) = Several::one(alert).find(&shared).await?;
    let order = Order::Choose(Choose { which, number: form.choice, recipient, comment });
    carry_out(&shared, caller, found, order).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(given: &[(&str, Option<bool>)]) -> Result<String, String> {
        let form = |(text, acknowledges): &(&str, Option<bool>)| ChoiceForm {
            text: (*text).to_owned(),
            acknowledges: *acknowledges,
        };
        let mut found = Vec::new();
        let choices = choices(&given.iter().map(form).collect::<Vec<_>>(), &mut found);
        let told = |choice: &Choice| format!("{}{}", choice.text, if choice.acknowledges { "!" } else { "" });
        if found.is_empty() {
            return Ok(choices.iter().map(told).collect::<Vec<_>>().join(", "));
        }
        Err(found.iter().map(|it| format!("{}: {}", it.pointer, it.detail)).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn the_first_choice_acknowledges_unless_one_says_so() {
        let check =
            |given: &[(&str, Option<bool>)], told: &str| assert_eq!(judged(given).as_deref(), Ok(told));
        check(&[], "");
        check(&[("coming", None), (" cannot\ncome ", None)], "coming!, cannot come");
        check(&[("no", None), ("yes", Some(true)), ("later", Some(true))], "no, yes!, later!");
        check(&[("no", Some(false)), ("perhaps", None)], "no, perhaps");
    }

    #[test]
    fn what_is_no_choice_is_told_with_its_place() {
        let check = |given: &[(&str, Option<bool>)], told: &str| {
            assert_eq!(judged(given).unwrap_err(), told);
        };
        check(&[("alone", None)], "/choices: there are 1; a notice offers 2 to 9");
        let same = (1..9).map(|at| format!("; /choices/{at}/text: another choice says the same"));
        let told = format!("/choices: there are 10; a notice offers 2 to 9{}", same.collect::<String>());
        check(&[("a", None); 10], &told);
        check(&[("yes", None), ("", None)], "/choices/1/text: a choice needs a text");
        check(&[("yes", None), ("Yes", None)], "/choices/1/text: another choice says the same");
        let long = "x".repeat(41);
        check(&[("yes", None), (&long, None)], "/choices/1/text: it has 41 characters; at most 40");
    }
}
