//! Servers that we did not write, as processes of their own.
//!
//! `STEADFAST_PEERS` names the folder they were unpacked into, as `cargo xtask test` does: `venv/bin/python`
//! with aiosmtpd, and `postfix/usr/sbin/smtp-sink`. Without it the tests say so and pass; in CI they fail.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The folder with the peers; none where the tests may pass without them.
#[expect(clippy::print_stderr, reason = "a test that does nothing has to say so")]
pub(crate) fn peers() -> Option<PathBuf> {
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
pub(crate) struct Peer {
    /// Where it listens.
    pub(crate) port: u16,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Peer {
    /// Starts `command`, which is going to listen at `port`.
    pub(crate) fn start(command: &mut Command, port: u16) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("STEADFAST_PEERS has the program");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { port, child, lines }
    }

    /// A script of `tests/peers` in `mode`, with the certificate of `pki`. Its first line is its port.
    pub(crate) fn script(peers: &Path, name: &str, mode: &str, pki: &Pki) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name);
        let mut command = Command::new(peers.join("venv/bin/python"));
        command.arg(script).arg(mode).args([pki.path("leaf.pem"), pki.path("leaf.key")]);
        let mut peer = Self::start(&mut command, 0);
        peer.port = peer.line().parse().expect("its first line is a port");
        peer
    }

    /// What it got next.
    pub(crate) fn report(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.line()).expect("each line is JSON")
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("the peer is there").expect("its output is text")
    }
}

/// A certificate authority and a server's certificate by it: rustls takes no authority for a server.
pub(crate) struct Pki(tempfile::TempDir);

impl Pki {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
