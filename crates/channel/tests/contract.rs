//! What every channel keeps, tried on each against a scripted server: the caller's whole trust in a channel.
//!
//! A new channel adds a [`Stage`]; `every_channel_has_a_stage` fails until it does.

mod support;

use channel::{CHANNELS, Channel, Message};
use dispatch::record::{Outcome, Then};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use support::{SECRET, message, open};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Accept,
    RefuseForGood,
    Busy,
    /// Takes the connection, and never says a word.
    Hang,
    /// Takes the whole message, and drops the connection instead of answering.
    DropAfter,
    /// Refuses in the very words that it got.
    Echo,
}

type Served = Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>;

/// A channel's server, and a provider that uses it.
struct Stage {
    channel: &'static str,
    /// For a server at that port, which is given so long.
    table: fn(u16, &str) -> String,
    address: fn(u16) -> String,
    serve: fn(TcpStream, Act, Arc<Mutex<Vec<u8>>>) -> Served,
    /// Begins the line that holds the idempotency token.
    token: &'static str,
}

const STAGES: [Stage; 2] = [
    Stage {
        channel: "mail",
        table: |port, patience| {
            format!(
                "host='127.0.0.1'\nport={port}\ntls='plain'\nsender='alerts@plant.example'\nuser='u'\n\
                 password={{ env='SECRET' }}\nconnect_timeout='{patience}'"
            )
        },
        address: |_| "anna@example.org".to_owned(),
        serve: |stream, act, got| Box::pin(serve_smtp(stream, act, got)),
        token: "Message-ID:",
    },
    Stage {
        channel: "webhook",
        table: |_, patience| {
            format!("secret={{ env='SECRET' }}\nbearer={{ env='SECRET' }}\ntimeout='{patience}'")
        },
        address: |port| format!("http://127.0.0.1:{port}/hook/token-in-path"),
        serve: |stream, act, got| Box::pin(serve_http(stream, act, got)),
        token: "idempotency-key:",
    },
];

/// A running server: connection number n is treated as `acts[n]` says, later ones as the last.
struct Scene {
    provider: Box<dyn Channel>,
    to: String,
    got: Arc<Mutex<Vec<u8>>>,
}

impl Scene {
    async fn set(stage: &Stage, acts: &'static [Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        // Short only where it must run out: elsewhere a busy machine would look like a bad server.
        let patience = if acts == [Act::Hang] { "300ms" } else { "30s" };
        let got: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (serve, seen) = (stage.serve, Arc::clone(&got));
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let act = acts.get(number).or_else(|| acts.last()).copied().unwrap_or(Act::Accept);
                number += 1;
                tokio::spawn(serve(stream, act, Arc::clone(&seen)));
            }
        });
        Self { provider: open(stage.channel, &(stage.table)(port, patience)), to: (stage.address)(port), got }
    }

    fn message(&self) -> Message {
        message(&self.to)
    }

    async fn outcome(&self) -> Outcome {
        self.provider.deliver(&self.message()).await
    }

    fn got(&self) -> String {
        String::from_utf8_lossy(&self.got.lock().expect("no test panics with it")).into_owned()
    }
}

async fn serve_smtp(stream: TcpStream, act: Act, got: Arc<Mutex<Vec<u8>>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    if act == Act::Hang {
        return hang(stream).await;
    }
    stream.write_all(b"220 scripted\r\n").await?;
    let (mut in_mail, mut login) = (false, String::new());
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        got.lock().expect("no test panics with it").extend_from_slice(&line);
        let text = String::from_utf8_lossy(&line).into_owned();
        let answer = match (in_mail, text.get(..4).unwrap_or(&text)) {
            (true, _) if text != ".\r\n" => continue,
            (true, _) if act == Act::DropAfter => return Ok(()),
            (true, _) => "250 2.0.0 queued as 4711\r\n".to_owned(),
            (false, "EHLO") => "250-scripted\r\n250 AUTH PLAIN\r\n".to_owned(),
            (false, "AUTH") => {
                login = format!("{} {SECRET}", text.trim_end());
                "235 welcome\r\n".to_owned()
            }
            (false, "RCPT") if act == Act::RefuseForGood => "550 5.1.1 no such user\r\n".to_owned(),
            (false, "RCPT") if act == Act::Busy => "451 4.7.1 later\r\n".to_owned(),
            (false, "RCPT") if act == Act::Echo => format!("550 {login}\r\n"),
            (false, "DATA") => "354 go on\r\n".to_owned(),
            (false, _) => "250 fine\r\n".to_owned(),
        };
        in_mail = answer.starts_with("354");
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn serve_http(stream: TcpStream, act: Act, got: Arc<Mutex<Vec<u8>>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    if act == Act::Hang {
        return hang(stream).await;
    }
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        head.push_str(&line);
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    got.lock().expect("no test panics with it").extend([head.as_bytes(), &body].concat());
    let (status, said) = match act {
        Act::Accept | Act::Hang => ("202 Accepted", String::new()),
        Act::RefuseForGood => ("410 Gone", "gone".to_owned()),
        Act::Busy => ("429 Too Many Requests", "later".to_owned()),
        Act::Echo => ("400 Bad Request", {
            let secret = |line: &&str| line.starts_with("POST") || line.starts_with("authorization");
            head.lines().filter(secret).collect::<Vec<_>>().join(" ")
        }),
        Act::DropAfter => return Ok(()),
    };
    let answer =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{said}", said.len());
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Reads without answering, until the other side gives up.
async fn hang(mut stream: BufReader<TcpStream>) -> std::io::Result<()> {
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

fn then(outcome: &Outcome) -> Option<Then> {
    match outcome {
        Outcome::Refused { then, .. } => Some(*then),
        Outcome::Accepted { .. } | Outcome::Unknown { .. } => None,
    }
}

#[test]
fn every_channel_has_a_stage() {
    let stages: Vec<&str> = STAGES.iter().map(|stage| stage.channel).collect();
    let channels: Vec<&str> = CHANNELS.iter().map(|kind| kind.name).collect();
    assert_eq!(stages, channels);
}

#[tokio::test]
async fn a_taken_message_is_accepted_with_a_receipt() {
    for stage in &STAGES {
        let scene = Scene::set(stage, &[Act::Accept]).await;
        let outcome = scene.outcome().await;
        assert!(matches!(&outcome, Outcome::Accepted { receipt } if !receipt.is_empty()), "{outcome:?}");
        assert!(scene.got().contains("Pumpe 3 steht."), "{}", stage.channel);
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do_next() {
    for (acts, expect) in [
        (&[Act::RefuseForGood], Then::GiveUp),
        (&[Act::Busy], Then::RetryLater),
        (&[Act::Echo], Then::GiveUp),
    ] {
        for stage in &STAGES {
            let outcome = Scene::set(stage, acts).await.outcome().await;
            assert_eq!(then(&outcome), Some(expect), "{} {acts:?}: {outcome:?}", stage.channel);
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_refuses_for_certain_but_not_for_good() {
    for stage in &STAGES {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let provider = open(stage.channel, &(stage.table)(port, "30s"));
        let outcome = provider.deliver(&message(&(stage.address)(port))).await;
        assert!(matches!(then(&outcome), Some(Then::NextProvider | Then::RetryLater)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_left_and_never_believed() {
    for stage in &STAGES {
        let outcome = Scene::set(stage, &[Act::Hang]).await.outcome().await;
        match outcome {
            Outcome::Refused { then, .. } => assert_eq!(then, Then::NextProvider, "{}", stage.channel),
            Outcome::Unknown { why } => assert!(why.contains("no answer"), "{why}"),
            Outcome::Accepted { receipt } => panic!("{} accepted: {receipt}", stage.channel),
        }
    }
}

#[tokio::test]
async fn a_connection_dropped_after_the_message_was_handed_over_is_unknown() {
    for stage in &STAGES {
        let outcome = Scene::set(stage, &[Act::DropAfter]).await.outcome().await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{} {outcome:?}", stage.channel);
    }
}

#[tokio::test]
async fn both_attempts_at_a_notification_carry_one_token() {
    for stage in &STAGES {
        let scene = Scene::set(stage, &[Act::DropAfter, Act::Accept]).await;
        let mut message = scene.message();
        assert!(matches!(scene.provider.deliver(&message).await, Outcome::Unknown { .. }));
        message.attempt = 2;
        message.repeat = Some(dispatch::record::Cause::Unknown);
        message.text = "This may be a repeat. Pumpe 3 steht.".to_owned();
        assert!(matches!(scene.provider.deliver(&message).await, Outcome::Accepted { .. }));
        let got = scene.got();
        let tokens: Vec<&str> = got.lines().filter_map(|line| line.strip_prefix(stage.token)).collect();
        let notification = message.notification.to_string();
        assert_eq!(tokens.len(), 2, "{got}");
        assert!(tokens.iter().all(|token| token.contains(&notification)), "{tokens:?}");
    }
}

#[tokio::test]
async fn a_text_at_the_limit_arrives_whole() {
    for stage in &STAGES {
        let limit = CHANNELS.iter().find(|kind| kind.name == stage.channel).unwrap().abilities.text_max;
        let scene = Scene::set(stage, &[Act::Accept]).await;
        let mut message = scene.message();
        message.text = "eighty characters of text in a line, again and again, until there is no room.\r\n"
            .repeat(limit / 80 + 1);
        message.text.truncate(limit);
        assert!(matches!(scene.provider.deliver(&message).await, Outcome::Accepted { .. }));
        assert_eq!(scene.got().matches("eighty").count(), message.text.matches("eighty").count());
    }
}

#[tokio::test]
async fn a_secret_that_the_server_repeats_is_not_passed_on() {
    for stage in &STAGES {
        let scene = Scene::set(stage, &[Act::Echo]).await;
        let outcome = format!("{:?}", scene.outcome().await);
        assert!(scene.got().to_ascii_lowercase().contains("auth"), "the server has seen it");
        assert!(outcome.contains("[secret]"), "{outcome}");
        for form in [SECRET, "AHUAdGlnZXItNzc=", "dGlnZXItNzc"] {
            assert!(!outcome.contains(form), "{outcome}");
        }
    }
}

#[tokio::test]
async fn a_reason_names_no_url_whose_path_may_be_a_secret() {
    for acts in [&[Act::Hang], &[Act::DropAfter], &[Act::RefuseForGood], &[Act::Echo]] {
        for stage in &STAGES {
            let outcome = format!("{:?}", Scene::set(stage, acts).await.outcome().await);
            assert!(!outcome.contains("token-in-path"), "{outcome}");
        }
    }
}

#[tokio::test]
async fn an_attempt_that_is_abandoned_half_way_leaves_the_provider_usable() {
    for stage in &STAGES {
        let scene = Scene::set(stage, &[Act::Hang, Act::Accept]).await;
        let message = scene.message();
        let mut abandoned = scene.provider.deliver(&message);
        // One turn is enough to connect or to begin to.
        assert!(futures_poll(&mut abandoned).await.is_none(), "{}", stage.channel);
        drop(abandoned);
        let mut outcome = scene.outcome().await;
        if !matches!(outcome, Outcome::Accepted { .. }) {
            // The server may not have seen the first connection before the second.
            outcome = scene.outcome().await;
        }
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{} {outcome:?}", stage.channel);
    }
}

/// Polls `future` once.
async fn futures_poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + Send + '_>>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn more_deliveries_than_slots_wait_for_each_other() {
    for stage in &STAGES {
        let scene = Scene::set(stage, &[Act::Accept]).await;
        let slots = scene.provider.slots();
        assert!(slots > 0);
        let messages: Vec<Message> = (0..slots * 3).map(|_| scene.message()).collect();
        let mut deliveries: Vec<_> = messages.iter().map(|message| scene.provider.deliver(message)).collect();
        for delivery in &mut deliveries {
            drop(futures_poll(delivery).await); // All are under way before the first is waited for.
        }
        for delivery in deliveries {
            // One that ended at its first poll cannot be polled again; none can, as each needs the network.
            assert!(matches!(delivery.await, Outcome::Accepted { .. }), "{}", stage.channel);
        }
    }
}
