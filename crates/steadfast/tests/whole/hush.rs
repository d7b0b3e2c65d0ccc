//! What holds alerts back, end to end: inhibition as `amtool` sees it, a silence and a maintenance window by the
//! command line.

use crate::mailbox::{Mailbox, peers};
use crate::site::{PATIENCE, Site};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const DIRECTORY: &str = r#"
[recipients.anna]
addresses = [{ channel = "mail", value = "anna@plant.example" }]
[policies.default]
mode = "basic"
[[routes]]
name = "all"
to = ["anna"]
[calendars.always]
zone = "UTC"
dates = [{ first = "1970-01-01", last = "2199-12-31" }]
[maintenance.north]
title = "Service of the north line"
matchers = ['site="north"']
calendars = ["always"]
[[inhibitions]]
name = "site-down"
source = ['severity="critical"']
target = ['severity="warning"']
equal = ["site"]
"#;

/// Runs a command that must succeed; what it says.
fn done(site: &Site, arguments: &[&str]) -> String {
    let output = site.cli(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// `amtool`, with the admin's token as the password.
fn amtool(peers: &Path, site: &Site, words: &[&str]) -> String {
    let url = format!("--alertmanager.url=http://any:{}@{}", site.token(), site.ingest);
    let mut program = Command::new(peers.join("alertmanager/usr/bin/amtool"));
    let done = program.arg(url).args(words).output().expect("the peers' folder has amtool");
    assert!(done.status.success(), "amtool {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn query(peers: &Path, site: &Site, words: &[&str]) -> Value {
    let text = amtool(peers, site, &[&["alert", "query", "--output=json"], words].concat());
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

fn send(site: &Site, summary: &str, severity: &str, place: &str) -> String {
    let labels = json!({ "severity": severity, "site": place });
    let answer = site.post("/api/v1/notices", &json!({ "summary": summary, "labels": labels }));
    answer["code"].as_str().expect("a code").to_owned()
}

/// The subjects of all mails, once there are so many.
fn told(mailbox: &Mailbox, count: usize) -> String {
    let mails = mailbox.wait(&format!("{count} mails"), PATIENCE, |mails| mails.len() >= count);
    assert_eq!(mails.len(), count, "{mails:?}");
    mails.into_iter().map(|mail| mail.subject).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_warning_waits_until_the_critical_alert_of_its_site_is_over_as_amtool_sees_it() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let down = send(&site, "Site south is down", "critical", "south");
    send(&site, "Pump 3 stopped", "warning", "south");
    send(&site, "Pump 4 stopped", "warning", "west");
    let both = told(&mailbox, 2);
    assert!(both.contains("Site south") && both.contains("Pump 4"), "{both}");

    let held = query(&peers, &site, &["--inhibited"]);
    assert_eq!(held.as_array().map(Vec::len), Some(1), "{held:#}");
    assert_eq!(
        (&held[0]["labels"]["site"], &held[0]["status"]["state"]),
        (&json!("south"), &json!("suppressed"))
    );
    let critical = query(&peers, &site, &["severity=critical"]);
    assert_eq!(held[0]["status"]["inhibitedBy"], json!([critical[0]["fingerprint"]]), "{critical:#}");
    assert_eq!(query(&peers, &site, &[]).as_array().map(Vec::len), Some(2));

    let waiting = done(&site, &["alerts"]);
    assert!(waiting.contains("held back"), "{waiting}");
    done(&site, &["ack", &down]);
    assert_eq!(query(&peers, &site, &["--inhibited"]).as_array().map(Vec::len), Some(1));
    done(&site, &["close", &down]);
    assert!(told(&mailbox, 3).contains("Pump 3 stopped"));
    assert_eq!(query(&peers, &site, &["--inhibited"]), json!([]));
    assert!(done(&site, &["trail"]).contains("as the inhibition site-down says"));
}

#[test]
fn a_silence_is_made_listed_and_ended_by_the_command_line() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let first = send(&site, "Pump 1 stopped", "warning", "west");
    told(&mailbox, 1);

    let preview = done(&site, &["silence", "add", "site=west", "--for", "2h", "--dry-run"]);
    assert!(preview.contains(&format!("would silence 1 open alert now: {first}")), "{preview}");
    let refused = site.cli(&["silence", "add", "site=~\".*\"", "--for", "2h", "-m", "everything"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("absent label"), "{refused:?}");

    let made = done(&site, &["silence", "add", "site=west", "--for", "2h", "-m", "works"]);
    let id = made.lines().next().expect("the id").to_owned();
    assert!(made.contains(&format!("silences 1 open alert now: {first}")), "{made}");
    send(&site, "Pump 2 stopped", "warning", "west");
    let listed = amtool(&peers, &site, &["silence", "query", "--output=json"]);
    assert!(listed.contains(&id), "{listed}");
    let listed = done(&site, &["silence", "list"]);
    assert!(listed.contains(&id) && listed.contains("works"), "{listed}");
    assert!(done(&site, &["silence", "show", &id]).contains("site=\"west\""));
    assert_eq!(mailbox.all().len(), 1, "nothing is told of what is silenced");

    done(&site, &["silence", "expire", &id, "--yes"]);
    assert!(told(&mailbox, 2).contains("Pump 2 stopped"));
    assert!(!done(&site, &["silence", "list"]).contains(&id));
    assert!(done(&site, &["silence", "list", "--all"]).contains("expired"));
    let again = site.cli(&["silence", "expire", &id, "--yes"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("over already"), "{again:?}");
}

#[test]
fn a_maintenance_window_holds_back_while_its_calendar_is_on_and_over_a_kill() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::with_mailbox(&mailbox, DIRECTORY);
    send(&site, "Pump 5 stopped", "warning", "north");
    site.kill();
    site.start();
    let alerts = site.get("/api/v2/alerts");
    assert_eq!(
        alerts[0]["status"],
        json!({"state": "suppressed", "silencedBy": [], "inhibitedBy": [], "mutedBy": ["north"]})
    );
    let listed = done(&site, &["silence", "list"]);
    assert!(listed.contains("while always is on") && listed.contains("active"), "{listed}");
    assert_eq!(mailbox.all().len(), 0);
    done(&site, &["maintenance", "set", "north", "matchers=['site=\"east\"']"]);
    assert!(told(&mailbox, 1).contains("Pump 5 stopped"));
}
