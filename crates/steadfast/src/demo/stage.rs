//! The demo's stage: a data folder, a node as a child process, a mailbox, and a client of the node's API.

use super::mailbox::{self, Mail};
use node::init::{self, Plan};
use serde_json::Value;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// What went wrong, in words.
#[derive(Debug)]
pub(crate) struct StageError(String);

impl StageError {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for StageError {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

/// Everything the story needs.
pub(super) struct Stage {
    folder: TempDir,
    api: SocketAddr,
    token: String,
    client: reqwest::Client,
    mails: mpsc::UnboundedReceiver<Mail>,
    node: Option<Child>,
}

impl Stage {
    /// Makes a folder with a small directory in it, opens the mailbox, and starts the node.
    pub(super) async fn set(step: Duration) -> Result<Self, StageError> {
        let folder = tempfile::Builder::new().prefix("steadfast-demo-").tempdir()?;
        let (mailbox, mails) = mailbox::open().await?;
        let api = free_port()?;
        let plan = Plan {
            api,
            more: format!(
                "[[providers]]\nname = \"mail-1\"\nchannel = \"mail\"\nhost = \"{}\"\nport = {}\n\
                 tls = \"plain\"\nsender = \"alerts@demo.invalid\"\nsender_name = \"Steadfast demo\"\n",
                mailbox.ip(),
                mailbox.port()
            ),
            ..Plan::new(base::Name::new("demo")?)
        };
        let made = init::init(folder.path(), &plan)?;
        let book = folder.path().join(init::FIRST_DIRECTORY_FILE);
        let text = std::fs::read_to_string(&book)? + &directory(step);
        std::fs::write(&book, text)?;
        let client = client(&folder.path().join(init::CA_FILE))?;
        let mut stage = Self { folder, api, token: made.token, client, mails, node: None };
        stage.start().await?;
        Ok(stage)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.api)
    }

    /// Starts the node's process and waits until it answers.
    pub(super) async fn start(&mut self) -> Result<(), StageError> {
        let log = std::fs::File::create(self.folder.path().join("node.log"))?;
        let program = std::env::current_exe()?;
        let mut node = Command::new(program)
            .args(["--data"])
            .arg(self.folder.path())
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let patience = Instant::now();
        loop {
            if let Some(status) = node.try_wait()? {
                let log = std::fs::read_to_string(self.folder.path().join("node.log"))?;
                return Err(StageError::new(format!("the node ended ({status}) and said:\n{log}")));
            }
            let answer = self.client.get(format!("{}/readyz", self.url())).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            if patience.elapsed() > super::PATIENCE {
                drop(node.kill());
                return Err(StageError::new("the node did not become ready"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.node = Some(node);
        Ok(())
    }

    /// Kills the node's process as a power failure would: no warning, no clean-up.
    pub(super) fn kill(&mut self) -> Result<(), StageError> {
        if let Some(mut node) = self.node.take() {
            node.kill()?;
            node.wait()?;
        }
        Ok(())
    }

    /// The next mail that arrives within `patience`.
    pub(super) async fn mail(&mut self, patience: Duration) -> Result<Mail, StageError> {
        let mail = tokio::time::timeout(patience, self.mails.recv()).await;
        mail.ok()
            .flatten()
            .ok_or_else(|| StageError::new(format!("no mail arrived within {} s", patience.as_secs())))
    }

    /// Waits until the node has written down that an alert's first message was taken.
    pub(super) async fn until_sent(&self, code: &str, patience: Duration) -> Result<(), StageError> {
        let started = Instant::now();
        while started.elapsed() < patience {
            let alert = self.get(&format!("/api/v1/alerts/{code}")).await?;
            if alert.pointer("/progress/sent").and_then(Value::as_u64) > Some(0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(StageError::new("the first message was not taken"))
    }

    pub(super) async fn post(&self, path: &str, body: &'static str) -> Result<Value, StageError> {
        let request = self.client.post(format!("{}{path}", self.url())).bearer_auth(&self.token);
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, StageError> {
        let request = self.client.get(format!("{}{path}", self.url())).bearer_auth(&self.token);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    pub(super) async fn get_page(&self, link: &str) -> Result<String, StageError> {
        Ok(self.client.get(link).send().await?.error_for_status()?.text().await?)
    }

    /// Presses Acknowledge on the page behind `link`.
    pub(super) async fn submit(&self, link: &str, comment: &str) -> Result<(), StageError> {
        let comment = comment.replace(' ', "+");
        let request = self.client.post(link).header("content-type", "application/x-www-form-urlencoded");
        request.body(format!("comment={comment}&action=acknowledge")).send().await?.error_for_status()?;
        Ok(())
    }

    /// The trail, oldest first, as sentences.
    pub(super) async fn trail(&self) -> Result<Vec<String>, StageError> {
        let answer = self.get("/api/v1/trail?limit=200").await?;
        let entries = answer.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut lines: Vec<(String, String)> = entries
            .iter()
            .map(|entry| (super::text(entry, "at").to_owned(), super::text(entry, "text").to_owned()))
            .collect();
        lines.reverse(); // The newest comes first.
        lines.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(lines.into_iter().map(|(at, text)| format!("  {at}  {text}")).collect())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.kill()); // The folder goes with the stage; a node without one is of no use.
    }
}

/// A port that is free now; the node binds it a moment later.
fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

fn client(ca: &Path) -> Result<reqwest::Client, StageError> {
    drop(rustls::crypto::ring::default_provider().install_default()); // Once for a process is enough.
    let ca = reqwest::Certificate::from_pem(&std::fs::read(ca)?)?;
    Ok(reqwest::Client::builder().tls_certs_only([ca]).timeout(Duration::from_secs(10)).build()?)
}

/// Three people, a group, and a policy that is in a hurry.
fn directory(step: Duration) -> String {
    let after = step.as_secs();
    format!(
        r#"
[settings]
operators = ["chief"]

[recipients.anna]
title = "Anna Berg"
addresses = [{{ channel = "mail", value = "anna@demo.invalid" }}]

[recipients.ben]
title = "Ben Okoro"
addresses = [{{ channel = "mail", value = "ben@demo.invalid" }}]

[recipients.chief]
title = "Chief on duty"
addresses = [{{ channel = "mail", value = "chief@demo.invalid" }}]

[groups.pumps]
title = "Pump crew"
members = ["anna"]
policy = "hurried"

[policies.hurried]
mode = "basic"

[[policies.hurried.steps]]
after = "{after}s"
again = true
to = ["ben"]

[[policies.hurried.steps]]
after = "{after}s"
to = ["chief"]
"#
    )
}
