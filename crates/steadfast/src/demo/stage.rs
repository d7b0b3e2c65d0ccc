//! The demo's stage: two nodes as child processes with their data folders, a mailbox, and a client of their API.

use super::mailbox::{self, Mail};
use node::init::{self, Plan};
use serde_json::Value;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
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
    #[expect(dead_code, reason = "held, not read: the folders go with it")]
    root: TempDir,
    north: Machine,
    south: Machine,
    token: String,
    client: reqwest::Client,
    mails: mpsc::UnboundedReceiver<Mail>,
}

/// One of the two nodes: a data folder, and the process that runs on it.
pub(super) struct Machine {
    name: &'static str,
    folder: PathBuf,
    api: SocketAddr,
    node: Option<Child>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    North,
    South,
}

impl Stage {
    /// Makes a node with a small directory, opens the mailbox, starts it, and lets a second one join.
    pub(super) async fn set(step: Duration) -> Result<Self, StageError> {
        let root = tempfile::Builder::new().prefix("steadfast-demo-").tempdir()?;
        let (mailbox, mails) = mailbox::open().await?;
        let machine = |name: &'static str| -> Result<Machine, StageError> {
            Ok(Machine { name, folder: root.path().join(name), api: free_port()?, node: None })
        };
        let (north, south) = (machine("north")?, machine("south")?);
        let provider = provider(mailbox);
        let plan = Plan {
            api: north.api,
            peers: Some(free_port()?),
            more: provider.clone(),
            ..Plan::new(base::Name::new(north.name)?)
        };
        let made = init::init(&north.folder, &plan)?;
        let book = north.folder.join(init::FIRST_DIRECTORY_FILE);
        let text = std::fs::read_to_string(&book)? + &directory(step);
        std::fs::write(&book, text)?;
        let client = client(&north.folder.join(init::CA_FILE))?;
        let mut stage = Self { root, north, south, token: made.token, client, mails };
        stage.start(Place::North).await?;
        stage.join(&provider)?;
        stage.start(Place::South).await?;
        stage.until_level().await?;
        Ok(stage)
    }

    /// The two commands that make a pair, as an operator types them.
    fn join(&self, provider: &str) -> Result<(), StageError> {
        let folder = |machine: &Machine| machine.folder.display().to_string();
        let token = said(&["--quiet", "--data", &folder(&self.north), "token", "create"])?;
        let (api, peers) = (self.south.api.to_string(), free_port()?.to_string());
        let south = folder(&self.south);
        let join = ["--quiet", "--data", &south, "join", token.trim(), "--name", self.south.name];
        let ingest = free_port()?.to_string();
        let more = ["--listen", &api, "--peers", &peers, "--ingest", &ingest];
        said(&[&join[..], &more[..]].concat())?;
        let file = self.south.folder.join("node.toml");
        let text = std::fs::read_to_string(&file)? + provider;
        Ok(std::fs::write(&file, text)?)
    }

    /// Waits until each node holds what the other does.
    pub(super) async fn until_level(&self) -> Result<(), StageError> {
        let started = Instant::now();
        while started.elapsed() < super::PATIENCE {
            let taken = self.get(Place::North, "/api/v1/cluster").await?;
            if taken.get("copies").and_then(Value::as_u64) >= Some(2) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(StageError::new("the two nodes did not come level"))
    }

    fn machine(&self, place: Place) -> &Machine {
        match place {
            Place::North => &self.north,
            Place::South => &self.south,
        }
    }

    fn machine_mut(&mut self, place: Place) -> &mut Machine {
        match place {
            Place::North => &mut self.north,
            Place::South => &mut self.south,
        }
    }

    pub(super) fn folder(&self, place: Place) -> &Path {
        &self.machine(place).folder
    }

    pub(super) fn url(&self, place: Place) -> String {
        format!("https://{}", self.machine(place).api)
    }

    /// Starts a node's process and waits until it answers.
    pub(super) async fn start(&mut self, place: Place) -> Result<(), StageError> {
        let file = self.machine(place).folder.join("node.log");
        let log = std::fs::File::options().create(true).append(true).open(&file)?;
        let program = std::env::current_exe()?;
        let mut node = Command::new(program)
            .args(["--data"])
            .arg(self.folder(place))
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let patience = Instant::now();
        loop {
            if let Some(status) = node.try_wait()? {
                let log = std::fs::read_to_string(&file)?;
                return Err(StageError::new(format!("the node ended ({status}) and said:\n{log}")));
            }
            let answer = self.client.get(format!("{}/readyz", self.url(place))).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            if patience.elapsed() > super::PATIENCE {
                drop(node.kill());
                return Err(StageError::new("the node did not become ready"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.machine_mut(place).node = Some(node);
        Ok(())
    }

    /// Kills a node's process as a power failure would: no warning, no clean-up.
    pub(super) fn kill(&mut self, place: Place) -> Result<(), StageError> {
        if let Some(mut node) = self.machine_mut(place).node.take() {
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
            let alert = self.get(Place::North, &format!("/api/v1/alerts/{code}")).await?;
            if alert.pointer("/progress/sent").and_then(Value::as_u64) > Some(0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(StageError::new("the first message was not taken"))
    }

    pub(super) async fn post(
        &self,
        place: Place,
        path: &str,
        body: &'static str,
    ) -> Result<Value, StageError> {
        let request = self.client.post(format!("{}{path}", self.url(place))).bearer_auth(&self.token);
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    pub(super) async fn get(&self, place: Place, path: &str) -> Result<Value, StageError> {
        let request = self.client.get(format!("{}{path}", self.url(place))).bearer_auth(&self.token);
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
    pub(super) async fn trail(&self, place: Place) -> Result<Vec<String>, StageError> {
        let answer = self.get(place, "/api/v1/trail?limit=200").await?;
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
        // The folders go with the stage; a node without one is of no use.
        drop(self.kill(Place::North));
        drop(self.kill(Place::South));
    }
}

/// Runs this program with these arguments, and gives what it printed.
fn said(arguments: &[&str]) -> Result<String, StageError> {
    let ran = Command::new(std::env::current_exe()?).args(arguments).stdin(Stdio::null()).output()?;
    if !ran.status.success() {
        let why = String::from_utf8_lossy(&ran.stderr);
        return Err(StageError::new(format!("`steadfast {}` failed: {why}", arguments.join(" "))));
    }
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// The way out of both nodes: the demo's own mailbox.
fn provider(mailbox: SocketAddr) -> String {
    format!(
        "[[providers]]\nname = \"mail-1\"\nchannel = \"mail\"\nhost = \"{}\"\nport = {}\n\
         tls = \"plain\"\nsender = \"alerts@demo.invalid\"\nsender_name = \"Steadfast demo\"\n",
        mailbox.ip(),
        mailbox.port()
    )
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
operators = ["operator"]

[recipients.anna]
title = "Anna Berg"
addresses = [{{ channel = "mail", value = "anna@demo.invalid" }}]

[recipients.ben]
title = "Ben Okoro"
addresses = [{{ channel = "mail", value = "ben@demo.invalid" }}]

[recipients.operator]
title = "Who looks after Steadfast"
addresses = [{{ channel = "mail", value = "operator@demo.invalid" }}]

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
