//! What becomes of GoAlert's and OnCall's answers.

use crate::made::{rules, wrong};
use import::{Imported, goalert, oncall};

const GOALERT: &str = r#"{"data": {
 "users": {"nodes": [
  {"id": "u1", "name": "Anna Berg", "email": "anna@example.org", "contactMethods": [
    {"name": "mail", "type": "EMAIL", "value": "berg@example.org"}, {"name": "phone", "type": "SMS", "value": "+4930"}]},
  {"id": "u2", "name": "Ben", "email": "ben@example.org", "contactMethods": []},
  {"id": "u3", "name": "Carl", "email": "", "contactMethods": []}]},
 "rotations": {"nodes": [
  {"id": "r1", "name": "week", "timeZone": "Europe/Berlin", "start": "2025-01-06T08:00:00Z", "type": "weekly",
   "shiftLength": 1, "activeUserIndex": 1, "userIDs": ["u1", "u2"], "nextHandoffTimes": ["2026-03-02T08:00:00Z"]}]},
 "schedules": {"nodes": [
  {"id": "s1", "name": "Plant", "timeZone": "Europe/Berlin", "temporarySchedules": [], "targets": [
   {"target": {"id": "r1", "type": "rotation", "name": "week"},
    "rules": [{"start": "00:00", "end": "00:00", "weekdayFilter": [true, true, true, true, true, true, true]}]},
   {"target": {"id": "u3", "type": "user", "name": "Carl"},
    "rules": [{"start": "22:00", "end": "06:00", "weekdayFilter": [false, true, true, true, true, true, false]}]}]}]},
 "escalationPolicies": {"nodes": [
  {"id": "p1", "name": "Standard", "repeat": 2, "steps": [
   {"stepNumber": 1, "delayMinutes": 10, "targets": [{"id": "u1", "type": "user", "name": "Anna Berg"}]},
   {"stepNumber": 0, "delayMinutes": 5, "targets": [{"id": "s1", "type": "schedule", "name": "Plant"},
     {"id": "c", "type": "slackChannel", "name": "ops"}]}]}]},
 "services": {"nodes": [{"name": "Pump house", "escalationPolicyID": "p1"}]}
}}"#;

const ONCALL: &str = r#"{
 "users": {"count": 2, "results": [{"id": "U1", "email": "alex@example.org", "username": "alex"},
  {"id": "U2", "email": "bob@example.org", "username": "bob"}]},
 "schedules": [{"id": "S1", "name": "day and night", "type": "calendar", "time_zone": "America/New_York",
   "shifts": ["O1", "O2"]}, {"id": "S2", "name": "ics", "type": "ical"}],
 "on_call_shifts": [
  {"id": "O1", "name": "week", "type": "rolling_users", "time_zone": null, "level": 0, "start": "2025-01-06T09:00:00",
   "duration": 604800, "frequency": "weekly", "interval": 1, "rolling_users": [["U1"], ["U2"]],
   "start_rotation_from_user_index": 1},
  {"id": "O2", "name": "nights", "type": "recurrent_event", "level": 1, "start": "2025-01-06T22:00:00",
   "duration": 28800, "frequency": "weekly", "by_day": ["MO", "WE"], "users": ["U2"]}],
 "escalation_chains": [{"id": "F1", "name": "chain"}],
 "escalation_policies": [
  {"id": "E3", "escalation_chain_id": "F1", "position": 2, "type": "notify_persons", "persons_to_notify": ["U1"]},
  {"id": "E1", "escalation_chain_id": "F1", "position": 0, "type": "notify_on_call_from_schedule",
   "notify_on_call_from_schedule": "S1"},
  {"id": "E2", "escalation_chain_id": "F1", "position": 1, "type": "wait", "duration": 300.0},
  {"id": "E4", "escalation_chain_id": "F1", "position": 3, "type": "trigger_webhook"},
  {"id": "E5", "escalation_chain_id": "F1", "position": 4, "type": "repeat_escalation"}],
 "integrations": [{"id": "C1", "name": "Alertmanager"}],
 "routes": [{"id": "R1", "integration_id": "C1", "escalation_chain_id": "F1", "routing_regex": "us-(east|west)",
   "position": 0, "is_the_last_route": false},
  {"id": "R2", "integration_id": "C1", "escalation_chain_id": "F1", "is_the_last_route": true}]
}"#;

fn used(imported: Imported) -> Imported {
    let text = imported.write("x.json");
    assert_eq!(wrong(&text), Vec::<String>::new(), "{text}");
    imported
}

fn told(imported: &Imported) -> Vec<String> {
    imported.report.lines().iter().map(ToString::to_string).collect()
}

#[test]
fn goalerts_people_schedules_and_escalations_are_carried_over() {
    let imported = used(goalert(GOALERT, &rules()).unwrap());
    let book = &imported.book.document;
    assert_eq!(book.recipients["Anna-Berg"].addresses[0].value, "berg@example.org");
    assert_eq!(book.recipients["Ben"].addresses[0].value, "ben@example.org");
    let week = &book.schedules["Plant"].layers[0];
    assert_eq!((&week.turns[0][0], week.from.as_str()), (&"Ben".to_owned(), "2026-02-23T09:00"));
    let night = &book.schedules["Plant-2"].layers[0];
    assert_eq!(
        (night.windows[0].from.as_str(), night.windows[0].days.join(",")),
        ("22:00", "mon,tue,wed,thu,fri".to_owned())
    );
    let rule = &imported.book.rules[0];
    assert_eq!(
        (rule.to.join(","), rule.sources.join(",")),
        ("Plant,Plant-2".to_owned(), "Pump-house".to_owned())
    );
    let policy = &book.policies["Standard"];
    assert_eq!(
        (policy.steps[0].after.as_str(), policy.steps[0].to.join(",")),
        ("5m", "Anna-Berg".to_owned())
    );
    let repeat = policy.repeat.as_ref().unwrap();
    assert_eq!((repeat.times, repeat.after.as_str()), (2, "10m"));
    let told = told(&imported);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(
        told[0].contains("phone")
            && told[1].contains("Carl")
            && told[2].contains("ops")
            && told[3].contains("steadfast token add")
    );
    let error = goalert(r#"{"errors": [{"message": "not logged in"}]}"#, &rules()).err().unwrap();
    assert!(error.why.contains("not logged in"), "{error}");
}

#[test]
fn oncalls_people_schedules_and_chains_are_carried_over() {
    let imported = used(oncall(ONCALL, &rules()).unwrap());
    let book = &imported.book.document;
    let layers = &book.schedules["day-and-night"].layers;
    assert_eq!((layers[0].turns[0][0].as_str(), layers[0].windows.len()), ("bob", 0));
    assert_eq!(layers[1].windows[0].days.join(","), "mon,wed");
    assert_eq!((layers[1].windows[0].from.as_str(), layers[1].windows[0].until.as_str()), ("22:00", "06:00"));
    let policy = &book.policies["chain"];
    assert_eq!((policy.steps[0].after.as_str(), policy.steps[0].to.join(",")), ("5m", "alex".to_owned()));
    assert_eq!(policy.repeat.as_ref().map(|it| it.times), Some(5));
    assert_eq!(imported.book.rules[0].to, ["day-and-night"]);
    let told = told(&imported);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(
        told[0].contains("ics") && told[1].contains("trigger_webhook") && told[2].contains("us-(east|west)")
    );
}

#[test]
fn what_is_no_answer_is_refused() {
    for text in ["", "[]", "{", r#"{"users": 1}"#, r#"{"users": [{}]}"#] {
        assert!(oncall(text, &rules()).is_err(), "{text}");
        assert!(goalert(text, &rules()).is_err(), "{text}");
    }
}
