//! Mail against servers that we did not write: aiosmtpd (TLS, AUTH, refusals) and Postfix's smtp-sink (faults).
//!
//! `STEADFAST_PEERS` names the folder they were unpacked into, as `cargo xtask test` does: `venv/bin/python`
//! with aiosmtpd, and `postfix/usr/sbin/smtp-sink`. Without it these tests say so and pass; in CI they fail.

mod support;

use channel::Channel;
use dispatch::record::Outcome;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Lines};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use support::{SECRET, message, open};

/// The folder with the peers; none where the tests may pass without them.
#[expect(clippy::print_stderr, reason = "a test that does nothing has to say so")]
fn peers() -> Option<PathBuf> {
    let folder = std::env::var_os("STEADFAST_PEERS").map(PathBuf::from);
    if folder.is_none() {
        assert_ne!(
            std::env::var("CI").as_deref(),
            Ok("true"),
            "STEADFAST_PEERS is not set; run cargo xtask test"
        );
        eprintln!("not tried: STEADFAST_PEERS is not set; run cargo xtask test");
    }
    folder
}

/// A server process, killed when it is dropped.
struct Peer {
    child: Child,
    port: u16,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Peer {
    /// aiosmtpd in `mode`, with the certificate of `pki`. Its first line is the port it got.
    fn aiosmtpd(peers: &Path, mode: &str, pki: &Pki) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/sink.py");
        let mut child = Command::new(peers.join("venv/bin/python"))
            .arg(script)
            .arg(mode)
            .args([pki.path("leaf.pem"), pki.path("leaf.key")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("STEADFAST_PEERS has venv/bin/python");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let first = lines.next().expect("the sink says its port").expect("its output is text");
        let port = first.parse().expect("its first line is a port");
        Self { child, port, lines }
    }

    /// Postfix's smtp-sink with `flags`. It takes no port 0, so a free one is looked for first.
    fn smtp_sink(peers: &Path, flags: &[&str]) -> Self {
        let postfix = peers.join("postfix/usr");
        let mut command = Command::new(postfix.join("sbin/smtp-sink"));
        command.env("LD_LIBRARY_PATH", postfix.join("lib/postfix")).args(flags);
        if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            command.args(["-u", "nobody"]);
        }
        let free = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        command.arg(format!("127.0.0.1:{port}")).arg("20").stdout(Stdio::piped());
        let mut child = command.spawn().expect("STEADFAST_PEERS has smtp-sink");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().expect("it is our child").is_none(), "smtp-sink {flags:?} has ended");
            std::thread::yield_now();
        }
        Self { child, port, lines }
    }

    /// The next mail it got.
    fn mail(&mut self) -> serde_json::Value {
        let line = self.lines.next().expect("the sink is there").expect("its output is text");
        serde_json::from_str(&line).expect("each line is JSON")
    }
}

/// A certificate authority and a server's certificate by it: rustls takes no authority for a server.
struct Pki(tempfile::TempDir);

impl Pki {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let authority_key = rcgen::KeyPair::generate().expect("there is entropy");
        let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("no names are fine");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = authority.self_signed(&authority_key).expect("the parameters are right");
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().expect("there is entropy");
        let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
        let leaf = leaf.signed_by(&key, &issuer).expect("the parameters are right");
        for (name, pem) in
            [("ca.pem", root.pem()), ("leaf.pem", leaf.pem()), ("leaf.key", key.serialize_pem())]
        {
            std::fs::write(folder.path().join(name), pem).expect("the folder can be written");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A provider for the server at `port`; `more` wins over what is usual here.
fn provider(port: u16, more: &str) -> Box<dyn Channel> {
    let mut table: toml::Table =
        "host='localhost'\nsender='alerts@plant.example'\nsender_name='Anlage Süd'\n\
        connect_timeout='5s'\ncommand_timeout='5s'\ndata_timeout='5s'"
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
    let mut peer = Peer::aiosmtpd(&peers, "starttls", &pki);
    check(deliver(&*trusted(&peer, &pki, "user", ""), "anna").await, "accepted", "250 2.0.0 queued as 4711");
    let mail = peer.mail();
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
        let mut peer = Peer::aiosmtpd(&peers, mode, &pki);
        check(deliver(&*provider(peer.port, &keys), "anna").await, "accepted", "4711");
        assert_eq!(peer.mail()["tls"].as_bool(), Some(mode == "tls"));
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_server_or_our_login_sends_the_mail_elsewhere() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let peer = Peer::aiosmtpd(&peers, "starttls", &pki);
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
    let plain = Peer::aiosmtpd(&peers, "plain", &pki);
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
    let peer = Peer::aiosmtpd(&peers, "tls", &pki);
    check(deliver(&*provider(peer.port, "tls='tls'\nverify=false"), "anna").await, "accepted", "4711");
}

#[tokio::test]
async fn each_recipient_is_judged_alone() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let mut peer = Peer::aiosmtpd(&peers, "starttls", &pki);
    let provider = trusted(&peer, &pki, "user", "connections=1\ndata_timeout='500ms'");
    check(deliver(&*provider, "soft").await, "retry-later", "(RCPT): the server said 451 4.7.1");
    check(deliver(&*provider, "hard").await, "give-up", "(RCPT): the server said 550 5.1.1");
    check(deliver(&*provider, "full").await, "next-provider", "452 4.3.1 disk full");
    check(deliver(&*provider, "spam").await, "give-up", "554 5.7.1 looks like spam");
    check(deliver(&*provider, "anna").await, "accepted", "4711");
    let one = peer.mail()["connection"].clone();
    check(deliver(&*provider, "jürgen").await, "accepted", "4711");
    assert_eq!(peer.mail()["connection"], one, "refusals leave the connection in use");
    check(deliver(&*provider, "afterdata").await, "unknown", "waiting for the answer to the whole mail");
    check(deliver(&*provider, "slow").await, "unknown", "no answer within 500ms");
    check(deliver(&*provider, "anna").await, "accepted", "4711");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_replaced_unnoticed() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let mut peer = Peer::aiosmtpd(&peers, "starttls", &pki);
    let provider = trusted(&peer, &pki, "user", "connections=1");
    for _ in 0..3 {
        check(deliver(&*provider, "leave").await, "accepted", "4711");
        let left = peer.mail()["connection"].clone();
        assert_eq!(peer.mail()["closed"], left, "the sink says when it has closed the connection");
        check(deliver(&*provider, "anna").await, "accepted", "4711");
        assert_ne!(peer.mail()["connection"], left);
    }
}

#[tokio::test]
async fn a_probe_says_what_it_found_and_sends_nothing() {
    let Some(peers) = peers() else { return };
    let pki = Pki::new();
    let peer = Peer::aiosmtpd(&peers, "starttls", &pki);
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
        let peer = Peer::smtp_sink(&peers, flags);
        let provider = provider(peer.port, "host='127.0.0.1'\ntls='plain'\nconnections=1");
        for _ in 0..3 {
            check(deliver(&*provider, "anna").await, word, part);
        }
    }
}
