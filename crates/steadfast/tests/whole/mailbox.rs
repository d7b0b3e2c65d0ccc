//! A mail server that we did not write (aiosmtpd), and what it got.

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// The folder with the real peers; without one the tests that need it say so and pass, except in CI.
pub(crate) fn peers() -> Option<PathBuf> {
    let folder = std::env::var_os("STEADFAST_PEERS").map(PathBuf::from);
    assert!(
        folder.is_some() || std::env::var_os("CI").is_none(),
        "STEADFAST_PEERS is not set; run `cargo xtask test`"
    );
    if folder.is_none() {
        eprintln!("skipped: needs real mail servers; run `cargo xtask test`");
    }
    folder
}

/// A mail as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) message_id: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl Mail {
    fn read(report: &Value) -> Option<Self> {
        let header = |name: &str| report.pointer(&format!("/headers/{name}"))?.as_str().map(str::to_owned);
        Some(Self {
            to: report.pointer("/to/0")?.as_str()?.to_owned(),
            message_id: header("Message-ID")?,
            subject: header("Subject")?,
            text: report.get("text")?.as_str()?.to_owned(),
        })
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.text.contains("may be a repeat")
    }

    /// The link to acknowledge with.
    pub(crate) fn link(&self) -> Option<String> {
        let words = self.text.split_whitespace().map(|word| word.trim_matches(['<', '>']));
        words.filter(|word| word.contains("/a/")).map(str::to_owned).next()
    }
}

/// A running server.
pub(crate) struct Mailbox {
    server: Child,
    pub(crate) port: u16,
    mails: Arc<(Mutex<Vec<Mail>>, Condvar)>,
}

impl Mailbox {
    pub(crate) fn open(peers: &std::path::Path) -> Self {
        Self::open_at(peers, 0)
    }

    /// Opens it at a port; 0 is a free one.
    pub(crate) fn open_at(peers: &std::path::Path, port: u16) -> Self {
        Self::listen(peers, port, "127.0.0.1")
    }

    /// Opens it at a free port of this address.
    pub(crate) fn open_on(peers: &std::path::Path, host: std::net::IpAddr) -> Self {
        Self::listen(peers, 0, &host.to_string())
    }

    fn listen(peers: &std::path::Path, port: u16, host: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/mailbox.py");
        let mut server = Command::new(peers.join("venv/bin/python"))
            .args([script, &port.to_string(), host])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the peers' folder has python");
        let mut lines = BufReader::new(server.stdout.take().expect("it is piped")).lines();
        let port =
            lines.next().expect("the server says its port").expect("it is text").parse().expect("a port");
        let mails = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let filled = Arc::clone(&mails);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let report: Value = serde_json::from_str(&line).expect("the server prints JSON");
                let mail = Mail::read(&report).expect("a mail of ours has these headers");
                filled.0.lock().unwrap().push(mail);
                filled.1.notify_all();
            }
        });
        Self { server, port, mails }
    }

    pub(crate) fn all(&self) -> Vec<Mail> {
        self.mails.0.lock().unwrap().clone()
    }

    /// Waits until what arrived satisfies `enough`; fails with what is missing after `patience`.
    pub(crate) fn wait(&self, what: &str, patience: Duration, enough: impl Fn(&[Mail]) -> bool) -> Vec<Mail> {
        let until = Instant::now() + patience;
        let mut mails = self.mails.0.lock().unwrap();
        while !enough(&mails) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not arrive; {} mails did: {:#?}", mails.len(), mails.last());
            mails = self.mails.1.wait_timeout(mails, left).unwrap().0;
        }
        mails.clone()
    }

    /// Waits for a mail to `local@…`.
    pub(crate) fn mail_for(&self, local: &str) -> Mail {
        let is = |mail: &Mail| mail.to.split('@').next() == Some(local);
        let mails =
            self.wait(&format!("a mail for {local}"), Duration::from_secs(30), |mails| mails.iter().any(is));
        mails.into_iter().find(is).expect("it was waited for")
    }

    /// Stops the server's process in its tracks (SIGSTOP), or lets it go on (SIGCONT).
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id =
            i32::try_from(self.server.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(id, signal).expect("the server is a child of ours");
    }

    pub(crate) fn kill(&mut self) {
        self.server.kill().expect("the server is a child of ours");
        self.server.wait().expect("it was killed");
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}
