//! Configurations of Alertmanager made by chance, and the rules that a directory is judged by.

use proptest::prelude::*;
use record::document::{ChannelRule, Rules, form};
use std::fmt::Write as _;

const CHANNELS: &[ChannelRule<'static>] = &[
    ChannelRule {
        name: "mail",
        check: |text| if is_mail(text) { Ok(()) } else { Err("no mail address".into()) },
    },
    ChannelRule {
        name: "webhook",
        check: |text| if text.starts_with("http") { Ok(()) } else { Err("no URL".into()) },
    },
];

fn is_mail(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && !text.contains([' ', '{'])
}

/// What addresses, zones and calendars there are.
pub(crate) fn rules() -> Rules<'static> {
    Rules {
        channels: CHANNELS,
        zone_known: |zone| matches!(zone, "UTC" | "Europe/Berlin" | "America/New_York"),
        schedules: |book| book.check(jiff::tz::db()),
    }
}

/// What is wrong with a directory's text; nothing if it can be used.
pub(crate) fn wrong(text: &str) -> Vec<String> {
    let document = match record::document::read_toml(text, "directory.toml") {
        Ok(document) => document,
        Err(located) => return vec![located.to_string()],
    };
    let judged = document.resolve(&rules());
    judged.err().unwrap_or_default().into_iter().map(|problem| problem.to_string()).collect()
}

/// A document with what the rules need and nothing else.
pub(crate) fn is_empty(document: &form::Document) -> bool {
    document.recipients.is_empty() && document.routes.is_empty()
}

/// A route: matchers, `continue`, a receiver's number, times, and routes below.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    matchers: Vec<(usize, usize, usize)>,
    goes_on: bool,
    receiver: usize,
    times: usize,
    below: Vec<Self>,
}

const LABELS: [&str; 3] = ["a", "b", "team"];
const SIGNS: [&str; 4] = ["=", "!=", "=~", "!~"];
const VALUES: [&str; 5] = ["1", "2", "1|2", "[12]", ""];
/// Values of labels that alerts have.
pub(crate) const OCCURRING: [&str; 3] = ["1", "2", "x"];
const RECEIVERS: [&str; 6] = ["mail", "hook", "Team X / pager", "null", "many", "odd \"one\""];

fn routes() -> impl Strategy<Value = Made> {
    let own = || {
        let matcher = (0..LABELS.len(), 0..SIGNS.len(), 0..VALUES.len());
        (proptest::collection::vec(matcher, 0..3), any::<bool>(), 0..RECEIVERS.len(), 0..6usize)
    };
    let made =
        |(matchers, goes_on, receiver, times), below| Made { matchers, goes_on, receiver, times, below };
    let leaf = own().prop_map(move |own| made(own, Vec::new()));
    leaf.prop_recursive(3, 16, 4, move |inner| {
        (own(), proptest::collection::vec(inner, 0..4)).prop_map(move |(own, below)| made(own, below))
    })
}

/// The text of a configuration.
pub(crate) fn configurations() -> impl Strategy<Value = String> {
    (proptest::collection::vec(routes(), 0..4), any::<[bool; 4]>()).prop_map(|(below, with)| {
        let mut text = String::new();
        text.push_str(if with[0] { GLOBAL } else { SMALLEST });
        text.push_str("route:\n  receiver: mail\n  group_by: [alertname]\n  repeat_interval: 3h\n");
        if !below.is_empty() {
            text.push_str("  routes:\n");
        }
        below.iter().for_each(|route| route.write(&mut text, 2));
        text.push_str(RECEIVERS_TEXT);
        text.push_str(TIMES);
        if with[1] {
            text.push_str(INHIBIT);
        }
        if with[2] {
            text.push_str("templates: ['*.tmpl']\n");
        }
        text
    })
}

impl Made {
    fn write(&self, text: &mut String, depth: usize) {
        let pad = " ".repeat(depth);
        let receiver = serde_json::Value::from(RECEIVERS[self.receiver]);
        writeln!(text, "{pad}- receiver: {receiver}").unwrap();
        if !self.matchers.is_empty() {
            let each = self.matchers.iter().map(|(label, sign, value)| {
                format!("'{}{}\"{}\"'", LABELS[*label], SIGNS[*sign], VALUES[*value])
            });
            writeln!(text, "{pad}  matchers: [{}]", each.collect::<Vec<_>>().join(", ")).unwrap();
        }
        if self.goes_on {
            writeln!(text, "{pad}  continue: true").unwrap();
        }
        match self.times {
            0 => writeln!(text, "{pad}  mute_time_intervals: [nights, holidays]").unwrap(),
            1 => writeln!(text, "{pad}  active_time_intervals: [nights]").unwrap(),
            2 => writeln!(text, "{pad}  repeat_interval: 30m").unwrap(),
            _ => (),
        }
        if !self.below.is_empty() {
            writeln!(text, "{pad}  routes:").unwrap();
        }
        self.below.iter().for_each(|route| route.write(text, depth + 2));
    }
}

const SMALLEST: &str = "global: {smtp_smarthost: 'localhost:25', smtp_from: 'am@example.org'}\n";

const GLOBAL: &str = "global:
  resolve_timeout: 3m
  smtp_smarthost: 'mail.example.org:587'
  smtp_from: 'am@example.org'
  smtp_auth_username: am
  smtp_auth_password: secret
  slack_api_url: 'https://hooks.slack.example/x'
";

const RECEIVERS_TEXT: &str = r#"receivers:
- name: mail
  email_configs:
  - to: 'ops@example.org, Bea <bea@example.org>'
    send_resolved: true
- name: hook
  webhook_configs:
  - url: 'http://127.0.0.1:9/hook'
    max_alerts: 5
- name: Team X / pager
  pagerduty_configs:
  - routing_key: secret
- name: "null"
- name: many
  email_configs:
  - to: 'a1@x.example,a2@x.example,a3@x.example,a4@x.example,a5@x.example,a6@x.example,a7@x.example,a8@x.example,a9@x.example'
  - to: 'b1@x.example,b2@x.example,b3@x.example,b4@x.example,b5@x.example,b6@x.example,b7@x.example,b8@x.example,b9@x.example'
- name: "odd \"one\""
  email_configs:
  - to: '{{ .CommonLabels.owner }}@example.org'
"#;

const TIMES: &str = "time_intervals:
- name: nights
  time_intervals:
  - times:
    - start_time: '00:00'
      end_time: '06:00'
    - start_time: '22:00'
      end_time: '24:00'
    location: Europe/Berlin
- name: holidays
  time_intervals:
  - months: ['december']
    days_of_month: ['24:26', '-1']
  - years: ['2030:2031']
    months: ['may:june']
  - weekdays: ['saturday', 'sunday']
  - weekdays: ['monday:friday']
    months: ['1']
";

const INHIBIT: &str = "inhibit_rules:
- source_matchers: ['severity=\"critical\"']
  target_match: {severity: warning}
  equal: [alertname, site]
- source_match_re: {a: '1|2'}
  target_matchers: ['b!=\"1\"']
";
