//! Webhooks against an HTTP server that we did not write: Python's, which checks the signature by its own HMAC.

#[path = "support/peer.rs"]
mod peer;
mod support;

use dispatch::record::Outcome;
use peer::{Peer, Pki, peers};
use support::{SECRET, message, open};

const SIGNED: &str = "secret={ env='SECRET' }\nbearer={ env='SECRET' }";

/// The outcome in a word.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Refused { then, .. } => then.word(),
        Outcome::Unknown { .. } => "unknown",
    }
}

#[tokio::test]
async fn the_endpoint_gets_json_that_it_can_verify() {
    let Some(peers) = peers() else { return };
    let mut peer = Peer::script(&peers, "hook.py", "plain", &Pki::new());
    let message = message(&format!("http://127.0.0.1:{}/202", peer.port));
    assert_eq!(word(&open("webhook", SIGNED).deliver(&message).await), "accepted");
    let report = peer.report();
    assert_eq!(report["signed"], true);
    assert_eq!(report["headers"]["content-type"], "application/json");
    assert_eq!(report["headers"]["idempotency-key"], "00000000000000000000000000005eed");
    assert_eq!(report["headers"]["authorization"], format!("Bearer {SECRET}"));
    assert_eq!(report["body"]["text"], message.text);
    assert_eq!(report["body"]["labels"]["plant"], "north");
    assert_eq!(report["body"]["severity"], "high");
}

#[tokio::test]
async fn a_template_of_the_operator_is_sent_as_it_renders() {
    let Some(peers) = peers() else { return };
    let mut peer = Peer::script(&peers, "hook.py", "plain", &Pki::new());
    let table = format!("{SIGNED}\nbody='{{\"text\": {{{{ subject|tojson }}}}, \"n\": {{{{ attempt }}}}}}'");
    let message = message(&format!("http://127.0.0.1:{}/202", peer.port));
    assert_eq!(word(&open("webhook", &table).deliver(&message).await), "accepted");
    let report = peer.report();
    assert_eq!(report["body"], serde_json::json!({"text": "[A123] Pumpe 3 steht 🚨", "n": 1}));
    assert_eq!(report["signed"], true);
}

#[tokio::test]
async fn each_answer_is_judged_and_no_redirect_followed() {
    let Some(peers) = peers() else { return };
    let mut peer = Peer::script(&peers, "hook.py", "plain", &Pki::new());
    for (path, expect) in [
        ("202", "accepted"),
        ("410", "give-up"),
        ("302", "give-up"),
        ("429", "retry-later"),
        ("503", "retry-later"),
        ("drop", "unknown"),
        ("slow", "unknown"),
    ] {
        let patience = if path == "slow" { "600ms" } else { "30s" };
        let provider = open("webhook", &format!("{SIGNED}\ntimeout='{patience}'"));
        let outcome = provider.deliver(&message(&format!("http://127.0.0.1:{}/{path}", peer.port))).await;
        assert_eq!(word(&outcome), expect, "{path}: {outcome:?}");
        assert_eq!(peer.report()["path"], format!("/{path}"), "one request each");
    }
}

#[tokio::test]
async fn an_endpoint_has_to_prove_its_name() {
    let Some(peers) = peers() else { return };
    let (pki, other) = (Pki::new(), Pki::new());
    let mut peer = Peer::script(&peers, "hook.py", "tls", &pki);
    let message = message(&format!("https://localhost:{}/202", peer.port));
    let trusting = |pki: &Pki| format!("{SIGNED}\nca_file='{}'", pki.path("ca.pem").display());
    for (table, expect) in [
        (trusting(&pki), "accepted"),
        (trusting(&other), "retry-later"),
        (SIGNED.to_owned(), "retry-later"),
        (format!("{SIGNED}\nverify=false"), "accepted"),
    ] {
        let outcome = open("webhook", &table).deliver(&message).await;
        assert_eq!(word(&outcome), expect, "{table}: {outcome:?}");
        if expect == "accepted" {
            assert_eq!(peer.report()["signed"], true);
        } else {
            assert!(format!("{outcome:?}").contains("certificate"), "{outcome:?}");
        }
    }
}
