//! A mailbox on loopback for the demo: takes mail by SMTP (RFC 5321) and keeps it for the story.
//!
//! Only for showing: tests talk to mail servers that others wrote.

use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A mail as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mail {
    /// Who it is for, as the envelope says.
    pub(super) to: String,
    /// The subject, as it was written.
    pub(super) subject: String,
    /// The text, with quoted-printable undone.
    pub(super) text: String,
}

/// Opens the mailbox on a free port.
pub(super) async fn open() -> std::io::Result<(SocketAddr, mpsc::UnboundedReceiver<Mail>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let at = listener.local_addr()?;
    let (mails, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A conversation that breaks off concerns the sender, who will see it.
            let mails = mails.clone();
            tokio::spawn(async move { drop(converse(stream, mails).await) });
        }
    });
    Ok((at, received))
}

async fn converse(mut stream: TcpStream, mails: mpsc::UnboundedSender<Mail>) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    let mut to = Vec::new();
    write.write_all(b"220 demo mailbox ready\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-demo\r\n250 8BITMIME",
            "RCPT" => {
                to.extend(
                    line.split_once('<').and_then(|(_, rest)| rest.split('>').next()).map(str::to_owned),
                );
                "250 2.1.5 ok"
            }
            "DATA" => {
                write.write_all(b"354 go on, end with a dot\r\n").await?;
                let mut content = Vec::new();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    content.push(line.strip_prefix('.').unwrap_or(&line).to_owned());
                }
                for to in to.drain(..) {
                    drop(mails.send(Mail::read(to, &content))); // The demo may be over.
                }
                "250 2.0.0 taken"
            }
            "QUIT" => {
                write.write_all(b"221 2.0.0 bye\r\n").await?;
                break;
            }
            _ => "250 2.0.0 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

impl Mail {
    fn read(to: String, lines: &[String]) -> Self {
        let end = lines.iter().position(String::is_empty).unwrap_or(lines.len());
        let (head, body) = lines.split_at(end);
        let field = |name: &str| {
            let prefix = format!("{}:", name.to_ascii_lowercase());
            let found = head.iter().find(|line| line.to_ascii_lowercase().starts_with(&prefix));
            found.and_then(|line| line.get(prefix.len()..)).map(str::trim).unwrap_or_default().to_owned()
        };
        let text = body.join("\n");
        let quoted = field("Content-Transfer-Encoding").eq_ignore_ascii_case("quoted-printable");
        let text = if quoted { unquote(&text) } else { text };
        Self { to, subject: field("Subject"), text: text.trim().to_owned() }
    }
}

/// Undoes quoted-printable (RFC 2045 §6.7).
fn unquote(text: &str) -> String {
    let text = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match code.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'=' => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_read_with_its_subject_and_text() {
        let lines =
            ["Subject: pump 3", "Content-Transfer-Encoding: quoted-printable", "", "Gr=C3=BC=", "=C3=9Fe"];
        let mail = Mail::read("a@x.test".into(), &lines.map(str::to_owned));
        assert_eq!((mail.subject.as_str(), mail.text.as_str()), ("pump 3", "Grüße"));
    }
}
