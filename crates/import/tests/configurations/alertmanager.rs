//! What becomes of `alertmanager.yml`.

use crate::made::{configurations, is_empty, rules, wrong};
use import::{Fate, alertmanager};
use proptest::prelude::*;

const EXAMPLE: &str = r"
global:
  resolve_timeout: 3m
  smtp_smarthost: 'mail.example.org:587'
  smtp_from: 'am@example.org'
  smtp_auth_username: am
  smtp_auth_password: secret
route:
  receiver: office
  group_by: [alertname]
  routes:
  - match: {severity: critical}
    receiver: pager
    continue: true
    repeat_interval: 30m
  - matchers: [team=db]
    receiver: db
    mute_time_intervals: [nights]
receivers:
- name: office
  email_configs:
  - to: 'office@example.org'
- name: pager
  webhook_configs:
  - url: 'https://pager.example.org/in'
- name: db
  email_configs:
  - to: 'Dora <dora@example.org>'
  slack_configs:
  - channel: '#db'
time_intervals:
- name: nights
  time_intervals:
  - times: [{start_time: '22:00', end_time: '24:00'}]
    weekdays: ['monday:friday']
    location: Europe/Berlin
";

fn told(text: &str) -> Vec<String> {
    let imported = alertmanager(text, &rules()).unwrap();
    imported.report.lines().iter().map(|line| format!("{}: {line}", line.line)).collect()
}

#[test]
fn an_example_is_carried_over_and_what_is_not_is_told_with_its_line() {
    let imported = alertmanager(EXAMPLE, &rules()).unwrap();
    let book = &imported.book;
    let rows: Vec<String> = book
        .rules
        .iter()
        .map(|rule| {
            format!(
                "{} {} -> {}{}",
                rule.name,
                rule.matchers,
                rule.to.join(","),
                if rule.also { " also" } else { "" }
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            r#"pager {severity="critical"} -> pager also"#,
            r#"db {team="db"} -> db"#,
            r#"pager-2 {severity="critical"} -> pager"#,
            "office {} -> office",
        ]
    );
    let policy = |at: usize| &book.document.policies[book.rules[at].policy.as_deref().unwrap()];
    assert_eq!(policy(0).repeat.as_ref().unwrap().after, "30m");
    assert_eq!((policy(0).tell_resolved, policy(1).tell_resolved), (Some(true), None));
    assert_eq!(book.document.settings.resolve_timeout.as_deref(), Some("3m"));
    assert_eq!(book.document.settings.operators, ["office"]);
    assert_eq!(book.document.recipients["db"].addresses[0].value, "dora@example.org");
    assert_eq!(book.maintenance[0].matchers.to_string(), r#"{team="db"}"#);
    assert_eq!(book.document.calendars[&book.maintenance[0].calendars[0]].zone, "Europe/Berlin");
    assert!(book.remarks.iter().any(|line| line.contains("mail.example.org")));
    assert!(book.remarks.iter().all(|line| !line.contains("secret")), "secrets are not copied");
    assert_eq!(
        told(EXAMPLE),
        [
            "4: global.smtp_smarthost: carried over with a difference: it belongs to the node; put the remark at the head of the text into the node file",
            "5: global.smtp_from: carried over with a difference: it belongs to the node; put the remark at the head of the text into the node file",
            "6: global.smtp_auth_username: carried over with a difference: it belongs to the node; put the remark at the head of the text into the node file",
            "7: global.smtp_auth_password: not carried over: secrets are not copied; write the password into the file that the remark names",
            "10: group_by: not carried over: each alert is told for itself, at once",
            "15: repeat_interval: carried over with a difference: it is repeated until somebody acknowledges, 99 times at most; shape the policy that it became",
            "18: mute_time_intervals: carried over with a difference: it became maintenance: it holds back every alert with these labels, whichever route it takes",
            "25: receiver \"pager\": webhook_configs: carried over with a difference: the body that is posted is ours, and one alert's; give the webhook provider a body as its receiver wants it",
            "30: receiver \"db\": slack_configs: not carried over: there is no such way out yet; give the recipient an address, by mail or webhook",
        ]
    );
}

#[test]
fn what_alertmanager_would_not_run_is_refused_with_its_line() {
    let check = |text: &str, line: usize, why: &str| {
        let error = alertmanager(text, &rules()).err().unwrap();
        assert_eq!((error.line, error.why.as_str()), (line, why), "{text}");
    };
    check("route: {receiver: a}\n", 0, "there are no receivers");
    check("receivers: [{name: a}]\n", 0, "there is no route");
    check("receivers: [{name: a}]\nroute: {receiver: b}\n", 2, "there is no receiver \"b\"");
    check(
        "receivers: [{name: a}, {name: a}]\nroute: {receiver: a}\n",
        1,
        "each receiver must have a name of its own",
    );
    check("receivers: 7\nroute: {receiver: a}\n", 1, "receivers must be a list");
    check(
        "receivers: [{name: a}]\nroute:\n  receiver: a\n  routes:\n  - match_re: {b: '('}\n",
        5,
        "b: \"(\" is not an expression: unclosed group",
    );
}

#[test]
fn a_key_that_is_not_known_is_told() {
    let lines =
        told("receivers: [{name: a, email_configs: [{to: a@x.example}]}]\nroute: {receiver: a}\nfuture: 1\n");
    assert_eq!(lines, ["3: future: not carried over: this key is not known here"]);
}

#[test]
fn a_receiver_that_reaches_nobody_stays_a_recipient() {
    let imported = alertmanager("receivers: [{name: a}]\nroute: {receiver: a}\n", &rules()).unwrap();
    assert_eq!(imported.book.document.recipients["a"].addresses[0].value, "nobody@example.invalid");
    assert_eq!(imported.report.lines()[0].fate, Fate::Changed);
    assert!(imported.report.is_whole());
}

proptest! {
    #[test]
    fn whatever_is_carried_over_makes_a_directory_that_can_be_used(text in configurations()) {
        let imported = alertmanager(&text, &rules()).unwrap();
        prop_assert!(!is_empty(&imported.book.document));
        let written = imported.write("alertmanager.yml");
        prop_assert_eq!(wrong(&written), Vec::<String>::new(), "{}\n{}", text, written);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "([a-z]{0,4}:? ?|- |[\\[\\]{}&*!|>'\",\n]|route|receivers|  |\\PC){0,40}") {
        let _ = alertmanager(&text, &rules());
    }
}
