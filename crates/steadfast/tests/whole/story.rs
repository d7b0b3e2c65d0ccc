//! The main job end to end: a notice comes in, people are told, it escalates, somebody acknowledges.

use crate::mailbox::{Mailbox, peers};
use crate::site::Site;
use serde_json::json;

/// Anna first; Ben and the chief when nobody answers.
pub(crate) const DIRECTORY: &str = r#"
[settings]
operators = ["operator"]
[recipients.anna]
title = "Anna Berg"
addresses = [{ channel = "mail", value = "anna@plant.example" }]
[recipients.ben]
title = "Ben Okoro"
addresses = [{ channel = "mail", value = "ben@plant.example" }]
[recipients.chief]
title = "Chief"
addresses = [{ channel = "mail", value = "chief@plant.example" }]
[recipients.operator]
title = "Operator"
addresses = [{ channel = "mail", value = "operator@plant.example" }]
[groups.pumps]
title = "Pump crew"
members = ["anna"]
policy = "hurried"
[policies.hurried]
[[policies.hurried.steps]]
after = "700ms"
to = ["ben"]
[[policies.hurried.steps]]
after = "2h"
to = ["chief"]
"#;

#[test]
fn the_link_in_the_mail_stops_the_escalation() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let code = site.send("pumps", "Pump 3 stopped");
    let first = mailbox.mail_for("anna");
    assert!(first.subject.contains("Pump 3 stopped"), "{}", first.subject);
    let mail = mailbox.mail_for("ben");
    let (page, status) = site.press(&mail.link().expect("the mail has a link"));
    assert!(page.contains("Pump 3 stopped") && page.len() < 10_000 && !page.contains("<script"), "{page}");
    assert_eq!(status, 200);
    let alert = site.get(&format!("/api/v1/alerts/{code}"));
    assert_eq!(alert["state"], "acknowledged", "{alert:#}");
    assert_eq!(alert["acknowledged"]["comment"], "on my way");
    assert_eq!(alert["next_step"], json!(null), "nothing is due after an acknowledgement");
    assert!(mailbox.all().iter().all(|mail| !mail.to.starts_with("chief") && !mail.is_marked()));
}

#[test]
fn looking_at_the_page_acknowledges_nothing() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let code = site.send("pumps", "Pump 3 stopped");
    let link = mailbox.mail_for("anna").link().expect("the mail has a link");
    let path = link.split_once("/a/").map(|(_, token)| format!("/a/{token}")).expect("a link");
    for _ in 0..3 {
        assert!(site.request("GET", &path).send().expect("the node answers").status().is_success());
    }
    assert_eq!(site.get(&format!("/api/v1/alerts/{code}"))["state"], "open");
}

#[test]
fn the_command_line_sends_waits_lists_and_acknowledges() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let mut waiting = site
        .command(&[
            "send",
            "-i",
            "pumps",
            "-m",
            "Pump 4 stopped",
            "--wait",
            "acknowledged",
            "--timeout",
            "60s",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program runs");
    mailbox.mail_for("anna");
    let listed = site.cli(&["--json", "alerts"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let code = listed["alerts"][0]["code"].as_str().expect("a code").to_owned();
    let acked = site.cli(&["ack", &code, "-m", "I am on it"]);
    assert!(acked.status.success(), "{acked:?}");
    assert!(waiting.wait().expect("it ends").success());
    let shown = site.cli(&["alert", &code]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("acknowledged") && text.contains("I am on it"), "{text}");
    let trail = site.cli(&["trail"]);
    assert!(String::from_utf8_lossy(&trail.stdout).contains("acknowledged"), "{trail:?}");
}

#[test]
fn the_plain_listener_takes_notices_and_nothing_else() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let client = reqwest::blocking::Client::new();
    let url = |path: &str| format!("http://{}{path}", site.ingest);
    let body = json!({"summary": "from a tool", "to": ["pumps"]});
    let answer = client.post(url("/api/v1/notices")).json(&body).send().expect("the node answers");
    assert_eq!(answer.status().as_u16(), 201);
    mailbox.mail_for("anna");
    for path in ["/api/v1/alerts", "/api/v1/directory", "/api/v1/trail"] {
        let status = client.get(url(path)).send().expect("the node answers").status().as_u16();
        assert!([401, 404].contains(&status), "{path}: {status}");
    }
}

#[test]
fn the_demo_tells_the_whole_story() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_steadfast")).arg("demo").output();
    let output = output.expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for part in ["accepted as A1", "kill -9", "ben@demo.invalid", "acknowledged", "no further mail", "Next"] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}
