//! The client against small servers on this machine that answer as nodes do.

use super::*;
use axum::Router;
use axum::body::Body;
use axum::http::{Request as Received, Response as Sent};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// What a server was asked: method, path with query, and idempotency key.
type Heard = Arc<Mutex<Vec<(String, String, String)>>>;

/// A server that answers each request with the next of `answers`, and then with the last again.
async fn server(answers: Vec<(u16, &'static str)>) -> (Url, Heard) {
    let heard = Heard::default();
    let told = Arc::clone(&heard);
    let router = Router::new().fallback(move |request: Received<Body>| {
        let (status, body) = {
            let mut heard = told.lock().unwrap();
            let key = request.headers()["idempotency-key"].to_str().unwrap().to_owned();
            heard.push((request.method().to_string(), request.uri().to_string(), key));
            answers[(heard.len() - 1).min(answers.len() - 1)]
        };
        let answer = Sent::builder().status(status).header("retry-after", "0").header("etag", "\"1-2\"");
        std::future::ready(answer.body(Body::from(body)).unwrap())
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, heard)
}

/// An address at which nobody listens.
async fn nobody() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
}

/// A server that takes a request and closes without an answer.
async fn silent_server() -> (Url, Arc<Mutex<u32>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 4096];
            socket.readable().await.unwrap();
            drop(socket.try_read(&mut bytes));
            *counted.lock().unwrap() += 1;
        }
    });
    (url, count)
}

fn client(hosts: Vec<Url>) -> Client {
    let place = Place { hosts, token: Ok("sf_t_x".into()), trusted: Vec::new() };
    Client::new(place, Some("key-1".into())).unwrap()
}

fn notice() -> Ask {
    Ask::post(&["notices"], &json!({ "summary": "x" })).repeatable()
}

#[tokio::test]
async fn the_second_host_answers_when_the_first_refuses_the_connection() {
    let (up, heard) = server(vec![(201, "{}")]).await;
    let client = client(vec![nobody().await, up]);
    client.ask(notice()).await.unwrap();
    client.ask(Ask::get(&["alerts", "A 1/2"]).pair("q", "a&b")).await.unwrap();
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0], ("POST".into(), "/api/v1/notices".into(), "key-1".into()));
    assert_eq!(heard[1].1, "/api/v1/alerts/A%201%2F2?q=a%26b");
}

#[tokio::test]
async fn every_host_sees_the_same_idempotency_key() {
    let (busy, first) = server(vec![(503, r#"{"title":"disk full"}"#)]).await;
    let (up, second) = server(vec![(201, "{}")]).await;
    let client = client(vec![busy, up]);
    client.ask(notice()).await.unwrap();
    assert_eq!(first.lock().unwrap()[0].2, second.lock().unwrap()[0].2);
}

#[tokio::test]
async fn a_busy_node_is_asked_again_and_then_given_up() {
    let busy = (503, r#"{"title":"busy"}"#);
    let (url, heard) = server(vec![busy, (201, "{}")]).await;
    client(vec![url]).ask(notice()).await.unwrap();
    assert_eq!(heard.lock().unwrap().len(), 2);
    let (url, heard) = server(vec![busy]).await;
    let failure = client(vec![url]).ask(notice()).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.text.ends_with(": busy"), "{failure}");
    assert_eq!(heard.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn when_nobody_answers_each_host_has_its_reason() {
    let (one, two) = (nobody().await, nobody().await);
    let failure = client(vec![one.clone(), two.clone()]).ask(notice()).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    for url in [one, two] {
        assert!(failure.text.contains(&format!("{} cannot be reached: ", authority(&url))), "{failure}");
    }
}

#[tokio::test]
async fn what_may_not_arrive_twice_goes_to_no_other_host_once_it_was_sent() {
    let (mute, count) = silent_server().await;
    let (up, heard) = server(vec![(200, "{}")]).await;
    let comment = Ask::post(&["alerts", "A1", "comment"], &json!({ "text": "x" }));
    let failure = client(vec![mute.clone(), up.clone()]).ask(comment).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.text.contains("may or may not have done"), "{failure}");
    assert!(heard.lock().unwrap().is_empty());
    assert_eq!(*count.lock().unwrap(), 1);
    client(vec![mute, up]).ask(notice()).await.unwrap();
    assert_eq!(heard.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_problem_is_put_into_words_with_its_code() {
    for (status, body, exit, expect) in [
        (
            404,
            r#"{"title":"no such alert","detail":"there is no alert \"A9\""}"#,
            Exit::NotFound,
            "there is no alert \"A9\"",
        ),
        (
            403,
            r#"{"title":"forbidden","detail":"the scope operate is needed"}"#,
            Exit::Refused,
            "the scope operate is needed",
        ),
        (412, r#"{"title":"changed meanwhile"}"#, Exit::Conflict, "changed meanwhile"),
        (
            422,
            r#"{"title":"not valid","detail":"/to/0: no \"ana\"","errors":[{"pointer":"/to/0","detail":"no \"ana\""},{"pointer":"","detail":"x"}]}"#,
            Exit::Refused,
            "not valid\n  to.0: no \"ana\"\n  x",
        ),
        (
            502,
            r#"{"title":"It cannot be reached","detail":"mail-1: refused"}"#,
            Exit::Failed,
            "mail-1: refused",
        ),
        (500, "<html>", Exit::Failed, "the node answered 500 Internal Server Error"),
        (302, "", Exit::Failed, "the node answered 302 Found"),
    ] {
        let (url, _) = server(vec![(status, body)]).await;
        let failure = client(vec![url]).ask(notice()).await.unwrap_err();
        assert_eq!((failure.exit, failure.text.as_str()), (exit, expect));
    }
}

#[tokio::test]
async fn without_a_token_the_refusal_says_where_one_is_looked_for() {
    let (url, _) = server(vec![(401, r#"{"title":"who are you"}"#)]).await;
    let place =
        Place { hosts: vec![url], token: Err("x/admin.token: not there".into()), trusted: Vec::new() };
    let failure = Client::new(place, None).unwrap().ask(notice()).await.unwrap_err();
    assert_eq!(failure.text, "who are you\nno token was given: x/admin.token: not there");
}

#[tokio::test]
async fn an_answer_keeps_its_version_and_every_byte() {
    let (url, _) = server(vec![(200, "{ \"a\" :1 }\n")]).await;
    let answer = client(vec![url]).ask(Ask::get(&["directory"])).await.unwrap();
    assert_eq!(answer, Answer { body: "{ \"a\" :1 }\n".into(), etag: Some("\"1-2\"".into()) });
}

#[test]
fn two_runs_have_two_keys() {
    assert_ne!(new_key().unwrap(), new_key().unwrap());
    assert_eq!(new_key().unwrap().len(), 32);
}

#[tokio::test]
async fn the_node_that_changes_the_directory_is_asked_where_that_is_wanted() {
    let problem = |api: &Url| -> &'static str {
        let body = json!({
            "type": "urn:steadfast:not-primary", "title": "t", "detail": "it is changed on north",
            "primary": { "name": "north", "api": api.as_str() },
        });
        Box::leak(body.to_string().into_boxed_str()) // A test's server answers with constants.
    };
    let (primary, asked) = server(vec![(200, "{}")]).await;
    let (other, _) = server(vec![(409, problem(&primary))]).await;
    let change = || Ask::put(&["directory"]).body("application/json", "{}".into());

    let failure = client(vec![other.clone()]).ask(change()).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Conflict);
    assert_eq!(failure.text, "it is changed on north\nadd --forward to have that node asked");
    assert!(asked.lock().unwrap().is_empty());

    client(vec![other.clone()]).forwarding(true).ask(change()).await.unwrap();
    client(vec![other, primary]).ask(change()).await.unwrap(); // It was named by the user too.
    assert_eq!(asked.lock().unwrap().len(), 2);
}
