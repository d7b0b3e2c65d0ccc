//! `send`: a notice on its way in, and waiting until somebody has it.
//!
//! Separate, because it is the command that scripts and monitoring tools call: it must work with the first
//! host down, and its exit code must be worth something.

use crate::alerts::told;
use crate::args::{Send, WaitFor, word};
use crate::client::{Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::forms::{Alert, Taken};
use crate::output::{Output, ago, count, span};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::time::Duration;
use tokio::time::Instant;

/// How soon the alert is looked at again while waiting; each time after twice as long, up to the second.
const LOOK_SOON: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// `send`.
pub(crate) async fn send(client: &Client, out: &mut Output, args: &Send) -> Outcome {
    let notice = notice(args, read_stdin)?;
    let answer = client.ask(Ask::post(&["notices"], &notice).repeatable()).await?;
    let taken: Taken = answer.read()?;
    let Some(wait) = args.wait else {
        return out.answer(&answer.body, || Ok(words(&taken)));
    };
    out.say(&words(&taken));
    let Some(id) = &taken.id else { return Err(Failure::failed("there is no alert to wait for")) };
    let waited = Waiting { client, id, wait, until: Instant::now() + args.timeout, timeout: args.timeout };
    waited.wait(out).await
}

fn read_stdin() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// The notice as the API takes it. What is not said is left to the API's defaults.
fn notice(args: &Send, stdin: impl FnOnce() -> std::io::Result<String>) -> Outcome<Value> {
    let (summary, more) = text(args, stdin)?;
    let mut notice = Map::new();
    let mut put = |key: &str, value: Value| {
        notice.insert(key.to_owned(), value);
    };
    put("summary", json!(summary));
    if let Some(details) = args.details.clone().or(more) {
        put("details", json!(details));
    }
    if let Some(severity) = args.severity {
        put("severity", json!(word(&severity)));
    }
    if !args.labels.is_empty() {
        let labels: Map<_, _> = args.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        put("labels", Value::Object(labels));
    }
    if !args.to.is_empty() {
        put("to", json!(args.to));
    }
    if let Some(policy) = &args.policy {
        put("policy", json!(policy));
    }
    if let Some(key) = &args.dedup {
        put("dedup_key", json!(key));
    }
    if !args.choices.is_empty() {
        put("choices", choices(args)?);
    }
    if args.resolve {
        put("status", json!("resolved"));
    }
    Ok(Value::Object(notice))
}

/// The choices, with those that take responsibility where that was said.
fn choices(args: &Send) -> Outcome<Value> {
    let count = args.choices.len();
    if let Some(number) =
        args.acknowledges.iter().find(|number| !(1..=count).contains(&usize::from(**number)))
    {
        let text = format!("--acknowledges {number}: there are choices 1 to {count}");
        return Err(Failure::new(Exit::Usage, text));
    }
    let one = |(number, text): (u8, &String)| {
        if args.acknowledges.is_empty() {
            return json!({ "text": text });
        }
        json!({ "text": text, "acknowledges": args.acknowledges.contains(&number) })
    };
    Ok((1..).zip(&args.choices).map(one).collect())
}

/// Summary and details; from standard input the first line is the summary and the rest details.
fn text(args: &Send, stdin: impl FnOnce() -> std::io::Result<String>) -> Outcome<(String, Option<String>)> {
    if args.message != "-" {
        return Ok((args.message.clone(), None));
    }
    let text = stdin().map_err(|error| Failure::failed(format!("standard input: {error}")))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::new(Exit::Usage, "standard input is empty; there is nothing to send"));
    }
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let rest = rest.trim_end();
    Ok((first.trim_end().to_owned(), (!rest.is_empty()).then(|| rest.to_owned())))
}

fn words(taken: &Taken) -> String {
    let code = taken.code.as_deref().or(taken.id.as_deref()).unwrap_or_default();
    match taken.taken.as_str() {
        "new" => {
            let people = usize::try_from(taken.recipients.unwrap_or(0)).unwrap_or(usize::MAX);
            format!("accepted as {code}, for {}", count(people, "recipient"))
        }
        "repeated" => format!("already known as {code}; nobody is told again"),
        "resolved" => format!("resolved {code}"),
        "nothing-open" => "nothing like it is open; nothing to resolve".into(),
        other => format!("{other} {code}"),
    }
}

/// Waiting for one alert.
struct Waiting<'a> {
    client: &'a Client,
    id: &'a str,
    wait: WaitFor,
    until: Instant,
    timeout: Duration,
}

/// What a look at the alert says about waiting on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// It happened; in words.
    Happened(String),
    /// It cannot happen any more; why.
    Never(String),
    /// Not yet; how far it is.
    NotYet(String),
}

impl Waiting<'_> {
    async fn wait(&self, out: &mut Output) -> Outcome {
        let bar = spinner(out);
        let mut said = String::new();
        let mut pause = LOOK_SOON;
        loop {
            let answer = self.client.ask(Ask::get(&["alerts", self.id])).await?;
            let alert: Alert = answer.read()?;
            match seen(self.wait, &alert) {
                Seen::Happened(text) => {
                    bar.finish_and_clear();
                    return out.answer(&answer.body, || Ok(text));
                }
                Seen::Never(why) => {
                    bar.finish_and_clear();
                    return Err(Failure::failed(format!("{}: {why}", alert.name())));
                }
                Seen::NotYet(text) if Instant::now() < self.until => {
                    bar.set_message(text.clone() + &next(&alert));
                    if bar.is_hidden() && text != said {
                        out.say(&text);
                        said = text;
                    }
                }
                Seen::NotYet(text) => {
                    bar.finish_and_clear();
                    return Err(self.timed_out(&alert, &text));
                }
            }
            let rest = self.until.saturating_duration_since(Instant::now());
            tokio::time::sleep(pause.min(rest)).await;
            pause = LOOK_EVERY.min(pause * 2);
        }
    }

    fn timed_out(&self, alert: &Alert, text: &str) -> Failure {
        let what = format!("{} not {} within {}", alert.name(), word(&self.wait), span(self.timeout));
        Failure::new(Exit::TimedOut, format!("{what}: {text}"))
    }
}

fn spinner(out: &Output) -> ProgressBar {
    if !out.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn seen(wait: WaitFor, alert: &Alert) -> Seen {
    match wait {
        WaitFor::Sent => seen_sent(alert),
        WaitFor::Acknowledged => seen_acknowledged(alert),
    }
}

fn seen_sent(alert: &Alert) -> Seen {
    let progress = alert.progress;
    if progress.sent + progress.failed < progress.total || progress.waiting > 0 {
        return match alert.state.as_str() {
            "closed" => Seen::Never(format!("closed before everybody was told: {}", told(alert))),
            _ => Seen::NotYet(told(alert)),
        };
    }
    match (progress.sent, progress.failed) {
        (_, 0) => Seen::Happened(format!("{} {}", alert.name(), told(alert))),
        (0, _) => Seen::Never(format!("nobody could be told: {}", told(alert))),
        _ => Seen::Never(format!("not everybody could be told: {}", told(alert))),
    }
}

fn seen_acknowledged(alert: &Alert) -> Seen {
    if let Some(deed) = alert.acknowledged.as_ref().filter(|_| alert.missing == 0) {
        let comment = deed.comment.as_deref().map_or_else(String::new, |text| format!(": {text}"));
        return Seen::Happened(format!(
            "{} acknowledged by {}{}, accepted {}",
            alert.name(),
            deed.by,
            crate::output::one_line(&comment),
            ago(alert.age_seconds)
        ));
    }
    if alert.state == "closed" {
        let why = alert.ended.as_ref().map_or("closed", |ended| ended.why.as_str());
        return Seen::Never(format!("closed without an acknowledgement: {why}"));
    }
    let missing = if alert.missing > 0 && !alert.acknowledgements.is_empty() {
        format!("{} still to acknowledge", alert.missing)
    } else {
        "waiting for an acknowledgement".to_owned()
    };
    Seen::NotYet(format!("{}; {missing}", told(alert)))
}

/// What comes next, to be put behind the progress.
fn next(alert: &Alert) -> String {
    let due = alert.next_step.as_ref().map(|next| next.due_in_seconds);
    match due {
        Some(Some(seconds)) => format!("; next step in {}", span(Duration::from_secs(seconds))),
        Some(None) => "; sending is paused".into(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use crate::forms::{Deed, Ended, Progress};
    use clap::Parser as _;

    fn made(line: &[&str], stdin: &str) -> Outcome<Value> {
        let whole = ["steadfast", "send"].iter().chain(line);
        match Cli::try_parse_from(whole).map(|cli| cli.command) {
            Ok(Command::Send(args)) => notice(&args, || Ok(stdin.to_owned())),
            other => panic!("{line:?} is not understood: {other:?}"),
        }
    }

    #[test]
    fn a_notice_has_what_was_said_and_nothing_else() {
        let check = |line: &[&str], stdin: &str, expect: Value| {
            assert_eq!(made(line, stdin).unwrap(), expect, "{line:?}");
        };
        check(&["-m", "x"], "", json!({ "summary": "x" }));
        check(
            &["-i", "a,b", "-i", "mail:c@x", "-m", "x", "--severity", "high", "--policy", "p"],
            "",
            json!({ "summary": "x", "severity": "high", "to": ["a", "b", "mail:c@x"], "policy": "p" }),
        );
        check(
            &["-m", "x", "--label", "host=a=b", "--dedup", "k", "--resolve"],
            "",
            json!({ "summary": "x", "labels": { "host": "a=b" }, "dedup_key": "k", "status": "resolved" }),
        );
        check(
            &["-m", "x", "--choice", "yes", "--choice", "no"],
            "",
            json!({ "summary": "x", "choices": [{ "text": "yes" }, { "text": "no" }] }),
        );
        check(
            &["-m", "x", "--choice", "yes", "--choice", "no", "--acknowledges", "2"],
            "",
            json!({ "summary": "x", "choices": [{ "text": "yes", "acknowledges": false }, { "text": "no", "acknowledges": true }] }),
        );
        check(
            &["-m", "-"],
            "first\nsecond\nthird\n",
            json!({ "summary": "first", "details": "second\nthird" }),
        );
        check(&["-m", "-", "--details", "d"], "first\nsecond", json!({ "summary": "first", "details": "d" }));
    }

    #[test]
    fn an_empty_standard_input_is_not_sent() {
        assert_eq!(made(&["-m", "-"], " \n").unwrap_err().exit, Exit::Usage);
    }

    fn alert(sent: u64, failed: u64, waiting: u64) -> Alert {
        let total = sent + failed + waiting;
        let progress = Progress { sent, failed, waiting, total };
        Alert { code: "A1".into(), state: "open".into(), progress, ..Alert::default() }
    }

    #[test]
    fn sent_means_to_everybody() {
        let check = |alert: Alert, expect: Seen| assert_eq!(seen(WaitFor::Sent, &alert), expect);
        check(alert(2, 0, 1), Seen::NotYet("sent 2 of 3, 1 waiting".into()));
        check(alert(3, 0, 0), Seen::Happened("A1 sent 3 of 3".into()));
        check(alert(0, 2, 0), Seen::Never("nobody could be told: sent 0 of 2, 2 failed".into()));
        let closed = Alert { state: "closed".into(), ..alert(1, 0, 1) };
        check(closed, Seen::Never("closed before everybody was told: sent 1 of 2, 1 waiting".into()));
    }

    #[test]
    fn acknowledged_means_by_everybody_who_must() {
        let by = Deed { by: "anna".into(), comment: Some("on my way".into()), ..Deed::default() };
        let acked = Alert { acknowledged: Some(by.clone()), age_seconds: 130, ..alert(1, 0, 0) };
        let check = |alert: &Alert, expect: Seen| assert_eq!(seen(WaitFor::Acknowledged, alert), expect);
        check(&alert(2, 0, 1), Seen::NotYet("sent 2 of 3, 1 waiting; waiting for an acknowledgement".into()));
        check(&acked, Seen::Happened("A1 acknowledged by anna: on my way, accepted 2m 10s ago".into()));
        let recall = Alert { missing: 2, acknowledgements: vec![by], ..acked };
        check(&recall, Seen::NotYet("sent 1 of 1; 2 still to acknowledge".into()));
        let ended = Some(Ended { why: "resolved".into(), ..Ended::default() });
        let closed = Alert { state: "closed".into(), ended, ..alert(1, 0, 0) };
        check(&closed, Seen::Never("closed without an acknowledgement: resolved".into()));
    }
}
