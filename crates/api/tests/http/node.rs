//! A node as small as can be: the real core and the real ledger behind the real router, driven in-process.

use api::{
    Admitted, Api, Backup, Call, Calls, CertificateView, Changes, Invited, LinkKey, LinkView, Listeners,
    NodeInfo, PeerServices, Rendered, Sampled, Services, Welcome,
};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base::{AlertId, Mono, Name, NodeId, Now, Wall};
use dispatch::directory::{Address, Civil, Directory};
use dispatch::input::{Effect, Input, Order, Past, ProviderSpec};
use dispatch::record::{Actor, Entry};
use dispatch::state::State;
use dispatch::{Answer, Dispatch, Identity, Settings, Ticket};
use futures_util::future::BoxFuture;
use ledger::{Ledger, LedgerEvent, Options, Stored};
use ownership::Role;
use record::document::{Document, Problem, Rules, form};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt as _;

/// The directory that the tests start with. The secret of each token is `sf_NAME_` and 43 times `A`.
pub(crate) const BOOK: &str = r#"
[recipients.anna]
title = "Anna Berg"
addresses = [{ channel = "mail", value = "anna@x.test" }]
[recipients.bea]
addresses = [{ channel = "mail", value = "bea@x.test" }]
[groups.pumps]
members = ["anna", "bea"]
[policies.default]
[[policies.default.steps]]
after = "5m"
to = ["bea"]
[policies.flat]
"#;

pub(crate) const SCOPES: [&str; 5] = ["send", "read", "operate", "edit", "admin"];

pub(crate) fn secret(name: &str) -> String {
    format!("sf_{name}_{}", "A".repeat(43))
}

fn book() -> Directory {
    use sha2::Digest as _;
    let mut document = record::document::read_toml(BOOK, "book").unwrap();
    for scope in SCOPES {
        let digest = base::Digest(sha2::Sha256::digest(secret(scope).as_bytes()).into());
        let token = form::Token {
            sha256: digest.to_string(),
            scopes: vec![scope.to_owned()],
            expires: None,
            refuse_solo: false,
            severities: BTreeMap::new(),
        };
        document.tokens.insert(scope.to_owned(), token);
    }
    let mut old = document.tokens["admin"].clone();
    old.sha256 = base::Digest(sha2::Sha256::digest(secret("old").as_bytes()).into()).to_string();
    old.expires = Some("2020-01-01T00:00:00Z".to_owned());
    document.tokens.insert("old".to_owned(), old);
    let user = form::User {
        title: None,
        password: api::hash_password("correct horse").unwrap(),
        scopes: vec!["read".to_owned()],
    };
    document.users.insert("carl".to_owned(), user);
    document.resolve(&Rules::any()).unwrap()
}

struct Lent;

/// A node that lets peers in and has one invitation, whose secret is `come`.
impl PeerServices for Lent {
    fn links(&self) -> BTreeMap<NodeId, LinkView> {
        BTreeMap::new()
    }
    fn certificates(&self) -> Vec<CertificateView> {
        let expires = std::time::UNIX_EPOCH + std::time::Duration::from_secs(4_102_444_800);
        vec![CertificateView { what: "peer".into(), file: "tls/peer.pem".into(), expires, renews: true }]
    }
    fn listeners(&self) -> Listeners {
        Listeners {
            api: "0.0.0.0:8443".parse().unwrap(),
            ingest: None,
            peers: Some("0.0.0.0:8444".parse().unwrap()),
            dialled: Vec::new(),
            public_url: None,
        }
    }
    fn invite(&self, _: Role, valid: std::time::Duration, hosts: &[String]) -> Result<Invited, String> {
        let until = std::time::UNIX_EPOCH + valid;
        Ok(Invited { token: "sfjoin_x".into(), until, hosts: hosts.to_vec() })
    }
    fn admit(&self, secret: &str) -> Result<Admitted, String> {
        match secret {
            "come" => Ok(Admitted { role: Role::Member, until: std::time::UNIX_EPOCH }),
            "watch" => Ok(Admitted { role: Role::Witness, until: std::time::UNIX_EPOCH }),
            _ => Err("this join token is unknown here".into()),
        }
    }
    fn give_back(&self, _: &str, _: Admitted) -> Result<(), String> {
        Ok(())
    }
    fn welcome(&self) -> Result<Welcome, String> {
        Ok(Welcome { ca: "the ca".into(), ca_key: Some("its key".into()), link_key: "00".repeat(32) })
    }
}

impl Services for Lent {
    fn disk(&self) -> Option<(u64, u64)> {
        None
    }

    fn civil(&self, _: &str) -> Civil {
        Civil::default()
    }
    fn address(&self, address: &Address) -> Result<(), String> {
        match address.channel.as_str() {
            "mail" if address.value.contains('@') => Ok(()),
            "mail" => Err(format!("{:?} is no mail address", address.value)),
            other => Err(format!("there is no channel {other:?}; there are mail")),
        }
    }
    fn check(&self, document: &Document) -> Result<Directory, Vec<Problem>> {
        document.resolve(&Rules::any())
    }
    fn preview(&self, template: &form::Template, sample: Sampled<'_>) -> Result<Rendered, Vec<Problem>> {
        let summary = match sample {
            Sampled::Said(content) => &*content.summary,
            Sampled::Longest => "a long summary – of it all",
            Sampled::Shortest => "x",
        };
        let body = template.body.replace("{{ summary }}", summary);
        Ok(Rendered { subject: template.subject.clone(), body })
    }
    fn probe(&self, provider: &Name) -> BoxFuture<'static, Result<String, String>> {
        let known = provider.as_str() == "main";
        Box::pin(async move {
            if known { Ok("220 hello".into()) } else { Err("there is no such provider".into()) }
        })
    }
    fn backup(&self) -> BoxFuture<'static, Result<Backup, String>> {
        Box::pin(async { Ok(Backup { file: "backups/one".into(), bytes: 7 }) })
    }
    fn unready(&self) -> Vec<String> {
        Vec::new()
    }
    fn metrics(&self) -> String {
        "steadfast_up 1\n".into()
    }
}

/// The node, with its routers.
pub(crate) struct Node {
    pub(crate) router: Router,
    pub(crate) ingest: Router,
    pub(crate) links: LinkKey,
    ledger: Arc<Ledger>,
    _folder: tempfile::TempDir,
}

/// What came back.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The problem's detail; fails where it is none.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{}", self.text);
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert!(json["type"].as_str().unwrap().starts_with("urn:steadfast:"), "{json}");
        json["detail"].as_str().unwrap().to_owned()
    }
}

impl Node {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (stored, events) = mpsc::unbounded_channel();
        let told = move |event| drop(stored.send(event));
        let (ledger, recovered) = Ledger::open(folder.path(), Options::new(1 << 32, told)).unwrap();
        let ledger = Arc::new(ledger);
        let (calls, waiting) = Calls::new(1000);
        let changes = Changes::new(recovered.log.boot);
        let identity =
            Identity { log: recovered.log, letter: 'A', version: "1".into(), because: "clean start".into() };
        let channel = Name::new("mail").unwrap();
        let main =
            ProviderSpec { name: Name::new("main").unwrap(), channel, per_minute: None, per_day: None };
        let mut effects = Vec::new();
        let start = (State::default(), Past::default());
        let mut core = Dispatch::start(identity, Settings::default(), start, vec![main], now(), &mut effects);
        let order = Order::Directory { directory: Arc::new(book()), expected: None, summary: "made".into() };
        let input = Input::Order { ticket: Ticket(0), by: Actor::ourselves(), order };
        core.handle(now(), input, &mut effects);
        let turn = Turn {
            core,
            ledger: Arc::clone(&ledger),
            changes: changes.clone(),
            answers: BTreeMap::new(),
            tickets: 0,
            unpublished: Vec::new(),
            mono: Mono(0),
        };
        tokio::spawn(turn.run(effects, waiting, events));
        let links = LinkKey([7; 32]);
        let api = Api {
            calls,
            changes,
            history: folder.path().to_owned(),
            services: Arc::new(Lent),
            links: links.clone(),
            public_url: None,
            node: NodeInfo {
                name: "north".into(),
                id: recovered.log.node,
                letter: 'A',
                version: "1".into(),
                started: now().wall,
            },
        };
        let ingest = api::ingest_router(api.clone(), Name::new("local").unwrap());
        Self { router: api::router(api), ingest, links, ledger, _folder: folder }
    }

    /// Waits until the history has everything.
    pub(crate) async fn settle(&self) {
        let ledger = Arc::clone(&self.ledger);
        tokio::task::spawn_blocking(move || ledger.settle()).await.unwrap();
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Got {
        got(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.ask(asking(Method::GET, path, "admin").body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Got {
        self.ask(asking(Method::DELETE, path, "admin").body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Got {
        self.send(Method::POST, path, "admin", body).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: &str, body: &str) -> Got {
        let request = asking(method, path, token).header(header::CONTENT_TYPE, "application/json");
        self.ask(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Raises an alert for the pumps, and gives its id.
    pub(crate) async fn raise(&self, summary: &str) -> String {
        let body = serde_json::json!({ "summary": summary, "to": ["pumps"] }).to_string();
        let got = self.post("/api/v1/notices", &body).await;
        assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
        got.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn link(&self, alert: &str, recipient: &str, expiry: Wall) -> String {
        let alert: AlertId = alert.parse().unwrap();
        format!("/a/{}", api::link_token(&self.links, &alert, &Name::new(recipient).unwrap(), expiry))
    }
}

pub(crate) async fn got(response: axum::response::Response) -> Got {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Got { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// A request with a token; with the name `""`, without one.
pub(crate) fn asking(method: Method, path: &str, token: &str) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    if token.is_empty() {
        return request;
    }
    request.header(header::AUTHORIZATION, format!("Bearer {}", secret(token)))
}

fn now() -> Now {
    Now { mono: Mono(0), wall: Wall(1_700_000_000_000), suspect: false }
}

/// The event loop.
struct Turn {
    core: Dispatch,
    ledger: Arc<Ledger>,
    changes: Changes,
    answers: BTreeMap<Ticket, oneshot::Sender<Answer>>,
    tickets: u64,
    unpublished: Vec<(base::RecordId, Entry)>,
    mono: Mono,
}

impl Turn {
    async fn run(
        mut self,
        effects: Vec<Effect>,
        mut waiting: mpsc::Receiver<Call>,
        mut events: mpsc::UnboundedReceiver<LedgerEvent>,
    ) {
        self.execute(effects);
        loop {
            tokio::select! {
                call = waiting.recv() => match call {
                    Some(Call::Put { make, answer }) => {
                        self.tickets += 1;
                        self.answers.insert(Ticket(self.tickets), answer);
                        self.take(make(Ticket(self.tickets)));
                    }
                    Some(Call::Read(read)) => read(&self.core, self.now()),
                    None => return,
                },
                Some(event) = events.recv() => {
                    if let LedgerEvent::Stored { log, upto } = event {
                        let durable = self.unpublished.iter().take_while(|(id, _)| id.seq < upto).count();
                        for (id, entry) in self.unpublished.drain(..durable) {
                            self.changes.publish(id, &entry);
                        }
                        self.take(Input::Stored { log, upto });
                    }
                }
            }
        }
    }

    fn take(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.core.handle(self.now(), input, &mut effects);
        if self.core.members().len() > 1 {
            // No peer is there: so much time passes, in small steps, that each is down, and nobody waits for it.
            for _ in 0..30 {
                self.mono = self.mono + std::time::Duration::from_millis(50);
                self.core.handle(self.now(), Input::Deadline, &mut effects);
            }
        }
        self.execute(effects);
    }

    fn now(&self) -> Now {
        Now { mono: self.mono, ..now() }
    }

    fn execute(&mut self, effects: Vec<Effect>) {
        let mut records = Vec::new();
        for effect in effects {
            match effect {
                Effect::Append { id, entry } => {
                    self.unpublished.push((id, entry.clone()));
                    records.push(Stored::new(id, entry));
                }
                Effect::Answer { ticket, answer } => {
                    if let Some(waiting) = self.answers.remove(&ticket) {
                        drop(waiting.send(answer));
                    }
                }
                Effect::Deliver(_) | Effect::Forget { .. } => (),
                Effect::Hello { .. }
                | Effect::Beat { .. }
                | Effect::Ship { .. }
                | Effect::Brief { .. }
                | Effect::Merge { .. } => (), // Nobody is there.
            }
        }
        if !records.is_empty() {
            self.ledger.append(records);
        }
    }
}
