//! The node file's mistakes, and what strangers' texts become in a mail.

use super::*;
use base::limits::MESSAGE_BYTES_MAX;
use base::{NotificationId, Wall};
use dispatch::directory::Severity;
use std::collections::BTreeMap;
use std::path::Path;

fn sources() -> Sources {
    Sources::with_variables(Path::new("/nowhere"), |name| (name == "PW").then(|| "tiger-77".to_owned()))
}

fn settings() -> Settings {
    let table = "host='localhost'\nsender='alerts@plant.example'".parse().unwrap();
    Smtp::open(table, &sources()).unwrap().settings
}

fn message() -> Message {
    Message {
        notification: NotificationId(0xabc),
        alert: "0000001f-20000abcd-17".into(),
        code: "A123".into(),
        attempt: 1,
        repeat: None,
        to: "anna@example.org".into(),
        recipient: "anna".into(),
        recipient_title: "Anna Lüdke".into(),
        subject: Some("[A123] pump 3 stopped".into()),
        text: "Pump 3 stopped.".into(),
        severity: Severity::High,
        summary: "pump 3 stopped".into(),
        details: "".into(),
        labels: BTreeMap::new(),
        purpose: "alert".into(),
        link: None,
        thread: Some("0000001f-20000abcd-17".into()),
        at: Wall(1_700_000_000_000),
        together: Vec::new(),
    }
}

/// The mail as lines, folded headers unfolded.
fn composed(message: &Message) -> Vec<String> {
    let mail = compose::compose(&settings(), message).unwrap();
    let text = String::from_utf8(mail.body).unwrap();
    assert!(text.is_ascii(), "a mail needs no 8BITMIME");
    assert!(text.ends_with("\r\n") && !text.contains("\r\n.\r\n"));
    assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
    assert!(text.lines().all(|line| line.len() < 998));
    text.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
}

fn header(mail: &[String], name: &str) -> String {
    let end = mail.iter().position(String::is_empty).unwrap();
    let found: Vec<&str> = mail[..end].iter().filter_map(|line| line.strip_prefix(name)).collect();
    assert_eq!(found.len(), 1, "{name} in {mail:?}");
    found[0].to_owned()
}

#[test]
fn a_mail_says_who_wrote_it_and_what_it_belongs_to() {
    let mail = composed(&message());
    assert_eq!(header(&mail, "From: "), "Steadfast <alerts@plant.example>");
    assert_eq!(header(&mail, "Subject: "), "[A123] pump 3 stopped");
    assert_eq!(header(&mail, "Message-ID: "), "<00000000000000000000000000000abc@plant.example>");
    assert_eq!(header(&mail, "References: "), "<0000001f-20000abcd-17@plant.example>");
    assert_eq!(header(&mail, "In-Reply-To: "), "<0000001f-20000abcd-17@plant.example>");
    assert_eq!(header(&mail, "Auto-Submitted: "), "auto-generated");
    assert_eq!(header(&mail, "Importance: "), "high");
    assert_eq!(header(&mail, "Date: "), "Tue, 14 Nov 2023 22:13:20 +0000");
}

#[test]
fn no_text_begins_a_header_or_ends_the_mail() {
    let plain = composed(&message());
    let hostile = "x\r\nBcc: eve@evil.example\r\n\r\n.\r\nMAIL FROM:<eve@evil.example>\0\u{7f}\u{85}";
    let mut attack = message();
    attack.recipient_title = hostile.into();
    attack.subject = Some(hostile.into());
    attack.text = hostile.into();
    attack.alert = hostile.into();
    attack.thread = Some(hostile.into());
    let mail = composed(&attack);
    let names = |mail: &[String]| -> Vec<String> {
        let end = mail.iter().position(String::is_empty).unwrap();
        mail[..end].iter().map(|line| line.split(':').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&mail), names(&plain), "the same headers, and no other");
}

#[test]
fn an_address_that_is_none_is_given_up() {
    for bad in ["", "anna", "a b@x.org", "a@x.org>\r\nRCPT TO:<eve@evil.example", "\"a\"@x.org", "@x", "a@"] {
        assert!(compose::check_address(bad).is_err(), "{bad}");
        let mut to_nobody = message();
        to_nobody.to = bad.into();
        assert!(compose::compose(&settings(), &to_nobody).is_err(), "{bad}");
    }
    for good in ["anna@example.org", "a.b+c@x.org", "jürgen@größe.example", "a@[127.0.0.1]"] {
        assert_eq!(compose::check_address(good), Ok(()), "{good}");
    }
}

#[test]
fn every_script_and_size_makes_a_mail() {
    for text in ["🚨 泵 3 ⏹", "אזעקה במשאבה", "\u{202e}drawkcab", "", "é", ".\n..\n.", "a\rb\nc"]
    {
        let mut odd = message();
        odd.text = text.into();
        odd.subject = Some(text.into());
        odd.recipient_title = text.into();
        composed(&odd);
    }
    let mut large = message();
    large.text = "a".repeat(MESSAGE_BYTES_MAX);
    large.subject = Some("s".repeat(4096));
    composed(&large);
}

#[test]
fn the_documented_table_opens() {
    let reference: toml::Table = KIND.reference.parse().unwrap();
    let smtp = Smtp::open(reference, &sources()).unwrap();
    assert_eq!((smtp.settings.port, smtp.slots()), (587, 4));
    let mut full = config::with_optional_keys(KIND.reference);
    assert!(KEYS.iter().all(|key| full.contains_key(*key)), "every key is documented");
    let secret = "{ env = 'PW' }";
    full.insert("password".into(), format!("v={secret}").parse::<toml::Table>().unwrap()["v"].clone());
    full.remove("ca_file");
    let smtp = Smtp::open(full, &sources()).unwrap();
    let defaults = settings();
    let told = |settings: &Settings| {
        let Settings { port, security, sender_name, connections, .. } = settings;
        let times = [
            settings.connect_timeout,
            settings.command_timeout,
            settings.data_timeout,
            settings.idle_timeout,
        ];
        format!("{port} {security:?} {sender_name} {connections} {times:?}")
    };
    assert_eq!(told(&smtp.settings), told(&defaults), "the documented values are the defaults");
    assert!(!format!("{smtp:?}").contains("tiger"), "{smtp:?}");
}

#[test]
fn a_wrong_table_is_explained() {
    let check = |table: &str, expect: &str| {
        let table = format!("host='h'\nsender='a@b.org'\n{table}").parse().unwrap();
        assert_eq!(Smtp::open(table, &sources()).unwrap_err().to_string(), expect);
    };
    check("prot=25", "key \"prot\": is not known; did you mean \"port\"?");
    check(
        "tls='startls'",
        "key \"tls\": \"startls\" is not a way to secure a connection; did you mean \"starttls\"?",
    );
    check("user='u'", "key \"password\": is missing, as there is a user");
    check("user='u'\npassword={ env='NONE' }", "key \"password\": environment variable NONE is not set");
    check(
        "user='u'\npassword='open'",
        "key \"password\": a secret does not stand here itself; write { file = \"path\" } or { env = \"NAME\" }",
    );
    check("connections=0", "key \"connections\": must be from 1 to 100");
    check(
        "ca_file='ca.pem'",
        "key \"ca_file\": cannot read /nowhere/ca.pem: No such file or directory (os error 2)",
    );
}

/// A server for one connection: reads a line, which must begin as `script` says, and answers. It returns
/// once the script is through, or with the line that was not expected.
async fn scripted(
    listener: tokio::net::TcpListener,
    script: &'static [(&'static str, &'static str)],
) -> String {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let mut stream = BufReader::new(listener.accept().await.unwrap().0);
    for (expect, answer) in script {
        let mut line = String::new();
        if !expect.is_empty() {
            stream.read_line(&mut line).await.unwrap();
        }
        if !line.starts_with(expect) {
            return line;
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    String::new()
}

/// What a probe by a provider with `keys` finds, and what the server did not expect.
async fn probed(
    keys: &str,
    script: &'static [(&'static str, &'static str)],
) -> (Result<String, String>, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let table = format!("host='127.0.0.1'\nport={port}\nsender='a@b.org'\n{keys}");
    let smtp = Smtp::open(table.parse().unwrap(), &sources()).unwrap();
    let (found, unexpected) = tokio::join!(smtp.probe(), scripted(listener, script));
    (found, unexpected)
}

#[tokio::test]
async fn what_was_said_before_tls_is_not_believed_after_it() {
    let (found, _) = probed(
        "",
        &[
            ("", "220 hello\r\n"),
            ("EHLO", "250-hello\r\n250 STARTTLS\r\n"),
            ("STARTTLS", "220 go on\r\n250-injected\r\n250 AUTH PLAIN\r\n"),
        ],
    )
    .await;
    let error = found.unwrap_err();
    assert!(error.contains("more than its answer before TLS began"), "{error}");
}

#[tokio::test]
async fn old_servers_are_greeted_with_helo_and_logged_in_to_with_login() {
    let (found, unexpected) = probed(
        "tls='plain'",
        &[
            ("", "220-hello\r\n220 there\r\n"),
            ("EHLO [127.0.0.1]", "502 what?\r\n"),
            ("HELO [127.0.0.1]", "250 hi\r\n"),
            ("QUIT", "221 bye\r\n"),
        ],
    )
    .await;
    assert!(found.unwrap().contains("no extensions"));
    assert_eq!(unexpected, "");
    let (found, unexpected) = probed(
        "tls='plain'\nuser='u'\npassword={ env='PW' }\nhello='node.example'",
        &[
            ("", "220 hello\r\n"),
            ("EHLO node.example\r\n", "250-hello\r\n250-AUTH=LOGIN\r\n250 auth login\r\n"),
            ("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"),
            ("dQ==\r\n", "334 UGFzc3dvcmQ6\r\n"),
            ("dGlnZXItNzc=\r\n", "235 welcome\r\n"),
            ("QUIT", "221 bye\r\n"),
        ],
    )
    .await;
    assert_eq!(unexpected, "");
    assert!(found.unwrap().contains("logged in as u"));
}

#[tokio::test]
async fn what_is_no_smtp_is_said_to_be_none() {
    for (greeting, part) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "is not an SMTP reply"),
        ("220\u{e9}\r\n", "is not an SMTP reply"),
        ("999 odd\r\n", "is not an SMTP reply"),
        ("220 no end of line", "closed the connection"),
    ] {
        let script: &'static [(&str, &str)] = Box::leak(Box::new([("", greeting)]));
        let error = probed("tls='plain'", script).await.0.unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let endless: &'static str = Box::leak("220-more\r\n".repeat(3_000).into_boxed_str());
    let script: &'static [(&str, &str)] = Box::leak(Box::new([("", endless)]));
    let error = probed("tls='plain'", script).await.0.unwrap_err();
    assert!(error.contains("has no end"), "{error}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_with_a_goodbye() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let table = format!("host='127.0.0.1'\nport={port}\nsender='a@b.org'\ntls='plain'\nidle_timeout='10ms'");
    let smtp = Smtp::open(table.parse().unwrap(), &sources()).unwrap();
    let server = tokio::spawn(scripted(
        listener,
        &[
            ("", "220 hello\r\n"),
            ("EHLO", "250 hello\r\n"),
            ("MAIL", "250 fine\r\n"),
            ("RCPT", "550 no such user\r\n"),
            ("RSET", "250 fine\r\n"),
            ("QUIT", "221 bye\r\n"),
        ],
    ));
    assert!(matches!(smtp.deliver(&message()).await, Outcome::Refused { then: Then::GiveUp, .. }));
    assert_eq!(server.await.unwrap(), "", "the last it heard was QUIT");
}
