//! Orders of an operator: acknowledge, comment, close, escalate, cancel, pause and resume.
//!
//! Separate from `alerts`, which only looks. Each order answers with the alerts it met.

use crate::args::{Ack, AnswerWith, Close, Comment, EscalateNow, Pause, Pending, Resume, Sure};
use crate::client::{Answer, Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::forms::{AlertPage, Met};
use crate::output::{Output, count};
use serde_json::{Value, json};

/// `ack`.
pub(crate) async fn acknowledge(client: &Client, out: &mut Output, args: &Ack) -> Outcome {
    if args.all {
        confirm_all(client, out, "acknowledge", args.sure).await?;
    }
    let mut body = chosen(&args.alerts, args.all);
    put(&mut body, "recipient", args.recipient.as_deref());
    put(&mut body, "comment", args.comment.as_deref());
    // Acknowledging twice is acknowledging once, unless the comment would be there twice.
    let mut ask = Ask::post(&["alerts", "acknowledge"], &body);
    if args.comment.is_none() {
        ask = ask.repeatable();
    }
    met(out, &client.ask(ask).await?, "acknowledged")
}

/// `answer`.
pub(crate) async fn answer(client: &Client, out: &mut Output, args: &AnswerWith) -> Outcome {
    let mut body = json!({ "choice": args.choice });
    put(&mut body, "recipient", args.recipient.as_deref());
    put(&mut body, "comment", args.comment.as_deref());
    let ask = Ask::post(&["alerts", &args.alert, "answer"], &body);
    let ask = if args.comment.is_none() { ask.repeatable() } else { ask };
    met(out, &client.ask(ask).await?, "answered")
}

/// `comment`.
pub(crate) async fn comment(client: &Client, out: &mut Output, args: &Comment) -> Outcome {
    let ask = Ask::post(&["alerts", &args.alert, "comment"], &json!({ "text": args.text }));
    met(out, &client.ask(ask).await?, "commented")
}

/// `close`.
pub(crate) async fn close(client: &Client, out: &mut Output, args: &Close) -> Outcome {
    let ask = Ask::post(&["alerts", "close"], &chosen(&args.alerts, false)).repeatable();
    met(out, &client.ask(ask).await?, "closed")
}

/// `escalate-now`.
pub(crate) async fn escalate(client: &Client, out: &mut Output, args: &EscalateNow) -> Outcome {
    let ask = Ask::post(&["alerts", &args.alert, "escalate"], &json!({}));
    met(out, &client.ask(ask).await?, "escalated")
}

/// `pending …`.
pub(crate) async fn pending(client: &Client, out: &mut Output, args: &Pending) -> Outcome {
    let Pending::Delete { alerts, all, sure } = args;
    if *all {
        confirm_all(client, out, "cancel", *sure).await?;
    } else {
        out.confirm(&format!("cancel {}? what is unsent stays unsent.", alerts.join(", ")), sure.yes)?;
    }
    let ask = Ask::post(&["pending", "delete"], &chosen(alerts, *all)).repeatable();
    met(out, &client.ask(ask).await?, "cancelled")
}

/// `pause`.
pub(crate) async fn pause(client: &Client, out: &mut Output, args: &Pause) -> Outcome {
    let ask = Ask::post(&["pause"], &json!({ "reason": args.reason })).repeatable();
    let answer = client.ask(ask).await?;
    out.answer(&answer.body, || Ok("paused: nothing is sent until `steadfast resume`".into()))
}

/// `resume`.
pub(crate) async fn resume(client: &Client, out: &mut Output, args: &Resume) -> Outcome {
    if args.discard {
        out.confirm("cancel everything that waited?", args.sure.yes)?;
    }
    let ask = Ask::post(&["resume"], &json!({ "discard": args.discard })).repeatable();
    let answer = client.ask(ask).await?;
    let waited = if args.discard { "is cancelled" } else { "is sent now" };
    out.answer(&answer.body, || Ok(format!("resumed: what waited {waited}")))
}

/// Asks with the number of alerts it would meet.
async fn confirm_all(client: &Client, out: &mut Output, verb: &str, sure: Sure) -> Outcome {
    if sure.yes {
        return Ok(());
    }
    let ask = Ask::get(&["alerts"]).pair("state", "open").pair("limit", "500");
    let page: AlertPage = client.ask(ask).await?.read()?;
    let more = if page.next_cursor.is_some() { "more than " } else { "" };
    out.confirm(&format!("{verb} all alerts ({more}{})?", page.alerts.len()), false)
}

fn chosen(alerts: &[String], all: bool) -> Value {
    if all { json!({ "all": true }) } else { json!({ "alerts": alerts }) }
}

fn put(body: &mut Value, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        body[key] = json!(value);
    }
}

/// Says which alerts an order met, and fails if it did not meet all that were named.
fn met(out: &mut Output, answer: &Answer, done: &str) -> Outcome {
    let met: Met = answer.read()?;
    let names: Vec<_> = met.alerts.iter().map(|it| it.code.as_ref().unwrap_or(&it.id).as_str()).collect();
    out.answer(&answer.body, || {
        Ok(match names.len() {
            0 => format!("{done}: none"),
            many @ 9.. => format!("{done} {}", count(many, "alert")),
            _ => format!("{done} {}", names.join(", ")),
        })
    })?;
    if met.not_open.is_empty() {
        return Ok(());
    }
    let is = if met.not_open.len() == 1 { "is" } else { "are" };
    Err(Failure::new(Exit::NotFound, format!("{} {is} not open", met.not_open.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::heard;

    fn told(body: &str) -> (Outcome, String) {
        let (mut out, page, _) = heard(false);
        let outcome = met(&mut out, &Answer { body: body.into(), etag: None }, "closed");
        (outcome, page.text())
    }

    #[test]
    fn an_order_says_which_alerts_it_met() {
        let both = r#"{"alerts":[{"id":"x","code":"A1"},{"id":"y","code":null}],"copies":1}"#;
        assert_eq!(told(both), (Ok(()), "closed A1, y\n".into()));
        assert_eq!(told(r#"{"alerts":[],"copies":1}"#), (Ok(()), "closed: none\n".into()));
    }

    #[test]
    fn an_order_that_missed_one_fails_after_saying_what_it_did() {
        let (outcome, text) = told(r#"{"alerts":[{"id":"x","code":"A1"}],"not_open":["A9"],"copies":1}"#);
        assert_eq!(outcome, Err(Failure::new(Exit::NotFound, "A9 is not open")));
        assert_eq!(text, "closed A1\n");
    }
}
