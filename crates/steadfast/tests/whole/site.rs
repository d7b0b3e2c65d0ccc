//! A data folder and the node's process on it: started, killed, asked.

use crate::mailbox::Mailbox;
use node::init::{self, Plan};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before a test says that it did not happen. Not a figure: a hang's end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How many trials of each fault are run.
pub(crate) fn trials() -> u64 {
    std::env::var("STEADFAST_TRIALS").ok().and_then(|count| count.parse().ok()).unwrap_or(12)
}

/// A provider of mail at `port`, called `name`.
pub(crate) fn mail_provider(name: &str, port: u16, more: &str) -> String {
    format!(
        "[[providers]]\nname = \"{name}\"\nchannel = \"mail\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         tls = \"plain\"\nsender = \"alerts@plant.example\"\n{more}\n"
    )
}

/// A small file system of its own, to be filled. Needs root; without it the test that wants it says so.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts 160 MiB of memory as a disk.
    pub(crate) fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=160m", "none"])
            .arg(folder.path())
            .output();
        let mounted = mount.as_ref().is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: cannot mount a small disk ({mount:?}); run as root");
        }
        mounted.then_some(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no room but what the node holds in reserve.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::create(self.0.path().join("filler")).expect("the disk can be written");
        while std::io::Write::write_all(&mut file, &[0; 65536]).is_ok() {}
    }

    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.0.path().join("filler")).expect("it was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).output());
    }
}

/// A node in its folder.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    token: String,
    pub(crate) api: SocketAddr,
    pub(crate) ingest: SocketAddr,
    node: Option<Child>,
    client: reqwest::blocking::Client,
}

impl Site {
    /// A node with these providers and this directory (besides the admin's token), not started.
    pub(crate) fn new(providers: &str, directory: &str) -> Self {
        Self::on(&std::env::temp_dir(), providers, directory)
    }

    /// The same, with its data folder below `place`.
    pub(crate) fn on(place: &Path, providers: &str, directory: &str) -> Self {
        let folder = tempfile::tempdir_in(place).expect("a folder can be made there");
        let (api, ingest) = (free_port(), free_port());
        let plan = Plan {
            api,
            ingest: Some(ingest),
            more: format!("[selection]\ncool_down_min = \"500ms\"\ncool_down_max = \"1s\"\n{providers}"),
            ..Plan::new(base::Name::new("t").expect("a name"))
        };
        let made = init::init(folder.path(), &plan).expect("the folder is new");
        let file = folder.path().join(init::FIRST_DIRECTORY_FILE);
        let text = std::fs::read_to_string(&file).expect("init made it") + directory;
        std::fs::write(&file, text).expect("the folder can be written");
        let ca = std::fs::read(folder.path().join(init::CA_FILE)).expect("init made it");
        let ca = reqwest::Certificate::from_pem(&ca).expect("it is a certificate");
        drop(rustls::crypto::ring::default_provider().install_default()); // Once for a process is enough.
        let client = reqwest::blocking::Client::builder().tls_certs_only([ca]).timeout(PATIENCE).build();
        let client = client.expect("a client can be made");
        Self { folder, token: made.token, api, ingest, node: None, client }
    }

    /// The same, started, with one mail server.
    pub(crate) fn with_mailbox(mailbox: &Mailbox, directory: &str) -> Self {
        let mut site = Self::new(&mail_provider("mail-1", mailbox.port, ""), directory);
        site.start();
        site
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.arg("--data").arg(self.folder.path()).args(arguments).stdin(Stdio::null());
        command.env_remove("STEADFAST_HOST").env_remove("STEADFAST_TOKEN").env("NO_COLOR", "1");
        command
    }

    /// Runs a command of the program against this node.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("node.log")
    }

    /// Starts the node and waits until it is ready.
    pub(crate) fn start(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_file());
        let node = self.command(&["run"]).stdout(Stdio::null()).stderr(log.expect("a log file")).spawn();
        self.node = Some(node.expect("the program runs"));
        let until = Instant::now() + PATIENCE;
        while !self.is_ready() {
            let ended = self.node.as_mut().and_then(|node| node.try_wait().expect("a child of ours"));
            assert!(ended.is_none(), "the node ended at its start: {}", self.log());
            assert!(Instant::now() < until, "the node did not become ready: {}", self.log());
            std::thread::yield_now();
        }
    }

    fn is_ready(&self) -> bool {
        self.client.get(self.url("/readyz")).send().is_ok_and(|answer| answer.status().is_success())
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let mut node = self.node.take().expect("the node runs");
        node.kill().expect("a child of ours");
        node.wait().expect("it was killed");
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        let mut node = self.node.take().expect("the node runs");
        let id = i32::try_from(node.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a child of ours");
        node.wait().expect("it was asked to end")
    }

    /// The admin's.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn pid(&self) -> u32 {
        self.node.as_ref().expect("the node runs").id()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.api)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::blocking::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client.request(method, self.url(path)).bearer_auth(&self.token)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.request("GET", path).send().expect("the node answers");
        let status = answer.status();
        let body = answer.text().expect("a body");
        assert!(status.is_success(), "GET {path}: {status}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Posts, and gives the answer's status and body; none if the node was gone.
    pub(crate) fn try_post(&self, path: &str, body: &Value, key: Option<&str>) -> Option<(u16, Value)> {
        let request = self.request("POST", path).json(body);
        let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
        let answer = request.send().ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().ok()?))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_post(path, body, None).expect("the node answers");
        assert!((200..300).contains(&status), "POST {path}: {status}: {answer}");
        answer
    }

    /// Sends a notice to `to` and gives its code.
    pub(crate) fn send(&self, to: &str, summary: &str) -> String {
        let answer = self.post("/api/v1/notices", &json!({"summary": summary, "to": [to]}));
        answer["code"].as_str().expect("a code").to_owned()
    }

    /// Follows a link of a mail as a person would: looks at the page, then presses Acknowledge.
    pub(crate) fn press(&self, link: &str) -> (String, u16) {
        let page = self.client.get(link).send().expect("the node answers").text().expect("a page");
        let form = [("comment", "on my way"), ("action", "acknowledge")];
        let body = form.map(|(key, value)| format!("{key}={}", value.replace(' ', "+"))).join("&");
        let request =
            self.client.post(link).header("content-type", "application/x-www-form-urlencoded").body(body);
        (page, request.send().expect("the node answers").status().as_u16())
    }

    /// Waits until the node's answer to GET `path` satisfies `enough`.
    pub(crate) fn wait(&self, path: &str, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if enough(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{what} did not come about: {answer:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every line of the trail, oldest first: kind and text.
    pub(crate) fn trail(&self, filter: &str) -> Vec<Value> {
        let mut entries = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/api/v1/trail?limit=500{filter}{cursor}"));
            entries.extend(page["entries"].as_array().expect("entries").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        entries.sort_by_key(|entry| entry["id"].to_string());
        entries
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(node) = &mut self.node {
            drop(node.kill());
            drop(node.wait());
        }
        if std::thread::panicking() {
            eprintln!("--- the node's log ---\n{}", self.log());
        }
    }
}

/// A port that is free now; the node binds it a moment later.
pub(crate) fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound")
}

/// A small generator of chance for seeded trials (`SplitMix64`).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
