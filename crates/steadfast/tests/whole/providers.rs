//! The primary mail server dies, hangs, throttles, drops after DATA: mail goes on, unknowns are marked, the
//! operators are told by the surviving way, and the primary is returned to by itself.

use crate::mailbox::{Mailbox, peers};
use crate::site::{PATIENCE, Site, mail_provider};
use crate::story::DIRECTORY;
use rustix::process::Signal;

fn pair(first: &Mailbox, second: &Mailbox, more: &str) -> Site {
    let more =
        format!("command_timeout = \"500ms\"\nconnect_timeout = \"500ms\"\ndata_timeout = \"1s\"\n{more}");
    let providers =
        mail_provider("primary", first.port, &more) + &mail_provider("secondary", second.port, &more);
    let mut site = Site::new(&providers, DIRECTORY);
    site.start();
    site
}

fn health(site: &Site, name: &str, health: &str) {
    site.wait("/api/v1/status", &format!("{name} being {health}"), |status| {
        let providers = status["providers"].as_array().expect("providers");
        providers.iter().any(|provider| provider["name"] == name && provider["health"] == health)
    });
}

/// Sends alerts until one of them went by the primary, which the node only finds out by trying.
fn returns_to(primary: &Mailbox, site: &Site) {
    let before = primary.all().len();
    for number in 0.. {
        site.send("ben", &format!("after the trouble {number}"));
        let known = primary.all().len();
        if known > before {
            break;
        }
        assert!(number < 500, "the primary was never returned to");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    health(site, "primary", "healthy");
}

#[test]
fn a_dead_primary_is_replaced_told_of_and_returned_to() {
    let Some(peers) = peers() else { return };
    let (mut first, second) = (Mailbox::open(&peers), Mailbox::open(&peers));
    let site = pair(&first, &second, "");
    site.send("pumps", "by the primary");
    first.mail_for("anna");
    let port = first.port;
    first.kill();
    site.send("pumps", "by the secondary");
    let mail = second.mail_for("anna");
    assert!(mail.subject.contains("by the secondary") && !mail.is_marked(), "{mail:?}");
    let told = second.mail_for("operator");
    assert!(told.subject.contains("primary is failing"), "{told:?}");
    let revived = Mailbox::open_at(&peers, port);
    returns_to(&revived, &site);
}

#[test]
fn a_hanging_primary_is_replaced_and_returned_to() {
    let Some(peers) = peers() else { return };
    let (first, second) = (Mailbox::open(&peers), Mailbox::open(&peers));
    let site = pair(&first, &second, "");
    first.signal(Signal::STOP);
    site.send("pumps", "while the primary hangs");
    let mail = second.mail_for("anna");
    assert!(mail.subject.contains("while the primary hangs") && !mail.is_marked(), "{mail:?}");
    second.mail_for("operator");
    first.signal(Signal::CONT);
    returns_to(&first, &site);
}

#[test]
fn a_drop_after_data_is_repeated_marked_with_the_same_message_id() {
    let Some(peers) = peers() else { return };
    let (first, second) = (Mailbox::open(&peers), Mailbox::open(&peers));
    let site = pair(&first, &second, "");
    site.post(
        "/api/v1/notices",
        &serde_json::json!({"summary": "dropped after DATA", "to": ["mail:drop@plant.example"]}),
    );
    let unmarked = first.mail_for("drop");
    let all = || [first.all(), second.all()].concat();
    let until = std::time::Instant::now() + PATIENCE;
    let marked = loop {
        if let Some(mail) = all().into_iter().find(|mail| mail.to.starts_with("drop") && mail.is_marked()) {
            break mail;
        }
        assert!(std::time::Instant::now() < until, "no marked repeat arrived: {:?}", all());
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert!(!unmarked.is_marked());
    assert_eq!(marked.message_id, unmarked.message_id);
}

#[test]
fn refusals_of_one_recipient_do_not_condemn_the_server() {
    let Some(peers) = peers() else { return };
    let (first, second) = (Mailbox::open(&peers), Mailbox::open(&peers));
    let site = pair(&first, &second, "");
    let to = ["mail:hard@plant.example", "mail:soft@plant.example", "anna"];
    site.post("/api/v1/notices", &serde_json::json!({"summary": "mixed", "to": to}));
    first.mail_for("anna");
    let told = first.mail_for("operator");
    assert!(told.subject.contains("hard@plant.example"), "{told:?}");
    health(&site, "primary", "healthy");
    assert!(second.all().is_empty(), "nothing was wrong with the primary");
}

#[test]
fn a_daily_quota_queues_visibly_and_the_next_provider_helps_out() {
    let Some(peers) = peers() else { return };
    let (first, second) = (Mailbox::open(&peers), Mailbox::open(&peers));
    let site = pair(&first, &second, "per_day = 3");
    for number in 0..7 {
        site.send("ben", &format!("number {number}"));
    }
    first.wait("the primary's quota", PATIENCE, |mails| mails.len() == 3);
    second.wait("the secondary's quota", PATIENCE, |mails| mails.len() == 3);
    let waits = |status: &serde_json::Value| status["waiting"].as_u64() > Some(0);
    let status = site.wait("/api/v1/status", "what has no quota left waiting", waits);
    assert_eq!(status["providers"][0]["sent_today"], 3, "{status:#}");
}
