//! Sends mail through an SMTP server (RFC 5321; submission RFC 6409; TLS RFC 3207 and 8314; AUTH RFC 4954).
//!
//! One mail for each notification: servers answer for each recipient, and people see nobody else's address.
//! Files: `compose` makes the mail, `session` talks, `reply` judges the answer, `pool` keeps connections.

mod compose;
mod pool;
mod reply;
mod session;

use crate::config::{self, ConfigError, Sources, duration, nearest};
use crate::message::reason;
use crate::secret::{Secret, SecretRef};
use crate::{Abilities, Channel, Kind, Message, tls};
use async_trait::async_trait;
use base::limits::MESSAGE_BYTES_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use compose::Mail;
use dispatch::record::{Outcome, Then};
use lettre::Address;
use pool::Pool;
pub use reply::parse_reply;
use reply::{Failure, Reply};
use rustls::ClientConfig;
use serde::Deserialize;
use session::Session;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The channel.
pub(crate) const KIND: Kind = Kind {
    name: "mail",
    abilities: Abilities {
        confirms: false,
        takes_replies: false,
        subject: true,
        text_max: MESSAGE_BYTES_MAX,
    },
    check_address: compose::check_address,
    open: |table, sources| Ok(Box::new(Smtp::open(table, sources)?)),
    reference: REFERENCE,
};

const REFERENCE: &str = r#"# The mail server's name. Its certificate must be for this name.
host = "smtp.example.org"
# Its port. Without it: 587 for starttls, 465 for tls, 25 for plain.
#port = 587
# How the connection is secured: "starttls", "tls" (from the first byte), or "plain" (not at all: a password
# then crosses the network in the clear).
#tls = "starttls"
# Whether the server must prove its name with a certificate. Off, anybody in between can read along.
#verify = true
# Trust these certificates (PEM) instead of the machine's.
#ca_file = "mail-ca.pem"
# Log in as this user, with the password from a file or an environment variable.
#user = "alerts"
#password = { file = "mail-password" }
# The address that mails come from.
sender = "alerts@example.org"
# The name people read beside it.
#sender_name = "Steadfast"
# How we introduce ourselves (EHLO). Without it: our own address, such as [192.0.2.1].
#hello = "alerts.example.org"
# Connections at once, 1 to 100.
#connections = 4
# To connect, to start TLS, and to greet, each. RFC 5321 §4.5.3.2 allows five minutes for the greeting; a
# server that is alive needs a second, and the next provider waits for this one.
#connect_timeout = "10s"
# To answer a command. RFC 5321 §4.5.3.2 allows five minutes.
#command_timeout = "30s"
# To confirm a whole mail. RFC 5321 §4.5.3.2.6 asks for ten minutes: giving up sooner sends mails twice.
#data_timeout = "10m"
# An idle connection is closed after this time.
#idle_timeout = "30s"
"#;

const KEYS: [&str; 15] = [
    "host",
    "port",
    "tls",
    "verify",
    "ca_file",
    "user",
    "password",
    "sender",
    "sender_name",
    "hello",
    "connections",
    "connect_timeout",
    "command_timeout",
    "data_timeout",
    "idle_timeout",
];

/// The table as written; [`REFERENCE`] says what the keys mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    host: String,
    port: Option<u16>,
    #[serde(default = "default_tls")]
    tls: String,
    #[serde(default = "default_verify")]
    verify: bool,
    ca_file: Option<PathBuf>,
    user: Option<String>,
    password: Option<SecretRef>,
    sender: String,
    #[serde(default = "default_sender_name")]
    sender_name: String,
    hello: Option<String>,
    #[serde(default = "default_connections")]
    connections: usize,
    #[serde(default = "default_connect_timeout", deserialize_with = "duration")]
    connect_timeout: Duration,
    #[serde(default = "default_command_timeout", deserialize_with = "duration")]
    command_timeout: Duration,
    #[serde(default = "default_data_timeout", deserialize_with = "duration")]
    data_timeout: Duration,
    #[serde(default = "default_idle_timeout", deserialize_with = "duration")]
    idle_timeout: Duration,
}

fn default_tls() -> String {
    "starttls".to_owned()
}

fn default_verify() -> bool {
    true
}

fn default_sender_name() -> String {
    "Steadfast".to_owned()
}

fn default_connections() -> usize {
    4
}

fn default_connect_timeout() -> Duration {
    Duration::from_secs(10)
}

fn default_command_timeout() -> Duration {
    Duration::from_secs(30)
}

fn default_data_timeout() -> Duration {
    Duration::from_secs(600)
}

fn default_idle_timeout() -> Duration {
    Duration::from_secs(30)
}

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    /// Not at all.
    Plain,
    /// By STARTTLS; without it the server is not used.
    Starttls,
    /// From the first byte.
    Tls,
}

/// The table, checked.
#[derive(Debug)]
struct Settings {
    host: String,
    port: u16,
    security: Security,
    trust: Arc<ClientConfig>,
    login: Option<(String, Secret)>,
    sender: Address,
    sender_name: String,
    hello: Option<String>,
    connections: usize,
    connect_timeout: Duration,
    command_timeout: Duration,
    data_timeout: Duration,
    idle_timeout: Duration,
}

impl Settings {
    fn check(table: Table, sources: &Sources) -> Result<Self, ConfigError> {
        let (security, usual_port) = security(&table.tls)?;
        let host_end = table.host.find(|c: char| c.is_whitespace() || c.is_control() || "/@".contains(c));
        if table.host.is_empty() || host_end.is_some() {
            return Err(ConfigError::at(
                "host",
                "write the server's name or address, such as \"smtp.example.org\"",
            ));
        }
        if !(1..=100).contains(&table.connections) {
            return Err(ConfigError::at("connections", "must be from 1 to 100"));
        }
        if let Some(hello) = &table.hello
            && (hello.is_empty() || !hello.chars().all(|c| c.is_ascii_graphic()))
        {
            return Err(ConfigError::at("hello", "must be a host name, such as \"alerts.example.org\""));
        }
        Ok(Self {
            port: table.port.unwrap_or(usual_port),
            security,
            trust: Arc::new(tls::client(table.verify, table.ca_file.as_deref(), sources)?),
            login: login(table.user, table.password.as_ref(), sources)?,
            sender: compose::address(&table.sender).map_err(|why| ConfigError::at("sender", why))?,
            host: table.host,
            sender_name: table.sender_name,
            hello: table.hello,
            connections: table.connections,
            connect_timeout: table.connect_timeout,
            command_timeout: table.command_timeout,
            data_timeout: table.data_timeout,
            idle_timeout: table.idle_timeout,
        })
    }
}

fn security(word: &str) -> Result<(Security, u16), ConfigError> {
    match word {
        "plain" => Ok((Security::Plain, 25)),
        "starttls" => Ok((Security::Starttls, 587)),
        "tls" => Ok((Security::Tls, 465)),
        other => {
            let near = nearest(other, &["starttls", "tls", "plain"]);
            Err(ConfigError::at("tls", format!("\"{other}\" is not a way to secure a connection{near}")))
        }
    }
}

fn login(
    user: Option<String>,
    password: Option<&SecretRef>,
    sources: &Sources,
) -> Result<Option<(String, Secret)>, ConfigError> {
    match (user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => {
            let secret = password.fetch(sources).map_err(|why| ConfigError::at("password", why))?;
            Ok(Some((user, secret)))
        }
        (Some(_), None) => Err(ConfigError::at("password", "is missing, as there is a user")),
        (None, Some(_)) => Err(ConfigError::at("user", "is missing, as there is a password")),
    }
}

/// Every form in which the password crosses the line, so that an echo of it is not repeated to people.
#[derive(Debug, Default)]
struct Secrets(Vec<Secret>);

impl Secrets {
    fn of(login: Option<&(String, Secret)>) -> Self {
        let Some((user, password)) = login else { return Self::default() };
        let plain = password.reveal();
        let forms = [STANDARD.encode(format!("\0{user}\0{plain}")), STANDARD.encode(plain), plain.to_owned()];
        Self(forms.iter().map(|form| Secret::new(form)).collect())
    }

    fn hide_in(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| secret.hide_in(&text))
    }
}

/// A mail server.
#[derive(Debug)]
struct Smtp {
    settings: Settings,
    secrets: Secrets,
    pool: Pool,
    /// Holds the number of connections down, should the caller ask for more than [`Channel::slots`].
    gate: Semaphore,
}

impl Smtp {
    fn open(table: toml::Table, sources: &Sources) -> Result<Self, ConfigError> {
        let settings = Settings::check(config::read(table, &KEYS)?, sources)?;
        Ok(Self {
            secrets: Secrets::of(settings.login.as_ref()),
            pool: Pool::new(settings.idle_timeout),
            gate: Semaphore::new(settings.connections),
            settings,
        })
    }

    /// Sends `mail` over a waiting connection, or over a new one where there is none or it turns out stale.
    async fn send(&self, mail: &Mail) -> Result<Reply, Failure> {
        if let Some(mut session) = self.pool.take() {
            match session.begin(mail).await {
                Ok(()) => return self.finish(session, mail).await,
                Err(failure) if failure.is_stale() => (), // The mail has not begun: nothing can double.
                Err(failure) => return self.leave(session, failure).await,
            }
        }
        let mut session = Session::open(&self.settings).await?;
        match session.begin(mail).await {
            Ok(()) => self.finish(session, mail).await,
            Err(failure) => self.leave(session, failure).await,
        }
    }

    async fn finish(&self, mut session: Session, mail: &Mail) -> Result<Reply, Failure> {
        match session.hand_over(mail).await {
            Ok(reply) => {
                self.pool.put(session);
                Ok(reply)
            }
            Err(failure) => self.leave(session, failure).await,
        }
    }

    /// Keeps the connection if the refusal was about this mail only.
    async fn leave<T>(&self, mut session: Session, failure: Failure) -> Result<T, Failure> {
        if failure.leaves_connection_usable() && session.reset().await {
            self.pool.put(session);
        }
        Err(failure)
    }
}

#[async_trait]
impl Channel for Smtp {
    async fn deliver(&self, message: &Message) -> Outcome {
        let mail = match compose::compose(&self.settings, message) {
            Ok(mail) => mail,
            Err(why) => return Outcome::Refused { then: Then::GiveUp, why: reason(&why) },
        };
        // The gate is never closed; without a permit there would only be one connection more.
        let _permit = self.gate.acquire().await;
        match self.send(&mail).await {
            Ok(reply) => Outcome::Accepted { receipt: reason(&self.secrets.hide_in(&reply.to_string())) },
            Err(failure) => failure.outcome(&self.secrets),
        }
    }

    fn slots(&self) -> usize {
        self.settings.connections
    }

    async fn probe(&self) -> Result<String, String> {
        match Session::open(&self.settings).await {
            Ok(session) => {
                let offers = session.describe();
                session.quit().await;
                let (host, port) = (&self.settings.host, self.settings.port);
                let user = self.settings.login.as_ref().map_or("nobody", |(user, _)| user);
                Ok(format!(
                    "{host}:{port} answers ({}), logged in as {user}, {offers}",
                    words(self.settings.security)
                ))
            }
            Err(failure) => Err(self.secrets.hide_in(&failure.to_string())),
        }
    }
}

fn words(security: Security) -> &'static str {
    match security {
        Security::Plain => "in the clear",
        Security::Starttls => "STARTTLS",
        Security::Tls => "TLS",
    }
}

#[cfg(test)]
mod tests;
