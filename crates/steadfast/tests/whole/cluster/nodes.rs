//! The nodes of one cluster: made, started, killed, asked.
//!
//! Separate from `site`, whose node is alone on the machine's own loopback.

use crate::site::PATIENCE;
use lab::{Lan, Process, Sink};
use node::init;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Every node listens at the same ports, on a machine of its own.
const API: u16 = 8443;
const INGEST: u16 = 8080;
pub(crate) const PEERS: u16 = 8444;
/// What the nodes are called.
const NAMES: [&str; 5] = ["north", "south", "east", "west", "mid"];

/// One node, running or not.
pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) folder: PathBuf,
    side: IpAddr,
    log: PathBuf,
    token: String,
    process: Mutex<Option<Process>>,
    client: reqwest::blocking::Client,
    /// For the node's environment.
    pub(crate) environment: Vec<(String, String)>,
}

/// Nodes that belong together, on a network, and who receives what they send.
pub(crate) struct Cluster {
    // In this order they are dropped: the processes before what they stand in.
    pub(crate) nodes: Vec<Node>,
    pub(crate) sink: Sink,
    pub(crate) lan: Lan,
    pub(crate) room: tempfile::TempDir,
    /// Who was declared down before all were level for the first time.
    pub(crate) founding: Mutex<BTreeSet<String>>,
}

impl Cluster {
    /// So many nodes that run and are level.
    pub(crate) fn start(count: usize) -> Self {
        let cluster = Self::made(count, |_| String::new(), |_| None);
        cluster.run_all();
        cluster
    }

    /// Two that are patient with each other: if one declares the other down, it is not because the machine under the
    /// test is busy.
    pub(crate) fn patient() -> Self {
        let cluster = Self::made(2, |_| "down_after = \"5s\"\n".to_owned(), |_| None);
        cluster.run_all();
        cluster
    }

    /// Nodes that do not run yet. `keys` are put into each one's section `[cluster]`; `place` may name another
    /// place for a data folder.
    pub(crate) fn made(
        count: usize,
        keys: impl Fn(usize) -> String,
        place: impl Fn(usize) -> Option<PathBuf>,
    ) -> Self {
        let room = tempfile::tempdir().expect("there is a temporary folder");
        // One more machine than nodes: strangers and copies come from there.
        let lan = Lan::new(count + 1).unwrap();
        let sink = Sink::start(lan.outside()).unwrap();
        let room_of = |at: usize| place(at).unwrap_or_else(|| room.path().to_owned());
        let nodes = (0..count).map(|number| Node {
            number,
            folder: room_of(number).join(NAMES[number]),
            side: lan.side(number),
            log: room.path().join(format!("{}.log", NAMES[number])),
            token: String::new(),
            process: Mutex::new(None),
            client: client(&[]),
            environment: Vec::new(),
        });
        let mut cluster = Self { nodes: nodes.collect(), sink, lan, room, founding: Mutex::default() };
        cluster.furnish(keys);
        cluster
    }

    /// Makes the folders by the commands that an operator types: `init` on the first machine, and `join` with a
    /// token of the first on each other.
    fn furnish(&mut self, keys: impl Fn(usize) -> String) {
        let first = &self.nodes[0].folder;
        self.execute(0, &["init", "--name", NAMES[0]], true);
        let file = first.join(init::FIRST_DIRECTORY_FILE);
        let text = std::fs::read_to_string(&file).expect("init made it") + &directory(self.sink.address());
        std::fs::write(&file, text).expect("the folder can be written");
        complete(first, &format!("addresses = [\"{}\"]\n{}", self.reached(0), keys(0)));
        let ca = std::fs::read(first.join(init::CA_FILE)).expect("init made it");
        let admin = first.join(init::ADMIN_TOKEN_FILE);
        let token = std::fs::read_to_string(&admin).expect("init made it").trim().to_owned();
        let client = client(&ca);
        for node in &mut self.nodes {
            (node.client, node.token) = (client.clone(), token.clone());
        }
        self.run(0);
        for (at, node) in self.nodes.iter().enumerate().skip(1) {
            let invitation = self.execute(0, &["token", "create"], false);
            let (reached, admin) = (self.reached(at), admin.display().to_string());
            let join = [
                "join",
                invitation.trim(),
                "--name",
                NAMES[node.number],
                "--address",
                &reached,
                "--admin-token",
                &admin,
            ];
            self.execute(at, &join, true);
            complete(&node.folder, &keys(at));
        }
        self.nodes[0].stop();
    }

    /// Where peers reach a node.
    fn reached(&self, at: usize) -> String {
        format!("{}:{PEERS}", self.lan.address(at))
    }

    /// Runs a command to its end at a node's machine; one that makes a folder is told where to listen.
    pub(crate) fn execute(&self, at: usize, words: &[&str], makes: bool) -> String {
        let mut command = program(&self.nodes[at].folder, words);
        if makes {
            command.args(["--listen", &format!("0.0.0.0:{API}"), "--ingest", &format!("0.0.0.0:{INGEST}")]);
            command.args(["--reached-as", &self.lan.side(at).to_string()]);
        }
        let done = self.lan.at(at, &command).output().expect("the program runs");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{words:?}: {said}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// What `verify` says of the ledger of a node that does not run, and whether it is sound.
    pub(crate) fn verify_ledger(&self, at: usize) -> (String, bool) {
        let command = program(&self.nodes[at].folder, &["verify"]);
        let done = self.lan.at(at, &command).output().expect("the program runs");
        (String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned(), done.status.success())
    }

    /// Starts all nodes, and waits until they are level.
    pub(crate) fn run_all(&self) {
        self.nodes.iter().for_each(|node| self.spawn(node));
        self.nodes.iter().for_each(Node::until_ready);
        self.level();
        *self.founding.lock().unwrap() = super::judge::all_downs(self);
    }

    /// Starts a node again, and waits until it answers.
    pub(crate) fn run(&self, node: usize) {
        let node = &self.nodes[node];
        self.spawn(node);
        node.until_ready();
    }

    fn spawn(&self, node: &Node) {
        let process = self.launch(node, node.number, &node.folder, &node.log);
        *node.process.lock().unwrap() = Some(process);
    }

    /// Runs the program on a data folder at any machine.
    pub(crate) fn launch(&self, like: &Node, machine: usize, folder: &Path, log: &Path) -> Process {
        let mut command = program(folder, &["run"]);
        command.envs(like.environment.iter().map(|(name, value)| (name, value)));
        Process::start(&mut self.lan.at(machine, &command), log).unwrap()
    }

    /// Waits until each running node holds what the others hold, and says that all are up.
    pub(crate) fn level(&self) {
        let running: Vec<&Node> = self.nodes.iter().filter(|node| node.is_running()).collect();
        for node in &running {
            node.wait("/api/v1/cluster", "level", |cluster| {
                let nodes = cluster["nodes"].as_array().unwrap();
                running
                    .iter()
                    .all(|peer| nodes.iter().any(|it| it["name"] == NAMES[peer.number] && is_level(it)))
            });
        }
    }

    /// Waits until nothing is left to be sent by any running node, now or later.
    pub(crate) fn settle(&self) {
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            let until = Instant::now() + PATIENCE;
            loop {
                node.wait("/api/v1/status", "an empty queue", |status| status["waiting"] == 0);
                let Some(open) = node.alerts().into_iter().find(is_due) else { break };
                assert!(Instant::now() < until, "this alert does not come to rest: {open:#}");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in &self.nodes {
                eprintln!("--- {} ---\n{}", NAMES[node.number], node.said());
            }
        }
    }
}

impl Node {
    pub(crate) fn is_running(&self) -> bool {
        self.process.lock().unwrap().is_some()
    }

    /// kill -9.
    pub(crate) fn kill(&self) {
        self.process.lock().unwrap().take().expect("the node runs").kill();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(&self) -> ExitStatus {
        let mut process = self.process.lock().unwrap().take().expect("the node runs");
        process.terminate();
        self.until_ended(&mut process)
    }

    /// Waits for the end of a process.
    pub(crate) fn until_ended(&self, process: &mut Process) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.ended() {
                return status;
            }
            assert!(Instant::now() < until, "the node does not end: {}", process.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the node said of itself.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn until_ready(&self) {
        let until = Instant::now() + PATIENCE;
        let url = format!("http://{}:{INGEST}/readyz", self.side);
        while !self.client.get(&url).send().is_ok_and(|answer| answer.status().is_success()) {
            let ended = self.process.lock().unwrap().as_mut().and_then(Process::ended);
            assert!(ended.is_none(), "the node ended at its start: {}", self.said());
            assert!(Instant::now() < until, "the node did not become ready: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Posts a notice at the plain door, and gives the status and the answer; none if nobody answered.
    pub(crate) fn offer(&self, notice: &Value, key: Option<&str>) -> Option<(u16, Value)> {
        let request = self.client.post(format!("http://{}:{INGEST}/api/v1/notices", self.side)).json(notice);
        let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
        let answer = request.send().ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().ok()?))
    }

    /// Posts a notice, and gives the answer, which is a yes.
    pub(crate) fn send(&self, to: &str, summary: &str) -> Value {
        let answer = self.offer(&json!({"summary": summary, "to": [to]}), None);
        let (status, answer) = answer.expect("the node answers");
        assert!((200..300).contains(&status), "{summary}: {status}: {answer}");
        answer
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::blocking::RequestBuilder {
        let url = format!("https://{}:{API}{path}", self.side);
        self.client.request(method.parse().expect("a method"), url).bearer_auth(&self.token)
    }

    /// Gives the answer's status and body; none if nobody answered.
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let answer = self.request("POST", path).json(body).send().ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().ok()?))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_post(path, body).expect("the node answers");
        assert!((200..300).contains(&status), "POST {path}: {status}: {answer}");
        answer
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.request("GET", path).send().expect("the node answers");
        let status = answer.status();
        let body = answer.text().expect("a body");
        assert!(status.is_success(), "GET {path}: {status}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Waits until the node's answer to GET `path` satisfies `enough`.
    pub(crate) fn wait(&self, path: &str, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if enough(&answer) {
                return answer;
            }
            let name = NAMES[self.number];
            assert!(Instant::now() < until, "{name}: {what} did not come about: {answer:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until this node says that of another.
    pub(crate) fn sees(&self, other: &Self, state: &str) {
        self.wait("/api/v1/cluster", state, |cluster| {
            let mut nodes = cluster["nodes"].as_array().unwrap().iter();
            nodes.any(|it| it["name"] == NAMES[other.number] && it["state"] == state)
        });
    }

    /// All pages of a list.
    fn pages(&self, path: &str, rows: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}limit=500{cursor}"));
            all.extend(page[rows].as_array().expect("rows").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Every alert that is not closed.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        self.pages("/api/v1/alerts?", "alerts")
    }

    /// Every entry of the trail of this kind, the newest first.
    pub(crate) fn trail(&self, kind: &str) -> Vec<Value> {
        self.pages(&format!("/api/v1/trail?kind={kind}&"), "entries")
    }
}

/// The program on a data folder.
pub(crate) fn program(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.arg("--data").arg(folder).args(words).stdin(Stdio::null());
    command.env_remove("STEADFAST_HOST").env_remove("STEADFAST_TOKEN").env("NO_COLOR", "1");
    command
}

/// A client that trusts this authority, or nobody yet.
fn client(ca: &[u8]) -> reqwest::blocking::Client {
    drop(rustls::crypto::ring::default_provider().install_default()); // Once for a process is enough.
    let ca = reqwest::Certificate::from_pem_bundle(ca).expect("these are certificates");
    let client = reqwest::blocking::Client::builder().tls_certs_only(ca).timeout(PATIENCE).no_proxy().build();
    client.expect("a client can be made")
}

/// Of a node as another one sees it.
fn is_level(node: &Value) -> bool {
    let none = |key: &str| node[key].as_u64().is_none_or(|records| records == 0);
    node["state"] == "up" && none("behind") && none("ahead")
}

/// Something of this alert is still to be sent, now or by a step to come.
fn is_due(alert: &Value) -> bool {
    let waits = !alert["next_step"].is_null() && alert["state"] == "open";
    waits || alert["progress"]["waiting"] != 0
}

/// Adds to a node file what it is to do differently, and how to notify.
fn complete(folder: &Path, keys: &str) {
    let file = folder.join(node::config::NODE_FILE);
    let text = std::fs::read_to_string(&file).expect("init or join made it");
    let head = "\n[cluster]\n";
    assert!(text.contains(head), "{text}");
    let text = text.replacen(head, &format!("{head}{keys}\n"), 1)
        + "\n[selection]\ncool_down_min = \"500ms\"\ncool_down_max = \"1s\"\n\
           [[providers]]\nname = \"hook-1\"\nchannel = \"webhook\"\nconnections = 8\n";
    std::fs::write(&file, text).expect("the folder can be written");
}

/// Everybody is told by webhook. The crew escalates to ben; nobody stands behind the others.
fn directory(sink: SocketAddr) -> String {
    let person = |name: &str| {
        format!(
            "[recipients.{name}]\ntitle = \"{name}\"\n\
             addresses = [{{ channel = \"webhook\", value = \"http://{sink}/\" }}]\n"
        )
    };
    let frida = "[recipients.frida]\ntitle = \"Frida\"\naddresses = [{ channel = \"mail\", value = \"frida@plant.example\" }]\n";
    let people: String = ["anna", "ben", "cleo", "dora", "emil"].map(person).concat();
    format!(
        "{people}{frida}\
         [groups.crew]\ntitle = \"Crew\"\nmembers = [\"anna\", \"cleo\"]\npolicy = \"hurried\"\n\
         [groups.pumps]\ntitle = \"Pumps\"\nmembers = [\"dora\"]\npolicy = \"calm\"\n\
         [groups.office]\ntitle = \"Office\"\nmembers = [\"emil\", \"anna\"]\npolicy = \"patient\"\n\
         [policies.hurried]\nmode = \"basic\"\n[[policies.hurried.steps]]\nafter = \"800ms\"\nto = [\"ben\"]\n\
         [policies.patient]\nmode = \"basic\"\n[[policies.patient.steps]]\nafter = \"6s\"\nto = [\"ben\"]\n\
         [groups.letters]\ntitle = \"Letters\"\nmembers = [\"anna\"]\npolicy = \"post\"\n\
         [policies.post]\nmode = \"basic\"\n[[policies.post.steps]]\nafter = \"3s\"\nto = [\"frida\"]\n\
         [policies.calm]\nmode = \"basic\"\n"
    )
}
