//! Prometheus and `amtool` as Debian ships them, unmodified, with Steadfast in the place of Alertmanager.

use crate::mailbox::{Mailbox, peers};
use crate::site::{PATIENCE, Site, free_port};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Everything that no route matches goes to Anna, who need not answer.
const DIRECTORY: &str = r#"
[recipients.anna]
title = "Anna Berg"
addresses = [{ channel = "mail", value = "anna@plant.example" }]
[groups.crew]
members = ["anna"]
policy = "plain"
[policies.plain]
mode = "basic"
tell_resolved = true
[[routes]]
name = "crew"
to = ["crew"]
"#;

/// What its rule looks at; as a file it is read again and again, so that the test can change it.
struct Prometheus {
    folder: tempfile::TempDir,
    server: Child,
    address: std::net::SocketAddr,
}

impl Prometheus {
    /// Prometheus with a rule that fires while the file of rules says so, posting to `to` each second.
    fn start(peers: &Path, to: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let address = free_port();
        let config = format!(
            "global:\n  evaluation_interval: 200ms\nrule_files: [rules.yml]\nalerting:\n  alertmanagers:\n  - scheme: http\n    \
             static_configs:\n    - targets: [\"{to}\"]\n"
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).expect("the folder can be written");
        write_rule(folder.path(), true);
        let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
        let server = Command::new(peers.join("prometheus/usr/bin/prometheus"))
            .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--rules.alert.resend-delay=200ms", "--web.enable-lifecycle"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the peers' folder has prometheus");
        Self { folder, server, address }
    }

    /// The rule fires, or not any more.
    fn fire(&self, fires: bool) {
        write_rule(self.folder.path(), fires);
        let reloaded =
            reqwest::blocking::Client::new().post(format!("http://{}/-/reload", self.address)).send();
        assert!(reloaded.expect("prometheus answers").status().is_success());
    }

    /// Alerts that it has posted, repetitions among them.
    fn posted(&self) -> u64 {
        let text = reqwest::blocking::get(format!("http://{}/metrics", self.address));
        let text = text.and_then(reqwest::blocking::Response::text).unwrap_or_default();
        let mut lines = text.lines().filter(|line| line.starts_with("prometheus_notifications_sent_total{"));
        lines.next().and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("--- prometheus ---\n{log}");
        }
    }
}

fn write_rule(folder: &Path, fires: bool) {
    let limit = if fires { 0 } else { 2 };
    let rule = format!(
        "groups:\n- name: g\n  rules:\n  - alert: PumpDown\n    expr: vector(1) > {limit}\n    labels: {{severity: page}}\n    \
         annotations: {{summary: \"Pump 3 stopped\", runbook_url: \"https://wiki.example/pump\"}}\n"
    );
    std::fs::write(folder.join("rules.yml"), rule).expect("the folder can be written");
}

fn await_that(what: &str, enough: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !enough() {
        assert!(Instant::now() < until, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How many records the trail has of each kind that says something about alerts.
fn records(site: &Site) -> Vec<String> {
    let told = |entry: &Value| entry["kind"].as_str().map(str::to_owned);
    let about = ["accept", "update", "step-fired", "end", "closed"];
    site.trail("").iter().filter_map(told).filter(|kind| about.contains(&kind.as_str())).collect()
}

#[test]
fn prometheus_posts_again_and_again_and_one_mail_goes_out_and_one_at_the_end() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let prometheus = Prometheus::start(&peers, &site.ingest.to_string());
    let mail = mailbox.mail_for("anna");
    assert!(mail.subject.contains("Pump 3 stopped"), "{}", mail.subject);
    assert!(mail.text.contains("https://wiki.example/pump"), "{}", mail.text);
    let alerts = site.get("/api/v2/alerts");
    assert_eq!(alerts[0]["labels"], json!({"alertname": "PumpDown", "severity": "page"}), "{alerts:#}");
    assert_eq!(alerts[0]["annotations"]["summary"], "Pump 3 stopped");
    assert_eq!(alerts[0]["receivers"], json!([{"name": "crew"}]));
    assert_eq!(site.get("/api/v1/alerts")["alerts"][0]["severity"], "critical");
    let before = prometheus.posted();
    await_that("twenty more posts", || prometheus.posted() >= before + 20);
    assert_eq!(records(&site), ["accept"], "a repetition appends nothing");
    prometheus.fire(false);
    site.wait("/api/v2/alerts", "the end of the alert", |alerts| alerts == &json!([]));
    await_that("the mail at the end", || mailbox.all().len() == 2);
    await_that("the last record", || records(&site) == ["accept", "end", "closed"]);
}

/// `amtool` against the plain listener, with the admin's token as the password.
struct Amtool<'s> {
    program: PathBuf,
    site: &'s Site,
}

impl Amtool<'_> {
    fn run(&self, words: &[&str]) -> (bool, String) {
        let url = format!("--alertmanager.url=http://any:{}@{}", self.site.token(), self.site.ingest);
        let done =
            Command::new(&self.program).arg(url).args(words).output().expect("the peers' folder has amtool");
        let text =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        (done.status.success(), text)
    }

    fn says(&self, words: &[&str]) -> String {
        let (done, text) = self.run(words);
        assert!(done, "amtool {words:?}: {text}");
        text
    }

    fn json(&self, words: &[&str]) -> Value {
        let text = self.says(&[words, &["--output=json"]].concat());
        assert!(!text.contains("Warning"), "{text}");
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("amtool {words:?}: {why}: {text}"))
    }
}

#[test]
fn amtool_adds_asks_and_silences() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let amtool = Amtool { program: peers.join("alertmanager/usr/bin/amtool"), site: &site };
    assert_eq!(amtool.json(&["cluster", "show"])["status"], "disabled");
    assert!(amtool.says(&["config", "show"]).contains("receiver: \"crew\""));
    // A silence first, so that nothing goes out.
    let silence = amtool.says(&[
        "silence",
        "add",
        "--author=bea",
        "--comment=works",
        "--duration=1h",
        "alertname=Down",
        "site=~n.*",
    ]);
    let silence = silence.trim();
    amtool.says(&["alert", "add", "alertname=Down", "site=north", "--annotation=summary=It is down"]);
    amtool.says(&["alert", "add", "Down", "site=south"]);
    assert!(mailbox.mail_for("anna").subject.contains("Down"));
    let all = |words: &[&str]| amtool.json(&[&["alert", "query"], words].concat());
    assert_eq!(all(&[])[0]["labels"]["site"], "south");
    assert_eq!(all(&["--silenced"])[0]["labels"]["site"], "north");
    assert_eq!(all(&["--silenced"])[0]["status"]["silencedBy"], json!([silence]));
    assert_eq!(all(&["--active", "--silenced", "site=~\"nor.*\""]).as_array().map(Vec::len), Some(1));
    assert_eq!(all(&["--receiver=cr.w"]).as_array().map(Vec::len), Some(1));
    assert_eq!(all(&["--receiver=other"]).as_array().map(Vec::len), Some(0));
    assert_eq!(mailbox.all().len(), 1, "nothing is told of what is silenced");
    let noted = site.trail("").into_iter().filter(|entry| entry["kind"] == "note");
    assert!(
        noted.into_iter().any(|entry| entry.to_string().contains("held back by a silence of bea: works"))
    );
    let shown = amtool.json(&["silence", "query"]);
    assert_eq!((&shown[0]["id"], &shown[0]["createdBy"]), (&json!(silence), &json!("bea")), "{shown:#}");
    assert_eq!(
        shown[0]["matchers"][1],
        json!({"isEqual": true, "isRegex": true, "name": "site", "value": "n.*"})
    );
    assert_eq!(amtool.json(&["silence", "query", "site=~n.*"]).as_array().map(Vec::len), Some(1));
    amtool.says(&["silence", "expire", silence]);
    await_that("the mail that was held back", || mailbox.all().len() == 2);
    assert_eq!(all(&["--silenced"]), json!([]));
    assert_eq!(amtool.json(&["silence", "query", "--expired"])[0]["status"]["state"], "expired");
    let (done, text) = amtool.run(&["silence", "expire", silence]);
    assert!(!done && text.contains("over already"), "{text}");
    let (done, text) = amtool.run(&["alert", "add", "alertname="]);
    assert!(!done, "{text}");
}

#[test]
fn a_silence_outlives_a_kill() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::with_mailbox(&mailbox, DIRECTORY);
    let until = "2999-01-01T00:00:00Z";
    let matchers = json!([{"name": "site", "value": "north", "isRegex": false}]);
    let silence = json!({"matchers": matchers, "endsAt": until, "createdBy": "bea", "comment": "works"});
    let id = site.post("/api/v2/silences", &silence)["silenceID"].as_str().expect("an id").to_owned();
    let (status, _) = raw_post(&site, &json!([{"labels": {"alertname": "Down", "site": "north"}}]));
    assert_eq!(status, 200);
    site.kill();
    site.start();
    let alerts = site.get("/api/v2/alerts");
    assert_eq!(
        alerts[0]["status"],
        json!({"state": "suppressed", "silencedBy": [id], "inhibitedBy": [], "mutedBy": []})
    );
    assert_eq!(site.get("/api/v2/alerts/groups?silenced=false"), json!([]));
    assert_eq!(mailbox.all().len(), 0);
    let ended = site.request("DELETE", &format!("/api/v2/silence/{id}")).send().expect("the node answers");
    assert_eq!(ended.status().as_u16(), 200);
    assert!(mailbox.mail_for("anna").subject.contains("Down"));
    let (status, why) =
        raw_post(&site, &json!([{"labels": {"alertname": "Good"}}, {"labels": {"a-b": "c"}}]));
    assert_eq!(status, 400);
    assert_eq!(why, json!("alert 1: labels: \"a-b\" is no name of a label, such as \"alertname\""));
    assert_eq!(site.get("/api/v2/alerts").as_array().map(Vec::len), Some(2), "the others are taken");
}

/// Posts alerts without a token to the plain listener, as Prometheus does; the body is none where it is empty.
fn raw_post(site: &Site, alerts: &Value) -> (u16, Value) {
    let url = format!("http://{}/api/v2/alerts", site.ingest);
    let answer = reqwest::blocking::Client::new().post(url).json(alerts).send().expect("the node answers");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().expect("a body")).unwrap_or_default())
}
