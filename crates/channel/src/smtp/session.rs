//! One conversation with a server (RFC 5321), command by command.
//!
//! Our own rather than a client library's, because three things matter here that those hide: whether the
//! final dot had been started when the line failed, that nothing sent before STARTTLS is believed after it
//! (RFC 3207 §4.2), and that the stream does not wait for more to send (`TCP_NODELAY`): 40 ms a mail.

use super::compose::Mail;
use super::reply::{Failure, Gathered, Phase, Reply, What};
use super::{Security, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Bytes of one whole reply. RFC 5321 §4.5.3.1.5 allows 512 a line; a server that says more is not listened
/// to.
const REPLY_BYTES_MAX: u64 = 16 * 1024;
/// How long a server may take to answer QUIT or RSET, which nobody waits for.
const PARTING_TIMEOUT: Duration = Duration::from_secs(2);

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// A connection that is open, secured and logged in, between two mails.
pub(super) struct Session {
    stream: BufReader<Box<dyn Stream>>,
    /// The lines of the last EHLO reply, in capitals.
    offers: Vec<String>,
    command_timeout: Duration,
    data_timeout: Duration,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("offers", &self.offers).finish_non_exhaustive()
    }
}

/// Ends with a failure of `phase` when `work` takes longer than `limit` or fails.
async fn within<T>(
    limit: Duration,
    phase: Phase,
    work: impl Future<Output = io::Result<T>> + Send,
) -> Result<T, Failure> {
    match timeout(limit, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::new(phase, What::Broke(error.to_string()))),
        Err(_) => Err(Failure::new(phase, What::Silent(limit))),
    }
}

impl Session {
    /// Connects, greets, secures and logs in, as `settings` say.
    pub(super) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let limit = settings.connect_timeout;
        let address = (settings.host.as_str(), settings.port);
        let tcp = within(limit, Phase::Connect, TcpStream::connect(address)).await?;
        tcp.set_nodelay(true)
            .map_err(|error| Failure::new(Phase::Connect, What::Broke(error.to_string())))?;
        let hello = settings.hello.clone().unwrap_or_else(|| address_literal(&tcp));
        let stream: Box<dyn Stream> = match settings.security {
            Security::Tls => secure(settings, tcp).await?,
            Security::Starttls | Security::Plain => Box::new(tcp),
        };
        let mut session = Self {
            stream: BufReader::new(stream),
            offers: Vec::new(),
            command_timeout: settings.command_timeout,
            data_timeout: settings.data_timeout,
        };
        session.expect(Phase::Greeting, limit).await?;
        session.hello(&hello).await?;
        if settings.security == Security::Starttls {
            session = session.start_tls(settings).await?;
            session.hello(&hello).await?;
        }
        session.log_in(settings).await?;
        Ok(session)
    }

    /// EHLO, and the older HELO for a server that does not know it.
    async fn hello(&mut self, name: &str) -> Result<(), Failure> {
        self.offers.clear();
        match self.command(Phase::Hello, &format!("EHLO {name}")).await {
            Ok(reply) => {
                self.offers = reply.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
                Ok(())
            }
            Err(Failure { what: What::Said(reply), .. }) if matches!(reply.code, 500..=504) => {
                self.command(Phase::Hello, &format!("HELO {name}")).await.map(drop)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn start_tls(mut self, settings: &Settings) -> Result<Self, Failure> {
        if !self.offers("STARTTLS") {
            return Err(Failure::new(Phase::Tls, What::Lacks("STARTTLS")));
        }
        self.command(Phase::Tls, "STARTTLS").await?;
        if !self.stream.buffer().is_empty() {
            let how = "the server said more than its answer before TLS began".to_owned();
            return Err(Failure::new(Phase::Tls, What::Broke(how)));
        }
        let stream = secure(settings, self.stream.into_inner()).await?;
        Ok(Self { stream: BufReader::new(stream), ..self })
    }

    /// AUTH PLAIN (RFC 4616), or LOGIN for servers that only know that.
    async fn log_in(&mut self, settings: &Settings) -> Result<(), Failure> {
        let Some((user, password)) = &settings.login else { return Ok(()) };
        if self.offers_login("PLAIN") {
            let both = STANDARD.encode(format!("\0{user}\0{}", password.reveal()));
            self.command(Phase::Auth, &format!("AUTH PLAIN {both}")).await?;
        } else if self.offers_login("LOGIN") {
            self.command(Phase::Auth, "AUTH LOGIN").await?;
            self.command(Phase::Auth, &STANDARD.encode(user)).await?;
            self.command(Phase::Auth, &STANDARD.encode(password.reveal())).await?;
        } else {
            return Err(Failure::new(Phase::Auth, What::Lacks("AUTH PLAIN or LOGIN")));
        }
        Ok(())
    }

    fn offers(&self, keyword: &str) -> bool {
        self.offers.iter().any(|line| line.split(' ').next() == Some(keyword))
    }

    /// Also the form `AUTH=LOGIN` of old servers.
    fn offers_login(&self, mechanism: &str) -> bool {
        let auth = self.offers.iter().filter(|line| line.starts_with("AUTH"));
        auth.flat_map(|line| line.split([' ', '='])).any(|word| word == mechanism)
    }

    /// What it can say about itself.
    pub(super) fn describe(&self) -> String {
        match self.offers.len() {
            0 => "no extensions".to_owned(),
            _ => format!("offers {}", self.offers.join(", ")),
        }
    }

    /// Begins a mail. Apart from [`Session::hand_over`], because only here can a connection turn out stale.
    pub(super) async fn begin(&mut self, mail: &Mail) -> Result<(), Failure> {
        let international = !(mail.from.is_ascii() && mail.to.is_ascii());
        if international && !self.offers("SMTPUTF8") {
            return Err(Failure::new(Phase::Mail, What::Lacks("SMTPUTF8, which this address needs")));
        }
        let option = if international { " SMTPUTF8" } else { "" };
        self.command(Phase::Mail, &format!("MAIL FROM:<{}>{option}", mail.from)).await.map(drop)
    }

    /// Names the recipient and hands the mail over; the answer is the server's last.
    pub(super) async fn hand_over(&mut self, mail: &Mail) -> Result<Reply, Failure> {
        self.command(Phase::Recipient, &format!("RCPT TO:<{}>", mail.to)).await?;
        let reply = self.command(Phase::Data, "DATA").await?;
        if reply.code != 354 {
            return Err(Failure::new(Phase::Data, What::Broke(format!("{reply} does not answer DATA"))));
        }
        self.write(Phase::Data, &mail.body).await?;
        // From here the server may have taken the mail, whatever becomes of the line. In a write of its own,
        // so that a failure before it is known to be one.
        self.write(Phase::Dot, b".\r\n").await?;
        let reply = self.expect(Phase::Dot, self.data_timeout).await?;
        if reply.code >= 300 {
            return Err(Failure::new(Phase::Dot, What::Said(reply)));
        }
        Ok(reply)
    }

    /// Forgets the mail that was begun.
    pub(super) async fn reset(&mut self) -> bool {
        let reset = timeout(PARTING_TIMEOUT, self.command(Phase::Mail, "RSET")).await;
        matches!(reset, Ok(Ok(_)))
    }

    /// Says goodbye, and does not insist.
    pub(super) async fn quit(mut self) {
        drop(timeout(PARTING_TIMEOUT, self.command(Phase::Mail, "QUIT")).await);
    }

    /// Sends a line and waits for a positive answer.
    async fn command(&mut self, phase: Phase, line: &str) -> Result<Reply, Failure> {
        self.write(phase, format!("{line}\r\n").as_bytes()).await?;
        self.expect(phase, self.command_timeout).await
    }

    async fn write(&mut self, phase: Phase, bytes: &[u8]) -> Result<(), Failure> {
        let stream = &mut self.stream;
        within(self.command_timeout, phase, async {
            stream.write_all(bytes).await?;
            stream.flush().await
        })
        .await
    }

    /// Waits for an answer, which must be positive.
    async fn expect(&mut self, phase: Phase, limit: Duration) -> Result<Reply, Failure> {
        let reply = within(limit, phase, read_reply(&mut self.stream)).await?;
        if reply.positive() { Ok(reply) } else { Err(Failure::new(phase, What::Said(reply))) }
    }
}

/// Reads lines up to the last of a reply.
async fn read_reply(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<Reply> {
    let mut stream = stream.take(REPLY_BYTES_MAX);
    let mut gathered = Gathered::default();
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await?;
        if line.last() != Some(&b'\n') {
            let closed = stream.limit() > 0;
            return Err(io::Error::other(if closed {
                "the server closed the connection"
            } else {
                "the server's answer has no end"
            }));
        }
        if let Some(reply) = gathered.line(&line).map_err(io::Error::other)? {
            return Ok(reply);
        }
    }
}

/// TLS over `stream`, with the server proving to be `settings.host`.
async fn secure(
    settings: &Settings,
    stream: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
) -> Result<Box<dyn Stream>, Failure> {
    let name = ServerName::try_from(settings.host.clone())
        .map_err(|error| Failure::new(Phase::Tls, What::Broke(error.to_string())))?;
    let handshake = TlsConnector::from(Arc::clone(&settings.trust)).connect(name, stream);
    Ok(Box::new(within(settings.connect_timeout, Phase::Tls, handshake).await?))
}

/// How a client without a name introduces itself: `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
fn address_literal(tcp: &TcpStream) -> String {
    match tcp.local_addr().map(|address| address.ip()) {
        Ok(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
        Ok(std::net::IpAddr::V4(ip)) => format!("[{ip}]"),
        Err(_) => "[127.0.0.1]".to_owned(),
    }
}
