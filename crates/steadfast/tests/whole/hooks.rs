//! Alertmanager as Debian ships it, unmodified, as a source: its webhooks become alerts here.

use crate::mailbox::{Mailbox, peers};
use crate::site::{PATIENCE, Site, free_port};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Everything goes to Anna, who is told of the end.
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

/// A running Alertmanager that posts to one URL.
struct Alertmanager {
    folder: tempfile::TempDir,
    server: Child,
    address: SocketAddr,
    amtool: std::path::PathBuf,
}

impl Alertmanager {
    fn start(peers: &Path, url: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let address = free_port();
        let config = format!(
            "route:\n  receiver: hook\n  group_by: [alertname]\n  group_wait: 0s\n  group_interval: 1s\n  \
             repeat_interval: 1s\nreceivers:\n- name: hook\n  webhook_configs:\n  - url: '{url}'\n    max_alerts: 2\n"
        );
        let file = folder.path().join("alertmanager.yml");
        std::fs::write(&file, config).expect("the folder can be written");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
        let programs = peers.join("alertmanager/usr/bin");
        let server = program(peers)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--cluster.listen-address=", "--log.level=debug"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the peers' folder has alertmanager");
        let started = Self { folder, server, address, amtool: programs.join("amtool") };
        await_that("alertmanager's start", || started.alerts().is_some());
        started
    }

    /// What it knows.
    fn alerts(&self) -> Option<Value> {
        reqwest::blocking::get(format!("http://{}/api/v2/alerts", self.address)).ok()?.json().ok()
    }

    fn add(&self, words: &[&str]) {
        let done = Command::new(&self.amtool)
            .arg(format!("--alertmanager.url=http://{}", self.address))
            .args(["alert", "add"])
            .args(words)
            .output()
            .expect("the peers' folder has amtool");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Ends an alert.
    fn end(&self, labels: &Value) {
        let body =
            json!([{"labels": labels, "endsAt": "2020-01-01T00:00:00Z", "startsAt": "2019-12-31T00:00:00Z"}]);
        let url = format!("http://{}/api/v2/alerts", self.address);
        let answer =
            reqwest::blocking::Client::new().post(url).json(&body).send().expect("alertmanager answers");
        assert!(answer.status().is_success(), "{:?}", answer.text());
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("--- alertmanager ---\n{log}");
        }
    }
}

/// Debian's program looks for its template in one place only: where the package is not installed, it is shown there.
fn program(peers: &Path) -> Command {
    let own = peers.join("alertmanager");
    let program = own.join("usr/bin/prometheus-alertmanager");
    if Path::new("/usr/share/prometheus/alertmanager/default.tmpl").exists() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", "mount --bind \"$0\" /usr/share && exec \"$@\""]);
    command.arg(own.join("usr/share")).arg(program);
    command
}

fn await_that(what: &str, enough: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !enough() {
        assert!(Instant::now() < until, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn records(site: &Site, kind: &str) -> usize {
    site.trail("").iter().filter(|entry| entry["kind"] == kind).count()
}

/// By label `site`, how another program names each alert.
fn fingerprints(alerts: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = alerts.as_array().expect("a list");
    let mut all: Vec<_> =
        all.iter().map(|it| (text(&it["labels"]["site"]), text(&it["fingerprint"]))).collect();
    all.sort();
    all
}

#[test]
fn alertmanagers_webhook_fires_repeats_and_resolves() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let theirs = Alertmanager::start(&peers, &format!("http://{}/hooks/alertmanager", site.ingest));
    theirs.add(&["Down", "site=north", "severity=page", "--annotation=summary=It is down"]);
    let mail = mailbox.mail_for("anna");
    assert!(mail.subject.contains("It is down"), "{}", mail.subject);
    theirs.add(&["Down", "site=south", "pump=größe 3"]);
    let ours = site.wait("/api/v2/alerts", "two alerts", |it| it.as_array().is_some_and(|it| it.len() == 2));
    let known = theirs.alerts().expect("alertmanager answers");
    assert_eq!(fingerprints(&ours), fingerprints(&known), "the same labels have the same fingerprint");
    assert_eq!(
        ours.as_array().map(|all| all.iter().filter(|it| it["labels"]["severity"] == "page").count()),
        Some(1)
    );
    // It posts the group again each second; nothing comes of it.
    let posts = || {
        let metrics = reqwest::blocking::get(format!("http://{}/metrics", theirs.address));
        let text = metrics.and_then(reqwest::blocking::Response::text).unwrap_or_default();
        let line = text
            .lines()
            .find(|it| it.starts_with("alertmanager_notifications_total{integration=\"webhook\""));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    let before = posts();
    await_that("three more posts", || posts() >= before + 3);
    assert_eq!((records(&site, "accept"), records(&site, "update")), (2, 0), "a repetition appends nothing");
    theirs.end(&json!({"alertname": "Down", "site": "north", "severity": "page"}));
    site.wait("/api/v2/alerts", "the end of one", |it| it.as_array().is_some_and(|it| it.len() == 1));
    await_that("the mail at the end", || mailbox.all().len() == 3);
    // What the sender leaves out is told.
    theirs.add(&["Down", "site=east"]);
    theirs.add(&["Down", "site=west"]);
    await_that("the note", || {
        site.trail("").iter().any(|it| it.to_string().contains("left out by their sender"))
    });
}

#[test]
fn a_webhook_with_a_token_in_its_path_waits_until_the_node_is_back() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::with_mailbox(&mailbox, DIRECTORY);
    let url = format!("http://{}/hooks/alertmanager/{}", site.ingest, site.token());
    let theirs = Alertmanager::start(&peers, &url);
    site.stop();
    theirs.add(&["Down", "site=north"]);
    site.start();
    assert!(mailbox.mail_for("anna").subject.contains("Down"));
    assert_eq!(site.get("/api/v1/alerts")["alerts"][0]["source"], "admin");
    let secret = site.token().to_owned();
    assert!(!site.log().contains(&secret), "no log has the token");
    assert!(site.trail("").iter().all(|entry| !entry.to_string().contains(&secret)), "nor has the trail");
}
