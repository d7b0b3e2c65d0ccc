//! kill -9 at random moments, under load: nothing answered yes is lost, every repeat has its cause, nothing that
//! was acknowledged escalates again.

use crate::mailbox::{Mail, Mailbox, peers};
use crate::site::{Chance, PATIENCE, Site, trials};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Senders at once.
const SENDERS: u64 = 4;
/// Kills in one trial.
const KILLS: u64 = 3;

const DIRECTORY: &str = r#"
[settings]
operators = []
[recipients.anna]
title = "Anna"
addresses = [{ channel = "mail", value = "anna@plant.example" }]
[recipients.ben]
title = "Ben"
addresses = [{ channel = "mail", value = "ben@plant.example" }]
[groups.crew]
title = "Crew"
members = ["anna"]
policy = "hurried"
[policies.hurried]
[[policies.hurried.steps]]
after = "1500ms"
to = ["ben"]
"#;

/// What the clients of one trial were told.
#[derive(Default)]
struct Told {
    /// Codes by summary, of notices answered yes.
    accepted: BTreeMap<String, String>,
    /// Summaries of alerts whose acknowledgement was answered yes, with the mails that had arrived by then.
    acknowledged: BTreeMap<String, usize>,
    /// Summaries of alerts whose acknowledgement was sent, answered or not.
    tried: BTreeSet<String>,
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_explains_every_repeat() {
    let Some(peers) = peers() else { return };
    let mut totals = [0usize; 4];
    for seed in 0..trials() {
        let counts = trial(&peers, seed);
        totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    let [accepted, acknowledged, mails, repeats] = totals;
    println!(
        "figure: kill -9: {} trials of {KILLS} kills, {accepted} alerts accepted, {acknowledged} acknowledged, \
         {mails} mails, {repeats} of them repeats, 0 lost",
        trials()
    );
}

/// One trial: senders and an acknowledger at work while the node is killed and started again.
fn trial(peers: &std::path::Path, seed: u64) -> [usize; 4] {
    let mailbox = Mailbox::open(peers);
    let mut site = Site::with_mailbox(&mailbox, DIRECTORY);
    let told = Mutex::new(Told::default());
    let over = AtomicBool::new(false);
    let clients = Clients::of(&site);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (clients, told, over) = (&clients, &told, &over);
            scope.spawn(move || clients.send(sender, told, over));
        }
        let (clients, told_by, over_by, mailbox) = (&clients, &told, &over, &mailbox);
        scope.spawn(move || clients.acknowledge(seed, told_by, over_by, mailbox));
        let mut chance = Chance(seed);
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(chance.below(1200)));
            site.kill();
            site.start();
        }
        std::thread::sleep(Duration::from_millis(300));
        over.store(true, Ordering::Relaxed);
    });
    let told = told.into_inner().expect("no client panicked");
    settle(&site, &mailbox, &told, seed);
    judge(&site, &mailbox, &told, seed)
}

/// A client's means, free of the site that is being restarted.
struct Clients {
    api: std::net::SocketAddr,
    token: String,
    client: reqwest::blocking::Client,
}

impl Clients {
    fn of(site: &Site) -> Self {
        let ca = std::fs::read(site.folder().join(node::init::CA_FILE)).expect("init made it");
        let ca = reqwest::Certificate::from_pem(&ca).expect("a certificate");
        let client = reqwest::blocking::Client::builder().tls_certs_only([ca]).timeout(PATIENCE).build();
        let token =
            std::fs::read_to_string(site.folder().join(node::init::ADMIN_TOKEN_FILE)).expect("a token");
        Self { api: site.api, token: token.trim().to_owned(), client: client.expect("a client") }
    }

    fn post(&self, path: &str, body: &Value, key: &str) -> Option<Value> {
        let request =
            self.client.post(format!("https://{}{path}", self.api)).bearer_auth(&self.token).json(body);
        let answer = request.header("Idempotency-Key", key).send().ok()?;
        answer.status().is_success().then(|| answer.json().ok())?
    }

    /// Sends one notice after the other, each until it is answered, as a client of a killed node would.
    fn send(&self, sender: u64, told: &Mutex<Told>, over: &AtomicBool) {
        for number in 0.. {
            let summary = format!("alert {sender}-{number}");
            let body = json!({"summary": summary, "to": ["crew"]});
            let mut answer = None;
            while answer.is_none() && !over.load(Ordering::Relaxed) {
                answer = self.post("/api/v1/notices", &body, &summary);
            }
            let Some(answer) = answer else { return };
            let code = answer["code"].as_str().expect("a yes has a code").to_owned();
            told.lock().expect("no client panicked").accepted.insert(summary, code);
            std::thread::sleep(Duration::from_millis(20)); // A few hundred alerts a trial can be looked through.
        }
    }

    /// Acknowledges every other alert or so.
    fn acknowledge(&self, seed: u64, told: &Mutex<Told>, over: &AtomicBool, mailbox: &Mailbox) {
        let mut chance = Chance(seed ^ 0xACED);
        let mut seen = BTreeSet::new();
        while !over.load(Ordering::Relaxed) {
            let fresh = told.lock().expect("no client panicked").accepted.clone();
            for (summary, code) in fresh {
                if seen.insert(summary.clone()) && chance.below(2) == 0 {
                    told.lock().expect("no client panicked").tried.insert(summary.clone());
                    let path = format!("/api/v1/alerts/{code}/acknowledge");
                    if self.post(&path, &json!({"comment": "mine"}), &format!("ack {summary}")).is_some() {
                        let mails = mailbox.all().len();
                        told.lock().expect("no client panicked").acknowledged.insert(summary, mails);
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Waits until every alert answered yes has been told to somebody, and the last escalation is through.
fn settle(site: &Site, mailbox: &Mailbox, told: &Told, seed: u64) {
    mailbox.wait(&format!("seed {seed}: a mail for each accepted alert"), PATIENCE, |mails| {
        let anna: BTreeSet<&str> =
            mails.iter().filter(|mail| mail.to.starts_with("anna")).map(summary).collect();
        told.accepted.keys().all(|summary| anna.contains(summary.as_str()) || told.tried.contains(summary))
    });
    let mails = mailbox.all();
    for (summary, code) in told.accepted.iter().filter(|(summary, _)| told.tried.contains(*summary)) {
        // Acknowledged before it went out, it need not be sent; else it must be.
        let arrived = mails.iter().any(|mail| self::summary(mail) == summary);
        let state = || site.get(&format!("/api/v1/alerts/{code}"))["state"].clone();
        assert!(arrived || state() == "acknowledged", "seed {seed}: {summary} is lost");
    }
    site.wait("/api/v1/status", "an empty queue", |status| status["waiting"] == 0);
    let due = |alert: &Value| alert["next_step"].is_null() && alert["progress"]["waiting"] == 0;
    site.wait("/api/v1/alerts?state=open&limit=500", "the last step of every alert", |page| {
        page["alerts"].as_array().is_some_and(|alerts| alerts.iter().all(due))
    });
}

fn judge(site: &Site, mailbox: &Mailbox, told: &Told, seed: u64) -> [usize; 4] {
    let mails = mailbox.all();
    let mut by_id: BTreeMap<&str, Vec<&Mail>> = BTreeMap::new();
    for mail in &mails {
        by_id.entry(&mail.message_id).or_default().push(mail);
    }
    // A repeat carries the same Message-ID, is marked, and the trail says why.
    let mut repeats = 0;
    let mut marked = BTreeSet::new();
    for (id, copies) in &by_id {
        repeats += copies.len() - 1;
        for mail in copies.iter().skip(1) {
            assert!(mail.is_marked(), "seed {seed}: {id} arrived again, unmarked: {}", mail.text);
        }
        if copies.iter().any(|mail| mail.is_marked()) {
            marked.insert(id.trim_start_matches('<').split('@').next().unwrap_or_default().to_owned());
        }
    }
    assert_causes(site, &marked, seed);
    for (number, mail) in mails.iter().enumerate() {
        if let Some(before) = told.acknowledged.get(summary(mail)) {
            // Mails already on their way when the yes was heard may still arrive; a further step may not.
            let escalated = mail.to.starts_with("ben") && number >= *before;
            let raced = mails.iter().take(*before).any(|earlier| earlier.message_id == mail.message_id);
            assert!(
                !escalated || raced,
                "seed {seed}: {} escalated after its acknowledgement",
                summary(mail)
            );
        }
    }
    [told.accepted.len(), told.acknowledged.len(), mails.len(), repeats]
}

/// The trail has a cause for each of these repeats. It is written behind what happens, so it may take a moment.
fn assert_causes(site: &Site, marked: &BTreeSet<String>, seed: u64) {
    let until = Instant::now() + PATIENCE;
    loop {
        let causes = repeats_in_trail(site);
        let missing: Vec<_> = marked.difference(&causes).collect();
        if missing.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "seed {seed}: the trail has no cause for the repeats of {missing:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The notifications that the trail says may have been repeated.
fn repeats_in_trail(site: &Site) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in site.trail("&kind=intent") {
        let sends =
            entry["record"].pointer("/intent/sends").or_else(|| entry["record"].get("sends")).cloned();
        for send in sends.as_ref().and_then(Value::as_array).into_iter().flatten() {
            if !send["repeat"].is_null() {
                found.extend(send["notification"].as_str().map(str::to_owned));
            }
        }
    }
    found
}

/// The summary of the alert that a mail is about.
fn summary(mail: &Mail) -> &str {
    let at = mail.subject.find("alert ").unwrap_or(0);
    mail.subject.get(at..).unwrap_or_default().trim()
}
