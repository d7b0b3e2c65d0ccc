//! Mail against servers that we did not write: aiosmtpd (TLS, AUTH, refusals) and Postfix's smtp-sink (faults).

#[path = "support/peer.rs"]
mod peer;
mod support;

use channel::Channel;
use dispatch::record::Outcome;
use peer::{Peer, Pki, peers};
use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use support::{SECRET, message, open};

/// Postfix's smtp-sink with `flags`. It takes no port 0, so a free one is looked for first.
fn smtp_sink(peers: &Path, flags: &[&str]) -> Peer {
    let postfix = peers.join("postfix/usr");
    let mut command = Command::new(postfix.join("sbin/smtp-sink"));
    command.env("LD_LIBRARY_PATH", postfix.join("lib/postfix")).args(flags);
    if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        command.args(["-u", "nobody"]); // It refuses to serve as root.
    }
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let peer = Peer::start(command.arg(format!("127.0.0.1:{port}")).arg("20"), port);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::yield_now();
    }
    peer
}

/// A provider for the server at `port`; `more` wins over what is usual here.
fn provider(port: u16, more: &str) -> Box<dyn Channel> {
    let mut table: toml::Table =
        "host='localhost'\nsender='alerts@plant.example'\nsender_name='Anlage Süd'\n\
        connect_timeout='30s'"
            .parse()
            .expect("it is TOML");
    table.insert("port".to_owned(), i64::from(port).into());
    table.extend(more.parse::<toml::Table>().expect("the test's keys are TOML"));
    open("mail", &table.to_string())
}

/// With STARTTLS, logged in as `user`, which is right where it says so.
fn trusted(peer: &Peer, pki: &Pki, user: &str, more: &str) -> Box<dyn Channel> {
    let mut keys = format!("ca_file='{}'\n", pki.path("ca.pem").display());
    write!(keys, "user='{user}'\npassword={{ env='SECRET' }}\n{more}").expect("a String takes all");
    provider(peer.port, &keys)
}

async fn deliver(provider: &dyn Channel, to: &str) -> Outcome {
    provider.deliver(&message(&format!("{to}@example.org"))).await
}

/// The outcome in a word, and why.
fn told(outcome: Outcome) -> (String, String) {
    match outcome {
        Outcome::Accepted { receipt } => ("accepted".to_owned(), receipt.to_string()),
        Outcome::Refused { then, why } => (then.word().to_owned(), why.to_string()),
        Outcome::Unknown { why } => ("unknown".to_owned(), why.to_string()),
    }
}

fn check(outcome: Outcome, word: &str, part: &str) {
    let (got, why) = told(outcome);
    assert!(got == word && why.contains(part), "expected {word} with {part:?}, got {got}: {why}");
}

#[tokio::test]
async fn a_mail_arrives_secured_and_logged_in_with_its_headers_right() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let mut peer = Peer::script(&peers, "sink.py", "starttls", &pki);
    check(deliver(&*trusted(&peer, &pki, "user", ""), "anna").await, "accepted", "250 2.0.0 queued as 4711");
    let mail = peer.report();
    assert_eq!(mail["from"].as_str(), Some("alerts@plant.example"));
    assert_eq!(mail["to"][0].as_str(), Some("anna@example.org"));
    assert_eq!((mail["tls"].as_bool(), mail["user"].as_str()), (Some(true), Some("user")));
    assert_eq!(
        mail["text"].as_str(),
        Some("Pumpe 3 steht.\r\n.\r\nAcknowledge: https://steadfast.example/a\r\n")
    );
    let header = |name: &str| mail["headers"][name].as_str().unwrap().to_owned();
    assert_eq!(header("From"), "Anlage Süd <alerts@plant.example>");
    assert_eq!(header("To"), "Anna Lüdke <anna@example.org>");
    assert_eq!(header("Subject"), "[A123] Pumpe 3 steht 🚨");
    assert_eq!(header("Message-ID"), "<00000000000000000000000000005eed@plant.example>");
    assert_eq!(header("References"), "<0000001f-20000abcd-17@plant.example>");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
}

#[tokio::test]
async fn tls_from_the_first_byte_and_no_tls_at_all_work_too() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let ca = format!("ca_file='{}'", pki.path("ca.pem").display());
    for (mode, keys) in [("tls", format!("tls='tls'\n{ca}")), ("plain", "tls='plain'".to_owned())] {
        let mut peer = Peer::script(&peers, "sink.py", mode, &pki);
        check(deliver(&*provider(peer.port, &keys), "anna").await, "accepted", "4711");
        assert_eq!(peer.report()["tls"].as_bool(), Some(mode == "tls"));
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_server_or_our_login_sends_the_mail_elsewhere() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let peer = Peer::script(&peers, "sink.py", "starttls", &pki);
    let other = Pki::new();
    let check = async |provider: Box<dyn Channel>, part: &str| {
        check(deliver(&*provider, "anna").await, "next-provider", part);
        let error = provider.probe().await.unwrap_err();
        assert!(error.contains(part), "{error}");
    };
    check(trusted(&peer, &pki, "eve", ""), "logging in: the server said 535").await;
    check(trusted(&peer, &other, "user", ""), "starting TLS: invalid peer certificate").await;
    check(provider(peer.port, ""), "starting TLS: invalid peer certificate").await;
    check(provider(peer.port, "tls='tls'"), "starting TLS").await;
    let plain = Peer::script(&peers, "sink.py", "plain", &pki);
    check(provider(plain.port, ""), "the server does not offer STARTTLS").await;
    check(
        provider(plain.port, "tls='plain'\nuser='user'\npassword={ env='SECRET' }"),
        "the server does not offer AUTH PLAIN or LOGIN",
    )
    .await;
    check(provider(plain.port, "tls='tls'\nverify=false"), "starting TLS").await;
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let peer = Peer::script(&peers, "sink.py", "tls", &pki);
    check(deliver(&*provider(peer.port, "tls='tls'\nverify=false"), "anna").await, "accepted", "4711");
}

#[tokio::test]
async fn each_recipient_is_judged_alone() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let mut peer = Peer::script(&peers, "sink.py", "starttls", &pki);
    let provider = trusted(&peer, &pki, "user", "connections=1");
    check(deliver(&*provider, "anna").await, "accepted", "4711");
    let one = peer.report()["connection"].clone();
    check(deliver(&*provider, "soft").await, "retry-later", "(RCPT): the server said 451 4.7.1");
    check(deliver(&*provider, "hard").await, "give-up", "(RCPT): the server said 550 5.1.1");
    check(deliver(&*provider, "full").await, "next-provider", "452 4.3.1 disk full");
    check(deliver(&*provider, "spam").await, "give-up", "554 5.7.1 looks like spam");
    check(deliver(&*provider, "jürgen").await, "accepted", "4711");
    assert_eq!(peer.report()["connection"], one, "refusals leave the connection in use");
    check(deliver(&*provider, "afterdata").await, "unknown", "waiting for the answer to the whole mail");
    let hasty = trusted(&peer, &pki, "user", "data_timeout='300ms'");
    check(deliver(&*hasty, "slow").await, "unknown", "no answer within 300ms");
    check(deliver(&*provider, "anna").await, "accepted", "4711");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_replaced_unnoticed() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let mut peer = Peer::script(&peers, "sink.py", "starttls", &pki);
    let provider = trusted(&peer, &pki, "user", "connections=1");
    for _ in 0..3 {
        check(deliver(&*provider, "leave").await, "accepted", "4711");
        let left = peer.report()["connection"].clone();
        assert_eq!(peer.report()["closed"], left, "the sink says when it has closed the connection");
        check(deliver(&*provider, "anna").await, "accepted", "4711");
        assert_ne!(peer.report()["connection"], left);
    }
}

#[tokio::test]
async fn a_probe_says_what_it_found_and_sends_nothing() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let peer = Peer::script(&peers, "sink.py", "starttls", &pki);
    let found = trusted(&peer, &pki, "user", "").probe().await.unwrap();
    assert!(found.contains("(STARTTLS), logged in as user") && !found.contains(SECRET), "{found}");
}

#[tokio::test]
async fn the_faults_of_smtp_sink_are_judged_by_where_they_strike() {
    let Some(peers) = peers() else { return };
    let cases: [(&[&str], &str, &str); 11] = [
        (&[], "accepted", "250"),
        (&["-q", "."], "unknown", "whole mail"),
        (&["-q", "DATA"], "next-provider", "(DATA)"),
        (&["-q", "RCPT"], "next-provider", "(RCPT)"),
        (&["-f", "RCPT", "-B", "550 5.1.1 no such user"], "give-up", "(RCPT): the server said 550"),
        (&["-f", "RCPT", "-B", "500 5.3.0 broken"], "next-provider", "(RCPT): the server said 500"),
        (&["-r", "RCPT", "-b", "451 4.7.1 later"], "retry-later", "(RCPT): the server said 451"),
        (&["-r", "RCPT", "-b", "450 4.3.0 broken"], "next-provider", "(RCPT): the server said 450"),
        (&["-r", ".", "-b", "451 4.7.1 later"], "retry-later", "whole mail: the server said 451"),
        (&["-f", "."], "give-up", "whole mail: the server said 5"),
        (&["-r", "MAIL"], "next-provider", "(MAIL): the server said 4"),
    ];
    for (flags, word, part) in cases {
        let peer = smtp_sink(&peers, flags);
        let provider = provider(peer.port, "host='127.0.0.1'\ntls='plain'\nconnections=1");
        for _ in 0..3 {
            check(deliver(&*provider, "anna").await, word, part);
        }
    }
}
