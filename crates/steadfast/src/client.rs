//! Talks to nodes over HTTP: several in turn, with one idempotency key, and puts their problems into words.
//!
//! Separate from the commands, which say what they want and are not concerned with which node answers.
//!
//! A host that cannot be reached is passed over. One that was reached and then fell silent may have done what
//! was asked, so only a request that may arrive twice goes on to the next.

use crate::exit::{Exit, Failure, Fault, Outcome};
use crate::place::Place;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use std::cell::Cell;
use std::time::Duration;

/// How long connecting may take before the next host is tried.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long an answer may be silent. Longer than the node's own limit of 30 s and its keep-alive of 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How often all hosts are tried while one of them says that it is only busy.
const ROUNDS_MAX: u32 = 3;
/// The longest wait that a busy node may ask for, in seconds; past it we give up at once.
const RETRY_AFTER_S_MAX: u64 = 5;

/// The type of the problem of a node that does not change the directory.
const NOT_PRIMARY: &str = "urn:steadfast:not-primary";

/// A way to the nodes, for one run of the program.
pub(crate) struct Client {
    http: reqwest::Client,
    hosts: Vec<Url>,
    /// The host that answered last, which is asked first.
    turn: Cell<usize>,
    token: Result<String, String>,
    key: String,
    /// A node that says who changes the directory is believed, and that one is asked.
    forward: bool,
}

/// What is asked of a node.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    /// What stands before the path.
    below: &'static [&'static str],
    path: Vec<String>,
    pairs: Vec<(&'static str, String)>,
    body: Option<(&'static str, String)>,
    headers: Vec<(header::HeaderName, String)>,
    twice: bool,
}

/// What a node answered, if it was not a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The body, as it came.
    pub(crate) body: String,
    /// The version of what was read.
    pub(crate) etag: Option<String>,
}

/// One problem, as in RFC 9457.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: Option<String>,
    errors: Vec<Fault>,
    /// The node that changes the directory, where this one does not.
    primary: Option<Elsewhere>,
}

/// Another node, as a problem names it.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Elsewhere {
    api: String,
}

/// Why a host gave no answer to keep.
struct Passed {
    why: Failure,
    /// The next host may be asked.
    next: bool,
    /// Seconds after which this host may be asked again.
    again: Option<u64>,
    /// The host that this one named instead of itself.
    elsewhere: Option<Url>,
}

impl Ask {
    fn new(method: Method, path: &[&str]) -> Self {
        // Reading, putting and deleting twice is the same as once (RFC 9110 §9.2.2).
        let twice = method != Method::POST;
        let path = path.iter().map(|&part| part.to_owned()).collect();
        Self {
            method,
            below: &["api", "v1"],
            path,
            pairs: Vec::new(),
            body: None,
            headers: Vec::new(),
            twice,
        }
    }

    /// Reads what is at `/api/v1/` and the path.
    pub(crate) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    /// Has something done.
    pub(crate) fn post(path: &[&str], body: &serde_json::Value) -> Self {
        Self::new(Method::POST, path).body("application/json", body.to_string())
    }

    /// Says that a monitor lives, or what became of it, at `/ping/` and the path.
    pub(crate) fn ping(path: &[&str]) -> Self {
        Self { below: &["ping"], ..Self::new(Method::POST, path) }.repeatable()
    }

    /// Puts something in its place.
    pub(crate) fn put(path: &[&str]) -> Self {
        Self::new(Method::PUT, path)
    }

    /// Removes something.
    pub(crate) fn delete(path: &[&str]) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// With a body of this media type.
    pub(crate) fn body(mut self, media: &'static str, body: String) -> Self {
        self.body = Some((media, body));
        self
    }

    /// With a query parameter.
    pub(crate) fn pair(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.pairs.push((name, value.into()));
        self
    }

    /// With a query parameter, if there is a value.
    pub(crate) fn maybe(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.pair(name, value),
            None => self,
        }
    }

    /// With a header.
    pub(crate) fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// It may arrive twice without harm.
    pub(crate) fn repeatable(mut self) -> Self {
        self.twice = true;
        self
    }
}

impl Answer {
    /// Reads the body.
    ///
    /// # Errors
    /// `Failed` if it is not what this program expects: the node is of another version.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self) -> Outcome<T> {
        serde_json::from_str(&self.body)
            .map_err(|error| Failure::failed(format!("the node's answer is not understood: {error}")))
    }
}

impl Client {
    /// A client for the nodes of `place`. `key` is the idempotency key of everything it sends; a new one if
    /// none is given.
    ///
    /// # Errors
    /// If the certificates are not usable.
    pub(crate) fn new(place: Place, key: Option<String>) -> Outcome<Self> {
        // Already installed if there was a client before; it is the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .user_agent(concat!("steadfast/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX)
            .redirect(reqwest::redirect::Policy::none()) // The token is for the host that was named.
            .tls_certs_only(place.trusted)
            .build()
            .map_err(|error| Failure::failed(format!("certificates: {}", chain(&error))))?;
        let key = key.map_or_else(new_key, Ok)?;
        let turn = Cell::new(0);
        Ok(Self { http, hosts: place.hosts, turn, token: place.token, key, forward: false })
    }

    /// The same, which asks the node that changes the directory where another one names it.
    pub(crate) fn forwarding(self, forward: bool) -> Self {
        Self { forward, ..self }
    }

    /// The same for another node of the cluster, which this one named.
    ///
    /// # Errors
    /// `Usage` if its address is none.
    pub(crate) fn elsewhere(&self, api: &str) -> Outcome<Self> {
        let (http, token, key) = (self.http.clone(), self.token.clone(), self.key.clone());
        let hosts = vec![crate::place::host(api)?];
        Ok(Self { http, hosts, turn: Cell::new(0), token, key, forward: false })
    }

    /// The host that is asked next.
    pub(crate) fn present_host(&self) -> &Url {
        &self.hosts[self.turn.get()]
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// The node's problem in words, with its code; `Unreachable`, with each host's reason, if none took it.
    pub(crate) async fn ask(&self, ask: Ask) -> Outcome<Answer> {
        let mut round = 1;
        loop {
            let (answer, again) = self.ask_in_turn(&ask, read_all).await;
            match (answer, again) {
                (Err(_), Some(seconds)) if round < ROUNDS_MAX => {
                    round += 1;
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                (answer, _) => return answer,
            }
        }
    }

    /// Asks for a stream, and gives it as soon as it begins.
    ///
    /// # Errors
    /// As for [`Self::ask`].
    pub(crate) async fn stream(&self, ask: Ask) -> Outcome<Response> {
        self.ask_in_turn(&ask, async |response| Ok(response)).await.0
    }

    /// Moves on from a host that broke off a stream.
    pub(crate) fn next_host(&self) {
        self.turn.set((self.turn.get() + 1) % self.hosts.len());
    }

    /// Each host once; with it, how many seconds to wait if all that is wrong is that some are busy.
    async fn ask_in_turn<T>(
        &self,
        ask: &Ask,
        take: impl AsyncFn(Response) -> reqwest::Result<T>,
    ) -> (Outcome<T>, Option<u64>) {
        let (mut why, mut again) = (Vec::new(), None);
        for _ in 0..self.hosts.len() {
            match self.ask_host(ask, &take).await {
                Ok(answer) => return (Ok(answer), None),
                Err(passed) if !passed.next => return (Err(passed.why), None),
                Err(passed) => {
                    why.push(passed.why.text);
                    again = again.or(passed.again);
                    self.next_host();
                }
            }
        }
        (Err(Failure::new(Exit::Unreachable, why.join("\n"))), again)
    }

    /// Asks the host whose turn it is; and the one that it names instead, if that is wanted.
    async fn ask_host<T>(
        &self,
        ask: &Ask,
        take: &impl AsyncFn(Response) -> reqwest::Result<T>,
    ) -> Result<T, Passed> {
        let asked = self.ask_one(self.present_host(), ask, take).await;
        match asked {
            Err(Passed { elsewhere: Some(host), .. }) if self.forward || self.hosts.contains(&host) => {
                self.ask_one(&host, ask, take).await
            }
            asked => asked,
        }
    }

    async fn ask_one<T>(
        &self,
        host: &Url,
        ask: &Ask,
        take: &impl AsyncFn(Response) -> reqwest::Result<T>,
    ) -> Result<T, Passed> {
        let silent = |error: reqwest::Error| silent(host, &error, ask.twice);
        let response = self.request(host, ask).send().await.map_err(silent)?;
        if response.status().is_success() {
            return take(response).await.map_err(silent);
        }
        let status = response.status();
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
        let body = response.text().await.map_err(silent)?;
        let problem = serde_json::from_str(&body).unwrap_or_default();
        Err(self.passed(host, status, problem, ask.twice).busy_for(retry_after))
    }

    fn request(&self, host: &Url, ask: &Ask) -> RequestBuilder {
        let mut url = host.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(ask.below).extend(&ask.path);
        }
        if !ask.pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.pairs);
        }
        let mut request = self.http.request(ask.method.clone(), url).header("idempotency-key", &self.key);
        if let Ok(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        match &ask.body {
            Some((media, body)) => request.header(header::CONTENT_TYPE, *media).body(body.clone()),
            None => request,
        }
    }

    /// What an answer of 300 or more means: for the person, and for whether another host is asked.
    fn passed(&self, host: &Url, status: StatusCode, problem: Problem, twice: bool) -> Passed {
        let mut text = words(&problem, status);
        if let (StatusCode::UNAUTHORIZED, Err(why)) = (status, &self.token) {
            text = format!("{text}\nno token was given: {why}");
        }
        let from_proxy = problem.title.is_empty();
        let next = match status.as_u16() {
            503 | 507 => true, // Refused before anything was done, and another node may have room.
            502 | 504 => from_proxy && twice,
            _ => false,
        };
        if next {
            text = format!("{}: {text}", authority(host));
        }
        // A node says 502 of what lies behind it, such as a mail server; it was reached itself.
        let exit = if status == StatusCode::BAD_GATEWAY && !from_proxy {
            Exit::Failed
        } else {
            Exit::of_status(status.as_u16())
        };
        let named = problem.primary.filter(|_| problem.kind == NOT_PRIMARY);
        let elsewhere = named.and_then(|primary| crate::place::host(&primary.api).ok());
        if elsewhere.is_some() {
            text += "\nadd --forward to have that node asked";
        }
        let mut why = Failure::new(exit, text);
        why.faults = problem.errors;
        Passed { why, next, again: None, elsewhere }
    }
}

impl Passed {
    /// The host said when it may be asked again, in seconds.
    fn busy_for(mut self, retry_after: Option<u64>) -> Self {
        self.again = retry_after.filter(|seconds| self.next && *seconds <= RETRY_AFTER_S_MAX);
        self
    }
}

async fn read_all(response: Response) -> reqwest::Result<Answer> {
    let etag = response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    Ok(Answer { body: response.text().await?, etag })
}

/// A host that gave no answer, or only half of one.
fn silent(host: &Url, error: &reqwest::Error, twice: bool) -> Passed {
    let host = authority(host);
    if error.is_connect() || twice {
        let why = Failure::new(Exit::Unreachable, format!("{host} cannot be reached: {}", chain(error)));
        return Passed { why, next: true, again: None, elsewhere: None };
    }
    let text = format!("{host} fell silent: {}\nit may or may not have done what was asked", chain(error));
    let why = Failure::new(Exit::Unreachable, text);
    Passed { why, next: false, again: None, elsewhere: None }
}

/// Host and port, as people know it.
pub(crate) fn authority(host: &Url) -> String {
    let name = host.host_str().unwrap_or_default();
    host.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

/// The last cause of an error, which is the one that helps: "connection refused" and not "error sending
/// request".
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

/// A problem in words: what, and then each fault on a line of its own.
pub(crate) fn words(problem: &Problem, status: StatusCode) -> String {
    let title =
        if problem.title.is_empty() { format!("the node answered {status}") } else { problem.title.clone() };
    // The detail says it best; where places are named, it would only repeat one of them.
    let detail = problem.detail.clone().filter(|detail| !detail.is_empty() && problem.errors.is_empty());
    let mut text = detail.unwrap_or(title);
    for fault in &problem.errors {
        let place = fault.pointer.trim_start_matches('/').replace('/', ".");
        let separator = if place.is_empty() { "" } else { ": " };
        text.extend(["\n  ", &place, separator, &fault.detail]);
    }
    crate::output::harmless(&text)
}

/// A key that nobody else has: 128 random bits.
fn new_key() -> Outcome<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::failed(format!("no random bits: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests;
