//! A thousand people in one group, tens of thousands in another: taken in one call, and nobody else waits.

use crate::mailbox::{Mailbox, peers};
use crate::site::{PATIENCE, Site, mail_provider};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A directory with a group `all` of that many people, and Anna outside it.
fn crowd(people: usize) -> String {
    let mut text = String::from(
        "[recipients.anna]\ntitle = \"Anna\"\naddresses = [{ channel = \"mail\", value = \"anna@plant.example\" }]\n\
         [policies.once]\nmode = \"none\"\n",
    );
    let mut members = Vec::new();
    for number in 0..people {
        writeln!(
            text,
            "[recipients.p{number}]\ntitle = \"Person {number}\"\n\
             addresses = [{{ channel = \"mail\", value = \"p{number}@plant.example\" }}]"
        )
        .expect("a String takes all");
        members.push(format!("\"p{number}\""));
    }
    writeln!(text, "[groups.all]\ntitle = \"All\"\npolicy = \"once\"\nmembers = [{}]", members.join(", "))
        .expect("a String takes all");
    text
}

#[test]
fn a_thousand_people_are_told_once_each_while_another_alert_passes_by() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::new(&mail_provider("mail-1", mailbox.port, "connections = 2"), &crowd(1000));
    site.start();
    let taken = site.post("/api/v1/notices", &serde_json::json!({"summary": "to all", "to": ["all"]}));
    assert_eq!(taken["recipients"], 1000);
    let code = taken["code"].as_str().expect("a code");
    site.send("anna", "for anna alone");
    mailbox.mail_for("anna");
    let told = mailbox.all().iter().filter(|mail| mail.subject.contains("to all")).count();
    assert!(told < 1000, "anna's alert waited until all {told} others were told");
    let mails = mailbox.wait("a mail for each of a thousand", PATIENCE, |mails| mails.len() >= 1001);
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    assert_eq!((mails.len(), ids.len()), (1001, 1001));
    let alert = site
        .wait(&format!("/api/v1/alerts/{code}"), "the end of the alert", |alert| alert["state"] == "closed");
    assert_eq!(alert["progress"]["sent"], 1000, "{alert:#}");
}

#[test]
fn progress_is_visible_while_a_crowd_is_told() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::new(&mail_provider("mail-1", mailbox.port, "per_minute = 600"), &crowd(300));
    site.start();
    let taken = site.post("/api/v1/notices", &serde_json::json!({"summary": "to all", "to": ["all"]}));
    let code = taken["code"].as_str().expect("a code");
    let alert = site.wait(&format!("/api/v1/alerts/{code}"), "some progress", |alert| {
        alert["progress"]["sent"].as_u64().is_some_and(|sent| sent > 0)
    });
    let number = |key: &str| alert["progress"][key].as_u64().expect("a number");
    assert_eq!(number("total"), 300, "{alert:#}");
    assert!(number("sent") < 300 && number("waiting") > 0, "{alert:#}");
}

#[test]
fn an_orderly_stop_in_the_middle_of_a_crowd_repeats_nothing() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::new(&mail_provider("mail-1", mailbox.port, "connections = 8"), &crowd(600));
    site.start();
    site.post("/api/v1/notices", &serde_json::json!({"summary": "to all", "to": ["all"]}));
    for stops in 1..=3 {
        mailbox.wait("some more mails", PATIENCE, |mails| mails.len() >= stops * 100);
        assert!(site.stop().success());
        site.start();
    }
    let mails = mailbox.wait("a mail for each", PATIENCE, |mails| {
        mails.iter().map(|mail| mail.to.as_str()).collect::<BTreeSet<_>>().len() == 600
    });
    let marked = mails.iter().filter(|mail| mail.is_marked()).count();
    assert_eq!((mails.len(), marked), (600, 0));
}
