//! Routes, filters and bundles end to end: what goes over the wire to a mail server that we did not write.

use crate::mailbox::{Mail, Mailbox, peers};
use crate::site::{PATIENCE, Site};
use serde_json::{Value, json};

/// Steps come only where nobody was told, or somebody asks for them.
const DIRECTORY: &str = r#"
[settings.severities]
sev1 = "critical"
sev2 = "high"
[recipients.anna]
addresses = [{ channel = "mail", value = "anna@plant.example" }]
[recipients.ben]
addresses = [{ channel = "mail", value = "ben@plant.example" }]
[recipients.boss]
addresses = [{ channel = "mail", value = "boss@plant.example" }]
[policies.default]
steps = [{ after = "2h", to = ["boss"] }]
[[routes]]
name = "storms"
matchers = ['site="north"', 'unit!~"test.*"']
bundle = { over = 1, within = "3s" }
to = ["anna"]
[[routes]]
name = "tests"
matchers = ['unit=~"test.*"']
to = ["ben"]
[filters.quiet]
recipients = ["ben"]
below = "high"
"#;

fn subjects(mails: &[Mail], local: &str) -> Vec<String> {
    let to = |mail: &&Mail| mail.to.split('@').next() == Some(local);
    mails.iter().filter(to).map(|mail| mail.subject.clone()).collect()
}

fn notice(summary: &str, severity: &str, unit: &str) -> Value {
    json!({ "summary": summary, "severity": severity, "labels": { "site": "north", "unit": unit } })
}

#[test]
fn what_goes_beyond_a_number_of_mails_goes_out_as_one_that_acknowledges_each() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let storm = json!([
        notice("pump 1 stopped", "high", "p1"),
        notice("pump 2 is warm", "warning", "p2"),
        notice("pump 3 stopped", "SEV2", "p3"),
        notice("pump 4 burns", "sev1", "p4"),
        notice("pump 5 stopped", "high", "testbed"),
    ]);
    let answer = site.post("/api/v1/notices/batch", &storm);
    let code = |at: usize| {
        let code = answer["results"][at]["answer"]["code"].as_str();
        code.unwrap_or_else(|| panic!("the notice was taken: {answer:#}")).to_owned()
    };
    let mails = mailbox.wait("a mail for each address", PATIENCE, |mails| mails.len() >= 4);
    assert_eq!(subjects(&mails, "ben"), ["[high] pump 5 stopped"]);
    let mut anna = subjects(&mails, "anna");
    assert_eq!(anna.pop().as_deref(), Some("[high] 2 alerts, first: pump 3 stopped"));
    anna.sort_unstable();
    assert_eq!(anna, ["[critical] pump 4 burns", "[high] pump 1 stopped"]);

    let list = mails.iter().find(|mail| mail.subject.contains("2 alerts")).expect("it came");
    let place = |text: &str| list.text.find(text).unwrap_or_else(|| panic!("{text} is in {}", list.text));
    let (high, warning) = (format!("{} (high)", code(2)), format!("{} (warning)", code(1)));
    assert!(place(&high) < place(&warning), "{}", list.text);
    let links: Vec<String> = list
        .text
        .split_whitespace()
        .filter(|word| word.contains("/a/"))
        .map(|word| word.trim_matches(['<', '>']).to_owned())
        .collect();
    assert_eq!(links.len(), 2, "{}", list.text);
    site.press(&links[1]);
    for (at, state) in [(1, "acknowledged"), (2, "open")] {
        let path = format!("/api/v1/alerts/{}", code(at));
        site.wait(&path, "one mail for each", |alert| {
            alert["progress"]["sent"] == 1 && alert["state"] == state
        });
    }
}

#[test]
fn what_a_filter_withholds_is_not_sent_and_nobody_left_to_tell_means_the_next_step() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::with_mailbox(&mailbox, DIRECTORY);
    let send = |site: &Site, to: &[&str], summary: &str, severity: &str| {
        let answer =
            site.post("/api/v1/notices", &json!({ "summary": summary, "severity": severity, "to": to }));
        answer["code"].as_str().unwrap_or_else(|| panic!("it was taken: {answer:#}")).to_owned()
    };
    let code = send(&site, &["anna", "ben"], "pump 1 is warm", "warning");
    send(&site, &["ben"], "pump 2 is warm", "warning");
    assert_eq!(mailbox.mail_for("boss").subject, "[warning] pump 2 is warm");
    mailbox.mail_for("anna");
    site.kill();
    site.start();
    send(&site, &["ben"], "pump 3 stopped", "high");
    mailbox.mail_for("ben");
    assert_eq!(subjects(&mailbox.all(), "ben"), ["[high] pump 3 stopped"]);

    let alert = site.get(&format!("/api/v1/alerts/{code}"));
    assert_eq!(alert["steps"][0]["withheld"][0], "filter quiet withholds messages", "{alert:#}");
    let trail = site.cli(&["trail", "--alert", &code]);
    let trail = String::from_utf8_lossy(&trail.stdout).into_owned();
    assert!(trail.contains("; filter quiet withholds messages"), "{trail}");
    let unknown = json!({ "summary": "x", "severity": "sev3", "to": ["anna"] });
    let (status, said) = site.try_post("/api/v1/notices", &unknown, None).expect("the node answers");
    assert!(status == 422 && said.to_string().contains("did you mean \\\"sev"), "{status} {said}");
}
