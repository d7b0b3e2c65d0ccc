//! On-call schedules end to end: who is on call is looked at when a step fires, and who it was stays known.

use crate::mailbox::{Mailbox, peers};
use crate::site::Site;
use serde_json::Value;

/// Anna's turn began long ago, over Ben's; the policy's steps come only when somebody asks for them.
const DIRECTORY: &str = r#"
[recipients.anna]
addresses = [{ channel = "mail", value = "anna@plant.example" }]
[recipients.ben]
addresses = [{ channel = "mail", value = "ben@plant.example" }]
[schedules.nights]
zone = "Europe/Berlin"
layers = [
  { turns = [["ben"]], rotation = { unit = "weeks" }, from = "2026-01-05T09:00" },
  { turns = [["anna"]], rotation = { unit = "weeks" }, from = "2026-01-05T09:00" },
]
[policies.default]
steps = [{ after = "2h", again = true }, { after = "2h", again = true }]
[calendars.always]
zone = "UTC"
dates = [{ first = "1970-01-01", last = "2199-12-31" }]
[[routes]]
name = "never"
except_calendars = ["always"]
to = ["ben"]
[[routes]]
name = "always"
calendars = ["always"]
to = ["nights"]
"#;

/// Runs a command that must succeed; what it says.
fn done(site: &Site, arguments: &[&str]) -> String {
    let output = site.cli(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(site: &Site, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(site, arguments)).expect("JSON")
}

#[test]
fn a_step_tells_whoever_is_on_call_when_it_fires_and_a_restart_forgets_nothing_of_it() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::with_mailbox(&mailbox, DIRECTORY);
    let code = site.send("nights", "Pump 3 stopped");
    assert!(mailbox.mail_for("anna").subject.contains("Pump 3 stopped"));

    done(&site, &["schedule", "override", "add", "nights", "--who", "ben", "--until", "1h"]);
    let now = json(&site, &["--json", "on-call", "nights"]);
    assert_eq!((&now["who"][0], &now["because"]), (&"ben".into(), &"overrides[0]".into()), "{now}");
    done(&site, &["escalate-now", &code]);
    assert!(mailbox.mail_for("ben").subject.contains("Pump 3 stopped"));

    site.kill();
    site.start();
    let alert = site.get(&format!("/api/v1/alerts/{code}"));
    assert_eq!(alert["steps"][0]["on_call"][0], "anna on call in nights (turn 1 of layers[1])", "{alert:#}");
    assert_eq!(alert["steps"][1]["on_call"][0], "ben on call in nights (overrides[0])", "{alert:#}");
    let trail = done(&site, &["trail", "--alert", &code]);
    assert!(trail.contains("; ben on call in nights (overrides[0])"), "{trail}");

    let calendar = done(&site, &["schedule", "ical", "nights"]);
    assert!(calendar.contains("SUMMARY:ben on call (nights)"), "{calendar}");
    done(&site, &["schedule", "override", "remove", "nights", "0", "--yes"]);
    assert!(done(&site, &["on-call"]).contains("anna"));
    let shifts = done(&site, &["schedule", "shifts", "nights"]);
    assert!(shifts.contains("turn 1 of layers[1]"), "{shifts}");

    // Without an offset times are local ones of the schedule, here and there.
    let christmas = ["--from", "2040-12-24T12:00", "--until", "2040-12-25T12:00"];
    done(&site, &[&["schedule", "override", "add", "nights", "--who", "ben"][..], &christmas].concat());
    let then = done(&site, &["on-call", "nights", "--at", "2040-12-25T11:59"]);
    assert!(then.contains("ben") && then.contains("2040-12-25 12:00 +01:00"), "{then}");
}

#[test]
fn a_route_counts_within_its_calendar() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let answer = site.post("/api/v1/notices", &serde_json::json!({ "summary": "Pump 4 stopped" }));
    let code = answer["code"].as_str().expect("a code");
    assert_eq!(site.get(&format!("/api/v1/alerts/{code}"))["route"], "always");
    mailbox.mail_for("anna");
}

#[test]
fn what_is_wrong_with_a_schedule_is_told_with_its_place_and_changes_nothing() {
    let site = {
        let mut site = Site::new(&crate::site::mail_provider("mail-1", 9, ""), DIRECTORY);
        site.start();
        site
    };
    let check = |field: &str, part: &str| {
        let output = site.cli(&["schedules", "set", "nights", field]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains(part), "{field}: {said}");
    };
    check("zone=Europe/Brelin", "did you mean \"Europe/Berlin\"?");
    check(
        "layers=[{ turns = [[\"ana\"]], rotation = { unit = \"weeks\" }, from = \"2026-01-05T09:00\" }]",
        "there is no recipient, group or schedule \"ana\"; did you mean \"anna\"?",
    );
    check(
        "layers=[{ turns = [[\"nights\"]], rotation = { unit = \"weeks\" }, from = \"2026-01-05T09:00\" }]",
        "leads back to it",
    );
    assert!(done(&site, &["schedules", "show", "nights"]).contains("Europe/Berlin"));
    let unknown = site.cli(&["on-call", "night"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean \"nights\"?"), "{unknown:?}");
}
