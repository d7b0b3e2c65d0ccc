//! Monitors and the daily heartbeat end to end: a shell script with curl as the pinger, a mail server that we did not
//! write, two nodes.

use crate::cluster::nodes::Cluster;
use crate::mailbox::{Mailbox, peers};
use crate::site::{PATIENCE, Site};
use lab::within;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};

/// Pings for ever, four times a second.
const PINGER: &str = "while :; do curl -fsS -m 5 -o /dev/null \"$1\"; sleep 0.25; done";

/// A shell script that pings.
struct Pinger(Child);

impl Pinger {
    fn start(url: &str) -> Self {
        let script = Command::new("sh").args(["-c", PINGER, "pinger", url]).stderr(Stdio::null()).spawn();
        Self(script.expect("there is a shell"))
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn done(site: &Site, arguments: &[&str]) -> String {
    let output = site.cli(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Anna is told of the monitor; it has the whole day to be heard by.
const DIRECTORY: &str = r#"
[settings]
heartbeat = { at = "00:00", to = ["office"] }
[recipients.anna]
addresses = [{ channel = "mail", value = "anna@plant.example" }]
[recipients.office]
addresses = [{ channel = "mail", value = "office@plant.example" }]
[policies.default]
tell_resolved = true
[monitors.gateway]
every = "2s"
grace = "2s"
summary = "the gateway is silent"
to = ["anna"]
"#;

#[test]
fn a_monitor_that_dies_is_told_of_and_returns_and_the_heartbeat_comes_once_a_day() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::with_mailbox(&mailbox, DIRECTORY);
    let url = format!("http://{}/ping/gateway", site.ingest);
    let pinger = Pinger::start(&url);
    let state = |want: &'static str| move |it: &Value| it["monitors"][0]["state"] == want;
    site.wait("/api/v1/monitors", "a ping", state("up"));
    drop(pinger);
    let missing = site.wait("/api/v1/monitors", "its absence", state("missing"));
    assert!(missing["monitors"][0]["alert"].is_string(), "{missing}");
    let is = |subject: &'static str| {
        move |mails: &[crate::mailbox::Mail]| mails.iter().any(|mail| mail.subject.contains(subject))
    };
    mailbox.wait("the news", PATIENCE, is("the gateway is silent"));

    let pinger = Pinger::start(&url);
    site.wait("/api/v1/monitors", "its return", state("up"));
    mailbox.wait("the news of the end", PATIENCE, is("Over"));
    drop(pinger);

    // The heartbeat of the day was due at midnight; that it comes late, and once, is the point.
    let mail = mailbox.mail_for("office");
    assert!(mail.subject.contains("all is well"), "{mail:?}");
    assert!(mail.text.contains("Provider mail-1 for mail: healthy."), "{mail:?}");
    site.kill();
    site.start();
    done(&site, &["heartbeat", "send"]);
    let for_office =
        |mails: &[crate::mailbox::Mail]| mails.iter().filter(|mail| mail.to.contains("office")).count();
    mailbox.wait("the one that was asked for", PATIENCE, |mails| for_office(mails) >= 2);
    assert_eq!(for_office(&mailbox.all()), 2, "that of the day is not sent again");
    assert!(done(&site, &["monitors", "list"]).contains("gateway"));
}

#[test]
fn two_nodes_count_the_answers_and_the_pings_of_both() {
    within(|| {
        let cluster = Cluster::start(2);
        let [north, south] = &cluster.nodes[..] else { panic!("there are two") };
        let choices = json!([{ "text": "coming" }, { "text": "cannot come" }]);
        let notice = json!({ "summary": "can you come in?", "to": ["pumps"], "choices": choices });
        let answer = north.post("/api/v1/notices", &notice);
        let path = format!("/api/v1/alerts/{}", answer["id"].as_str().unwrap());
        let arrived = cluster.sink.wait("can you come in?", 1, PATIENCE);
        let message: Value = serde_json::from_str(&arrived[0].body).unwrap();
        let (link, who) = (message["link"].as_str().unwrap(), message["recipient"].as_str().unwrap());

        // By the page of one node, then by the other node: the last counts, and both say so.
        let token = link.rsplit('/').next().unwrap();
        let form = "action=2&comment=abroad";
        let request = north.request("POST", &format!("/a/{token}")).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        assert!(request.send().unwrap().status().is_success());
        let tally = |count: [u64; 2]| {
            move |alert: &Value| {
                let choices = &alert["answers"]["choices"];
                choices[0]["count"] == count[0] && choices[1]["count"] == count[1]
            }
        };
        south.wait(&path, "the answer of the page", tally([0, 1]));
        south.post(&format!("{path}/answer"), &json!({ "choice": 1, "recipient": who }));
        for node in [north, south] {
            let alert = node.wait(&path, "the later answer", tally([1, 0]));
            assert_eq!(alert["answers"]["unanswered"], 0, "{alert:#}");
        }

        // A monitor that is heard at one node is heard at the other; a failure makes one alert.
        let monitor = json!({ "every": "1h", "to": ["pumps"], "summary": "no backup" });
        let put = north.request("PUT", "/api/v1/directory/monitors/backup").json(&monitor);
        assert!(put.send().unwrap().status().is_success());
        let heard = |state: &'static str| move |it: &Value| it["monitors"][0]["state"] == state;
        south.wait("/api/v1/monitors", "the monitor", heard("new"));
        assert!(south.request("GET", "/ping/backup").send().unwrap().status().is_success());
        north.wait("/api/v1/monitors", "the ping of the other node", heard("up"));
        assert!(north.request("POST", "/ping/backup/3").send().unwrap().status().is_success());
        south.wait("/api/v1/monitors", "the failure", heard("failing"));
        cluster.settle();
        assert_eq!(cluster.sink.with("no backup").len(), 1, "one alert, one message");
    });
}
