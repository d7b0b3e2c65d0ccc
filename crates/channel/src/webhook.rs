//! Posts a JSON document to a URL, signed if a key is given (RFC 9110; HMAC-SHA256, RFC 2104).
//!
//! The address value is the URL, so the endpoint is the recipient's: what it answers is about that recipient,
//! and never a reason to leave the provider alone.

use crate::config::{self, ConfigError, Sources, duration, nearest};
use crate::message::{cut, reason, single_line};
use crate::secret::{Secret, SecretRef};
use crate::{Abilities, Channel, Kind, Listed, Message, tls};
use async_trait::async_trait;
use base::limits::{MESSAGE_BYTES_MAX, TEMPLATE_BYTES_MAX};
use dispatch::record::{Outcome, Then};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Request, Response, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The channel.
pub(crate) const KIND: Kind = Kind {
    name: "webhook",
    abilities: Abilities {
        confirms: false,
        takes_replies: false,
        subject: true,
        text_max: MESSAGE_BYTES_MAX,
    },
    check_address: |text| parse_url(text).map(drop),
    open: |table, sources| Ok(Box::new(Webhook::open(table, sources)?)),
    reference: REFERENCE,
};

const REFERENCE: &str = r#"# Sign each body with this key: the header X-Steadfast-Signature is then t=SECONDS,v1=HEX, where HEX is the
# HMAC-SHA256 of SECONDS, a full stop, and the body. Receivers refuse old times, and so replays.
#secret = { file = "webhook-key" }
# Send "Authorization: Bearer …".
#bearer = { env = "WEBHOOK_TOKEN" }
# Post only to these hosts; "*.example.org" means every host below example.org.
#hosts = ["hooks.example.org", "*.plant.example.org"]
# The body, as a template that makes JSON. Without it: every field, as the manual shows.
# Always write values with the tojson filter, which quotes them.
#body = '{"text": {{ text|tojson }}, "severity": {{ severity|tojson }}}'
# Further headers.
#headers = { X-Site = "north" }
# Whether servers must prove their names with certificates.
#verify = true
# Trust these certificates (PEM) instead of the machine's.
#ca_file = "hook-ca.pem"
# Requests at once, 1 to 100.
#connections = 8
# To connect, and to answer, together.
#timeout = "10s"
"#;

const KEYS: [&str; 9] =
    ["secret", "bearer", "hosts", "body", "headers", "verify", "ca_file", "connections", "timeout"];

/// Bytes of an answer that are looked at for a reason.
const ANSWER_BYTES_MAX: usize = 200;
/// Shorter than the idle limits of the usual servers (5 s and more): a request on a connection that the
/// server just closed would be unknown.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
/// Steps a body template may take. Ours take some hundred.
const TEMPLATE_FUEL: u64 = 100_000;

/// The table as written; [`REFERENCE`] says what the keys mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    secret: Option<SecretRef>,
    bearer: Option<SecretRef>,
    #[serde(default)]
    hosts: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default = "default_verify")]
    verify: bool,
    ca_file: Option<PathBuf>,
    #[serde(default = "default_connections")]
    connections: usize,
    #[serde(default = "default_timeout", deserialize_with = "duration")]
    timeout: Duration,
}

fn default_verify() -> bool {
    true
}

fn default_connections() -> usize {
    8
}

fn default_timeout() -> Duration {
    Duration::from_secs(10)
}

/// A way to post to URLs.
#[derive(Debug)]
struct Webhook {
    client: Client,
    key: Option<Secret>,
    bearer: Option<Secret>,
    hosts: Vec<String>,
    body: Option<String>,
    connections: usize,
    timeout: Duration,
    gate: Semaphore,
}

impl Webhook {
    fn open(table: toml::Table, sources: &Sources) -> Result<Self, ConfigError> {
        let table: Table = config::read(table, &KEYS)?;
        if !(1..=100).contains(&table.connections) {
            return Err(ConfigError::at("connections", "must be from 1 to 100"));
        }
        let bearer = fetch("bearer", table.bearer.as_ref(), sources)?;
        let webhook = Self {
            key: fetch("secret", table.secret.as_ref(), sources)?,
            client: client(&table, bearer.as_ref(), sources)?,
            bearer,
            hosts: table.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            body: table.body,
            connections: table.connections,
            timeout: table.timeout,
            gate: Semaphore::new(table.connections),
        };
        webhook.check_body().map_err(|why| ConfigError::at("body", why))?;
        Ok(webhook)
    }

    /// Tries the template with a message that holds everything JSON has to quote.
    fn check_body(&self) -> Result<(), String> {
        let Some(body) = &self.body else { return Ok(()) };
        if body.len() > TEMPLATE_BYTES_MAX {
            return Err(format!("has more than {TEMPLATE_BYTES_MAX} bytes"));
        }
        let sample = sample();
        let environment = minijinja::Environment::new();
        let template =
            environment.template_from_str(body).map_err(|error| single_line(&error.to_string()))?;
        let fields = fields(&sample);
        let known: Vec<&str> =
            fields.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        // By name, for the tojson filter makes null of what is not there.
        match template.undeclared_variables(false).iter().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => {
                Err(format!("uses \"{unknown}\", which is not known{}", nearest(unknown, &known)))
            }
            None => self.render(&sample).map(drop),
        }
    }

    /// The body for `message`.
    fn render(&self, message: &Message) -> Result<String, String> {
        let fields = fields(message);
        let Some(template) = &self.body else { return Ok(fields.to_string()) };
        let mut environment = minijinja::Environment::new();
        environment.set_fuel(Some(TEMPLATE_FUEL));
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        let text = environment
            .render_str(template, minijinja::value::Serde(&fields))
            .map_err(|error| single_line(&error.to_string()))?;
        let valid = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        valid
            .map_err(|error| format!("makes no valid JSON ({error}); write values with the tojson filter"))?;
        Ok(text)
    }

    fn request(&self, message: &Message) -> Result<Request, String> {
        let url = parse_url(&message.to)?;
        self.check_host(&url)?;
        let body = self.render(message).map_err(|why| format!("the body template {why}"))?;
        let mut request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", message.notification.to_string());
        if let Some(key) = &self.key {
            request = request.header("X-Steadfast-Signature", signature(key, message.at.0 / 1000, &body));
        }
        request.body(body).build().map_err(|error| error.without_url().to_string())
    }

    /// A directory editor must not make this node post to hosts that its operator did not allow.
    fn check_host(&self, url: &Url) -> Result<(), String> {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let allowed = self.hosts.iter().any(|allowed| match allowed.strip_prefix('*') {
            Some(below) => below.starts_with('.') && host.ends_with(below),
            None => *allowed == host,
        });
        if allowed || self.hosts.is_empty() {
            Ok(())
        } else {
            Err(format!("host {host} is not among the allowed hosts"))
        }
    }

    /// Sends, and waits for the head of the answer; then a little for a reason in a refusal.
    async fn post(&self, request: Request) -> Outcome {
        let path = Secret::new(request.url().path());
        let answer = timeout(self.timeout, self.client.execute(request)).await;
        match answer {
            Ok(Ok(response)) => self.judge(response, path).await,
            Ok(Err(error)) if error.is_builder() => refused(Then::GiveUp, &whole(error)),
            Ok(Err(error)) if error.is_connect() => refused(Then::RetryLater, &whole(error)),
            Ok(Err(error)) => Outcome::Unknown { why: reason(&whole(error)) },
            // Connecting has a shorter limit, so the request was on its way.
            Err(_) => {
                let limit = base::time::Human(self.timeout);
                Outcome::Unknown { why: reason(&format!("no answer within {limit}")) }
            }
        }
    }

    async fn judge(&self, response: Response, path: Secret) -> Outcome {
        let status = response.status();
        if status.is_success() {
            return Outcome::Accepted { receipt: reason(&status.to_string()) };
        }
        let why = format!("the server answered {status}: {}", self.first_words(response, path).await);
        match status.as_u16() {
            408 | 425 | 429 | 500.. => refused(Then::RetryLater, &why),
            _ => refused(Then::GiveUp, &why),
        }
    }

    /// The beginning of an answer's body, without our secrets should it echo them. The path is one of them
    /// in many services.
    async fn first_words(&self, mut response: Response, path: Secret) -> String {
        let Ok(Ok(Some(bytes))) = timeout(Duration::from_secs(1), response.chunk()).await else {
            return "without a body".to_owned();
        };
        let text = single_line(&String::from_utf8_lossy(&bytes));
        let secrets = [&self.key, &self.bearer, &Some(path)];
        let text = secrets.into_iter().flatten().fold(text, |text, secret| secret.hide_in(&text));
        cut(&text, ANSWER_BYTES_MAX)
    }
}

fn refused(then: Then, why: &str) -> Outcome {
    Outcome::Refused { then, why: reason(why) }
}

/// An error with its causes, and without the URL: in many services the URL is the secret.
fn whole(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn fetch(key: &str, source: Option<&SecretRef>, sources: &Sources) -> Result<Option<Secret>, ConfigError> {
    source.map(|source| source.fetch(sources)).transpose().map_err(|why| ConfigError::at(key, why))
}

fn client(table: &Table, bearer: Option<&Secret>, sources: &Sources) -> Result<Client, ConfigError> {
    let trust = tls::client(table.verify, table.ca_file.as_deref(), sources)?;
    Client::builder()
        .tls_backend_preconfigured(trust)
        .default_headers(headers(table, bearer)?)
        .user_agent("steadfast")
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(table.timeout / 2)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build()
        .map_err(|error| ConfigError { key: None, why: whole(error) })
}

/// The configured headers; those that are ours are refused.
fn headers(table: &Table, bearer: Option<&Secret>) -> Result<HeaderMap, ConfigError> {
    const OURS: [&str; 6] =
        ["content-type", "content-length", "host", "idempotency-key", "x-steadfast-signature", "user-agent"];
    let wrong = |name: &str, why: &str| ConfigError::at("headers", format!("\"{name}\" {why}"));
    let mut headers = HeaderMap::new();
    for (name, value) in &table.headers {
        let header: HeaderName = name.parse().map_err(|_| wrong(name, "is not a header's name"))?;
        if OURS.contains(&header.as_str()) {
            return Err(wrong(name, "is set by Steadfast itself"));
        }
        let value = value.parse().map_err(|_| wrong(name, "has a value that no header can have"))?;
        headers.insert(header, value);
    }
    if let Some(bearer) = bearer {
        let value = HeaderValue::try_from(format!("Bearer {}", bearer.reveal()));
        let mut value =
            value.map_err(|_| ConfigError::at("bearer", "has characters that no header can have"))?;
        value.set_sensitive(true);
        headers.insert(reqwest::header::AUTHORIZATION, value);
    }
    Ok(headers)
}

/// Takes `text` as the URL of an endpoint.
fn parse_url(text: &str) -> Result<Url, String> {
    const FORM: &str = "write a URL such as \"https://hooks.example.org/alerts\"";
    // A parser of URLs (WHATWG) drops tabs and line ends silently: what is posted to is not what was read.
    if text.chars().any(char::is_control) {
        return Err(format!("there is a control character in it; {FORM}"));
    }
    let url = Url::parse(text).map_err(|error| format!("{error}; {FORM}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("{FORM}, with http or https"));
    }
    Ok(url)
}

/// `t=SECONDS,v1=HEX`.
fn signature(key: &Secret, seconds: i64, body: &str) -> HeaderValue {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("t={seconds},v1={hex}")).expect("digits and letters fit a header")
}

/// What a body template can use, and the default body.
fn fields(message: &Message) -> Value {
    json!({
        "notification": message.notification.to_string(),
        "alert": message.alert,
        "code": message.code,
        "purpose": message.purpose,
        "attempt": message.attempt,
        "repeat": message.repeat.map(dispatch::record::Cause::word),
        "recipient": message.recipient,
        "recipient_title": message.recipient_title,
        "severity": message.severity.word(),
        "summary": &*message.summary,
        "details": &*message.details,
        "labels": message.labels.iter().map(|(name, value)| (name.to_string(), json!(&**value))).collect::<serde_json::Map<_, _>>(),
        "subject": message.subject,
        "text": message.text,
        "link": message.link,
        "sent_at_ms": message.at.0,
        "together": message.together.iter().map(listed).collect::<Vec<_>>(),
    })
}

fn listed(alert: &Listed) -> Value {
    json!({
        "alert": alert.alert,
        "code": alert.code,
        "severity": alert.severity.word(),
        "summary": alert.summary,
        "link": alert.link,
    })
}

/// A message with everything in it that JSON has to quote.
fn sample() -> Message {
    let awkward = "a \"quoted\" \\ line\nand </script> \u{7} 🚨";
    Message {
        notification: base::NotificationId(1),
        alert: "0000001f-20000abcd-17".to_owned(),
        code: "A123".to_owned(),
        attempt: 1,
        repeat: None,
        to: "https://hooks.example.org/".into(),
        recipient: "anna".to_owned(),
        recipient_title: awkward.to_owned(),
        subject: Some(awkward.to_owned()),
        text: awkward.to_owned(),
        severity: dispatch::directory::Severity::High,
        summary: awkward.into(),
        details: awkward.into(),
        labels: BTreeMap::from([("label".into(), awkward.into())]),
        purpose: "alert".to_owned(),
        link: Some("https://steadfast.example.org/ack".to_owned()),
        thread: None,
        at: base::Wall(1_700_000_000_000),
        together: Vec::new(),
    }
}

#[async_trait]
impl Channel for Webhook {
    async fn deliver(&self, message: &Message) -> Outcome {
        let request = match self.request(message) {
            Ok(request) => request,
            Err(why) => return refused(Then::GiveUp, &why),
        };
        // The gate is never closed; without a permit there would only be one request more.
        let _permit = self.gate.acquire().await;
        self.post(request).await
    }

    fn slots(&self) -> usize {
        self.connections
    }

    /// There is no one server to ask: each recipient has its own.
    async fn probe(&self) -> Result<String, String> {
        Ok("ready; endpoints are the recipients' own, and are not tried".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn sources() -> Sources {
        Sources::with_variables(Path::new("/nowhere"), |name| (name == "KEY").then(|| "Jefe".to_owned()))
    }

    fn table(text: &str) -> toml::Table {
        text.parse().unwrap()
    }

    #[test]
    fn the_documented_table_opens() {
        Webhook::open(table(KIND.reference), &sources()).unwrap();
        let mut full = config::with_optional_keys(KIND.reference);
        assert!(KEYS.iter().all(|key| full.contains_key(*key)), "every key is documented");
        for key in ["secret", "bearer"] {
            full.insert(key.into(), "v={ env='KEY' }".parse::<toml::Table>().unwrap()["v"].clone());
        }
        full.remove("ca_file");
        let webhook = Webhook::open(full, &sources()).unwrap();
        assert!(!format!("{webhook:?}").contains("Jefe"), "{webhook:?}");
        let body: Value = serde_json::from_str(&webhook.render(&sample()).unwrap()).unwrap();
        assert_eq!(body, json!({"text": sample().text, "severity": "high"}));
    }

    #[test]
    fn a_wrong_table_is_explained() {
        let check = |text: &str, part: &str| {
            let error = Webhook::open(table(text), &sources()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("sekret=1", "key \"sekret\": is not known; did you mean \"secret\"?");
        check("secret='open'", "key \"secret\": a secret does not stand here itself");
        check("body='{\"text\": \"{{ text }}\"}'", "key \"body\": makes no valid JSON");
        check(
            "body='{{ tekst|tojson }}'",
            "key \"body\": uses \"tekst\", which is not known; did you mean \"text\"?",
        );
        check("body='{{ text|tojso }}'", "key \"body\": unknown filter");
        check("headers={ 'Content-Type' = 'text/plain' }", "\"Content-Type\" is set by Steadfast itself");
        check("headers={ a = \"x\\ny\" }", "\"a\" has a value that no header can have");
        check("connections=1000", "must be from 1 to 100");
    }

    #[test]
    fn the_signature_is_the_hmac_of_time_and_body() {
        // Made with: printf '1700000000.{}' | openssl dgst -sha256 -hmac Jefe
        let hex = "d3793e2b4103edfbd98cc19591832f5fad701d413db9fcae0ae7dab8184ed207";
        assert_eq!(signature(&Secret::new("Jefe"), 1_700_000_000, "{}"), format!("t=1700000000,v1={hex}"));
    }

    #[test]
    fn only_allowed_hosts_are_posted_to() {
        let webhook =
            Webhook::open(table("hosts=['hooks.example.org','*.plant.example']"), &sources()).unwrap();
        let check = |url: &str, allowed: bool| {
            assert_eq!(webhook.check_host(&parse_url(url).unwrap()).is_ok(), allowed, "{url}");
        };
        check("https://hooks.example.org/x", true);
        check("https://HOOKS.example.org:8443/x", true);
        check("https://a.plant.example/x", true);
        check("https://plant.example/x", false);
        check("https://evilplant.example/x", false);
        check("https://hooks.example.org.evil.example/x", false);
        check("https://hooks.example.org@evil.example/x", false);
        check("http://169.254.169.254/latest", false);
    }

    #[test]
    fn an_address_is_a_url_with_a_host() {
        for bad in [
            "",
            "hooks.example.org",
            "ftp://a/b",
            "file:///etc/passwd",
            "http://",
            "http://a/\tb",
            "http://a/b\n",
            "http://a\0",
        ] {
            assert!((KIND.check_address)(bad).is_err(), "{bad}");
        }
        assert_eq!((KIND.check_address)("http://127.0.0.1:8080/x"), Ok(()));
    }
}
